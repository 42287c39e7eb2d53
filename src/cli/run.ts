/**
 * `convergent run`: plan, start or continue the run in the local engine, follow it, and write the
 * output folder. Killed at any moment, the same command goes on with every finished task.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fromRecord, PipelineError } from '../errors.ts';
import type { GateOutcome } from '../gate/gate.ts';
import { describePlan } from '../plan/describe.ts';
import type { ProviderName } from '../plan/providers.ts';
import type { FileEntry, TaskRecord } from '../runtime/protocol.ts';
import { follow, keepInputs, resultReader, storeInputs, writeResults } from './client.ts';
import type { RunSoFar } from './client.ts';
import {
  COMPUTE_DETAIL,
  COMPUTE_OPTION,
  computeChoice,
  REMOTE_OPTIONS,
  STATE_DETAIL,
  STATE_OPTION,
  stateFolder,
} from './command.ts';
import type { Answer, Command } from './command.ts';
import { startEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { startNative } from './native.ts';
import { openOutput, requireOurs, RUN_SCHEMA } from './out.ts';
import { DIST, loadDefinition, preparePlan } from './prepare.ts';
import type { Prepared } from './prepare.ts';
import { duration, progressDisplay } from './progress.ts';
import type { ProgressDisplay } from './progress.ts';
import { runRemotely } from './remoteRun.ts';
import { openState } from './state.ts';

declare const CONVERGENT_VERSION: string;

export interface RunOptions {
  file: string;
  /** Default: convergent-out/<name>. */
  out: string | undefined;
  state: string;
  compute: ProviderName | undefined;
  fresh: boolean;
}

/** How a run ended, as `--json` prints it and run.json holds it. */
export interface RunReport {
  run: string;
  digest: string;
  out: string;
  tasks: { total: number; reused: number; computed: number };
  /** Wall time by stage. */
  seconds: Record<string, number>;
  warnings: string[];
  /** What the pipeline's gate says; null where it has none. */
  gate: GateOutcome | null;
}

export const runCommand: Command = {
  name: 'run',
  usage: 'run <pipeline.yaml> [--out <dir>] [--state <dir>] [--compute <provider>] [--fresh] [--remote <url>] [--json]',
  summary: 'compares the networks of a pipeline and writes the report',
  details: [
    '  --out <dir>    output folder (default convergent-out/<name>)',
    STATE_DETAIL,
    COMPUTE_DETAIL,
    '  --fresh        first deletes what is finished of this plan, so that everything is computed anew',
    '  --remote <url> the service runs it: push, start, follow, fetch',
    '  --token <t>    what the service asks for (default CONVERGENT_TOKEN)',
    '  --json         one JSON document on stdout',
    '',
    'Killed at any moment, the same command goes on with every finished task. Exit code 3: the gate failed.',
  ],
  operands: 1,
  options: {
    ...STATE_OPTION,
    ...COMPUTE_OPTION,
    ...REMOTE_OPTIONS,
    out: { type: 'string' },
    fresh: { type: 'boolean' },
  },
  run: async (invocation, context) => {
    const { out, fresh, remote } = invocation.options;
    const { signal, soFar } = context;
    // what isn't known yet is null, so that the document always has the same keys
    const unknown = { run: null, digest: null, out: null, tasks: null, seconds: null, warnings: null, gate: null };
    Object.assign(soFar, unknown);
    if (remote !== undefined) return answerOf(await runRemotely(invocation, progressDisplay(process.stderr), context));
    const options = {
      file: invocation.positionals[0]!,
      out: out as string | undefined,
      state: stateFolder(invocation),
      compute: computeChoice(invocation),
      fresh: fresh === true,
    };
    return answerOf(await runPipeline(options, progressDisplay(process.stderr), signal, soFar));
  },
};

/** What a run that came to its end says; a failed gate is an error beside it. */
export function answerOf(report: RunReport): Answer {
  const error = report.gate?.passed === false ? gateError(report.gate) : undefined;
  return { text: runText(report), json: { ...report, error: error?.toJSON() ?? null }, ...(error && { error }) };
}

