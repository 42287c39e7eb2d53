/** Worker entry: wiring only. */
import { consumeDeadLetters, consumeTasks } from './runtime/consumer.ts';
import type { Env, TaskMessage } from './runtime/env.ts';
import { DEAD_LETTER_QUEUE, UPLOAD_QUEUE } from './runtime/names.ts';
import { tickSchedules } from './runtime/schedule.ts';
import { consumeUploads } from './runtime/uploads.ts';
import { app } from './service/app.ts';

export { ComputeContainer } from './runtime/compute.ts';
export { RunProgress } from './runtime/progress.ts';
export { Registry } from './runtime/registry.ts';
export { ComparisonRun } from './runtime/workflow.ts';

export default {
  fetch: app.fetch,
  queue: (batch, env) => {
    if (batch.queue === UPLOAD_QUEUE) return consumeUploads(batch, env);
    const tasks = batch as MessageBatch<TaskMessage>;
    return batch.queue === DEAD_LETTER_QUEUE ? consumeDeadLetters(tasks, env) : consumeTasks(tasks, env);
  },
  scheduled: async ({ scheduledTime }, env) => {
    await tickSchedules(env, scheduledTime);
  },
} satisfies ExportedHandler<Env>;
