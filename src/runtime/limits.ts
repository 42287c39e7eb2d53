/**
 * Every number here is a limit of the platform or our distance from one. Sources: Cloudflare's
 * documentation of Workers, Queues, Workflows and R2, and tries with miniflare 4.20260730.0; read 2026-11.
 */

/** sendBatch takes at most 100 messages (Queues limits). */
export const SEND_BATCH_MESSAGES = 100;
/** Messages pending at a time: the local queue refuses more than 10,000 half-way; one wave stays far below. */
export const WAVE_TASKS = 1_000;
/** A workflow looks again after this long without an event; events are hints and may be lost. */
export const LOOK_AGAIN = '2 minutes';
/** Objects read and verified per workflow step, so that one step stays within its CPU time. */
export const VERIFY_TASKS_PER_STEP = 100;
/** R2 requests under way at once in one invocation (Workers allow 6 simultaneous open connections; more wait). */
export const PARALLEL_REQUESTS = 6;
/** `step.do` times out after 10 minutes by default; ours read or write many objects. */
const STEP_TIMEOUT = '30 minutes';
/** How a step of the workflow is tried. */
export const STEP = {
  retries: { limit: 3, delay: '1 second', backoff: 'exponential' },
  timeout: STEP_TIMEOUT,
} as const;
/** Bytes of probe data hashed as one chunk, the unit in which stored data is verified. */
export const CHUNK_BYTES = 65_536;
/** Tasks under way at once in one invocation: each has a request open to the compute server (Workers: 6 connections). */
export const NATIVE_TASKS_AT_ONCE = 4;
/** Bytes of a task's inputs read from the bucket and sent on at a time. */
export const NATIVE_PIECE_BYTES = 4 * 2 ** 20;
/** How often a notice is tried, and from what delay on, doubling: about two minutes in all. */
export const NOTICE_RETRIES = { limit: 6, delay: '2 seconds', backoff: 'exponential' } as const;
/** Last bytes of an object that are read with its size: all of a small one, since a request costs more than its bytes. */
export const TAIL_BYTES = 2 ** 20;
/** Bytes of every part of an upload but the last (R2: equal parts of at least 5 MiB, at most 10,000). */
export const UPLOAD_PART_BYTES = 16 * 2 ** 20;
/** Bytes of an upload that may come whole (Workers take bodies of 100 MB on every plan). */
export const MOST_WHOLE_UPLOAD_BYTES = 64 * 2 ** 20;
/** Bytes of one input: read back in one request, at about 1 GB/s, within five minutes of CPU. */
export const MOST_UPLOAD_BYTES = 8 * 2 ** 30;
/** Bytes of one part of a multipart upload: R2 wants all parts but the last equal, 5 MiB to 5 GiB, at most 10,000. */
export const PART_BYTES = 8 * 2 ** 20;
/** Parts of a downloaded file held in memory (128 MB for all of an isolate) before it is written in parts. */
export const WHOLE_PARTS = 4;
/** Probe data up to here goes to the compute server as one file; of more, each task is sent its rows. */
export const NATIVE_WHOLE_DATA_BYTES = 256 * 2 ** 20;
