/**
 * Garbage of large arrays: what V8 counts is the small objects that hold them, so left to itself it lets hundreds of
 * megabytes pile up. A process whose memory is planned is started with --expose-gc, and asks.
 */

type Collect = (options?: { type: 'minor' }) => void;

/** Frees what nobody holds any more, where the process may be asked to; some 20 milliseconds. */
export function collectGarbage(): void {
  (globalThis as { gc?: Collect }).gc?.();
}

/** Frees what was made lately and is not held any more; about a millisecond. */
export function collectYoungGarbage(): void {
  (globalThis as { gc?: Collect }).gc?.({ type: 'minor' });
}
