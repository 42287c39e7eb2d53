/** Worker entry: wiring only. */
import { consumeDeadLetters, consumeTasks } from './runtime/consumer.ts';
import type { Env, TaskMessage } from './runtime/env.ts';
import { app } from './runtime/http.ts';
import { DEAD_LETTER_QUEUE } from './runtime/names.ts';

export { RunProgress } from './runtime/progress.ts';
export { ComparisonRun } from './runtime/workflow.ts';

export default {
  fetch: app.fetch,
  queue: (batch, env) =>
    batch.queue === DEAD_LETTER_QUEUE ? consumeDeadLetters(batch, env) : consumeTasks(batch, env),
} satisfies ExportedHandler<Env, TaskMessage>;
