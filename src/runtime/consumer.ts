/**
 * Queue consumer: takes task messages, runs each, stores its object, and tells the run's progress.
 * Every message is acked by itself. Messages are hints: a task whose object is there is done, however
 * often it is asked for.
 */
import { fromUnknown, PipelineError } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import { isActivation } from '../plan/plan.ts';
import type { CodeHashes, Plan, Task } from '../plan/plan.ts';
import type { Env, TaskMessage } from './env.ts';
import { runIsolateTask } from './isolate.ts';
import type { TaskOutcome } from './isolate.ts';
import { NATIVE_TASKS_AT_ONCE } from './limits.ts';
import { runNativeTask } from './native.ts';
import type { RunProgress } from './progress.ts';
import { getPlan, hasObject, putObject, verifyObject } from './store.ts';

/** The hash of this build's code, by provider and kind of task; the bundler fills it in. */
declare const CODE_HASHES: CodeHashes;

/** Runs the tasks of a batch, a few at a time: those of an isolate wait for each other by themselves. */
export async function consumeTasks(batch: MessageBatch<TaskMessage>, env: Env): Promise<void> {
  const waiting = [...batch.messages];
  const atOnce = Number(env.COMPUTE_TASKS_AT_ONCE ?? NATIVE_TASKS_AT_ONCE);
  const work = async (): Promise<void> => {
    for (let message = waiting.shift(); message; message = waiting.shift()) await consumeTask(message, env);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, work));
}

/** Dead letters: a task whose retries are used up fails its run, with the reason it gave last. */
export async function consumeDeadLetters(batch: MessageBatch<TaskMessage>, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const { run, attempt, plan: planHash, task: index } = message.body;
    try {
      const task = (await getPlan(env.BUCKET, planHash)).tasks[index]!;
      if (await hasObject(env.BUCKET, task)) await progressOf(env, run).finish(attempt, index, null, task.id);
      else await progressOf(env, run).failForGood(attempt, index, task.id);
      message.ack();
    } catch {
      message.retry();
    }
  }
}

/** The progress object of a run. */
export function progressOf(env: Env, run: string): DurableObjectStub<RunProgress> {
  return env.PROGRESS.get(env.PROGRESS.idFromName(run));
}

async function consumeTask(message: Message<TaskMessage>, env: Env): Promise<void> {
  const { run, attempt, plan: planHash, task: index } = message.body;
  const progress = progressOf(env, run);
  let id = `task ${index}`;
  try {
    const plan = await getPlan(env.BUCKET, planHash);
    const task = plan.tasks[index]!;
    id = task.id;
    if (await hasObject(env.BUCKET, task)) {
      await progress.finish(attempt, index, null, id);
      message.ack();
      return;
    }
    if (!(await progress.take(attempt, id, task.kind, message.attempts))) {
      message.ack();
      return;
    }
    const started = Date.now();
    const outcome = await runTask(env, planHash, plan, task);
    if (outcome === null) {
      await progress.finish(attempt, index, null, id);
      message.ack();
      return;
    }
    const { object, bytes, peakBytes, computeSeconds = null } = outcome;
    await putObject(env.BUCKET, task, object);
    // only now, with the object in the bucket, may anybody hear of it
    const record = {
      kind: task.kind,
      started,
      seconds: (Date.now() - started) / 1000,
      computeSeconds,
      provider: task.provider,
      peakBytes,
      bytes,
      deliveries: message.attempts,
    };
    await progress.finish(attempt, index, record, id);
    message.ack();
  } catch (thrown) {
    await reject(message, env, id, fromUnknown(thrown, 'task-failed'));
  }
}

// null where the task's object was made meanwhile
async function runTask(env: Env, planHash: string, plan: Plan, task: Task): Promise<TaskOutcome | null> {
  // a plan of another build has keys that promise other bytes than this code writes
  const kind = isActivation(task) ? 'activate' : 'reduce';
  if (plan.code[task.provider][kind] !== CODE_HASHES[task.provider][kind]) {
    throw new PipelineError('internal', `expected a plan made by this build; found one of another, at ${task.id}`, {
      hint: 'start the run again with this version',
    });
  }
  if (task.provider === 'native') return runNativeTask(env, planHash, plan, task);
  return runIsolateTask(env.BUCKET, planHash, plan, task);
}

async function reject(message: Message<TaskMessage>, env: Env, id: string, error: PipelineError): Promise<void> {
  const { run, attempt, plan: planHash, task: index } = message.body;
  const progress = progressOf(env, run);
  try {
    if (error.code === 'object-missing' || error.code === 'object-damaged') {
      // an input is gone: the workflow looks again and has it made anew
      await discardDamaged(env, planHash, index, error);
      await progress.lookAgain(attempt, index, told(error, id));
      message.ack();
    } else if (error.retryable) {
      await progress.noteFailure(attempt, index, id, message.attempts, told(error, id));
      message.retry({ delaySeconds: Math.min(30, 2 ** (message.attempts - 1)) });
    } else {
      await progress.fail(attempt, told(error, id));
      message.ack();
    }
  } catch {
    message.retry();
  }
}

// a reader names no key, so every damaged input of the task is looked for and deleted
async function discardDamaged(env: Env, planHash: string, index: number, error: PipelineError): Promise<void> {
  if (error.code !== 'object-damaged') return;
  const plan = await getPlan(env.BUCKET, planHash);
  for (const needed of plan.tasks[index]!.needs) await verifyObject(env.BUCKET, plan.tasks[needed]!);
}

function told(error: PipelineError, id: string): ErrorRecord {
  const record = error.toJSON();
  return { ...record, message: `task ${id}: ${record.message}` };
}
