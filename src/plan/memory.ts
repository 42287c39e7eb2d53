/**
 * Memory as planned, not hoped for: what a task of each kind holds at its peak, by provider, beside what is reserved.
 * Factors are measured (`npm run bench`, memory of tasks); each says on what.
 */
import type { ModelInspection } from '../inspect/inspect.ts';
import { positionCount } from './layers.ts';
import type { PlannedLayer } from './layers.ts';
import type { PlannedData } from './plan.ts';
import type { ProviderName } from './providers.ts';
import { packedOf, productSamples, SLAB_VALUES, weightsOf } from './work.ts';

/** What an activation task's memory follows from. */
export interface ActivationLoad {
  models: readonly ModelInspection[];
  data: PlannedData;
  layers: readonly PlannedLayer[];
  set: { networks: readonly number[]; layers: readonly number[]; provider: ProviderName; batch: number };
  /** Rows of the task. */
  rows: number;
  /** A pilot keeps no moments. */
  pilot: boolean;
}

/**
 * Bytes a loaded model takes per byte of its weights, and of those that are packed. Isolate: AlexNet and ViT-B/32, whose
 * weights are nearly all packed, 2.2; CaffeNet conv1–5, whose aren't, 1.1; onnxruntime-web 1.30. Native: CaffeNet with
 * its 4,096-unit layers and ResNet-50, onnxruntime-node 1.30, which drops what it packed.
 */
const LOADED: Readonly<Record<ProviderName, { weight: number; packed: number }>> = {
  isolate: { weight: 1.1, packed: 1.1 },
  native: { weight: 1.1, packed: 0 },
};
/** Samples of a buffer that only sums or transposes. */
const SMALL_BUFFER = 1024;
const MIB = 2 ** 20;
/**
 * What a native activation task holds whatever its size: garbage of its batches and sessions' own, and what V8 grows
 * by. Measured on the shipped pipeline, whose tasks are small. An isolate's stands among what is reserved.
 */
const NATIVE_ACTIVATION = 80 * MIB;
/**
 * The same of native reductions, and what is not collected yet of pieces of objects, of arrays made of them and of what
 * a kernel makes beside: bytes per byte read, and at most. Measured on CaffeNet, ResNet-50 and ViT-B/16
 * (`npm run bench -- projection`), 64 to 4,096 units.
 */
const NATIVE_REDUCTION = {
  groups: { base: 13 * MIB, share: 0.7, most: 96 * MIB },
  match: { base: 9 * MIB, share: 1.8, most: 80 * MIB },
  predict: { base: 16 * MIB, share: 3, most: 64 * MIB },
  cluster: { base: 11 * MIB, share: 1.5, most: 22 * MIB },
};

function reductionBase(provider: ProviderName, readBytes: number, kind: keyof typeof NATIVE_REDUCTION): number {
  const { base, share, most } = NATIVE_REDUCTION[kind];
  return provider === 'native' ? base + Math.min(most, share * readBytes) : 0;
}

/** The largest of: opening the last model, running a batch, writing the partial. */
export function activationBytes({ models, data, layers, set, rows, pilot }: ActivationLoad): number {
  const { networks, provider } = set;
  const isolate = provider === 'isolate';
  const batch = Math.min(set.batch, rows);
  const weights = networks.map((n) => weightsOf(models[n]!, set.layers));
  const packed = sum(networks.map((n) => packedOf(models[n]!, set.layers)));
  const loaded = LOADED[provider].weight * sum(weights) + LOADED[provider].packed * packed;
  // while a model is opened its file and the pruned graph are there too
  const opening = loaded + Math.max(...networks.map((n, at) => models[n]!.sizeBytes + weights[at]!));
  const running = Math.max(
    ...networks.map((n) => {
      const { input, peakActivationBytes, workspaceBytes } = models[n]!;
      // kernels work image by image
      return (input.batch ?? batch) * peakActivationBytes + workspaceBytes;
    }),
  );
  const rowValues = data.rowShape.reduce((product, axis) => product * axis, 1);
  const inputs = batch * rowValues * (4 * networks.length + 4);
  let taps = 0;
  let buffers = 4 * SLAB_VALUES;
  let parts = 0;
  let product = 0;
  for (const layer of set.layers.map((index) => layers[index]!)) {
    const units = sum(networks.map((n) => layer.taps[n]!.units));
    const samples = rows * layer.positions;
    taps += 4 * batch * units * positionCount(layer);
    const small = pilot || samples < units;
    const held = small ? Math.min(samples, SMALL_BUFFER) : productSamples(provider, samples);
    buffers += 4 * (units + 1) * held;
    if (!pilot) parts += partBytes(units, samples);
    // operands are copied into wasm; natively only the packed panels and the result are new
    if (!small) product = Math.max(product, 4 * units * Math.min(units, 256) + (isolate ? 8 : 1) * (units + 1) * held);
  }
  const busy = loaded + running + inputs + taps + buffers + parts + product;
  const writing = loaded + parts * (isolate ? 2 : 1) + buffers;
  const base = isolate ? 0 : NATIVE_ACTIVATION;
  return Math.ceil(base + Math.max(opening, busy, writing));
}

