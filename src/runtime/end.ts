/** The end of a run: its figures, its gate, what the registry keeps of it, and who is told. */
import type { WorkflowStep } from 'cloudflare:workers';
import type { GateRule, Notice } from '../definition/service.ts';
import { fromUnknown } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import { evaluateGate } from '../gate/gate.ts';
import type { GateOutcome } from '../gate/gate.ts';
import type { RunRecord } from '../service/documents.ts';
import { progressOf } from './consumer.ts';
import type { Env, RunParameters } from './env.ts';
import { NOTICE_RETRIES } from './limits.ts';
import { logRun } from './log.ts';
import { sendNotice } from './notify.ts';
import { readRevision } from './pipelines.ts';
import type { RunOutcome } from './protocol.ts';
import { registryOf } from './registry.ts';
import { readResults } from './resultFiles.ts';

/** What the gate says of a plan's results; null where the pipeline has none. */
export async function runGate(env: Env, parameters: RunParameters, planHash: string): Promise<GateOutcome | null> {
  const rules = await gateRules(env, parameters);
  if (rules.length === 0) return null;
  const passed = await registryOf(env).getPassed(parameters.pipeline);
  const previous = passed && (await readResults(env.BUCKET, passed.plan));
  return evaluateGate(rules, (await readResults(env.BUCKET, planHash))!, previous);
}

/** Writes the end of an attempt down, unless nobody wants it any more; gives the run as it is then. */
export async function endRun(env: Env, parameters: RunParameters, outcome: RunOutcome): Promise<RunRecord | null> {
  const { run, attempt, pipeline } = parameters;
  const registry = registryOf(env);
  const ended = Date.now();
  if ('error' in outcome) {
    const record = await registry.updateRun(run, attempt, { state: 'failed', ended, error: outcome.error });
    if (record?.attempt !== attempt || record.state !== 'failed') return record;
    await progressOf(env, run).tell(attempt, { type: 'state', state: 'failed', attempt });
    logRun(record);
    return record;
  }
  const { digest, gate, plan } = outcome;
  const results = await readResults(env.BUCKET, plan);
  const figures = (results?.pairs ?? []).flatMap(({ a, b, layers }) =>
    layers.map(({ layer, match }) => ({ pair: `${a}-${b}`, layer, mean_r: match?.mean_r ?? null })),
  );
  const record = await registry.updateRun(run, attempt, { state: 'done', ended, digest, gate, figures });
  if (record?.attempt !== attempt || record.state !== 'done') return record;
  if (gate?.passed !== false) await registry.setPassed(pipeline, { run, plan });
  await progressOf(env, run).tell(attempt, { type: 'state', state: 'done', attempt });
  logRun(record);
  return record;
}

/** Writes down that an attempt's workflow is gone, unless it ended otherwise; gives the run as it is then. */
export async function endLost(env: Env, { run, attempt }: RunParameters, lost: ErrorRecord): Promise<RunRecord | null> {
  const failed = await registryOf(env).failRun(run, attempt, lost);
  if (!failed) return registryOf(env).getRun(run);
  await progressOf(env, run).tell(attempt, { type: 'state', state: 'failed', attempt });
  logRun(failed);
  return failed;
}

/**
 * Tells those who asked to be told how the run stands, each notice tried again for a while; one that never arrives
 * stops nothing, and the run's log says so.
 */
export async function tellHow(
  env: Env,
  { run, attempt, source }: RunParameters,
  record: RunRecord | null,
  step: WorkflowStep,
): Promise<void> {
  if ('plan' in source || !record || record.attempt !== attempt || record.state === 'queued') return;
  const { service } = await readRevision(env, source.revision);
  const state = record.state === 'running' ? 'started' : record.state;
  const { pipeline, gate, digest, error } = record;
  const url = `${env.PUBLIC_URL ?? ''}/runs/${run}`;
  const message = { run, pipeline, state, gate, url, digest, error, commit: source.commit } as const;
  for (const [index, notice] of service.notify.entries()) {
    if (state === 'started' && notice.kind === 'webhook') continue;
    const name = `notify-${state}-${index}`;
    const fault = await step
      .do(name, { retries: NOTICE_RETRIES, timeout: '2 minutes' }, async () => {
        try {
          await sendNotice(notice, message, { ...env }, fetch, Date.now());
          return null;
        } catch (thrown) {
          const found = fromUnknown(thrown);
          if (found.retryable) throw found;
          return found.plainMessage;
        }
      })
      .catch((thrown: unknown) => fromUnknown(thrown).plainMessage);
    const text = fault === null ? `told ${nameOf(notice)}` : `could not tell ${nameOf(notice)}: ${fault}`;
    await step.do(`${name}-told`, () =>
      progressOf(env, run)
        .tell(attempt, { type: 'stage', stage: 'notify', done: true, text })
        .then(() => true),
    );
  }
}

async function gateRules(env: Env, { source }: RunParameters): Promise<GateRule[]> {
  return 'plan' in source ? source.gate : (await readRevision(env, source.revision)).service.gate;
}

function nameOf(notice: Notice): string {
  return notice.kind === 'webhook' ? new URL(notice.url).host : 'the commit status';
}
