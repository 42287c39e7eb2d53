/**
 * One network of a pipeline as it lies on disk, inspected: in a child process where the native runtime loads, since a
 * network may end the process that runs it, else in the command line's own, in WebAssembly. Both measure the same.
 * Inspections are kept by model, taps and input shape; they are measured, so they cost a run.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DataLayout, NetworkDefinition } from '../definition/definition.ts';
import { inspectModel } from '../inspect/inspect.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { inspectionKey } from '../inspect/key.ts';
import { readRows } from '../inspect/layout.ts';
import { externalFiles } from '../onnx/external.ts';
import { networkInput, parseModel } from '../onnx/model.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { modelRow } from '../plan/layers.ts';
import { besideModel, hashFile, readInput, requireFile } from './files.ts';
import type { HashedFile } from './files.ts';

/** A network and what it is inspected with: plain data. */
export interface NetworkRequest {
  /** The model's file, absolute. */
  path: string;
  layout: NetworkDefinition['layout'];
  /** One row of the probe data, and how it is to be read. */
  rowShape: number[];
  dataLayout: DataLayout | undefined;
  /** Value or node names. */
  taps: string[];
  /** Hash of the code that inspects. */
  code: string;
  /** Where inspections are kept. */
  keptFolder: string;
}

/** A file of weights beside a model. */
export interface ExternalFile extends HashedFile {
  path: string;
  location: string;
}

export interface InspectedNetwork {
  model: ModelInspection;
  /** The files that the taps need. */
  external: ExternalFile[];
}

/** The taps of a network on rows as the probe data gives them. @throws PipelineError as inspectModel; `file-missing` */
export async function inspectNetwork(request: NetworkRequest, runtime: OnnxRuntime): Promise<InspectedNetwork> {
  const { path, layout, rowShape, dataLayout, taps } = request;
  const bytes = readInput(path, 'a model');
  const parsed = parseModel(bytes);
  const external = await hashExternal(path, externalFiles(parsed));
  const { dims } = networkInput(parsed);
  const { shape: inputShape } = readRows(rowShape, dataLayout, modelRow(dims, rowShape), layout);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { code } = request;
  const key = await inspectionKey({ code, runtime: runtime.version, model: sha256, external, inputShape, taps });
  const file = join(request.keptFolder, `${key}.json`);
  let model: ModelInspection;
  try {
    model = JSON.parse(readFileSync(file, 'utf8')) as ModelInspection;
  } catch {
    // not there yet, or not whole
    model = await inspectModel(bytes, runtime, { inputShape, taps, external: besideModel(path), sha256 });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(model));
    renameSync(`${file}.${process.pid}`, file);
  }
  return { model, external: external.filter(({ location }) => model.externalData.includes(location)) };
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
