/**
 * The workflow of one attempt of a run: a reconcile loop. Look which planned objects are absent, put the
 * ready ones among their tasks on the queue, wait for an event or a time-out, look again. The bucket is the
 * truth; events, messages and the progress object are hints. Steps return keys and counts, never tensors. Where the
 * workflow of an attempt is gone, another instance has its end to tell.
 */
import { WorkflowEntrypoint } from 'cloudflare:workers';
import type { WorkflowEvent, WorkflowStep } from 'cloudflare:workers';
import { fromRecord, fromUnknown, PipelineError } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { progressOf } from './consumer.ts';
import { costsOf } from './costs.ts';
import type { Env, RunParameters, RunSource } from './env.ts';
import { LOOK_AGAIN, SEND_BATCH_MESSAGES, STEP, VERIFY_TASKS_PER_STEP, WAVE_TASKS } from './limits.ts';
import type { RunRecord } from '../service/documents.ts';
import type { RunOutcome } from './protocol.ts';
import { inParallel } from './requests.ts';
import { LayerReports } from './layerReports.ts';
import { writeRunReport } from './results.ts';
import type { LayerManifest } from './results.ts';
import { endLost, endRun, runGate, tellHow } from './end.ts';
import { plannedKinds } from './eta.ts';
import { readRevision } from './pipelines.ts';
import { fetchModel, inspectNetwork, planRevision } from './prepare.ts';
import type { InspectedModel } from './prepare.ts';
import { registryOf } from './registry.ts';
import type { RunChanges } from './registry.ts';
import { getPlan, hasObject, verifyObject } from './store.ts';

interface Look {
  absent: number;
  /** Pairs and layers whose objects are all there, and that are not reported yet; see {@link LayerReports}. */
  complete: number[];
  failure: ErrorRecord | null;
}

/** How often the report may find an object damaged and have it made anew. */
const MOST_ROUNDS = 3;

/** How an attempt ends that was cancelled, or after which another began: nobody is shown this. */
const UNWANTED = new PipelineError('cancelled', 'expected an attempt that is wanted; found it is no longer').toJSON();

export class ComparisonRun extends WorkflowEntrypoint<Env, RunParameters> {
  override async run(event: Readonly<WorkflowEvent<RunParameters>>, step: WorkflowStep): Promise<RunOutcome> {
    const parameters = event.payload;
    const { lost } = parameters;
    if (lost) {
      const failed = await step.do('lost', STEP, () => endLost(this.env, parameters, lost));
      await tellHow(this.env, parameters, failed, step);
      return { error: lost };
    }
    const started = await step.do('started', STEP, () =>
      this.#change(parameters, { state: 'running', started: Date.now() }),
    );
    await tellHow(this.env, parameters, started, step);
    const outcome = isWanted(started, parameters)
      ? await this.#outcome(parameters, event.instanceId, step)
      : { error: UNWANTED };
    const ended = await step.do('ended', STEP, () => endRun(this.env, parameters, outcome));
    await tellHow(this.env, parameters, ended, step);
    return outcome;
  }

