/** What wrangler.toml, the local engine and the README on deploying must agree on; tests compare them. */
export const TASK_QUEUE = 'convergent-tasks';
export const DEAD_LETTER_QUEUE = 'convergent-dead-letters';
/** R2's event notifications. */
export const UPLOAD_QUEUE = 'convergent-uploads';
export const WORKFLOW = 'convergent-run';
export const BUCKET = 'convergent';
export const COMPATIBILITY_DATE = '2026-07-01';
/** Deliveries of a message after the first, before it is a dead letter. */
export const MAX_RETRIES = 3;
/** Rates within a period of seconds: failed sign-ins of one address, and runs started by one token or pipeline. */
export const RATE_LIMITS = {
  LIMIT_FAILURES: { namespace_id: '1001', simple: { limit: 30, period: 60 } },
  LIMIT_STARTS: { namespace_id: '1002', simple: { limit: 600, period: 60 } },
} as const;
/** Where in the bucket a download is until its hash is known; a lifecycle rule clears what one that died left. */
export const INCOMING = 'incoming/';
