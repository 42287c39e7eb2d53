/** Whose turn it is: a fixed number of places, and a bounded queue for them. */
import { deferred } from './deferred.ts';

/** A fixed number of places, taken in the order of asking; whoever finds no place waits, and not too many may wait. */
export interface Turns {
  /**
   * Resolves when a place is free, with what gives it back.
   * @throws {@link TooManyWaiting} at once; the signal's reason when it aborts while waiting
   */
  take(signal: AbortSignal): Promise<() => void>;
  waiting(): number;
}

/** Everybody else was first. */
export class TooManyWaiting extends Error {}

export function openTurns(places: number, mostWaiting: number): Turns {
  let free = places;
  const queue: (() => void)[] = [];

  const place = (): (() => void) => {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = queue.shift();
      if (next) next();
      else free++;
    };
  };

  return {
    waiting: () => queue.length,
    async take(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return place();
      }
      if (queue.length >= mostWaiting) throw new TooManyWaiting(`${queue.length} are waiting`);
      const turn = deferred<void>();
      queue.push(turn.resolve);
      const leave = (): void => {
        const index = queue.indexOf(turn.resolve);
        if (index < 0) return;
        queue.splice(index, 1);
        turn.reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      try {
        await turn.promise;
      } finally {
        signal.removeEventListener('abort', leave);
      }
      return place();
    },
  };
}
