/**
 * Memory as planned, not hoped for: what a task of each kind needs while it runs, against what its provider
 * has. The batch is the largest that fits; what doesn't fit even with a batch of one row is refused here.
 */
import type { Definition } from '../definition/definition.ts';
import type { Place } from '../errors.ts';
import { PipelineError } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { triangleLength } from '../numeric/triangle.ts';
import { positionCount, unitOffsets } from './layers.ts';
import type { PlannedLayer } from './layers.ts';
import type { PlannedData } from './plan.ts';

const MIB = 2 ** 20;
/** Memory of an isolate, wasm included (Cloudflare Workers limits, read 2026-11). */
export const ALLOWED_BYTES = 128 * MIB;
/** Kept for the Worker's code and V8 (20 MiB) and the wasm heap before the first model (16 MiB, measured). */
export const RESERVED_BYTES = 36 * MIB;
/** Wasm heap that a loaded model takes per byte of its weights: measured on AlexNet and ViT-B/32, onnxruntime-web 1.30. */
const LOADED_PER_WEIGHT = 2.2;
/** Largest batch: half an image group's block of rows. Larger ones leave more garbage behind than an isolate has room for. */
const MOST_BATCH = 25;
/** float32 products over more samples than this lose digits (methods, trap 1). */
const MOST_SAMPLES = 65_536;

/** What a task needs at its peak, bytes, beside what is reserved. */
export interface MemoryEstimate {
  batch: number;
  projectedBytes: number;
  allowedBytes: number;
  reservedBytes: number;
}

/**
 * Chooses the batch: at most `shard.batch`, 25 and what keeps products below 65,536 samples, and such that the task fits.
 * @throws PipelineError `plan-too-large` with projected, allowed and reserved amounts
 */
export function chooseBatch(
  definition: Definition,
  models: readonly ModelInspection[],
  data: PlannedData,
  layers: readonly PlannedLayer[],
  where: (keyPath: readonly (string | number)[]) => Place,
): MemoryEstimate {
  const positions = Math.max(...layers.map((layer) => layer.positions));
  const asked = Math.min(
    definition.shard.batch ?? MOST_BATCH,
    MOST_BATCH,
    Math.max(1, Math.floor(MOST_SAMPLES / positions)),
  );
  const estimate = (batch: number): MemoryEstimate => ({
    batch,
    projectedBytes: projectBytes(batch, models, data, layers),
    allowedBytes: ALLOWED_BYTES,
    reservedBytes: RESERVED_BYTES,
  });
  const told = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  const refuse = (what: string, projectedBytes: number, hint: string): never => {
    throw new PipelineError(
      'plan-too-large',
      `expected ${what} to fit an isolate; projected ${told(projectedBytes)}, allowed ${told(ALLOWED_BYTES)} of which ${told(RESERVED_BYTES)} are reserved`,
      { place: where(['layers']), hint },
    );
  };
  for (const layer of layers) {
    const reduction = projectReductionBytes(layer, definition);
    if (reduction + RESERVED_BYTES > ALLOWED_BYTES) {
      refuse(`the reductions of layer ${layer.name}`, reduction, 'compare fewer networks, or narrower layers');
    }
  }
  for (let batch = asked; batch >= 1; batch--) {
    const fitting = estimate(batch);
    if (fitting.projectedBytes + RESERVED_BYTES <= ALLOWED_BYTES) return fitting;
  }
  return refuse(
    'an activation task of one row',
    estimate(1).projectedBytes,
    'compare fewer or narrower layers or fewer networks in one pipeline, or sample positions',
  );
}

// the most that correlate, match, predict or cluster hold for the widest pair of a layer: triangles of the joint
// moments, and matrices of the pair with their copies in the .npz (8 at 512 + 512 units: 72 MiB measured)
function projectReductionBytes(layer: PlannedLayer, { predict }: Definition): number {
  const total = unitOffsets(layer).at(-1)!;
  const triangle = 8 * triangleLength(total + 1);
  const [widest = 0, second = 0] = layer.taps.map((tap) => tap.units).sort((a, b) => b - a);
  const matrix = 8 * (widest + second) ** 2;
  const weights = predict === false ? 0 : 8 * predict.alphas.length * widest * second;
  return Math.max(3 * triangle + 8 * matrix, 6 * matrix + 3 * weights);
}

// the largest of three moments of a task's life: opening a model, running a batch, writing the partial
function projectBytes(
  batch: number,
  models: readonly ModelInspection[],
  data: PlannedData,
  layers: readonly PlannedLayer[],
): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const weights = LOADED_PER_WEIGHT * sum(models.map((model) => model.weightsBytes));
  // while a model is opened its file and the pruned graph are there too
  const opening = weights + Math.max(...models.map((model) => model.sizeBytes + model.weightsBytes));
  const activations = Math.max(...models.map((model) => (model.input.batch ?? batch) * model.peakActivationBytes));
  const rowValues = data.rowShape.reduce((product, axis) => product * axis, 1);
  const inputs = batch * rowValues * (4 * models.length + 4);
  const units = layers.map((layer) => unitOffsets(layer).at(-1)!);
  const taps = sum(layers.map((layer, index) => 4 * batch * units[index]! * positionCount(layer)));
  // in the moment graph: the taps once more, and of one layer at a time the transposed, joined and shifted samples
  const samples = Math.max(...layers.map((layer, index) => 4 * batch * units[index]! * layer.positions));
  const moments = sum(units.map((count) => (count + 1) ** 2));
  const running = weights + activations + inputs + 2 * taps + 3 * samples + moments * (4 + 4 + 4);
  const writing = weights + moments * (4 + 3 * 4);
  return Math.ceil(Math.max(opening, running, writing));
}
