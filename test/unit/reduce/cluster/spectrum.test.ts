import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../../src/numeric/random.ts';
import { thresholdGraph, type Graph } from '../../../../src/reduce/cluster/graph.ts';
import { lowestOfLaplacian } from '../../../../src/reduce/cluster/spectrum.ts';
import { blocksOf, plantedR, uniforms } from './planted.ts';

/** The graph of a joint matrix, two fifths of whose units are a's. */
const graphOf = (r: Float64Array, n: number, threshold: number, dead = new Uint8Array(n)): Promise<Graph> =>
  thresholdGraph(blocksOf(r, Math.floor(0.4 * n), 7), dead, threshold);

/** I − D^-½ W D^-½ of all units, from the definition. */
function laplacian(r: Float64Array, n: number, threshold: number): Float64Array {
  const w = r.map((value, at) => (value > threshold && at % (n + 1) !== 0 ? value : 0));
  const degree = Float64Array.from({ length: n }, (_, i) =>
    w.subarray(i * n, i * n + n).reduce((sum, x) => sum + x, 0),
  );
  return w.map((value, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return (i === j ? 1 : 0) - (value === 0 ? 0 : value / Math.sqrt(degree[i]! * degree[j]!));
  });
}

/** Largest ‖Lv − λv‖ and deviation from orthonormality. */
function faults(l: Float64Array, n: number, values: Float64Array, vectors: Float64Array[]) {
  let residual = 0;
  let skew = 0;
  vectors.forEach((v, index) => {
    const image = Float64Array.from({ length: n }, (_, i) => v.reduce((sum, x, j) => sum + l[i * n + j]! * x, 0));
    residual = Math.max(residual, Math.hypot(...image.map((y, i) => y - values[index]! * v[i]!)));
    vectors.forEach((w, other) => {
      const dot = v.reduce((sum, x, i) => sum + x * w[i]!, 0);
      skew = Math.max(skew, Math.abs(dot - (other === index ? 1 : 0)));
    });
  });
  return { residual, skew };
}

/** Random correlations, about a share of `edges` of them above 0.2. */
function noisy(n: number, seed: number, edges: number): Float64Array {
  const u = uniforms(seed, n * n);
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    r[i * n + i] = 1;
    for (let j = 0; j < i; j++) r[i * n + j] = r[j * n + i] = u[i * n + j]! < edges ? 0.2 + 0.8 * u[j * n + i]! : 0;
  }
  return r;
}

