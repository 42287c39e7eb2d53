import { describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';
import type { Clustering } from '../../../src/reduce/cluster/cluster.ts';
import type { Correlations } from '../../../src/reduce/correlate.ts';
import { matchUnits } from '../../../src/reduce/match/match.ts';
import {
  clusteringFrom,
  clusteringMembers,
  correlationMembers,
  countsFrom,
  matchingFrom,
  matchingMembers,
  statsFrom,
  statsMemberNames,
  weightsAreSparse,
} from '../../../src/reduce/objects.ts';

const values = (count: number, from: number): Float64Array => Float64Array.from({ length: count }, (_, i) => from + i);
const flags = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i % 2);

function correlations(heldOut: boolean): Correlations {
  const stats = (units: number, from: number): ReturnType<typeof statsFrom> => ({
    mean: values(units, from),
    std: values(units, from + 10),
    dead: flags(units),
    varianceLost: flags(units),
    meanShift: values(units, from + 20),
    fitConstant: flags(units),
    heldOut: heldOut
      ? { sum: values(units, from + 30), square: values(units, from + 40), constant: flags(units) }
      : null,
  });
  const block = (cells: number, from: number): ReturnType<Correlations['blocks']['get']> & object => {
    const r = values(cells, from);
    return { r, fitR: heldOut ? values(cells, -from) : r, heldOutSecond: heldOut ? values(cells, 2 * from) : null };
  };
  return {
    counts: { rows: 1, samples: 2, fitRows: 3, fitSamples: 4, heldOutRows: 5, heldOutSamples: 6 },
    stats: new Map([
      [1, stats(3, 100)],
      [4, stats(2, 200)],
    ]),
    blocks: new Map([
      ['1_1', block(9, 300)],
      ['1_4', block(6, 400)],
    ]),
  };
}

describe('correlationMembers, countsFrom and statsFrom', () => {
  it.each([true, false])('come back through an .npz by the members named alone; held out: %s', async (heldOut) => {
    const all = correlations(heldOut);
    const bytes = await writeNpz(correlationMembers(all));
    for (const [network, units] of [
      [1, 3],
      [4, 2],
    ] as const) {
      const members = await readNpz(bytes, statsMemberNames(network, heldOut));
      expect(countsFrom(members)).toEqual(all.counts);
      expect(statsFrom(members, network, units)).toEqual(all.stats.get(network));
      expect(() => statsFrom(members, network, units + 1)).toThrow('(object-damaged)');
    }
    const members = await readNpz(bytes);
    expect(members.r_1_4).toMatchObject({ data: all.blocks.get('1_4')!.r, shape: [3, 2] });
    // what is one array is stored once
    expect('fit_r_1_4' in members).toBe(heldOut);
    expect('held_out_1_4' in members).toBe(heldOut);
    if (heldOut)
      expect(members.held_out_1_1).toMatchObject({ data: all.blocks.get('1_1')!.heldOutSecond, shape: [3, 3] });
  });
});

describe('matchings and clusterings', () => {
  it('come back through an .npz', async () => {
    const matching = matchUnits(Float64Array.of(0.9, 0.1, 0.3, 0.2, 0.8, 0.4), 2, 3);
    expect(matchingFrom(await readNpz(await writeNpz(matchingMembers(matching))))).toEqual(matching);
  });

  it('come back with means that have no pair as null, and without any cluster', async () => {
    const summary = { cluster: 0, unitsA: 2, unitsB: 1, meanRBetween: 0.5, meanRWithinA: 0.25, meanRWithinB: null };
    const clustering: Clustering = {
      k: 1,
      isolated: 2,
      components: 1,
      threshold: 0.2,
      labels: Int32Array.of(0, 0, 0, -1, -1),
      eigenvalues: Float64Array.of(0),
      summaries: [summary],
    };
    for (const each of [clustering, { ...clustering, k: 0, summaries: [], eigenvalues: new Float64Array(0) }]) {
      expect(clusteringFrom(await readNpz(await writeNpz(clusteringMembers(each))))).toEqual(each);
    }
  });
});

describe('weightsAreSparse(targets, sources)', () => {
  it('goes by the wider network', () => {
    expect([weightsAreSparse(2048, 2048), weightsAreSparse(2049, 1), weightsAreSparse(1, 2049)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
