/**
 * Activate stage. Takes the row ranges of one task; gives the taps of all networks, batch by batch.
 * Guarantees: every tap has the planned shape, rows stand in order, and nothing of a padded row is left.
 */
import { PipelineError } from '../errors.ts';
import { parseModel } from '../onnx/model.ts';
import type { FloatTensor, OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { tapModel } from '../onnx/tap.ts';
import type { RowRange } from '../plan/groups.ts';
import type { PlannedNetwork } from '../plan/layers.ts';
import type { Plan } from '../plan/plan.ts';
import { requireFiniteRows, rowPreparer } from './prepare.ts';
import type { RowPreparer } from './prepare.ts';

/** Where a task's inputs come from; the shell implements it. */
export interface ProbeSource {
  /** The bytes of an ONNX file by content hash, verified. */
  model(sha256: string): Promise<Uint8Array>;
  /** The raw bytes of rows [start, end) of the probe data. */
  rows(range: RowRange): Promise<Uint8Array>;
}

/** The taps of one batch: by layer, then network; the first axis of each counts the batch's rows. */
export interface TapBatch {
  /** Which row of the probe data each row of the batch is. */
  rows: number[];
  taps: FloatTensor[][];
}

/** The networks of a plan, ready to run: one ONNX session each, returning its taps. */
export interface OpenNetworks {
  sessions: OnnxSession[];
  preparers: RowPreparer[];
  close(): Promise<void>;
}

/** Opens every network of the plan; the model's bytes are dropped as soon as its session stands. */
export async function openNetworks(
  plan: Plan,
  runtime: OnnxRuntime,
  source: Pick<ProbeSource, 'model'>,
): Promise<OpenNetworks> {
  const sessions: OnnxSession[] = [];
  for (const [index, network] of plan.networks.entries()) {
    const bytes = await source.model(network.modelSha256);
    const tapped = tapModel(parseModel(bytes), tapNames(plan, index));
    try {
      sessions.push(await runtime.createSession(tapped));
    } catch (error) {
      for (const session of sessions) await session.release();
      throw error;
    }
  }
  return {
    sessions,
    preparers: plan.networks.map((network) => rowPreparer(plan.data, network.preprocessing)),
    close: async () => {
      for (const session of sessions) await session.release();
    },
  };
}

/** Runs all networks over the rows of `ranges`, `plan.batch` rows at a time. */
export async function* activateShard(
  plan: Plan,
  ranges: readonly RowRange[],
  networks: OpenNetworks,
  source: Pick<ProbeSource, 'rows'>,
): AsyncGenerator<TapBatch> {
  for (const pieces of batchesOf(ranges, plan.batch)) {
    const { bytes, rows } = await readPieces(plan, pieces, source);
    const prepared = new Map<string, Float32Array>();
    const outputs: Record<string, FloatTensor>[] = [];
    for (const [index, network] of plan.networks.entries()) {
      const { preprocessing } = network;
      // networks that want the same input share it
      const { fixedBatch: _, input: __, ...reading } = preprocessing;
      const same = JSON.stringify(reading);
      const input = prepared.get(same) ?? networks.preparers[index]!(bytes, rows.length);
      prepared.set(same, input);
      outputs.push(await runNetwork(network, networks.sessions[index]!, input, rows.length));
    }
    const taps = plan.layers.map((layer) => layer.taps.map((tap, network) => outputs[network]![tap.valueName]!));
    requireShapes(plan, taps, rows.length);
    yield { rows, taps };
  }
}

/** The ONNX values that are exposed in one network, each once. */
export function tapNames(plan: Plan, network: number): string[] {
  return [...new Set(plan.layers.map((layer) => layer.taps[network]!.valueName))];
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
  source: Pick<ProbeSource, 'rows'>,
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
): Promise<Record<string, FloatTensor>> {
  const { input: name, shape, fixedBatch } = network.preprocessing;
  if (fixedBatch === null) return session.run({ [name]: { data: input, dims: [rows, ...shape] } });
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
function requireShapes(plan: Plan, taps: readonly FloatTensor[][], rows: number): void {
  for (const [index, layer] of plan.layers.entries()) {
    for (const [network, tap] of layer.taps.entries()) {
      const { dims } = taps[index]![network]!;
      const positions = dims.filter((_, axis) => axis !== 0 && axis !== tap.unitAxis);
      if (
        dims.length === tap.rank &&
        dims[0] === rows &&
        dims[tap.unitAxis] === tap.units &&
        positions.join() === layer.positionShape.join()
      )
        continue;
      throw new PipelineError(
        'tap-unsupported',
        `expected ${rows} rows of ${tap.units} units × ${layer.positionShape.join(' × ') || 1} positions at layer ${layer.name} of ${plan.networks[network]!.name}; found shape [${dims.join(', ')}]`,
        { hint: 'tap a tensor whose first axis is the batch and whose shape does not depend on the data' },
      );
    }
  }
}
