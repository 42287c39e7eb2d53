/**
 * Runs: started, cancelled, tried again, woken. The registry decides whether there is a run and which attempt counts;
 * the workflow does the work, as instance `<run>-<attempt>`; where that is gone, `<run>-<attempt>-lost` tells of it.
 */
import type { GateRule } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { canonicalJson, sha256Hex } from '../numeric/hash.ts';
import { objectKey } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { Candidate, PipelineRecord, RunRecord, TriggerKind } from '../service/documents.ts';
import { progressOf } from './consumer.ts';
import type { GithubCommit } from '../triggers/commit.ts';
import type { Env, RunParameters, RunSource } from './env.ts';
import { endLost } from './end.ts';
import { logRun } from './log.ts';
import { registryOf } from './registry.ts';

/** Why a run of a stored pipeline is started. */
export interface RunRequest {
  pipeline: PipelineRecord;
  trigger: { kind: TriggerKind; delivery: string | null; by: string | null };
  /** Models that the trigger chose, by network. */
  candidates?: Record<string, Candidate>;
  commit?: GithubCommit | null;
  /** Equal keys give one run. */
  key: string | null;
}

/** A run without a workflow after so long was never begun. */
const BEGUN_WITHIN_MS = 60_000;

/** A run id: the time, so that ids sort as they were made, and what nobody guesses. */
export function newRunId(now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(4));
  const time = new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '');
  return `${time}-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * Starts a run of a stored pipeline, or gives the one that the same key started.
 * @param later takes what is left to do once the registry has the run, for whoever cannot wait; {@link mendRuns} does
 *   it where that fails
 */
export async function startRun(
  env: Env,
  request: RunRequest,
  later?: (begun: Promise<unknown>) => void,
): Promise<{ run: RunRecord; created: boolean }> {
  const { pipeline, trigger, candidates = {}, commit = null, key } = request;
  const source: RunSource = { revision: pipeline.revision, candidates, commit };
  const { run, created } = await registryOf(env).createRun(
    {
      id: newRunId(),
      pipeline: pipeline.name,
      revision: pipeline.revision,
      plan: null,
      trigger,
      candidates,
      parameters: JSON.stringify(source),
    },
    key,
  );
  if (created) {
    const begun = begin(env, run, source);
    if (later) later(begun);
    else await begun;
  }
  return { run, created };
}

/** Starts a run of a plan, or the next attempt of the unfinished one of the same definition and inputs. */
export async function startPlanRun(
  env: Env,
  planHash: string,
  plan: Plan,
  gate: GateRule[],
  proposed: string,
): Promise<RunRecord> {
  const registry = registryOf(env);
  const source: RunSource = { plan: planHash, gate };
  const key = await planRunKey(plan);
  const { run, created } = await registry.createRun(
    {
      id: proposed,
      pipeline: plan.definition.name,
      revision: null,
      plan: planHash,
      trigger: { kind: 'cli', delivery: null, by: null },
      candidates: {},
      parameters: JSON.stringify(source),
    },
    key,
  );
  if (created) return begin(env, run, source);
  const next = await registry.nextAttempt(
    run.id,
    ['queued', 'running', 'failed', 'cancelled', 'done'],
    JSON.stringify(source),
  );
  return begin(env, next!, source);
}

/** Whoever started a run of a plan has its results: the next one of the same definition and inputs is a new run. */
export async function closePlanRun(env: Env, plan: Plan): Promise<void> {
  await registryOf(env).forgetKey(await planRunKey(plan));
}

/**
 * Tries a failed or cancelled run again: what is finished stays.
 * @throws PipelineError `not-found`; `conflict` while it runs, or where it ended well
 */
export async function retryRun(env: Env, id: string): Promise<RunRecord> {
  const next = await registryOf(env).nextAttempt(id, ['failed', 'cancelled']);
  if (!next) throw await notIn(env, id, 'that failed or was cancelled');
  return begin(env, next, await sourceOf(env, id));
}

/** Ends a run; its workflow ends when it next looks up, and tells who asked to be told. @throws PipelineError `not-found`; `conflict` where it has ended */
export async function cancelRun(env: Env, id: string): Promise<RunRecord> {
  const run = await registryOf(env).cancelRun(id);
  if (!run) throw await notIn(env, id, 'that has not ended');
  await progressOf(env, id).cancel(run.attempt);
  logRun(run);
  return run;
}

/**
 * Goes on with every run that hasn't ended: after a restart of the local engine, whose queue forgets its messages and
 * whose workflows sleep. Each becomes its next attempt, which finds what is done.
 */
export async function wakeRuns(env: Env): Promise<RunRecord[]> {
  const woken: RunRecord[] = [];
  for (const run of await registryOf(env).unfinishedRuns()) {
    if (run.revision === null) continue;
    const next = await registryOf(env).nextAttempt(run.id, ['queued', 'running']);
    if (!next) continue;
    await endInstance(env, run);
    woken.push(await begin(env, next, await sourceOf(env, run.id)));
  }
  return woken;
}

/**
 * Runs whose workflow ended without their knowing fail, and those that were never begun begin: whoever made them died
 * in between. Gives their ids; one that can't be mended now keeps no other from it.
 */
export async function mendRuns(env: Env, now: number): Promise<string[]> {
  const mended: string[] = [];
  const failures: unknown[] = [];
  for (const run of await registryOf(env).unfinishedRuns()) {
    try {
      if (await mendRun(env, run, now)) mended.push(run.id);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return mended;
}

async function mendRun(env: Env, run: RunRecord, now: number): Promise<boolean> {
  const status = await instanceStatus(env, instanceOf(run));
  if (status === null && run.state === 'queued' && now - run.created > BEGUN_WITHIN_MS) {
    await begin(env, run, await sourceOf(env, run.id));
  } else if (status?.status === 'errored' || status?.status === 'terminated') {
    // read again: it may have written its end, and told of it, before it went
    const { state } = await runOf(env, run.id);
    if (state !== 'queued' && state !== 'running') return false;
    await failLost(env, run, status);
  } else return false;
  return true;
}

/** Deletes what is finished of a plan. */
export async function deleteObjects(env: Env, plan: Plan): Promise<void> {
  for (let at = 0; at < plan.tasks.length; at += 1000) {
    await env.BUCKET.delete(plan.tasks.slice(at, at + 1000).map(objectKey));
  }
}

/** The run with this id. @throws PipelineError `not-found` */
export async function runOf(env: Env, id: string): Promise<RunRecord> {
  const run = await registryOf(env).getRun(id);
  if (!run) throw new PipelineError('not-found', `expected a run; found none named ${id.slice(0, 80)}`);
  return run;
}

async function begin(env: Env, run: RunRecord, source: RunSource): Promise<RunRecord> {
  const { id, attempt, pipeline } = run;
  await createOnce(env, instanceOf(run), { run: id, attempt, pipeline, source });
  logRun(run);
  return run;
}

// a workflow of its own tells of it, as notices are tried again; it is made before the run is marked, so that a tick
// which dies in between is made up for by the next: there is one by that name, however often it is asked for
async function failLost(env: Env, run: RunRecord, { status, error }: InstanceStatus): Promise<void> {
  const { id, attempt, pipeline } = run;
  const lost = fromUnknown(error?.message ?? `the workflow was ${status}`).toJSON();
  const parameters = { run: id, attempt, pipeline, source: await sourceOf(env, id), lost };
  await createOnce(env, `${instanceOf(run)}-lost`, parameters);
  await endLost(env, parameters, lost);
}

const instanceOf = ({ id, attempt }: RunRecord): string => `${id}-${attempt}`;

async function createOnce(env: Env, id: string, params: RunParameters): Promise<void> {
  try {
    await env.RUNS.create({ id, params });
  } catch (error) {
    // somebody was first
    if ((await instanceStatus(env, id)) === null) throw error;
  }
}

// null: it was never begun
async function instanceStatus(env: Env, id: string): Promise<InstanceStatus | null> {
  try {
    return await (await env.RUNS.get(id)).status();
  } catch (error) {
    if (/not.?found/i.test(String(error))) return null;
    throw error;
  }
}

async function sourceOf(env: Env, id: string): Promise<RunSource> {
  return JSON.parse((await registryOf(env).parametersOf(id))!) as RunSource;
}

// a workflow that is gone already needs no end
async function endInstance(env: Env, run: RunRecord): Promise<void> {
  try {
    await (await env.RUNS.get(instanceOf(run))).terminate();
  } catch {
    // ended, or never begun
  }
}

async function notIn(env: Env, id: string, wanted: string): Promise<PipelineError> {
  const { state } = await runOf(env, id);
  return new PipelineError('conflict', `expected a run ${wanted}; found ${id}, which is ${state}`);
}

async function planRunKey(plan: Plan): Promise<string> {
  const networks = plan.networks.map((network) => network.modelSha256);
  return `plan ${await sha256Hex(canonicalJson([plan.definitionSha256, plan.data.sha256, ...networks]))}`;
}
