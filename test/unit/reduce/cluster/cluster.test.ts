import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockSource } from '../../../../src/reduce/block.ts';
import { clusterUnits, type Clustering, type ClusterOptions } from '../../../../src/reduce/cluster/cluster.ts';
import { rowsOf } from '../../../../src/reduce/cluster/graph.ts';
import { adjustedRand, blocksOf, permuted, plantedR, uniforms } from './planted.ts';

const golden = JSON.parse(readFileSync('test/reference/clustering.json', 'utf8')) as {
  graphs: {
    sizes: number[];
    seed: number;
    cross: number;
    threshold: number;
    eigenvalues: number[];
    labels: number[] | null;
  }[];
};

const alive = (n: number) => new Uint8Array(n);

/** clusterUnits of a joint matrix, a's units first. */
const cluster = (
  r: Float64Array,
  dead: Uint8Array,
  unitsA: number,
  options: ClusterOptions,
  seed: number,
  rows?: number,
): Promise<Clustering> =>
  clusterUnits(blocksOf(r, unitsA, rows), dead.subarray(0, unitsA), dead.subarray(unitsA), options, seed);

/** A joint matrix from its upper triangle's entries, 1 on the diagonal. */
function joint(n: number, entries: [number, number, number][]): Float64Array {
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) r[i * n + i] = 1;
  for (const [i, j, value] of entries) r[i * n + j] = r[j * n + i] = value;
  return r;
}

/** All pairs of `units`, each with `value`. */
function clique(units: readonly number[], value: number): [number, number, number][] {
  return units.flatMap((i, at) => units.slice(at + 1).map((j): [number, number, number] => [i, j, value]));
}

