/**
 * Merge, the first step of reduce. Takes the partials of one image group in the plan's order; gives
 * the group's moments at one layer. Addition in a fixed order, so that the same partials give the same bytes.
 */
import { addMoments, emptyMoments } from '../accumulate/partial.ts';
import type { Partial } from '../accumulate/partial.ts';
import { PipelineError } from '../errors.ts';

/**
 * The sum of one layer of several partials; reads them one by one, so that memory holds two.
 * @throws PipelineError `means-differ` when partials were shifted by different means.
 */
export async function mergePartials(partials: AsyncIterable<Partial>, layer: number, units: number): Promise<Partial> {
  const merged = emptyMoments(units);
  let rows = 0;
  let meansHash: Uint8Array | undefined;
  for await (const partial of partials) {
    meansHash ??= partial.meansHash;
    requireMeans(partial, meansHash);
    addMoments(merged, partial.layers.get(layer)!);
    rows += partial.rows;
  }
  if (meansHash === undefined)
    throw new PipelineError('internal', 'expected at least one partial to merge; found none');
  return { rows, meansHash, layers: new Map([[layer, merged]]) };
}

/** @throws PipelineError `means-differ` unless `partial` was shifted by the means of this hash */
export function requireMeans(partial: Partial, meansHash: Uint8Array): void {
  if (partial.meansHash.every((byte, i) => byte === meansHash[i])) return;
  throw new PipelineError('means-differ', 'expected partials shifted by the same provisional means; found others', {
    hint: 'the state folder mixes partials of different machines: run with --fresh',
  });
}
