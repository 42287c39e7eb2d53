/**
 * The real Worker with faults around its bindings, for tests of what a run survives. The faults are a
 * constant of the build; they are counted per isolate, so a test knows exactly which call fails.
 */
import worker, { ComparisonRun as RealRun, Registry, RunProgress } from '../../src/worker.ts';
import type { Env, TaskMessage } from '../../src/runtime/env.ts';
import type { Faults } from './faults.ts';

export { Registry, RunProgress };

declare const TEST_FAULTS: Faults;

const counts = new Map<string, number>();

function next(name: string): number {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  return count;
}

function prefixOf(table: Record<string, unknown> | undefined, key: string): string | undefined {
  return Object.keys(table ?? {}).find((prefix) => key.startsWith(prefix));
}

function faultyBucket(bucket: R2Bucket): R2Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      if (name === 'put') {
        return async (key: string, ...rest: [ArrayBuffer]) => {
          const prefix = prefixOf(TEST_FAULTS.puts, key);
          if (prefix !== undefined) {
            const when = TEST_FAULTS.puts![prefix]!;
            const ordinal = next(`put ${prefix}`);
            if (Array.isArray(when) ? when.includes(ordinal) : ordinal >= when.from)
              throw new Error(`the bucket refused put ${ordinal} of ${prefix}`);
          }
          return target.put(key, ...rest);
        };
      }
      if (name === 'get') {
        return async (key: string, options?: R2GetOptions) => {
          const once = !options && TEST_FAULTS.wholeOnce?.some((prefix) => key.startsWith(prefix));
          if (once && next(`whole ${key}`) > 1) throw new Error(`${key} was read before`);
          const found = await target.get(key, options!);
          const prefix = prefixOf(TEST_FAULTS.damagedGets, key);
          if (
            found === null ||
            prefix === undefined ||
            !TEST_FAULTS.damagedGets![prefix]!.includes(next(`get ${prefix}`))
          )
            return found;
          const bytes = new Uint8Array(await found.arrayBuffer());
          bytes[bytes.length >> 1]! ^= 1;
          return { ...found, arrayBuffer: async () => bytes.buffer };
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

// linear congruential generator of Numerical Recipes; only the order of messages depends on it
function shuffled<T>(items: T[], seed: number): T[] {
  let state = seed;
  for (let i = items.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

function faultyQueue(queue: Queue<TaskMessage>): Queue<TaskMessage> {
  const seed = TEST_FAULTS.shuffleSeed;
  if (seed === undefined) return queue;
  return {
    send: (body: TaskMessage) => queue.send(body),
    sendBatch: async (messages: Iterable<MessageSendRequest<TaskMessage>>) => {
      const twice = [...messages, ...messages];
      shuffled(twice, seed);
      for (let at = 0; at < twice.length; at += 100) await queue.sendBatch(twice.slice(at, at + 100));
    },
  } as unknown as Queue<TaskMessage>;
}

const faulty = (env: Env): Env => ({ ...env, BUCKET: faultyBucket(env.BUCKET), TASKS: faultyQueue(env.TASKS) });

export class ComparisonRun extends RealRun {
  constructor(context: ExecutionContext, env: Env) {
    super(context, faulty(env));
  }
}

export default {
  fetch: worker.fetch,
  queue: (batch, env) => worker.queue(batch, faulty(env)),
} satisfies ExportedHandler<Env, TaskMessage>;
