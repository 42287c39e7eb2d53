/** Names shared by wrangler.toml and the local engine. */
export const TASK_QUEUE = 'convergent-tasks';
export const DEAD_LETTER_QUEUE = 'convergent-dead-letters';
export const WORKFLOW = 'convergent-run';
export const BUCKET = 'convergent';
