/** Several requests to the bucket under way at once, as many as one invocation may have. */
import { PARALLEL_REQUESTS } from './limits.ts';

/** The results of `act` in order, a few under way at a time. @throws the first error, once nothing is under way */
export async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await act(item);
  };
  const workers = Array.from({ length: Math.min(PARALLEL_REQUESTS, items.length) }, work);
  const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected');
  if (failed) throw failed.reason;
  return results;
}
