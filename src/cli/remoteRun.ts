/**
 * `convergent run --remote`: push, start, follow, fetch. The output folder is that of a local run; run.json says which
 * service it came from. Stopped, the run goes on.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { PipelineError } from '../errors.ts';
import type { FileEntry } from '../runtime/protocol.ts';
import type { Artifacts, RunRecord, RunTasks } from '../service/documents.ts';
import { optionText } from './command.ts';
import type { CommandContext, Invocation } from './command.ts';
import { encodedPath, writeResults } from './client.ts';
import { failureOf, followRun } from './follow.ts';
import type { Followed } from './follow.ts';
import { openOutput, requireOurs, RUN_SCHEMA } from './out.ts';
import { loadDefinition } from './prepare.ts';
import type { ProgressDisplay } from './progress.ts';
import { pushedText, pushPipeline, serviceForTransfers } from './push.ts';
import { serviceAddress } from './remote.ts';
import type { Service } from './remote.ts';
import type { RunReport } from './run.ts';

declare const CONVERGENT_VERSION: string;

/** @throws PipelineError; the abort reason */
export async function runRemotely(
  invocation: Invocation,
  display: ProgressDisplay,
  context: CommandContext,
): Promise<RunReport> {
  const { signal, soFar } = context;
  for (const local of ['compute', 'fresh']) {
    if (invocation.options[local] === undefined) continue;
    throw new PipelineError('usage', `expected no --${local} beside --remote; found both`, {
      hint: 'who runs the tasks is the pipeline’s `compute`, or the choice of the service',
    });
  }
  const address = serviceAddress(optionText(invocation, 'remote')!);
  const started = Date.now();
  context.stopText = 'stopped; what was sent stays there, the same command goes on';
  try {
    const service = serviceForTransfers(address, invocation, display);
    const loaded = await loadDefinition(invocation.positionals[0]!);
    const out = optionText(invocation, 'out') ?? `convergent-out/${loaded.definition.name}`;
    soFar.out = out;
    requireOurs(out);
    const { pipeline, sent } = await pushPipeline(service, loaded, display, signal);
    display.say(pushedText(pipeline, sent));

    // a start that is sent twice is one
    const run = await service.json<RunRecord>('/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: () => JSON.stringify({ pipeline: pipeline.name }),
      repeatable: true,
      signal,
    });
    soFar.run = run.id;
    display.say(`run ${run.id}: ${address}/runs/${run.id}`);
    context.stopText = leftText(run.id, service);
    const followed = await followRun(service, run.id, display, signal);
    return await fetchRun(service, followed, out, { remote: address, file: loaded.file, started }, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    display.end();
  }
}

/** How to come back to a run that goes on without us. */
export function leftText(run: string, { option }: Service): string {
  return `stopped; run ${run} goes on: convergent logs ${run} --follow${option}, or convergent cancel ${run}${option}`;
}

/**
 * Writes the output folder of a run that has ended. `about` is what run.json says beyond what the service does.
 * @throws PipelineError with the run's own fault where it failed
 */
export async function fetchRun(
  service: Service,
  { run, tasks }: Followed,
  out: string,
  about: { started: number; remote?: string; file?: string },
  signal: AbortSignal,
): Promise<RunReport> {
  const failure = failureOf(run);
  if (failure) throw failure;
  const path = `/runs/${encodeURIComponent(run.id)}`;
  const { digest, files } = await service.json<Artifacts>(`${path}/artifacts`, { signal });
  const { tasks: computed } = await service.json<RunTasks>(`${path}/tasks`, { signal });
  const readOne = (file: string): Promise<Uint8Array> =>
    service.ask(
      `${path}/artifacts/${encodedPath(file)}`,
      { headers: { accept: '*/*' }, signal },
      async (response) => new Uint8Array(await response.arrayBuffer()),
    );
  const read = (batch: readonly FileEntry[]): Promise<Uint8Array[]> =>
    Promise.all(batch.map((file) => readOne(file.path)));
  const output = openOutput(out);
  try {
    const warnings = await writeResults(read, files, output.write);
    const seconds = { total: (Date.now() - about.started) / 1000 };
    const counted = tasks ?? { total: computed.length, reused: 0, computed: computed.length };
    const report = {
      run: run.id,
      digest: digest ?? run.digest!,
      out,
      tasks: counted,
      seconds,
      warnings,
      gate: run.gate,
    };
    output.write('run.json', runJson(report, run, about, computed, files));
    output.finish();
    return report;
  } catch (error) {
    output.abandon();
    throw error;
  }
}

function runJson(
  { run, digest, tasks, seconds, gate }: RunReport,
  { attempt, pipeline, revision, candidates, trigger }: RunRecord,
  { started, ...about }: { started: number; remote?: string; file?: string },
  computed: RunTasks['tasks'],
  files: Artifacts['files'],
): string {
  const document = {
    schema: RUN_SCHEMA,
    convergent: CONVERGENT_VERSION,
    run,
    attempt,
    started: new Date(started).toISOString(),
    finished: new Date().toISOString(),
    host: hostname(),
    node: process.versions.node,
    ...about,
    pipeline,
    revision,
    trigger,
    candidates,
    digest,
    gate,
    tasks,
    seconds,
    files: files.map((entry) => entry.path),
    computed,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
