/**
 * Garbage of large arrays: what V8 counts is the small objects that hold them, so left to itself it lets hundreds of
 * megabytes pile up. A process whose memory is planned is started with --expose-gc, and asks.
 */

/** Frees what nobody holds any more, where the process may be asked to; a few milliseconds. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}
