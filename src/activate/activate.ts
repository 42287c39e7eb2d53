/**
 * Activate stage. Takes the row ranges of one task; gives the taps of its networks, batch by batch.
 * Guarantees: every tap has the planned shape, rows stand in order, and nothing of a padded row is left.
 */
import { PipelineError } from '../errors.ts';
import { collectYoungGarbage } from '../numeric/garbage.ts';
import type { RangeSource } from '../numeric/range.ts';
import { inlineExternal } from '../onnx/external.ts';
import { parseModel } from '../onnx/model.ts';
import type { FloatTensor, OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { pruneModel } from '../onnx/tap.ts';
import type { RowRange } from '../plan/groups.ts';
import type { PlannedNetwork } from '../plan/layers.ts';
import type { Plan } from '../plan/plan.ts';
import { requireFiniteRows, rowPreparer } from './prepare.ts';
import type { RowPreparer } from './prepare.ts';

/** Batches between collections of garbage, where the process allows them. */
const COLLECT_EVERY = 4;

/** The probe data of a task. */
export interface ProbeRows {
  /** The raw bytes of rows [start, end). */
  rows(range: RowRange): Promise<Uint8Array>;
}

/** The files of a plan's networks. */
export interface NetworkFiles {
  /** An ONNX file, or a file of its external data, by content hash. */
  file(sha256: string): Promise<RangeSource>;
}

/**
 * The taps of one batch: by layer of the set, then network that runs; the first axis of each counts the batch's rows.
 * Valid until the next batch is asked for.
 */
export interface TapBatch {
  /** Which row of the probe data each row of the batch is. */
  rows: number[];
  taps: FloatTensor[][];
}

/** Networks of a set, ready to run together: one ONNX session each, returning its taps; all in one order. */
export interface OpenNetworks {
  /** Which they are, by index. */
  indices: readonly number[];
  sessions: OnnxSession[];
  preparers: RowPreparer[];
  /** What each network gave for its last batch; a batch of as many rows is written over it. */
  outputs: Outputs[];
}

type Outputs = { rows: number; tensors: Record<string, FloatTensor> } | undefined;

/** Opens a network of a set, whoever calls closes it; the model's bytes are dropped as soon as the session stands. */
export async function openNetwork(
  plan: Plan,
  set: number,
  index: number,
  runtime: OnnxRuntime,
  files: NetworkFiles,
): Promise<OnnxSession> {
  return runtime.createSession(await tappedModel(plan, set, index, files));
}

/** Networks that are open, by index, ready to run; they stay the caller's to close. */
export function readyNetworks(plan: Plan, open: ReadonlyMap<number, OnnxSession>): OpenNetworks {
  const indices = [...open.keys()];
  return {
    indices,
    sessions: [...open.values()],
    preparers: indices.map((index) => rowPreparer(plan.data, plan.networks[index]!.preprocessing)),
    outputs: indices.map(() => undefined),
  };
}

/** Runs networks of a set over the rows of `ranges`, the set's batch at a time. */
export async function* activateShard(
  plan: Plan,
  set: number,
  ranges: readonly RowRange[],
  networks: OpenNetworks,
  source: ProbeRows,
): AsyncGenerator<TapBatch> {
  const { layers, batch } = plan.sets[set]!;
  const { indices } = networks;
  for (const [turn, pieces] of batchesOf(ranges, batch).entries()) {
    if (turn % COLLECT_EVERY === COLLECT_EVERY - 1) collectYoungGarbage();
    const { bytes, rows } = await readPieces(plan, pieces, source);
    const prepared = new Map<string, Float32Array>();
    const outputs: Record<string, FloatTensor>[] = [];
    for (const [at, index] of indices.entries()) {
      const network = plan.networks[index]!;
      // networks that want the same input share it
      const { fixedBatch: _, input: __, ...reading } = network.preprocessing;
      const same = JSON.stringify(reading);
      const input = prepared.get(same) ?? networks.preparers[at]!(bytes, rows.length);
      prepared.set(same, input);
      const kept = networks.outputs[at];
      const into = kept?.rows === rows.length ? kept.tensors : undefined;
      const tensors = await runNetwork(network, networks.sessions[at]!, input, rows.length, into);
      networks.outputs[at] = { rows: rows.length, tensors };
      outputs.push(tensors);
    }
    const taps = layers.map((layer) =>
      indices.map((index, at) => {
        const tap = outputs[at]![plan.layers[layer]!.taps[index]!.valueName]!;
        requireShape(plan, layer, index, tap, rows.length);
        return tap;
      }),
    );
    yield { rows, taps };
  }
}

// the network cut down to the set's taps, as a file; of external data only what they need is read
async function tappedModel(plan: Plan, set: number, index: number, files: NetworkFiles): Promise<Uint8Array> {
  const { modelSha256, externalData } = plan.networks[index]!;
  const file = await files.file(modelSha256);
  const model = parseModel(await file.read(0, file.size));
  const names = plan.sets[set]!.layers.map((layer) => plan.layers[layer]!.taps[index]!.valueName);
  return inlineExternal(pruneModel(model, [...new Set(names)]), (location) => {
    const found = externalData.find((entry) => entry.location === location);
    if (!found) throw new PipelineError('internal', `expected external data at ${location} in the plan`);
    return files.file(found.sha256);
  });
}

// pieces of ranges that together have `batch` rows, the last batch perhaps fewer
function batchesOf(ranges: readonly RowRange[], batch: number): RowRange[][] {
  const batches: RowRange[][] = [];
  let pieces: RowRange[] = [];
  let room = batch;
  for (const [start, end] of ranges) {
    for (let at = start; at < end;) {
      const take = Math.min(room, end - at);
      pieces.push([at, at + take]);
      at += take;
      room -= take;
      if (room === 0) {
        batches.push(pieces);
        pieces = [];
        room = batch;
      }
    }
  }
  return pieces.length > 0 ? [...batches, pieces] : batches;
}

async function readPieces(
  plan: Plan,
  pieces: readonly RowRange[],
  source: ProbeRows,
): Promise<{ bytes: Uint8Array; rows: number[] }> {
  const rows: number[] = [];
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    const part = await source.rows(piece);
    requireFiniteRows(plan.data, part, piece[0]);
    parts.push(part);
    for (let row = piece[0]; row < piece[1]; row++) rows.push(row);
  }
  if (parts.length === 1) return { bytes: parts[0]!, rows };
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, rows };
}

