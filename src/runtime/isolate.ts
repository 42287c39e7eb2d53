/**
 * The `isolate` provider: runs a task inside this Worker. One task at a time, since wasm runs on one core
 * and an isolate has 128 MB.
 */
import { PipelineError } from '../errors.ts';
import { isActivation } from '../plan/plan.ts';
import type { CodeHashes, Plan, Task } from '../plan/plan.ts';
import { runReductionTask } from '../reduce/reduce.ts';
import { runActivation } from './activation.ts';
import type { TaskOutcome } from './activation.ts';
import { getObject, hasObject } from './store.ts';

/** The hash of this build's code, by kind of task; the bundler fills it in. */
declare const CODE_HASHES: CodeHashes;

let busy = false;

/**
 * Runs one task, after the one under way in this isolate; null where its object was made meanwhile.
 * @throws PipelineError as the stage says; `object-missing` for an input that isn't there
 */
export async function runTask(bucket: R2Bucket, planHash: string, plan: Plan, task: Task): Promise<TaskOutcome | null> {
  requireSameCode(plan, task);
  // a promise must not be awaited across requests, so waiting is by looking
  while (busy) await scheduler.wait(20);
  busy = true;
  try {
    if (await hasObject(bucket, task)) return null;
    if (isActivation(task)) return await runActivation(bucket, planHash, plan, task);
    const object = await runReductionTask(plan, task, (index) => getObject(bucket, plan.tasks[index]!));
    return { object, heapBytes: 0 };
  } finally {
    busy = false;
  }
}

// a plan of another build has keys that promise other bytes than this code writes
function requireSameCode(plan: Plan, task: Task): void {
  const kind = isActivation(task) ? 'activate' : 'reduce';
  if (plan.code[kind] === CODE_HASHES[kind]) return;
  throw new PipelineError(
    'internal',
    `expected a plan made by this build; found code ${plan.code[kind]} for ${task.id}, this is ${CODE_HASHES[kind]}`,
    {
      hint: 'start the run again with this version',
    },
  );
}
