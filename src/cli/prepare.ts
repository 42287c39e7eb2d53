/**
 * From a pipeline file to a plan, as `plan` and `run` need it: definition, inspected models, probe data.
 * Inspections are kept in the state folder by model, taps and input shape; they are measured, so they cost a run.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDefinition } from '../definition/definition.ts';
import type { Definition, ParsedDefinition } from '../definition/definition.ts';
import { inspectModel } from '../inspect/inspect.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { readRows } from '../inspect/layout.ts';
import { hashOf, sha256Hex } from '../numeric/hash.ts';
import { networkInput, parseModel } from '../onnx/model.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { loadWasmRuntime } from '../onnx/wasm.ts';
import { located, modelRow } from '../plan/layers.ts';
import { makePlan } from '../plan/plan.ts';
import type { CodeHashes, Plan } from '../plan/plan.ts';
import { readInput, readProbe } from './files.ts';
import type { ProbeFile } from './files.ts';

declare const CODE_HASHES: CodeHashes;

/** Folder of the built files: this bundle, the Worker and the wasm. */
export const DIST = import.meta.dirname;

/** A pipeline file with the paths it names, absolute. */
export interface LoadedDefinition extends ParsedDefinition {
  file: string;
  sha256: string;
  modelPaths: string[];
  dataPath: string;
}

export interface Prepared extends LoadedDefinition {
  plan: Plan;
  models: ModelInspection[];
  probe: ProbeFile;
}

/** @throws PipelineError `file-missing`, `definition-invalid` */
export async function loadDefinition(file: string): Promise<LoadedDefinition> {
  const bytes = readInput(file, 'a pipeline file');
  const parsed = parseDefinition(new TextDecoder().decode(bytes), file);
  const folder = dirname(resolve(file));
  return {
    ...parsed,
    file,
    sha256: await sha256Hex(bytes),
    modelPaths: parsed.definition.networks.map((network) => resolve(folder, network.model)),
    dataPath: resolve(folder, parsed.definition.probe.data),
  };
}

/** Definition to plan. `stateFolder` keeps inspections. @throws PipelineError as the stages say */
export async function preparePlan(file: string, stateFolder: string): Promise<Prepared> {
  const loaded = await loadDefinition(file);
  const { definition, where } = loaded;
  const probe = await readProbe(loaded.dataPath, where(['probe', 'data']));
  const runtime = await nodeRuntime();
  const models: ModelInspection[] = [];
  for (const [index, network] of definition.networks.entries()) {
    const place = where(['networks', network.name, 'model']);
    const bytes = readInput(loaded.modelPaths[index]!, 'a model', place);
    models.push(await located(place, () => inspectTaps(bytes, definition, index, probe, runtime, stateFolder)));
  }
  const plan = await makePlan({
    definition,
    definitionSha256: loaded.sha256,
    models,
    data: probe.data,
    dataRows: probe.rows,
    code: CODE_HASHES,
    provider: { name: 'isolate', version: runtime.version },
    where,
  });
  return { ...loaded, plan, models, probe };
}

/** ONNX Runtime in this process, the same build the Worker runs. */
export function nodeRuntime(): Promise<OnnxRuntime> {
  return loadWasmRuntime(new Uint8Array(readFileSync(join(DIST, 'ort-wasm-simd-threaded.wasm'))));
}

// the taps of one network on rows as the probe data gives them, measured once and kept
async function inspectTaps(
  bytes: Uint8Array,
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
    inputShape,
    taps,
  });
  const file = join(stateFolder, 'inspect', `${key}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ModelInspection;
  } catch {
    // not there yet, or not whole
  }
  const inspection = await inspectModel(bytes, runtime, { inputShape, taps });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(inspection));
  renameSync(`${file}.${process.pid}`, file);
  return inspection;
}