// a model with a fixed batch b runs b rows at a time; the last run is filled up with its last row, and the surplus dropped
async function runNetwork(
  network: PlannedNetwork,
  session: OnnxSession,
  input: Float32Array,
  rows: number,
  into: Record<string, FloatTensor> | undefined,
): Promise<Record<string, FloatTensor>> {
  const { input: name, shape, fixedBatch } = network.preprocessing;
  if (fixedBatch === null) return session.run({ [name]: { data: input, dims: [rows, ...shape] } }, undefined, into);
  const rowSize = input.length / rows;
  const parts: Record<string, FloatTensor>[] = [];
  for (let at = 0; at < rows; at += fixedBatch) {
    const live = Math.min(fixedBatch, rows - at);
    let piece = input.subarray(at * rowSize, (at + live) * rowSize);
    if (live < fixedBatch) {
      const padded = new Float32Array(fixedBatch * rowSize);
      padded.set(piece);
      const last = piece.subarray((live - 1) * rowSize);
      for (let row = live; row < fixedBatch; row++) padded.set(last, row * rowSize);
      piece = padded;
    }
    const outputs = await session.run({ [name]: { data: piece, dims: [fixedBatch, ...shape] } });
    parts.push(Object.fromEntries(Object.entries(outputs).map(([tap, tensor]) => [tap, firstRows(tensor, live)])));
  }
  return Object.fromEntries(Object.keys(parts[0]!).map((tap) => [tap, joinRows(parts.map((part) => part[tap]!))]));
}

function firstRows({ data, dims }: FloatTensor, rows: number): FloatTensor {
  const rowSize = data.length / dims[0]!;
  return { data: data.subarray(0, rows * rowSize), dims: [rows, ...dims.slice(1)] };
}

function joinRows(tensors: readonly FloatTensor[]): FloatTensor {
  if (tensors.length === 1) return tensors[0]!;
  const data = new Float32Array(tensors.reduce((total, tensor) => total + tensor.data.length, 0));
  let at = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, at);
    at += tensor.data.length;
  }
  const rows = tensors.reduce((total, tensor) => total + tensor.dims[0]!, 0);
  return { data, dims: [rows, ...tensors[0]!.dims.slice(1)] };
}

// shapes were measured on two rows of zeros; data or batch may still move them
function requireShape(plan: Plan, layer: number, network: number, { dims }: FloatTensor, rows: number): void {
  const { name, positionShape, taps } = plan.layers[layer]!;
  const { rank, unitAxis, units } = taps[network]!;
  const positions = dims.filter((_, axis) => axis !== 0 && axis !== unitAxis);
  const fits = dims.length === rank && dims[0] === rows && dims[unitAxis] === units;
  if (fits && positions.join() === positionShape.join()) return;
  throw new PipelineError(
    'tap-unsupported',
    `expected ${rows} rows of ${units} units × ${positionShape.join(' × ') || 1} positions at layer ${name} of ${plan.networks[network]!.name}; found shape [${dims.join(', ')}]`,
    { hint: 'tap a tensor whose first axis is the batch and whose shape does not depend on the data' },
  );
}