function gateError({ rules }: GateOutcome): PipelineError {
  const failed = rules.filter(({ passed }) => !passed);
  const lines = failed.map(({ text }) => `\n${text}`).join('');
  return new PipelineError('gate-failed', `the gate failed, ${failed.length} of ${rules.length} rules:${lines}`);
}

/**
 * Runs a pipeline. `soFar` is filled in as things become known, for whoever reports a failure.
 * @throws PipelineError; the abort reason where `signal` is aborted
 */
export async function runPipeline(
  options: RunOptions,
  display: ProgressDisplay,
  signal: AbortSignal,
  soFar: RunSoFar,
): Promise<RunReport> {
  const started = Date.now();
  const seconds: Record<string, number> = {};
  const state = await openState(options.state);
  let engine: Engine | undefined;
  try {
    if (state.ended.length > 0)
      display.say(`ended a workerd left over from a killed run (process ${state.ended.join(', ')})`);
    // the engine starts while the plan is made
    const loaded = await loadDefinition(options.file);
    const choice = options.compute ?? loaded.definition.compute;
    const compute = choice === 'isolate' ? Promise.resolve(null) : startNative(state.path, loaded.modelPaths.length);
    const starting = timed(seconds, 'start', () => startEngine(state.path, DIST, { compute }));
    const native = compute.then((started) => started?.server ?? null);
    const [preparing, opening] = await Promise.allSettled([
      timed(seconds, 'plan', () => preparePlan(loaded, state.path, choice, native, display.show)),
      starting,
    ]);
    if (opening.status === 'fulfilled') engine = opening.value;
    if (preparing.status === 'rejected') throw preparing.reason;
    if (opening.status === 'rejected') throw opening.reason;
    const worker = opening.value;
    const prepared = preparing.value;
    const { plan } = prepared;
    const out = options.out ?? `convergent-out/${plan.definition.name}`;
    soFar.out = out;
    requireOurs(out);
    display.say(describePlan(plan));
    signal.throwIfAborted();

    const { plan: planHash } = await worker.json<{ plan: string }>('/plans', {
      method: 'POST',
      body: JSON.stringify(plan),
    });
    const server = await native;
    await timed(seconds, 'store', () =>
      Promise.all([storeInputs(worker, prepared), server && keepInputs(server, prepared)]),
    );
    if (options.fresh) await worker.fetch(`/plans/${planHash}/objects`, { method: 'DELETE' });
    signal.throwIfAborted();

    const proposed = `${new Date(started).toISOString().slice(0, 19).replace(/[-:]/g, '')}-${randomBytes(4).toString('hex')}`;
    const { run, attempt } = await worker.json<{ run: string; attempt: number }>('/runs', {
      method: 'POST',
      body: JSON.stringify({ plan: planHash, run: proposed, gate: prepared.service.gate }),
    });
    const begun = Date.now();
    soFar.run = run;
    display.say(attempt === 1 ? `run ${run}` : `run ${run} goes on, attempt ${attempt}`);
    const status = await follow(worker, run, attempt, plan, display, signal, soFar);
    const { outcome } = status;
    if (outcome === null || 'error' in outcome)
      throw fromRecord(outcome?.error ?? { code: 'internal', message: 'the run ended without a result' });
    const ended = Date.now();

    // results are in the bucket: write the folder, then let go of the run
    const records = await worker.json<{ task: number; record: TaskRecord }[]>(`/runs/${run}/tasks`);
    Object.assign(seconds, stageSeconds(records, begun, ended));
    const { digest, files } = await worker.json<{ digest: string; files: FileEntry[] }>(`/results/${planHash}`);
    const output = openOutput(out);
    const read = resultReader(worker, planHash);
    try {
      const warnings = await timed(seconds, 'write', () => writeResults(read, files, output.write));
      const total = plan.tasks.length;
      const reused = status.progress.reused ?? 0;
      const tasks = { total, reused, computed: status.progress.done };
      seconds.total = round((Date.now() - started) / 1000);
      const report: RunReport = { run, digest, out, tasks, seconds, warnings, gate: outcome.gate };
      const written = files.map(({ path }) => path);
      const peak = worker.peakMemoryBytes();
      output.write('run.json', runJson(report, prepared, attempt, started, records, peak, written));
      output.finish();
      // the results are in place: an open run would only be found finished
      await worker.fetch(`/plans/${planHash}/close`, { method: 'POST' }).catch(() => undefined);
      return report;
    } catch (error) {
      output.abandon();
      throw error;
    }
  } catch (error) {
    // a signal ends workerd too, and then everything fails: the signal is the reason
    signal.throwIfAborted();
    throw error;
  } finally {
    display.end();
    await engine?.stop().catch(() => undefined);
    state.release();
  }
}