/** What holds of every clustering, whatever the graph. */
function expectSound(c: Clustering, r: Float64Array, dead: Uint8Array, unitsA: number): void {
  const n = dead.length;
  const hasEdge = (i: number) =>
    dead[i] === 0 && [...dead.keys()].some((j) => j !== i && dead[j] === 0 && r[i * n + j]! > c.threshold);
  const live = [...dead.keys()].filter((i) => dead[i] === 0);
  expect([...c.labels.keys()].filter((i) => c.labels[i]! >= 0)).toEqual(live.filter(hasEdge));
  expect(c.isolated).toBe(live.filter((i) => !hasEdge(i)).length);
  expect(c.summaries.map(({ cluster }) => cluster)).toEqual(Array.from({ length: c.k }, (_, cluster) => cluster));
  const members = c.summaries.map(({ cluster }) => [...c.labels.keys()].filter((i) => c.labels[i] === cluster));
  members.forEach((own, cluster) => {
    const [a, b] = [own.filter((i) => i < unitsA), own.filter((i) => i >= unitsA)];
    const mean = (one: number[], other: number[]) => {
      const values = one.flatMap((i) => other.filter((j) => j !== i).map((j) => r[i * n + j]!));
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const { unitsA: p, unitsB: q, meanRBetween, meanRWithinA, meanRWithinB } = c.summaries[cluster]!;
    expect([p, q]).toEqual([a.length, b.length]);
    expect(own.length).toBeGreaterThan(0);
    for (const [got, wanted] of [
      [meanRBetween, mean(a, b)],
      [meanRWithinA, mean(a, a)],
      [meanRWithinB, mean(b, b)],
    ] as const) {
      if (wanted === null) expect(got).toBeNull();
      else expect(got).toBeCloseTo(wanted, 12);
    }
    const before = members[cluster - 1];
    if (before === undefined) return;
    // falling size, ties by lowest member
    expect(before.length > own.length || (before.length === own.length && before[0]! < own[0]!)).toBe(true);
  });
  expect(c.eigenvalues.length).toBe(c.k);
  for (let i = 0; i < c.k; i++) {
    expect(c.eigenvalues[i]).toBeGreaterThanOrEqual(i === 0 ? 0 : c.eigenvalues[i - 1]!);
    expect(c.eigenvalues[i]).toBeLessThanOrEqual(2 + 1e-12);
  }
}

describe('clusterUnits(blocks, deadA, deadB, { k, threshold }, seed)', () => {
  it.each(golden.graphs)('sizes $sizes, cross $cross: the planted clusters, as scikit-learn', async (graph) => {
    const { sizes, seed, cross, threshold, eigenvalues, labels } = graph;
    const { r, member } = plantedR(sizes, seed, cross);
    const n = member.length;
    const unitsA = Math.floor(0.4 * n);
    const found = await cluster(r, alive(n), unitsA, { k: sizes.length, threshold }, 1);
    expectSound(found, r, alive(n), unitsA);
    expect(adjustedRand(found.labels, member)).toBe(1);
    if (labels !== null) expect(adjustedRand(found.labels, labels)).toBe(1);
    expect(found.summaries.map((summary) => summary.unitsA + summary.unitsB)).toEqual([...sizes].sort((a, b) => b - a));
    expect(found.components).toBe(cross === 0 ? sizes.length : 1);
    found.eigenvalues.forEach((value, index) => expect(Math.abs(value - eigenvalues[index]!)).toBeLessThan(1e-10));
  });

  it('recovers seven planted clusters among 768 units of both networks, beside noise', async () => {
    const planted = plantedR([200, 150, 130, 110, 90, 58, 30], 9, 0.02);
    const moved = Array.from({ length: 768 }, (_, i) => (i * 431 + 7) % 768);
    const member = new Int32Array(768);
    planted.member.forEach((cluster, i) => (member[moved[i]!] = cluster));
    const found = await cluster(permuted(planted.r, moved), alive(768), 384, { k: 7, threshold: 0.2 }, 3);
    expect(adjustedRand(found.labels, member)).toBe(1);
    expect(found.summaries.every(({ unitsA, unitsB }) => unitsA > 0 && unitsB > 0)).toBe(true);
  });

  it('holds to its rules on any graph', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 14 }),
        fc.integer({ min: 1, max: 14 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom(0, 0.3, 0.8, 0.95),
        fc.nat(1e6),
        async (p, q, k, threshold, seed) => {
          const n = p + q;
          const u = uniforms(seed, n * n + n);
          const dead = new Uint8Array(n).map((_, i) => (u[n * n + i]! < 0.15 ? 1 : 0));
          const r = new Float64Array(n * n);
          for (let i = 0; i < n; i++) {
            if (dead[i] === 1) continue;
            r[i * n + i] = 1;
            for (let j = 0; j < i; j++) if (dead[j] === 0) r[i * n + j] = r[j * n + i] = 2 * u[i * n + j]! - 1;
          }
          const found = await cluster(r, dead, p, { k, threshold }, seed);
          expectSound(found, r, dead, p);
          expect(found.k).toBe(Math.min(k, found.labels.filter((label) => label >= 0).length));
          // the same in chunks of any size
          expect(await cluster(r, dead, p, { k, threshold }, seed, 1 + (seed % 3))).toEqual(found);
        },
      ),
      { seed: 1, numRuns: 150 },
    );
  });

  it('has no clusters where no vertex is left', async () => {
    const none = {
      k: 0,
      labels: Int32Array.of(-1, -1),
      components: 0,
      summaries: [],
      eigenvalues: new Float64Array(0),
    };
    const options = { k: 4, threshold: 0.2 };
    expect(await cluster(joint(2, [[0, 1, 0.2]]), alive(2), 1, options, 1)).toEqual({
      ...none,
      threshold: 0.2,
      isolated: 2,
    });
    const bothDead = await cluster(new Float64Array(4), Uint8Array.of(1, 1), 1, options, 1);
    expect(bothDead).toEqual({ ...none, threshold: 0.2, isolated: 0 });
  });

  it('an edge is above the threshold, not at it, and positive; a dead unit has none', async () => {
    const r = joint(4, [
      [0, 1, 0.5],
      [0, 2, 0.5000000000000001],
      [1, 2, -0.9],
      [0, 3, 0.9],
    ]);
    const found = await cluster(r, Uint8Array.of(0, 0, 0, 1), 2, { k: 1, threshold: 0.5 }, 1);
    expect(found.labels).toEqual(Int32Array.of(0, -1, 0, -1));
    expect(found.isolated).toBe(1);
    expect(found.summaries).toEqual([
      { cluster: 0, unitsA: 1, unitsB: 1, meanRBetween: 0.5000000000000001, meanRWithinA: null, meanRWithinB: null },
    ]);
  });

  it('k = the vertices left: each is its own cluster, none has a pair', async () => {
    const r = joint(5, clique([0, 1, 3, 4], 0.5));
    const found = await cluster(r, alive(5), 2, { k: 16, threshold: 0.2 }, 1);
    expect(found).toMatchObject({ k: 4, isolated: 1, components: 1, labels: Int32Array.of(0, 1, -1, 2, 3) });
    expect(found.summaries.map(({ unitsA, unitsB }) => [unitsA, unitsB])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ]);
    expect(found.summaries.every((s) => s.meanRBetween === null && s.meanRWithinA === null)).toBe(true);
  });

  it('more components than k: says how many, and keeps the larger ones whole', async () => {
    const groups = [
      [0, 5, 6, 11],
      [1, 4, 9],
      [2, 10],
      [3, 8],
    ];
    const r = joint(
      12,
      groups.flatMap((group) => clique(group, 0.7)),
    );
    const found = await cluster(r, alive(12), 6, { k: 2, threshold: 0.2 }, 1);
    expect(found).toMatchObject({ k: 2, components: 4, isolated: 1, eigenvalues: Float64Array.of(0, 0) });
    for (const group of groups) expect(new Set(group.map((unit) => found.labels[unit])).size).toBe(1);
    expect(found.labels[0]).not.toBe(found.labels[1]);
  });

  it('as many components as k: the components', async () => {
    const groups = [
      [0, 3, 4],
      [1, 5, 2, 7],
      [6, 8],
    ];
    const r = joint(
      9,
      groups.flatMap((group) => clique(group, 0.3)),
    );
    const { labels, eigenvalues } = await cluster(r, alive(9), 4, { k: 3, threshold: 0 }, 5);
    expect(labels).toEqual(Int32Array.of(1, 0, 0, 1, 1, 0, 2, 0, 2));
    expect(eigenvalues).toEqual(Float64Array.of(0, 0, 0));
  });

  it('follows a relabelling of the units', async () => {
    const { r, member } = plantedR([30, 18, 9], 4, 0.02);
    const n = member.length;
    const moved = Array.from({ length: n }, (_, i) => (i * 25 + 7) % n);
    const r2 = permuted(r, moved);
    const one = await cluster(r, alive(n), 20, { k: 3, threshold: 0.2 }, 1);
    const two = await cluster(r2, alive(n), 20, { k: 3, threshold: 0.2 }, 1);
    expect(moved.map((unit) => two.labels[unit])).toEqual([...one.labels]);
  });

  it.each([
    ['another size of r', new Float64Array(16), alive(3)],
    ['another size of dead', new Float64Array(9), alive(2)],
    ['NaN', new Float64Array(9).fill(NaN, 5, 6), alive(3)],
  ])('refuses %s', async (_, r, dead) => {
    await expect(cluster(r, dead, 1, { k: 2, threshold: 0.2 }, 1)).rejects.toThrow(/^\(internal\) expected/);
  });

  it.each([
    ['rows missing', (block: BlockSource) => ({ ...block, rows: block.rows + 1, columns: block.columns })],
    [
      'chunks out of order',
      (block: BlockSource) => ({
        ...block,
        async *chunks() {
          for await (const { first, values } of block.chunks()) yield { first: first + 1, values };
        },
      }),
    ],
  ])('refuses a source with %s', async (_, spoil) => {
    const blocks = blocksOf(plantedR([4, 3], 1, 0).r, 3, 2);
    const spoilt = { ...blocks, within_b: spoil(blocks.within_b) };
    const pass = async () => {
      for await (const _chunk of rowsOf(spoilt.within_b));
    };
    await expect(pass()).rejects.toThrow(/^\(internal\) expected/);
    const options = { k: 2, threshold: 0.2 };
    await expect(clusterUnits(spoilt, alive(3), alive(4), options, 1)).rejects.toThrow(/^\(internal\) expected/);
  });
});
