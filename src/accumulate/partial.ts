/**
 * Partial: the document between activation and reduction, an .npz per task. For each layer the joint moments of the
 * shifted activations, or, where there are fewer samples than units, the shifted activations themselves. Because all
 * tasks of a set subtract the same provisional means, merging partials is addition.
 */
import { PipelineError } from '../errors.ts';
import { takeMember } from '../numeric/npz.ts';
import type { NpzMembers } from '../numeric/npz.ts';
import type { NpyArray } from '../numeric/npy.ts';
import { triangleLength } from '../numeric/triangle.ts';
import { blockName } from './moments.ts';
import type { LayerUnits, Moments } from './moments.ts';

/** Which of the two a layer's part is: decided by the plan's numbers alone. */
export type Form = 'moments' | 'rows';

/** Rows take C float32 a sample, moments about C²/2 float64: with fewer samples than units, rows are the smaller. */
export function formOf(samples: number, units: LayerUnits): Form {
  return samples < units.offsets.at(-1)! ? 'rows' : 'moments';
}

/** One layer of a partial; maps are by index of network. */
export interface LayerPart {
  samples: number;
  /** Smallest and largest unshifted activation, float32 [units]. */
  min: Map<number, Float32Array>;
  max: Map<number, Float32Array>;
  moments: Moments | null;
  /** float32 [samples × units], shifted by the provisional means. */
  rows: Map<number, Float32Array> | null;
}

/** What one task adds: some rows of one image group, or a whole merged group. */
export interface Partial {
  rows: number;
  /** SHA-256 of the provisional means that were subtracted, [32]; unequal ones are never added. */
  meansHash: Uint8Array;
  /** By layer index. */
  layers: Map<number, LayerPart>;
}

/** A partial as the members of its .npz; in numpy a triangle is full[np.triu_indices(units)]. */
export function partialMembers(partial: Partial): NpzMembers {
  const members: NpzMembers = {
    rows: { data: Float64Array.of(partial.rows), shape: [1] },
    means_sha256: { data: partial.meansHash, shape: [32] },
  };
  for (const [layer, part] of partial.layers) {
    members[`samples_${layer}`] = { data: Float64Array.of(part.samples), shape: [1] };
    for (const [network, min] of part.min) {
      members[`min_${layer}_${network}`] = { data: min, shape: [min.length] };
      const max = part.max.get(network)!;
      members[`max_${layer}_${network}`] = { data: max, shape: [max.length] };
      const rows = part.rows?.get(network);
      if (rows) members[`rows_${layer}_${network}`] = { data: rows, shape: [part.samples, min.length] };
      const sums = part.moments?.sums.get(network);
      if (sums) members[`sums_${layer}_${network}`] = { data: sums, shape: [sums.length] };
      const squares = part.moments?.squares.get(network);
      if (squares) members[`squares_${layer}_${network}`] = { data: squares, shape: [squares.length] };
    }
    for (const [name, block] of part.moments?.blocks ?? []) {
      const [i, j] = name.split('_').map(Number) as [number, number];
      const shape = i === j ? [block.length] : [part.min.get(i)!.length, part.min.get(j)!.length];
      members[`moments_${layer}_${name}`] = { data: block, shape };
    }
  }
  return members;
}

/** The names of the members that {@link partialFrom} needs for these networks' `blocks` at one layer. */
export function partialMemberNames(
  layer: number,
  networks: readonly number[],
  blocks: readonly string[],
  form: Form,
): string[] {
  const own = networks.flatMap((network) => [
    `min_${layer}_${network}`,
    `max_${layer}_${network}`,
    ...(form === 'rows' ? [`rows_${layer}_${network}`] : [`sums_${layer}_${network}`, `squares_${layer}_${network}`]),
  ]);
  const products = form === 'rows' ? [] : blocks.map((name) => `moments_${layer}_${name}`);
  return [`samples_${layer}`, ...own, ...products];
}

/** One layer of a partial, with the networks of `units` and the `blocks` named. @throws object-damaged */
export function partialFrom(
  members: Readonly<Record<string, NpyArray>>,
  layer: number,
  units: LayerUnits,
  blocks: readonly string[],
  form: Form,
): LayerPart {
  const samples = takeMember(members, `samples_${layer}`, 'float64', [1])[0]!;
  const by = <T>(take: (network: number, count: number) => T): Map<number, T> =>
    new Map(units.networks.map((network, at) => [network, take(network, units.units[at]!)]));
  const count = (network: number): number => units.units[units.networks.indexOf(network)]!;
  const moments: Moments | null =
    form === 'rows'
      ? null
      : {
          samples,
          sums: by((network, length) => takeMember(members, `sums_${layer}_${network}`, 'float64', [length])),
          squares: by((network, length) => takeMember(members, `squares_${layer}_${network}`, 'float64', [length])),
          blocks: new Map(
            blocks.map((name) => {
              const [i, j] = name.split('_').map(Number) as [number, number];
              const shape = i === j ? [triangleLength(count(i))] : [count(i), count(j)];
              return [name, takeMember(members, `moments_${layer}_${name}`, 'float64', shape)];
            }),
          ),
        };
  return {
    samples,
    min: by((network, length) => takeMember(members, `min_${layer}_${network}`, 'float32', [length])),
    max: by((network, length) => takeMember(members, `max_${layer}_${network}`, 'float32', [length])),
    moments,
    rows:
      form === 'rows'
        ? by((network, length) => takeMember(members, `rows_${layer}_${network}`, 'float32', [samples, length]))
        : null,
  };
}

/** How many rows a partial is of, and which means were subtracted. */
export function partialHead(members: Readonly<Record<string, NpyArray>>): Pick<Partial, 'rows' | 'meansHash'> {
  return {
    rows: takeMember(members, 'rows', 'float64', [1])[0]!,
    meansHash: takeMember(members, 'means_sha256', 'uint8', [32]),
  };
}

/** The names of the members that {@link partialHead} needs. */
export const HEAD_MEMBERS: readonly string[] = ['rows', 'means_sha256'];

/** @throws PipelineError `means-differ` unless `found` are the means of this hash */
export function requireMeans(found: Uint8Array, meansHash: Uint8Array): void {
  if (found.every((byte, i) => byte === meansHash[i])) return;
  throw new PipelineError('means-differ', 'expected partials shifted by the same provisional means; found others', {
    hint: 'the state folder mixes partials of different machines: run with --fresh',
  });
}

/** Every block [i, j], i ≤ j, among `networks`. */
export function allBlocks(networks: readonly number[]): string[] {
  return networks.flatMap((i, at) => networks.slice(at).map((j) => blockName(i, j)));
}
