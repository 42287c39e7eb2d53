/**
 * From a pipeline file to a plan, as `plan` and `run` need it: definition, inspected models, probe data.
 * Inspections are kept in the state folder by model, taps and input shape; they are measured, so they cost a run.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { nativeLoads } from '../compute/native.ts';
import { parseDefinition } from '../definition/definition.ts';
import type { Definition, ParsedDefinition } from '../definition/definition.ts';
import { isAddress } from '../definition/paths.ts';
import { PipelineError } from '../errors.ts';
import { inspectModel } from '../inspect/inspect.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { readRows } from '../inspect/layout.ts';
import { hashOf, sha256Hex } from '../numeric/hash.ts';
import { externalFiles } from '../onnx/external.ts';
import { networkInput, parseModel } from '../onnx/model.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { requireFigures } from '../gate/known.ts';
import { loadWasmRuntime } from '../onnx/wasm.ts';
import { makeForecastPlan } from '../plan/deployed.ts';
import { located, modelRow } from '../plan/layers.ts';
import type { CodeHashes, Plan, PlanInputs } from '../plan/plan.ts';
import type { ProviderName } from '../plan/providers.ts';
import { downloadModel } from './download.ts';
import { besideModel } from './external.ts';
import { hashFile, readInput, readProbe, requireFile } from './files.ts';
import type { HashedFile, ProbeFile } from './files.ts';

declare const CODE_HASHES: CodeHashes;

/** Folder of the built files: this bundle, the Worker and the wasm. */
export const DIST = import.meta.dirname;

/** A pipeline file with the paths it names, absolute. */
export interface LoadedDefinition extends ParsedDefinition {
  file: string;
  text: string;
  sha256: string;
  /** Null for networks by address. */
  modelPaths: (string | null)[];
  dataPath: string;
}

export interface Prepared extends LoadedDefinition {
  /** Those of networks by address too, downloaded. */
  modelPaths: string[];
  plan: Plan;
  models: ModelInspection[];
  probe: ProbeFile;
  /** Files of external data by content. */
  external: ExternalFile[];
  /** The inputs of the plan, for another one of the same pipeline. */
  inputs: PlanInputs;
}

/** A file of weights beside a model. */
export interface ExternalFile extends HashedFile {
  path: string;
  location: string;
}

/** @throws PipelineError `file-missing`, `definition-invalid` */
export async function loadDefinition(file: string): Promise<LoadedDefinition> {
  const bytes = readInput(file, 'a pipeline file');
  const text = new TextDecoder().decode(bytes);
  const parsed = parseDefinition(text, file);
  requireFigures(parsed);
  const folder = dirname(resolve(file));
  return {
    ...parsed,
    file,
    text,
    sha256: await sha256Hex(bytes),
    modelPaths: parsed.definition.networks.map(({ model }) => (isAddress(model) ? null : resolve(folder, model))),
    dataPath: resolve(folder, parsed.definition.probe.data),
  };
}

/** A pipeline file to a plan, for commands that run nothing. @throws PipelineError as the stages say */
export async function planFile(
  file: string,
  stateFolder: string,
  compute: ProviderName | undefined,
  show: (text: string) => void,
): Promise<Prepared> {
  const loaded = await loadDefinition(file);
  const choice = compute ?? loaded.definition.compute;
  const native = choice === 'isolate' ? Promise.resolve(null) : nativeLoads();
  return preparePlan(loaded, stateFolder, choice, native, show);
}

/**
 * Definition to plan. `stateFolder` keeps inspections and downloads; `choice` is the provider asked for, if any, and
 * `native` the native runtime's name and version, null where it doesn't load; `show` hears how far a download is.
 * @throws PipelineError as the stages say
 */
