/**
 * A pool of child processes, one task each at a time. A child that crashes, hangs or takes too much memory is ended;
 * its task is tried once more in a new one, and then fails with the reason. Others never notice.
 * Children start when there is work for them, and stay, since they keep their ONNX sessions.
 */
import { BUDGETS } from '../plan/providers.ts';
import { availableParallelism } from 'node:os';
import { fromUnknown, PipelineError } from '../errors.ts';
import { deferred, type Deferred } from './deferred.ts';
import type { Job, JobDone, NetworkJob } from './jobs.ts';
import { inMiB, machineBytes } from './memory.ts';
import type { InspectedNetwork, NetworkRequest } from './network.ts';
import { ChildEnded, startChild, type Child, type EndReason } from './childProcess.ts';

/** The memory a task may be planned to take in the `native` provider, whatever the machine. */
export const NATIVE_BUDGET_BYTES = BUDGETS.native.allowedBytes;

/** What Node and the runtime take before any task (measured: 95 MiB), and what a prediction may miss. */
const MARGIN_BYTES = 256 * 2 ** 20;
/** A process and its runtime take a third of a second to load on an idle machine. */
const START_WITHIN_MS = 60_000;
const WATCH_EVERY_MS = 200;
const ATTEMPTS = 2;

export interface PoolOptions {
  /** The built entry of a child process. */
  module: string;
  /** Most children at once. */
  children: number;
  /** Memory of a task, bytes; a child that holds more beyond a margin is ended. */
  childBytes: number;
  /** Wall-clock time of one attempt. */
  taskSeconds: number;
  /** Jobs that may wait for a child. */
  mostWaiting: number;
}

export interface PoolStatus {
  /** The version of the runtime once a child was ready. */
  runtime: string | null;
  /** Processes alive now. */
  children: number;
  busy: number;
  waiting: number;
}

export interface Pool {
  /**
   * Starts children where there are fewer than `count`, default 1; the version of their runtime once one is there.
   * @throws PipelineError `internal`: it doesn't load
   */
  ready(count?: number): Promise<string>;
  /**
   * Runs a job when its turn comes. `signal` takes back a job that waits; one that runs is run to its end.
   * @throws PipelineError the task's own; `task-failed` after crashes or hangs, a full queue or while the pool closes;
   * `plan-too-large` where its memory was too much
   */
  run(job: Job, signal?: AbortSignal): Promise<JobDone>;
  /**
   * Inspects a network when its turn comes.
   * @throws PipelineError as inspectNetwork; `model-unsupported` where it ends its child process or takes too much
   * time; else as `run`
   */
  inspect: (network: NetworkRequest) => Promise<InspectedNetwork>;
  status(): PoolStatus;
  /** Takes no more jobs, fails those that wait, gives the others `graceMs`, ends all children. */
  close(graceMs: number): Promise<void>;
}

/** As many children as this machine has cores, and memory for. */
export function poolSize(childBytes: number): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(machineBytes() / childBytes)));
}

interface Place {
  child: Child;
  busy: boolean;
  /** The plan it has sessions of. */
  planHash: string | undefined;
}

interface Waiting {
  job: Job | NetworkJob;
  answer: Deferred<JobDone | InspectedNetwork>;
  signal: AbortSignal | undefined;
  failures: EndReason[];
  /** A child sent it back for a new one. */
  renewed: boolean;
}

