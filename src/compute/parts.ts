/** What is sent along with a task. Apart from the request's schema, so that a child process needn't load that. */

/**
 * Rows [start, end) of the probe data; ranges [start, end) of the object of another task by index, which has `size`
 * bytes in all; or such an object as the server made and kept it, by the task's key.
 */
export type TaskPart =
  | { kind: 'rows'; start: number; end: number; bytes: number }
  | { kind: 'object'; task: number; size: number; ranges: [number, number][] }
  | { kind: 'made'; task: number; key: string };

/** Bytes that follow for a part. */
export function partBytes(part: TaskPart): number {
  if (part.kind === 'rows') return part.bytes;
  if (part.kind === 'made') return 0;
  return part.ranges.reduce((sum, [start, end]) => sum + end - start, 0);
}

/** Cost of a task that ran; `peakBytes` is beyond what the runtime alone takes, null where it can't be known. */
export interface TaskFigures {
  seconds: number;
  peakBytes: number | null;
}
