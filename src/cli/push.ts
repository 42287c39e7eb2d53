/** `convergent push`: a pipeline and the files it names, to a service that keeps them. */
import { dirname, join, relative, sep } from 'node:path';
import { hashFile, readInput, requireFile } from '../compute/files.ts';
import { refuseOutside } from '../definition/paths.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { canonicalJson } from '../numeric/hash.ts';
import { externalFiles } from '../onnx/external.ts';
import { parseModel } from '../onnx/model.ts';
import { located } from '../plan/layers.ts';
import { pipelineSchema } from '../service/documents.ts';
import type { PipelineDetail, PipelinePut, PipelineRecord } from '../service/documents.ts';
import { optionText, STATE_OPTION } from './command.ts';
import type { Command, Invocation } from './command.ts';
import { remoteService } from './local.ts';
import { loadDefinition } from './prepare.ts';
import type { LoadedDefinition } from './prepare.ts';
import { progressDisplay, size } from './progress.ts';
import type { ProgressDisplay } from './progress.ts';
import { RETRIES_OF_TRANSFERS } from './remote.ts';
import type { Service } from './remote.ts';
import { sendFiles } from './upload.ts';
import type { LocalFile, Sent } from './upload.ts';

export const pushCommand: Command = {
  name: 'push',
  usage: 'push <pipeline.yaml> --to <url> [--token <token>] [--json]',
  summary: 'sends a pipeline, its models and its data to a service',
  details: [
    '  --to <url>       the service',
    '  --token <token>  a token of scope admin; run, where nothing changes (default CONVERGENT_TOKEN; a `serve` on this machine needs none)',
    '',
    'Files are named by their content: what is there already is not sent. Stopped at any moment, the same command',
    'goes on. Networks by https address are fetched by the service itself.',
  ],
  operands: 1,
  options: { ...STATE_OPTION, to: { type: 'string' }, token: { type: 'string' } },
  run: async (invocation, context) => {
    context.stopText = 'stopped; what was sent stays there, the same command goes on';
    const to = optionText(invocation, 'to');
    if (to === undefined) throw new PipelineError('usage', 'expected --to <url>; found none');
    const display = progressDisplay(process.stderr);
    try {
      const service = serviceForTransfers(to, invocation, display);
      const loaded = await loadDefinition(invocation.positionals[0]!);
      const { pipeline, sent } = await pushPipeline(service, loaded, display, context.signal);
      return { text: pushedText(pipeline, sent), json: { pipeline, sent } };
    } finally {
      display.end();
    }
  },
};

/** A service for what may take long, which waits for a network that fails for a while. */
export function serviceForTransfers(
  url: string,
  invocation: Invocation,
  display: Pick<ProgressDisplay, 'say'>,
): Service {
  return remoteService(url, invocation, { retries: RETRIES_OF_TRANSFERS, say: display.say });
}

/** Sends a pipeline's files, then the pipeline. @throws PipelineError */
export async function pushPipeline(
  service: Service,
  loaded: LoadedDefinition,
  display: Pick<ProgressDisplay, 'say' | 'show'>,
  signal: AbortSignal,
): Promise<{ pipeline: PipelineRecord; sent: Sent }> {
  refuseOutside(loaded);
  const files = await filesOf(loaded);
  const sent = await sendFiles(service, [...files.values()], display, signal);
  const put: PipelinePut = {
    text: loaded.text,
    files: Object.fromEntries([...files].map(([name, { sha256, sizeBytes }]) => [name, { sha256, bytes: sizeBytes }])),
  };
  const path = `/pipelines/${encodeURIComponent(loaded.definition.name)}`;
  // who may only start runs can do so of what is there
  const there = await service.json<PipelineDetail>(path, { signal }).catch((error: unknown) => {
    if (fromUnknown(error).code === 'not-found') return null;
    throw error;
  });
  if (there && canonicalJson([there.text, there.files]) === canonicalJson([put.text, put.files]))
    return { pipeline: pipelineSchema.parse(there), sent };
  const pipeline = await service.json<PipelineRecord>(path, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: () => JSON.stringify(put),
    signal,
  });
  return { pipeline, sent };
}

export function pushedText({ name, revision }: PipelineRecord, sent: Sent): string {
  const moved = sent.files === 0 ? 'nothing to send' : `sent ${sent.files} files, ${size(sent.bytes)}`;
  return `${moved}; pipeline ${name} is at revision ${revision.slice(0, 12)}`;
}

// models, their external data, and the probe data, by path below the pipeline file
async function filesOf(loaded: LoadedDefinition): Promise<Map<string, LocalFile>> {
  const { definition, where, modelPaths, dataPath, file } = loaded;
  const folder = dirname(file);
  const files = new Map<string, LocalFile>();
  const add = async (path: string): Promise<void> => {
    const name = relative(folder, path).split(sep).join('/');
    if (!files.has(name)) files.set(name, { path, ...(await hashFile(path)) });
  };
  for (const [index, { name }] of definition.networks.entries()) {
    const path = modelPaths[index];
    if (path == null) continue;
    const place = where(['networks', name, 'model']);
    const bytes = readInput(path, 'a model', place);
    const locations = located(place, () => externalFiles(parseModel(bytes)));
    await add(path);
    for (const location of locations) {
      const beside = join(dirname(path), location);
      requireFile(beside, `weights of ${path}`, place);
      await add(beside);
    }
  }
  requireFile(dataPath, 'probe data', where(['probe', 'data']));
  await add(dataPath);
  return files;
}
