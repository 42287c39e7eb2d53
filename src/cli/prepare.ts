/** From a pipeline file to a plan, as `plan` and `run` need it: definition, inspected models, probe data. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readInput, requireFile } from '../compute/files.ts';
import { inspectNetwork } from '../compute/network.ts';
import type { ExternalFile, NetworkRequest } from '../compute/network.ts';
import { parseDefinition } from '../definition/definition.ts';
import type { ParsedDefinition } from '../definition/definition.ts';
import { isAddress } from '../definition/paths.ts';
import { PipelineError } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { sha256Hex } from '../numeric/hash.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { requireFigures } from '../gate/known.ts';
import { loadWasmRuntime, WASM_VERSION } from '../onnx/wasm.ts';
import { makeForecastPlan } from '../plan/deployed.ts';
import { located } from '../plan/layers.ts';
import type { CodeHashes, Plan, PlanInputs } from '../plan/plan.ts';
import type { ProviderName } from '../plan/providers.ts';
import { downloadModel } from './download.ts';
import { openNative } from './native.ts';
import type { NativeRuntime } from './native.ts';
import { readProbe, readProbeHeader } from './probe.ts';
import type { ProbeFile } from './probe.ts';

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
  if (choice === 'isolate') return preparePlan(loaded, stateFolder, choice, Promise.resolve(null), show);
  const { native, close } = openNative(loaded.modelPaths.length);
  try {
    return await preparePlan(loaded, stateFolder, choice, native, show);
  } finally {
    await close();
  }
}

/**
 * Definition to plan. `stateFolder` keeps inspections and downloads; `choice` is the provider asked for, if any, and `native` the
 * native runtime, null where it doesn't load: then networks are inspected in WebAssembly, in this process; `show`
 * hears how far a download is.
 * @throws PipelineError as the stages say
 */
export async function preparePlan(
  loaded: LoadedDefinition,
  stateFolder: string,
  choice: ProviderName | undefined,
  native: Promise<NativeRuntime | null>,
  show: (text: string) => void,
): Promise<Prepared> {
  const { definition, where } = loaded;
  const found = await native;
  if (choice === 'native' && found === null) {
    throw new PipelineError('usage', 'expected onnxruntime-node, which compute: native needs; it does not load here', {
      place: definition.compute === 'native' ? where(['compute']) : undefined,
      hint: 'install onnxruntime-node beside this package, or use compute: isolate',
    });
  }

  const downloading = { folder: join(stateFolder, 'downloads'), fetch: globalThis.fetch, show };
  const modelPaths: string[] = [];
  for (const [index, { name, model, address }] of definition.networks.entries()) {
    const download = () => downloadModel(model, address!, downloading);
    modelPaths.push(loaded.modelPaths[index] ?? (await located(where(['networks', name, 'model']), download)));
  }

  const dataPlace = where(['probe', 'data']);
  const { rowShape } = readProbeHeader(loaded.dataPath, dataPlace);
  const requests = definition.networks.map(({ name, layout }, index) => {
    const place = where(['networks', name, 'model']);
    const path = modelPaths[index]!;
    requireFile(path, 'a model', place);
    const request: NetworkRequest = {
      path,
      layout,
      rowShape,
      dataLayout: definition.probe.layout,
      taps: definition.layers.map((layer) => layer.taps[index]!.tensor),
      code: CODE_HASHES.inspect,
      keptFolder: join(stateFolder, 'inspect'),
    };
    return { place, request };
  });
  // the data is hashed while the networks run; of several faults the first in this order is told
  const inspect = found?.inspect ?? (await wasmInspector());
  const inspecting = requests.map(({ place, request }) => located(place, () => inspect(request)));
  const probing = readProbe(loaded.dataPath, dataPlace);
  await Promise.allSettled([probing, ...inspecting]);
  const probe = await probing;
  const models: ModelInspection[] = [];
  const external: ExternalFile[][] = [];
  for (const each of inspecting) {
    const inspected = await each;
    models.push(inspected.model);
    external.push(inspected.external);
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
    compute: choice ?? (found === null ? 'isolate' : 'native'),
    versions: { isolate: WASM_VERSION, ...(found !== null && { native: found.runtime }) },
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

/** ONNX Runtime in this process, the same build the Worker runs. */
export function nodeRuntime(): Promise<OnnxRuntime> {
  return loadWasmRuntime(new Uint8Array(readFileSync(join(DIST, 'ort-wasm-simd-threaded.wasm'))));
}

// one network after another, since they share a heap that never shrinks
async function wasmInspector(): Promise<NativeRuntime['inspect']> {
  const runtime = await nodeRuntime();
  let before: Promise<unknown> = Promise.resolve();
  return (request) => {
    const inspecting = before.then(() => inspectNetwork(request, runtime));
    before = inspecting.catch(() => undefined);
    return inspecting;
  };
}
