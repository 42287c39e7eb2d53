/**
 * The inside of a child process: takes one job at a time from its parent, runs the task, writes its object to a file,
 * answers with figures or with an error; or inspects a network and answers with what it found. Knows nothing of HTTP.
 * Ends with its parent, however that one ends.
 */
import { open, readFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { fromUnknown, PipelineError, type ErrorRecord } from '../errors.ts';
import { collectGarbage } from '../numeric/garbage.ts';
import { npzChunks, type NpzMembers } from '../numeric/npz.ts';
import { fits } from '../plan/fit.ts';
import { isActivation } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { TaskRunner } from '../task/task.ts';
import { openInputs, type InputPlaces } from './inputs.ts';
import type { InspectedNetwork, NetworkRequest } from './network.ts';
import { peakBytes, residentBytes, resetPeak } from './memory.ts';
import type { TaskFigures } from './parts.ts';

/** A task of a plan, with all its inputs on disk. The plan is a file among the others. */
export interface Job extends InputPlaces {
  planHash: string;
  /** Index in the plan. */
  task: number;
  /** Where its object goes; what stands there is overwritten. */
  resultPath: string;
}

/** What came of a job. */
export interface JobDone extends TaskFigures {
  /** Key of the task, whose object this is. */
  key: string;
  /** Size of the object. */
  bytes: number;
}

/** A network to be inspected. */
export interface NetworkJob {
  network: NetworkRequest;
}

/**
 * What a child says: once that it is ready, then an answer to each job; `renew`: it still holds what other tasks needed,
 * and a new child is to run this one, so that the job has all the memory the plan counts on.
 */
export type ChildMessage =
  | { ready: { version: string } }
  | { answer: { done: JobDone | InspectedNetwork } | { error: ErrorRecord } | { renew: true } };

/** What a child may hold of other tasks whatever it runs next; more only where that has room beside it. */
const KEPT_BYTES = 48 * 2 ** 20;
/** Bytes of arrays that may be garbage when a task starts: collecting it takes longer than many a reduction. */
const GARBAGE_BYTES = 8 * 2 ** 20;
/** Milliseconds that the memory of garbage may take to be given back. */
const MOST_LOOKS = 20;

/** A runtime that is loaded, and what runs tasks in it. */
export interface LoadedRunner {
  version: string;
  runner: Pick<TaskRunner, 'run'>;
  inspect: (network: NetworkRequest) => Promise<InspectedNetwork>;
}

/** Serves the parent process until it goes away; after `mostJobs` each job is for a new child. */
export async function serveJobs(load: () => Promise<LoadedRunner>, mostJobs = Infinity): Promise<void> {
  endWithParent();
  becomeFirstToGo();
  const { version, ...loaded } = await load();
  collectGarbage();
  const idleBytes = residentBytes('self');
  const runJob = jobRunner(loaded, idleBytes, mostJobs);
  process.on('message', (job: Job | NetworkJob) => {
    void runJob(job)
      .then((done) => (done === null ? { renew: true as const } : { done }))
      .catch((thrown: unknown) => ({ error: outOfMemory(thrown).toJSON() }))
      .then((answer) => say({ answer }));
  });
  say({ ready: { version } });
}

// the memory of freed arrays is given back beside this thread, soon
async function giveBackGarbage(): Promise<void> {
  const [resident, held] = [residentBytes('self') ?? 0, process.memoryUsage().external];
  collectGarbage();
  const freed = held - process.memoryUsage().external;
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    await sleep(1);
    if ((residentBytes('self') ?? 0) <= resident - freed / 2) return;
  }
}

/** Runs jobs one after another, null for one that a new child is to run; `idleBytes` is what the process holds without any. */
export function jobRunner(
  { runner, inspect }: Omit<LoadedRunner, 'version'>,
  idleBytes: number | null,
  mostJobs = Infinity,
): (job: Job | NetworkJob) => Promise<JobDone | InspectedNetwork | null> {
  let latest: { hash: string; plan: Plan } | undefined;
  let kept: string | undefined;
  let jobs = 0;
  return async (job) => {
    if (jobs++ >= mostJobs) return null;
    if ('network' in job) {
      kept = '';
      return inspect(job.network);
    }
    if (process.memoryUsage().external > GARBAGE_BYTES) await giveBackGarbage();
    const counted = resetPeak() && idleBytes !== null;
    const begun = performance.now();
    if (latest?.hash !== job.planHash) {
      const text = await readFile(join(job.filesFolder, job.planHash), 'utf8');
      latest = { hash: job.planHash, plan: JSON.parse(text) as Plan };
    }
    const { plan } = latest;
    const task = plan.tasks[job.task];
    if (task === undefined)
      throw new PipelineError('usage', `expected a task below ${plan.tasks.length}; found ${job.task}`);
    // what is held for the task's own sessions is the task's; a pilot uses one of its set's at most
    const sessions = isActivation(task) ? `${job.planHash} ${task.set}` : '';
    const uses = task.kind === 'activate' && kept === sessions;
    const others = uses || kept === undefined || idleBytes === null ? 0 : residentBytes('self')! - idleBytes;
    if (others > KEPT_BYTES && !fits('native', others + task.projectedBytes)) return null;
    kept = sessions;
    const inputs = await openInputs(job, plan.data);
    let bytes: number;
    try {
      bytes = await writeObject(job.resultPath, await runner.run(job.planHash, plan, task, inputs));
    } finally {
      await inputs.close();
    }
    const peak = counted ? peakBytes() : null;
    return {
      key: task.key,
      bytes,
      seconds: (performance.now() - begun) / 1000,
      peakBytes: peak === null ? null : Math.max(0, peak - idleBytes! - others),
    };
  };
}

async function writeObject(path: string, members: NpzMembers): Promise<number> {
  const file = await open(path, 'w');
  let bytes = 0;
  try {
    for await (const piece of npzChunks(members)) {
      await file.writeFile(piece);
      bytes += piece.length;
    }
  } finally {
    await file.close();
  }
  return bytes;
}

// V8's and Node's words for an array that found no memory
function outOfMemory(thrown: unknown): PipelineError {
  if (thrown instanceof RangeError && /allocation failed|failed to allocate/i.test(thrown.message))
    return new PipelineError('plan-too-large', `out of memory: ${thrown.message}`, { cause: thrown });
  return fromUnknown(thrown);
}

function say(message: ChildMessage): void {
  // a parent that is gone ends this process anyway
  process.send?.(message, undefined, undefined, () => {});
}

// a kernel of minutes keeps this thread from hearing that the parent is gone: another thread looks
function endWithParent(): void {
  process.on('disconnect', () => process.exit());
  const watch = `setInterval(() => { if (process.ppid !== ${process.ppid}) process.kill(process.pid, 'SIGKILL'); }, 500)`;
  new Worker(watch, { eval: true, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
}

// where the system has to end a process for want of memory, let it be this one
function becomeFirstToGo(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {
    // not Linux, or not allowed: the system chooses
  }
}