describe('lowestOfLaplacian(graph, k, random)', () => {
  // k small beside n: Lanczos; else directly
  it.each([
    ['planted clusters', plantedR([90, 60, 50, 40], 1, 0.02).r, 240],
    ['several components', plantedR([90, 60, 50, 40], 1, 0).r, 240],
    ['noise, dense', noisy(200, 2, 0.5), 200],
    ['noise, sparse', noisy(300, 3, 0.05), 300],
    ['all equal: one eigenvalue n − 1 times over', new Float64Array(150 ** 2).fill(0.5), 150],
    ['small', noisy(12, 4, 0.9), 12],
    ['two units', new Float64Array(4).fill(0.9), 2],
  ])('%s: eigenpairs, and the same by both ways', async (_, r, n) => {
    const graph = await graphOf(r, n, 0.2);
    expect(graph.units.length).toBe(n);
    const l = laplacian(r, n, 0.2);
    const all = lowestOfLaplacian(graph, n, randomFrom(1, 'lanczos'));
    for (const [k, pairs] of [
      [n, all],
      ...[1, 2, 7]
        .filter((few) => few < n)
        .map((few) => [few, lowestOfLaplacian(graph, few, randomFrom(2, 'lanczos'))]),
    ] as [number, typeof all][]) {
      const { residual, skew } = faults(l, n, pairs.values, pairs.vectors);
      expect(pairs.vectors.length).toBe(k);
      expect(residual).toBeLessThan(1e-10);
      expect(skew).toBeLessThan(1e-12);
      // Weyl: values are as near as residuals are small
      pairs.values.forEach((value, index) => expect(Math.abs(value - all.values[index]!)).toBeLessThan(1e-10));
    }
    // the trace is n
    expect(all.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(n, 9);
  });

  it('has one vector of eigenvalue 0 per component, D^½ over it, the larger ones first', async () => {
    const { r } = plantedR([5, 9, 7], 6, 0);
    const graph = await graphOf(r, 21, 0.2);
    const { values, vectors } = lowestOfLaplacian(graph, 4, randomFrom(1, 'lanczos'));
    expect([...values.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect(values[3]).toBeGreaterThan(0.5);
    expect(vectors.slice(0, 3).map((v) => v.filter((x) => x > 0).length)).toEqual([9, 7, 5]);
    const [i, j] = [...vectors[0]!.keys()].filter((v) => vectors[0]![v]! > 0) as [number, number];
    expect((vectors[0]![i]! / vectors[0]![j]!) ** 2).toBeCloseTo(graph.degree[i]! / graph.degree[j]!, 12);
  });
});

describe('thresholdGraph(blocks, dead, threshold)', () => {
  /** Every edge as [v, w, weight], by v and w. */
  const edgesOf = ({ edges }: Graph): [number, number, number][] =>
    edges
      .flatMap(({ first, start, neighbour, weight }) =>
        Array.from(start.subarray(1), (end, i) =>
          Array.from(neighbour.subarray(start[i], end), (w, e): [number, number, number] => [
            first + i,
            w,
            weight[start[i]! + e]!,
          ]),
        ).flat(),
      )
      .sort(([v, w], [x, y]) => v - x || w - y);

  it('joins live units above the threshold, each two once, with W_ij / √(d_i d_j)', async () => {
    const r = Float64Array.of(1, 0.5, 0, 0.9, 0.5, 1, 0.25, 0, 0, 0.25, 1, 0, 0.9, 0, 0, 1);
    const graph = await graphOf(r, 4, 0.1, Uint8Array.of(0, 0, 0, 1));
    expect(graph).toMatchObject({
      units: Int32Array.of(0, 1, 2),
      isolated: 0,
      degree: Float64Array.of(0.5, 0.75, 0.25),
      component: Int32Array.of(0, 0, 0),
      components: 1,
    });
    const found = edgesOf(graph);
    expect(found.map(([v, w]) => [v, w])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(found[0]![2]).toBeCloseTo(0.5 / Math.sqrt(0.5 * 0.75), 14);
    expect(found[1]![2]).toBeCloseTo(0.25 / Math.sqrt(0.25 * 0.75), 14);
  });

  it('numbers components by first vertex, and leaves units without an edge out', async () => {
    const n = 6;
    const r = new Float64Array(n * n);
    for (const [i, j] of [
      [0, 4],
      [2, 5],
    ] as const)
      r[i * n + j] = r[j * n + i] = 0.5;
    const graph = await graphOf(r, n, 0);
    expect(graph).toMatchObject({
      units: Int32Array.of(0, 2, 4, 5),
      isolated: 2,
      component: Int32Array.of(0, 1, 0, 1),
      components: 2,
    });
    expect(edgesOf(graph).map(([v, w]) => [v, w])).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  it('is the same in chunks of any size, to the bit', async () => {
    const n = 40;
    const r = noisy(n, 5, 0.15);
    const dead = new Uint8Array(n).fill(1, 3, 5).fill(1, 30, 31);
    const whole = await thresholdGraph(blocksOf(r, 17), dead, 0.2);
    for (const rows of [1, 4, 16]) {
      const chunked = await thresholdGraph(blocksOf(r, 17, rows), dead, 0.2);
      expect({ ...chunked, edges: [] }).toEqual({ ...whole, edges: [] });
      expect(edgesOf(chunked)).toEqual(edgesOf(whole));
    }
    // against the definition
    const expected: number[][] = [];
    for (let v = 0; v < whole.units.length; v++) {
      for (let w = v + 1; w < whole.units.length; w++) {
        const value = r[whole.units[v]! * n + whole.units[w]!]!;
        if (value > 0.2) expected.push([v, w, value / Math.sqrt(whole.degree[v]! * whole.degree[w]!)]);
      }
    }
    const found = edgesOf(whole);
    expect(found.map(([v, w]) => [v, w])).toEqual(expected.map(([v, w]) => [v, w]));
    found.forEach(([, , weight], e) => expect(weight).toBeCloseTo(expected[e]![2]!, 14));
  });
});
