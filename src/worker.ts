/** Worker entry: wiring only. */
import { consumeDeadLetters, consumeTasks } from './runtime/consumer.ts';
import type { Env, TaskMessage } from './runtime/env.ts';
import { DEAD_LETTER_QUEUE } from './runtime/names.ts';
import { tickSchedules } from './runtime/schedule.ts';
import { app } from './service/app.ts';

export { RunProgress } from './runtime/progress.ts';
export { Registry } from './runtime/registry.ts';
export { ComparisonRun } from './runtime/workflow.ts';

export default {
  fetch: app.fetch,
  queue: (batch, env) =>
    batch.queue === DEAD_LETTER_QUEUE ? consumeDeadLetters(batch, env) : consumeTasks(batch, env),
  scheduled: async ({ scheduledTime }, env) => {
    await tickSchedules(env, scheduledTime);
  },
} satisfies ExportedHandler<Env, TaskMessage>;
