/**
 * Partial: the document between activation and reduction, an .npz per task. Joint moments of the
 * shifted activations of all networks' units, one set per layer; because all tasks of a run subtract
 * the same provisional means, merging partials is addition.
 */
import { PipelineError } from '../errors.ts';
import { takeMember } from '../numeric/npz.ts';
import type { NpyArray, NpyData } from '../numeric/npy.ts';
import { triangleLength } from '../numeric/triangle.ts';

/** Moments of one layer over some rows; C units of all networks, concatenated. */
export interface LayerMoments {
  /** Rows × positions. */
  samples: number;
  /**
   * Upper triangle, row by row, of Σ [y; 1][y; 1]ᵀ over samples, float64 [(C+1)(C+2)/2], where
   * y = x − provisional mean (float32). The last column holds Σ y, the last entry the sample count.
   * In numpy: full[np.triu_indices(C + 1)] = moments.
   */
  moments: Float64Array;
  /** Smallest and largest unshifted activation, float32 [C]. */
  min: Float32Array;
  max: Float32Array;
}

/** What one task adds: some rows of one image group (or a whole merged group), every layer or one. */
export interface Partial {
  rows: number;
  /** SHA-256 of the provisional means that were subtracted, [32]; unequal ones are never added. */
  meansHash: Uint8Array;
  /** By layer index. */
  layers: Map<number, LayerMoments>;
}

/** The moments of no samples, `units` = C. */
export function emptyMoments(units: number): LayerMoments {
  return {
    samples: 0,
    moments: new Float64Array(triangleLength(units + 1)),
    min: new Float32Array(units).fill(Infinity),
    max: new Float32Array(units).fill(-Infinity),
  };
}

/** Adds `from` to `into`, which the caller owns. Cost O(C²). */
export function addMoments(into: LayerMoments, from: LayerMoments): void {
  if (into.moments.length !== from.moments.length) {
    throw new PipelineError('internal', `expected ${into.moments.length} moments to add; found ${from.moments.length}`);
  }
  into.samples += from.samples;
  for (let i = 0; i < into.moments.length; i++) into.moments[i]! += from.moments[i]!;
  for (let i = 0; i < into.min.length; i++) {
    into.min[i] = Math.min(into.min[i]!, from.min[i]!);
    into.max[i] = Math.max(into.max[i]!, from.max[i]!);
  }
}

/** A partial as the members of its .npz. */
export function partialMembers(partial: Partial): Record<string, { data: NpyData; shape: number[] }> {
  const members: Record<string, { data: NpyData; shape: number[] }> = {
    rows: { data: Float64Array.of(partial.rows), shape: [1] },
    means_sha256: { data: partial.meansHash, shape: [32] },
  };
  for (const [index, layer] of partial.layers) {
    members[`samples_${index}`] = { data: Float64Array.of(layer.samples), shape: [1] };
    members[`moments_${index}`] = { data: layer.moments, shape: [layer.moments.length] };
    members[`min_${index}`] = { data: layer.min, shape: [layer.min.length] };
    members[`max_${index}`] = { data: layer.max, shape: [layer.max.length] };
  }
  return members;
}

/** The names of the members that {@link partialFrom} needs for one layer. */
export function partialMemberNames(layer: number): string[] {
  return ['rows', 'means_sha256', ...['samples', 'moments', 'min', 'max'].map((name) => `${name}_${layer}`)];
}

/** One layer of a partial, `units` = C. @throws PipelineError `object-damaged` where members don't fit. */
export function partialFrom(members: Readonly<Record<string, NpyArray>>, layer: number, units: number): Partial {
  return {
    rows: takeMember(members, 'rows', 'float64', [1])[0]!,
    meansHash: takeMember(members, 'means_sha256', 'uint8', [32]),
    layers: new Map([
      [
        layer,
        {
          samples: takeMember(members, `samples_${layer}`, 'float64', [1])[0]!,
          moments: takeMember(members, `moments_${layer}`, 'float64', [triangleLength(units + 1)]),
          min: takeMember(members, `min_${layer}`, 'float32', [units]),
          max: takeMember(members, `max_${layer}`, 'float32', [units]),
        },
      ],
    ]),
  };
}