function runText({ out, digest, tasks, seconds, warnings }: RunReport): string {
  const told =
    warnings.length === 0
      ? []
      : [
          `${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}, in the report:`,
          ...warnings.slice(0, 5).map((text) => `  ${text}`),
        ];
  return [
    ...told,
    `${tasks.computed} tasks computed, ${tasks.reused} reused, in ${duration(seconds.total ?? 0)}; digest ${digest}`,
    `report: ${join(out, 'report.html')}`,
  ].join('\n');
}

// from the first task's start to the last one's end, by stage; then the report
function stageSeconds(
  records: readonly { record: TaskRecord }[],
  begun: number,
  ended: number,
): Record<string, number> {
  const spans: Record<string, { from: number; to: number }> = {};
  for (const { record } of records) {
    const stage = record.kind === 'pilot' || record.kind === 'activate' ? 'activate' : 'reduce';
    const span = (spans[stage] ??= { from: record.started, to: 0 });
    span.from = Math.min(span.from, record.started);
    span.to = Math.max(span.to, record.started + record.seconds * 1000);
  }
  const last = Math.max(begun, ...Object.values(spans).map((span) => span.to));
  return {
    activate: round(spans.activate ? (spans.activate.to - spans.activate.from) / 1000 : 0),
    reduce: round(spans.reduce ? (spans.reduce.to - spans.reduce.from) / 1000 : 0),
    report: round((ended - last) / 1000),
  };
}

async function timed<T>(seconds: Record<string, number>, stage: string, act: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await act();
  } finally {
    seconds[stage] = round((performance.now() - started) / 1000);
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

// run.json: the only file with times, hosts, paths and attempts; its list of files tells ours from the user's
function runJson(
  report: RunReport,
  prepared: Prepared,
  attempt: number,
  started: number,
  records: readonly { task: number; record: TaskRecord }[],
  peakMemoryBytes: number | null,
  files: readonly string[],
): string {
  const { plan, file, modelPaths, dataPath } = prepared;
  const document = {
    schema: RUN_SCHEMA,
    convergent: CONVERGENT_VERSION,
    run: report.run,
    attempt,
    started: new Date(started).toISOString(),
    finished: new Date().toISOString(),
    host: hostname(),
    node: process.versions.node,
    providers: plan.providers,
    file,
    data: dataPath,
    models: Object.fromEntries(plan.networks.map((network, index) => [network.name, modelPaths[index]])),
    digest: report.digest,
    gate: report.gate,
    tasks: report.tasks,
    seconds: report.seconds,
    files,
    sets: plan.sets.map(({ networks, layers, ...set }) => ({
      networks: networks.map((index) => plan.networks[index]!.name),
      layers: layers.map((index) => plan.layers[index]!.name),
      ...set,
    })),
    memory: { workerdPeakBytes: peakMemoryBytes },
    computed: records.map(({ task, record }) => {
      const { id, projectedBytes } = plan.tasks[task]!;
      return { id, projectedBytes, ...record };
    }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