  async #outcome(parameters: RunParameters, instance: string, step: WorkflowStep): Promise<RunOutcome> {
    try {
      const { source } = parameters;
      const plan = 'plan' in source ? source.plan : await this.#prepare(parameters, source, step);
      const result = await this.#reconcile(parameters, plan, instance, step);
      if ('error' in result) return result;
      const gate = await step.do('gate', STEP, () => runGate(this.env, parameters, plan));
      return { ...result, plan, gate };
    } catch (error) {
      return { error: fromUnknown(error).toJSON() };
    }
  }

  // models fetched, inspected and planned; gives the plan's hash
  async #prepare(
    parameters: RunParameters,
    { revision: hash, candidates }: Extract<RunSource, { revision: string }>,
    step: WorkflowStep,
  ): Promise<string> {
    const { env } = this;
    const { run, attempt } = parameters;
    const progress = progressOf(env, run);
    const staged =
      <T>(stage: 'fetch' | 'inspect' | 'plan', text: string, act: () => Promise<T>): (() => Promise<Told<T>>) =>
      async () => {
        await progress.tell(attempt, { type: 'stage', stage, done: false, text });
        const answer = await told(act);
        await progress.tell(attempt, { type: 'stage', stage, done: true, text });
        return answer;
      };
    const revision = await readRevision(env, hash);
    const inspected: InspectedModel[] = [];
    for (const [index, { name }] of revision.definition.networks.entries()) {
      const fetching = staged('fetch', name, () => fetchModel(env, revision, index, candidates[name]));
      const model = orThrow(await step.do(`fetch-${name}`, STEP, fetching));
      const inspecting = staged('inspect', name, () => inspectNetwork(env, revision, index, model));
      inspected.push(orThrow(await step.do(`inspect-${name}`, STEP, inspecting)));
    }
    const planning = staged('plan', 'plan', () => planRevision(env, revision, inspected));
    const plan = orThrow(await step.do('plan', STEP, planning));
    const planned = await step.do('planned', STEP, () => this.#change(parameters, { plan }));
    if (!isWanted(planned, parameters)) throw fromRecord(UNWANTED);
    return plan;
  }

  async #change({ run, attempt }: RunParameters, changes: RunChanges): Promise<RunRecord | null> {
    const record = await registryOf(this.env).updateRun(run, attempt, changes);
    if (changes.state !== undefined)
      await progressOf(this.env, run).tell(attempt, { type: 'state', state: changes.state, attempt });
    return record;
  }

  async #reconcile(
    parameters: RunParameters,
    planHash: string,
    instance: string,
    step: WorkflowStep,
  ): Promise<{ digest: string } | { error: ErrorRecord }> {
    const { run, attempt } = parameters;
    const { BUCKET } = this.env;
    const progress = progressOf(this.env, run);
    const plan = await getPlan(BUCKET, planHash);

    // what is there already, and whole: a damaged object is deleted here and made anew
    await step.do('begin', STEP, () => progress.begin(attempt, instance, [...plannedKinds(plan)]).then(() => true));
    const found: boolean[] = [];
    for (let from = 0; from < plan.tasks.length; from += VERIFY_TASKS_PER_STEP) {
      const valid = await step.do(`verify-${from}`, STEP, () =>
        inParallel(plan.tasks.slice(from, from + VERIFY_TASKS_PER_STEP), (task) => verifyObject(BUCKET, task)),
      );
      found.push(...valid);
    }
    const reused = found.filter(Boolean).length;
    await step.do('reused', STEP, () => progress.setReused(attempt, reused).then(() => true));

    // work until nothing is absent, then the report; an object found damaged there is made anew first
    const writeReport = async (manifests: readonly LayerManifest[]): Promise<string> => {
      const records = (await progress.records()).map(({ record }) => record);
      return writeRunReport(BUCKET, planHash, plan, manifests, costsOf(plan, records));
    };
    for (let round = 0; ; round++) {
      const reports = new LayerReports(this.env, parameters, plan, planHash, step, round);
      const failure = await this.#work(plan, planHash, parameters, step, reports, round === 0 ? found : null);
      if (failure) return { error: failure };
      const manifests = await reports.all(round < MOST_ROUNDS);
      if (manifests) return { digest: await step.do('report', STEP, () => writeReport(manifests)) };
    }
  }

  // the loop: nothing is absent any more (null), or something failed; `found`: which objects were there at its start
  async #work(
    plan: Plan,
    planHash: string,
    parameters: RunParameters,
    step: WorkflowStep,
    reports: LayerReports,
    found: readonly boolean[] | null,
  ): Promise<ErrorRecord | null> {
    const { round } = reports;
    let before = Infinity;
    let timedOut = false;
    for (let n = 0; ; n++) {
      // a time-out in which nothing was finished says that messages are lost: ask for open tasks too
      const [waited, limit] = [timedOut, before];
      const look = await step.do(`missing-${round}-${n}`, STEP, async () =>
        this.#look(
          plan,
          planHash,
          parameters,
          n === 0 ? found : !waited && found ? await this.#hinted(parameters, found) : null,
          reports,
          (absent) => waited && absent >= limit,
        ),
      );
      if (look.failure) return look.failure;
      if (look.absent === 0) return null;
      // what can be shown is, while the tasks just sent run
      for (const index of look.complete) await reports.write(index);
      before = look.absent;
      timedOut = await step
        .waitForEvent(`wait-${round}-${n}`, { type: 'look', timeout: LOOK_AGAIN })
        .then(() => false)
        .catch((error: unknown) => {
          if (error instanceof Error && /timed? ?out/i.test(`${error.name} ${error.message}`)) return true;
          throw error;
        });
    }
  }

  // what is there by what progress was told since `found`: while tasks are open a hint does
  async #hinted({ run, attempt }: RunParameters, found: readonly boolean[]): Promise<boolean[] | null> {
    const done = await progressOf(this.env, run).doneSoFar(attempt);
    if (done === null) return null;
    const present = [...found];
    for (const task of done) present[task] = true;
    return present;
  }

  // which tasks have no object; puts a wave of those whose inputs are all there on the queue
  async #look(
    plan: Plan,
    planHash: string,
    parameters: RunParameters,
    known: readonly boolean[] | null,
    reports: LayerReports,
    stalled: (absent: number) => boolean,
  ): Promise<Look> {
    const { run, attempt } = parameters;
    const progress = progressOf(this.env, run);
    if (!isWanted(await registryOf(this.env).getRun(run), parameters))
      return { absent: 0, complete: [], failure: UNWANTED };
    const { failure } = await progress.summary();
    const present = known ?? (await inParallel(plan.tasks, (task) => hasObject(this.env.BUCKET, task)));
    const absent = present.filter((is) => !is).length;
    if (failure || absent === 0) return { absent, complete: [], failure };
    const ready = plan.tasks.flatMap((task, index) =>
      !present[index] && task.needs.every((need) => present[need]) ? [index] : [],
    );
    const wave = await progress.claim(attempt, ready.slice(0, WAVE_TASKS), stalled(absent));
    for (let at = 0; at < wave.length; at += SEND_BATCH_MESSAGES) {
      const tasks = wave.slice(at, at + SEND_BATCH_MESSAGES);
      try {
        await this.env.TASKS.sendBatch(tasks.map((task) => ({ body: { run, attempt, plan: planHash, task } })));
      } catch (error) {
        // a retry of this step must find them unclaimed; what was sent all the same is found done
        await progress.unclaim(attempt, wave.slice(at));
        throw error;
      }
    }
    return { absent, complete: reports.complete(present), failure: null };
  }
}

// nobody cancelled the run, and no other attempt of it began
function isWanted(record: RunRecord | null, { attempt }: RunParameters): boolean {
  return record?.attempt === attempt && record.state === 'running';
}

/** What a step found, or a fault that no retry helps: an answer too, so that it isn't tried again. */
type Told<T> = { value: T } | { error: ErrorRecord };

async function told<T>(act: () => Promise<T>): Promise<Told<T>> {
  try {
    return { value: await act() };
  } catch (thrown) {
    const error = fromUnknown(thrown);
    if (error.retryable) throw error;
    return { error: error.toJSON() };
  }
}

function orThrow<T>(answer: Told<T>): T {
  if ('error' in answer) throw fromRecord(answer.error);
  return answer.value;
}