export async function preparePlan(
  loaded: LoadedDefinition,
  stateFolder: string,
  choice: ProviderName | undefined,
  native: Promise<string | null>,
  show: (text: string) => void,
): Promise<Prepared> {
  const { definition, where } = loaded;
  const probe = await readProbe(loaded.dataPath, where(['probe', 'data']));
  const runtime = await nodeRuntime();
  const models: ModelInspection[] = [];
  const external: ExternalFile[][] = [];
  const modelPaths: string[] = [];
  const downloading = { folder: join(stateFolder, 'downloads'), fetch: globalThis.fetch, show };
  for (const [index, network] of definition.networks.entries()) {
    const place = where(['networks', network.name, 'model']);
    const path =
      loaded.modelPaths[index] ??
      (await located(place, () => downloadModel(network.model, network.address!, downloading)));
    modelPaths.push(path);
    const bytes = readInput(path, 'a model', place);
    const files = await located(place, () => hashExternal(path, externalFiles(parseModel(bytes))));
    const model = await located(place, () =>
      inspectTaps(bytes, path, files, definition, index, probe, runtime, stateFolder),
    );
    models.push(model);
    external.push(files.filter(({ location }) => model.externalData.includes(location)));
  }
  const version = await native;
  if (choice === 'native' && version === null) {
    throw new PipelineError('usage', 'expected onnxruntime-node, which compute: native needs; it does not load here', {
      place: definition.compute === 'native' ? where(['compute']) : undefined,
      hint: 'install onnxruntime-node beside this package, or use compute: isolate',
    });
  }
  const inputs: PlanInputs = {
    definition,
    definitionSha256: loaded.sha256,
    models,
    externalData: external.map((files) =>
      files.map(({ location, sha256, chunksSha256, sizeBytes }) => ({ location, sha256, chunksSha256, sizeBytes })),
    ),
    data: probe.data,
    dataRows: probe.rows,
    code: CODE_HASHES,
    compute: choice ?? (version === null ? 'isolate' : 'native'),
    versions: { isolate: runtime.version, ...(version !== null && { native: version }) },
    where,
  };
  return {
    ...loaded,
    modelPaths,
    plan: await makeForecastPlan(inputs),
    models,
    probe,
    external: external.flat(),
    inputs,
  };
}

async function hashExternal(modelPath: string, locations: readonly string[]): Promise<ExternalFile[]> {
  const files: ExternalFile[] = [];
  for (const location of locations) {
    const path = join(dirname(modelPath), location);
    requireFile(path, `weights of ${modelPath}`);
    files.push({ path, location, ...(await hashFile(path)) });
  }
  return files;
}

/** ONNX Runtime in this process, the same build the Worker runs. */
export function nodeRuntime(): Promise<OnnxRuntime> {
  return loadWasmRuntime(new Uint8Array(readFileSync(join(DIST, 'ort-wasm-simd-threaded.wasm'))));
}

// the taps of one network on rows as the probe data gives them, measured once and kept
async function inspectTaps(
  bytes: Uint8Array,
  path: string,
  external: readonly ExternalFile[],
  definition: Definition,
  index: number,
  probe: ProbeFile,
  runtime: OnnxRuntime,
  stateFolder: string,
): Promise<ModelInspection> {
  const { dims } = networkInput(parseModel(bytes));
  const { rowShape } = probe.data;
  const { layout } = definition.networks[index]!;
  const { shape: inputShape } = readRows(rowShape, definition.probe.layout, modelRow(dims, rowShape), layout);
  const taps = definition.layers.map((layer) => layer.taps[index]!.tensor);
  const key = await hashOf({
    code: CODE_HASHES.inspect,
    runtime: runtime.version,
    model: await sha256Hex(bytes),
    // weights outside may decide shapes too
    external: external.map(({ location, sha256 }) => ({ location, sha256 })),
    inputShape,
    taps,
  });
  const file = join(stateFolder, 'inspect', `${key}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ModelInspection;
  } catch {
    // not there yet, or not whole
  }
  const inspection = await inspectModel(bytes, runtime, { inputShape, taps, external: besideModel(path) });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(inspection));
  renameSync(`${file}.${process.pid}`, file);
  return inspection;
}
