/**
 * Merge, the first step of reduce, where an image group has several partials. Takes them in the plan's order; gives the
 * group's Partial, of every layer of the set. Addition in a fixed order, so that the same partials give the same bytes.
 */
import { addMoments, emptyMoments } from '../accumulate/moments.ts';
import type { LayerUnits } from '../accumulate/moments.ts';
import { allBlocks, formOf, partialFrom, partialHead, requireMeans } from '../accumulate/partial.ts';
import type { LayerPart, Partial } from '../accumulate/partial.ts';
import { addRowProducts } from '../accumulate/rows.ts';
import { PipelineError } from '../errors.ts';
import type { NpyArray } from '../numeric/npy.ts';
import type { ProductSession } from '../onnx/product.ts';

/** One layer of the set, and the samples each partial has of it, in the plan's order. */
export interface MergeLayer {
  layer: number;
  units: LayerUnits;
  samples: readonly number[];
}

/**
 * The sum of several partials; reads them one by one, so that memory holds two.
 * @param objects all members of each partial, in order
 * @throws PipelineError `means-differ` when partials were shifted by different means.
 */
export async function mergePartials(
  objects: AsyncIterable<Readonly<Record<string, NpyArray>>>,
  layers: readonly MergeLayer[],
  product: () => Promise<ProductSession>,
): Promise<Partial> {
  const sums = layers.map((layer) => new LayerSum(layer));
  let rows = 0;
  let meansHash: Uint8Array | undefined;
  for await (const members of objects) {
    const head = partialHead(members);
    meansHash ??= head.meansHash;
    requireMeans(head.meansHash, meansHash);
    rows += head.rows;
    for (const sum of sums) await sum.add(members, product);
  }
  if (meansHash === undefined)
    throw new PipelineError('internal', 'expected at least one partial to merge; found none');
  return { rows, meansHash, layers: new Map(sums.map((sum) => [sum.layer.layer, sum.part])) };
}

class LayerSum {
  readonly layer: MergeLayer;
  readonly part: LayerPart;
  #read = 0;

  constructor(layer: MergeLayer) {
    this.layer = layer;
    const { units } = layer;
    const samples = layer.samples.reduce((sum, count) => sum + count, 0);
    const each = <T>(make: (count: number) => T): Map<number, T> =>
      new Map(units.networks.map((network, at) => [network, make(units.units[at]!)]));
    const keepsRows = formOf(samples, units) === 'rows';
    this.part = {
      samples: 0,
      min: each((count) => new Float32Array(count).fill(Infinity)),
      max: each((count) => new Float32Array(count).fill(-Infinity)),
      moments: keepsRows ? null : emptyMoments(units),
      rows: keepsRows ? each((count) => new Float32Array(samples * count)) : null,
    };
  }

  async add(members: Readonly<Record<string, NpyArray>>, product: () => Promise<ProductSession>): Promise<void> {
    const { layer, units, samples } = this.layer;
    const form = formOf(samples[this.#read++]!, units);
    const from = partialFrom(members, layer, units, allBlocks(units.networks), form);
    const { part } = this;
    for (const network of units.networks) {
      widen(part.min.get(network)!, from.min.get(network)!, part.max.get(network)!, from.max.get(network)!);
      part.rows?.get(network)!.set(from.rows!.get(network)!, part.samples * from.min.get(network)!.length);
    }
    if (part.moments && from.moments) addMoments(part.moments, from.moments);
    else if (part.moments) {
      const rows = units.networks.map((network) => from.rows!.get(network)!);
      await addRowProducts(part.moments, units, rows, from.samples, await product());
    }
    part.samples += from.samples;
  }
}

/** Keeps the smallest and the largest of two parts, unit by unit. */
export function widen(min: Float32Array, otherMin: Float32Array, max: Float32Array, otherMax: Float32Array): void {
  for (let i = 0; i < min.length; i++) {
    min[i] = Math.min(min[i]!, otherMin[i]!);
    max[i] = Math.max(max[i]!, otherMax[i]!);
  }
}
