/**
 * The workflow of one attempt of a run: a reconcile loop. Look which planned objects are absent, put the
 * ready ones among their tasks on the queue, wait for an event or a time-out, look again. The bucket is the
 * truth; events, messages and the progress object are hints. Steps return keys and counts, never tensors.
 */
import { WorkflowEntrypoint } from 'cloudflare:workers';
import type { WorkflowEvent, WorkflowStep } from 'cloudflare:workers';
import { fromUnknown } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { progressOf } from './consumer.ts';
import type { Env, RunParameters } from './env.ts';
import {
  LOOK_AGAIN,
  PARALLEL_REQUESTS,
  SEND_BATCH_MESSAGES,
  STEP_TIMEOUT,
  VERIFY_TASKS_PER_STEP,
  WAVE_TASKS,
} from './limits.ts';
import type { RunOutcome } from './protocol.ts';
import { writeLayerReport, writeRunReport } from './results.ts';
import type { LayerManifest } from './results.ts';
import { getPlan, hasObject, verifyObject } from './store.ts';

interface Look {
  absent: number;
  enqueued: number;
  failure: ErrorRecord | null;
}

const STEP = { retries: { limit: 3, delay: '1 second', backoff: 'exponential' }, timeout: STEP_TIMEOUT } as const;

export class ComparisonRun extends WorkflowEntrypoint<Env, RunParameters> {
  override async run(event: Readonly<WorkflowEvent<RunParameters>>, step: WorkflowStep): Promise<RunOutcome> {
    try {
      return await this.#reconcile(event.payload, event.instanceId, step);
    } catch (error) {
      return { error: fromUnknown(error).toJSON() };
    }
  }

  async #reconcile(parameters: RunParameters, instance: string, step: WorkflowStep): Promise<RunOutcome> {
    const { run, attempt, plan: planHash } = parameters;
    const { BUCKET } = this.env;
    const progress = progressOf(this.env, run);
    const plan = await getPlan(BUCKET, planHash);

    // what is there already, and whole: a damaged object is deleted here and made anew
    await step.do('begin', STEP, () => progress.begin(attempt, instance, plan.tasks.length).then(() => true));
    let reused = 0;
    for (let from = 0; from < plan.tasks.length; from += VERIFY_TASKS_PER_STEP) {
      reused += await step.do(`verify-${from}`, STEP, async () => {
        const tasks = plan.tasks.slice(from, from + VERIFY_TASKS_PER_STEP);
        const valid = await inParallel(tasks, (task) => verifyObject(BUCKET, task));
        return valid.filter(Boolean).length;
      });
    }
    await step.do('reused', STEP, () => progress.setReused(attempt, reused).then(() => true));

    // the loop: nothing is absent any more, or something failed
    let before = Infinity;
    let timedOut = false;
    for (let n = 0; ; n++) {
      // a time-out in which nothing was finished says that messages are lost: ask for open tasks too
      const [waited, limit] = [timedOut, before];
      const look = await step.do(`missing-${n}`, STEP, () =>
        this.#look(plan, parameters, (absent) => waited && absent >= limit),
      );
      if (look.failure) return { error: look.failure };
      if (look.absent === 0) break;
      before = look.absent;
      timedOut = await step
        .waitForEvent(`wait-${n}`, { type: 'look', timeout: LOOK_AGAIN })
        .then(() => false)
        .catch(() => true);
    }

    // the report, one pair and layer at a time, then the page
    const manifests: LayerManifest[] = [];
    for (const pair of plan.pairs.keys()) {
      for (const layer of plan.layers.keys()) {
        manifests.push(
          await step.do(`report-${pair}-${layer}`, STEP, () => writeLayerReport(BUCKET, planHash, plan, pair, layer)),
        );
      }
    }
    return step.do('report', STEP, () => writeRunReport(BUCKET, planHash, plan, manifests));
  }

  // which tasks have no object; puts a wave of those whose inputs are all there on the queue
  async #look(plan: Plan, parameters: RunParameters, stalled: (absent: number) => boolean): Promise<Look> {
    const { run, attempt, plan: planHash } = parameters;
    const progress = progressOf(this.env, run);
    const { failure } = await progress.summary();
    const present = await inParallel(plan.tasks, (task) => hasObject(this.env.BUCKET, task));
    const absent = present.filter((is) => !is).length;
    if (failure || absent === 0) return { absent, enqueued: 0, failure };
    const ready = plan.tasks.flatMap((task, index) =>
      !present[index] && task.needs.every((need) => present[need]) ? [index] : [],
    );
    const wave = await progress.claim(attempt, ready.slice(0, WAVE_TASKS), stalled(absent));
    for (let at = 0; at < wave.length; at += SEND_BATCH_MESSAGES) {
      const tasks = wave.slice(at, at + SEND_BATCH_MESSAGES);
      await this.env.TASKS.sendBatch(tasks.map((task) => ({ body: { run, attempt, plan: planHash, task } })));
    }
    return { absent, enqueued: wave.length, failure: null };
  }
}

// the results of `act` in order, a few under way at a time
async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += PARALLEL_REQUESTS) {
    results.push(...(await Promise.all(items.slice(at, at + PARALLEL_REQUESTS).map(act))));
  }
  return results;
}