/** One layer of a partial: rows where there are fewer samples than units, else moments. */
export function partBytes(units: number, samples: number): number {
  return samples < units ? 4 * samples * units : 4 * units * (units + 3);
}

/** Merging partials of a set: the sums, one partial, and in an isolate the object. */
export function mergeBytes(provider: ProviderName, parts: readonly { merged: number; largest: number }[]): number {
  const merged = sum(parts.map((part) => part.merged));
  const largest = sum(parts.map((part) => part.largest));
  return reductionBase(provider, largest, 'groups') + merged * (provider === 'isolate' ? 2 : 1) + largest;
}

/** A block of correlations. */
export interface BlockLoad {
  units: readonly [number, number];
  same: boolean;
}

/** What a correlation task makes its blocks from. */
export interface CorrelationLoad {
  provider: ProviderName;
  blocks: readonly BlockLoad[];
  /** Samples of rows that are multiplied at a time; 0 where groups have moments. */
  rowSamples: number;
  /** Bytes of all groups. */
  readBytes: number;
  /** Whether rows are held out: then r of both parts is made. */
  heldOut: boolean;
}

export function correlationBytes({ provider, blocks, rowSamples, readBytes, heldOut }: CorrelationLoad): number {
  let sums = 0;
  let made = 0;
  let rows = 0;
  for (const { units, same } of blocks) {
    const [p, q] = units;
    sums += 8 * (same ? (p * (p + 1)) / 2 : p * q);
    made += 8 * p * q * (heldOut ? 3 : 1);
    rows = Math.max(rows, 8 * (p + q) * rowSamples);
  }
  // sums of two parts and of one group; then, block after block, r in their place; in an isolate the object too
  const adding = 3 * sums + rows;
  const making = provider === 'isolate' ? 2 * made : made + (heldOut ? 0 : sums);
  return reductionBase(provider, readBytes, 'groups') + Math.max(adding, making);
}

/** Matching of p × q units. */
export function matchBytes(provider: ProviderName, p: number, q: number): number {
  const between = 8 * p * q;
  return reductionBase(provider, between, 'match') + between * (p > q ? 2 : 1) + 780 * Math.min(p, q) + 100 * (p + q);
}

/** Units above which weights are written as compressed rows (reduce/objects.ts). */
export const DENSE_UNITS = 2048;
/** Weights per target and α that aren't 0, at most: what a sparse prediction is for. */
const MOST_NONZERO = 256;

/** Prediction of `targets` units from `sources`. */
export function predictBytes(
  provider: ProviderName,
  { sources, targets, alphas, heldOut }: { sources: number; targets: number; alphas: number; heldOut: boolean },
): number {
  const grams = 8 * sources * sources * (heldOut ? 2 : 1);
  const cross = 8 * targets * sources * (heldOut ? 2 : 1);
  const weights = 24 * alphas * targets * Math.min(sources, MOST_NONZERO);
  // in an isolate weights are written in full, and once more in the object
  const written = provider === 'isolate' ? 16 * alphas * targets * sources : 0;
  // the Gram matrix, and between networks whole blocks, of which the targets are taken; its inverse where that pays
  const read = 2 * grams;
  const inverse = 12 * sources * Math.min(sources, 512);
  return reductionBase(provider, read, 'predict') + grams + cross + inverse + Math.max(weights, written);
}

/** Joining parts of a prediction: all weights that aren't 0, and in full where they are written so. */
export function joinBytes(
  provider: ProviderName,
  { sources, targets, chosen, alphas }: { sources: number; targets: number; chosen: number; alphas: number },
): number {
  const weights = 36 * alphas * chosen * Math.min(sources, MOST_NONZERO);
  const written = Math.max(sources, targets) > DENSE_UNITS ? weights / 3 : 8 * alphas * targets * sources;
  return reductionBase(provider, weights, 'groups') + weights + written * (provider === 'isolate' ? 2 : 1);
}

/** Clustering of n joint units into k: an upper bound, the graph in which everything is connected. */
export function clusterBytes(provider: ProviderName, n: number, k: number): number {
  return reductionBase(provider, 12 * n * n, 'cluster') + 6 * n * n + 64 * n * (k + 10);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