export function openPool(options: PoolOptions): Pool {
  const places = new Set<Place>();
  const queue: Waiting[] = [];
  let runtime: string | null = null;
  let closing = false;
  let watch: NodeJS.Timeout | undefined;
  const allowedBytes = options.childBytes + MARGIN_BYTES;

  const start = (): Place => {
    const place: Place = { child: startChild(options.module), busy: false, planHash: undefined };
    places.add(place);
    place.child.ready.then(
      (version) => (runtime ??= version),
      () => {},
    );
    void place.child.gone.then(() => {
      places.delete(place);
      // the job of a busy one goes first again
      if (!place.busy) assign();
    });
    return place;
  };

  // who waits longest goes first, to a child that knows its plan if there is one
  const assign = (): void => {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const idle = [...places].filter((place) => !place.busy);
      const room = places.size < options.children;
      const planHash = planOf(next.job);
      const warm = idle.find((place) => place.planHash === planHash) ?? idle[0];
      const again = next.renewed || next.failures.length > 0;
      const place = again && room ? start() : (warm ?? (room ? start() : undefined));
      if (place === undefined) return;
      queue.shift();
      place.busy = true;
      place.planHash = planHash;
      watch ??= setInterval(watchMemory, WATCH_EVERY_MS);
      void attempt(place, next);
    }
  };

  const attempt = async (place: Place, entry: Waiting): Promise<void> => {
    const { child } = place;
    let limit = setTimeout(() => child.end({ why: 'crash', text: 'no runtime loaded in time' }), START_WITHIN_MS);
    child.ready.then(
      () => {
        clearTimeout(limit);
        limit = setTimeout(() => child.end({ why: 'time' }), options.taskSeconds * 1000);
      },
      () => {},
    );
    try {
      const done = await child.run(entry.job);
      if (done) entry.answer.resolve(done);
      else {
        child.end({ why: 'asked' });
        await child.gone;
        entry.renewed = true;
        if (closing) entry.answer.reject(closingError());
        else queue.unshift(entry);
      }
    } catch (thrown) {
      const fault = thrown instanceof ChildEnded ? thrown : fromUnknown(thrown);
      const refused = fault instanceof PipelineError && fault.code === 'plan-too-large';
      if (fault instanceof PipelineError && !refused) {
        entry.answer.reject(fault);
        // a runtime that failed in an unknown way is not trusted with the next task
        if (fault.code === 'internal') {
          child.end({ why: 'asked' });
          await child.gone;
        }
      } else {
        if (refused) child.end({ why: 'asked' });
        await child.gone;
        tryAgain(entry, fault);
      }
    } finally {
      clearTimeout(limit);
      place.busy = false;
      if (closing) child.end({ why: 'asked' });
      if (![...places].some(({ busy }) => busy)) {
        clearInterval(watch);
        watch = undefined;
      }
      assign();
    }
  };

  const tryAgain = (entry: Waiting, fault: ChildEnded | PipelineError): void => {
    entry.failures.push(fault instanceof ChildEnded ? fault.reason : { why: 'no-memory', text: fault.plainMessage });
    if (closing) entry.answer.reject(closingError());
    else if (entry.signal?.aborted) entry.answer.reject(goneError());
    else if (entry.failures.length < ATTEMPTS) queue.unshift(entry);
    else entry.answer.reject(fault instanceof PipelineError ? fault : failureOf(entry, options));
  };

  const watchMemory = (): void => {
    for (const { child, busy } of places) {
      const bytes = busy ? child.residentBytes() : null;
      if (bytes !== null && bytes > allowedBytes) child.end({ why: 'memory', bytes });
    }
  };

  const enqueue = (job: Job | NetworkJob, signal?: AbortSignal): Promise<JobDone | InspectedNetwork> => {
    if (closing) return Promise.reject(closingError());
    if (signal?.aborted) return Promise.reject(goneError());
    if (queue.length >= options.mostWaiting) {
      const found = `expected at most ${options.mostWaiting} tasks waiting; found one more`;
      return Promise.reject(new PipelineError('task-failed', found, { hint: 'send it again later' }));
    }
    const entry: Waiting = { job, answer: deferred(), signal, failures: [], renewed: false };
    const takeBack = (): void => {
      const index = queue.indexOf(entry);
      if (index < 0) return;
      queue.splice(index, 1);
      entry.answer.reject(goneError());
    };
    signal?.addEventListener('abort', takeBack, { once: true });
    queue.push(entry);
    assign();
    return entry.answer.promise.finally(() => signal?.removeEventListener('abort', takeBack));
  };

  return {
    async ready(count = 1) {
      while (places.size < Math.min(count, options.children)) start();
      try {
        return await Promise.any([...places].map(({ child }) => child.ready));
      } catch (error) {
        const [reason] = (error as AggregateError).errors as [Error];
        throw new PipelineError('internal', `expected a child process with its runtime; ${reason.message}`, {
          cause: reason,
        });
      }
    },

    run: (job, signal) => enqueue(job, signal) as Promise<JobDone>,

    inspect: (network) => enqueue({ network }) as Promise<InspectedNetwork>,

    status: () => ({
      runtime,
      children: places.size,
      busy: [...places].filter(({ busy }) => busy).length,
      waiting: queue.length,
    }),

    async close(graceMs) {
      closing = true;
      for (const entry of queue.splice(0)) entry.answer.reject(closingError());
      for (const { child, busy } of places) if (!busy) child.end({ why: 'asked' });
      const limit = setTimeout(() => {
        for (const { child } of places) child.end({ why: 'asked' });
      }, graceMs);
      await Promise.all([...places].map(({ child }) => child.gone));
      clearTimeout(limit);
    },
  };
}

// inspections are of no plan
function planOf(job: Job | NetworkJob): string | undefined {
  return 'network' in job ? undefined : job.planHash;
}

function failureOf({ job, failures }: Waiting, { childBytes, taskSeconds }: PoolOptions): PipelineError {
  const last = failures.at(-1)!;
  const inspection = 'network' in job;
  const what = inspection ? 'the network' : `task ${job.task} of plan ${job.planHash.slice(0, 12)}`;
  const tries = `in ${failures.length} attempts`;
  if (last.why === 'memory' || last.why === 'no-memory') {
    const found = last.why === 'memory' ? inMiB(last.bytes) : last.text;
    return new PipelineError(
      'plan-too-large',
      `${what}: expected at most ${inMiB(childBytes)} of memory in a child process; found ${found}, ${tries}`,
      { hint: inspection ? 'compare earlier layers' : 'use a smaller shard.batch, or fewer layers' },
    );
  }
  // a network that doesn't run on rows of zeros, however often
  const code = inspection ? 'model-unsupported' : 'task-failed';
  if (last.why === 'time')
    return new PipelineError(
      code,
      `${what}: expected it to end within ${taskSeconds} s; found it still running, ${tries}`,
      inspection ? {} : { hint: 'allow more time, or use a smaller shard.rows' },
    );
  const found = last.why === 'crash' ? last.text : 'its end';
  return new PipelineError(code, `${what}: expected its child process to live; found ${found}, ${tries}`, {
    hint: /SIGKILL/.test(found) ? 'the system may have ended it for want of memory: use fewer children' : undefined,
  });
}

function closingError(): PipelineError {
  return new PipelineError('task-failed', 'expected a server that stays; found it shutting down', {
    hint: 'send the task again',
  });
}

function goneError(): PipelineError {
  return new PipelineError('task-failed', 'expected somebody to wait for the task; found nobody');
}
