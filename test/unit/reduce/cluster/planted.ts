/** The graphs and points of test/reference/clustering.py, made the same way; and how alike two clusterings are. */
import type { BlockSource } from '../../../../src/reduce/block.ts';
import type { JointBlocks } from '../../../../src/reduce/cluster/graph.ts';

/** `count` numbers in [0, 1) from a congruential generator. */
export function uniforms(seed: number, count: number): Float64Array {
  let state = seed >>> 0;
  return new Float64Array(count).map(() => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

/** Joint correlations [n × n] with planted clusters, which take turns over the units; and each unit's cluster. */
export function plantedR(sizes: readonly number[], seed: number, cross: number): { r: Float64Array; member: number[] } {
  const n = sizes.reduce((sum, size) => sum + size, 0);
  const left = [...sizes];
  const member: number[] = [];
  while (member.length < n) {
    left.forEach((units, cluster) => {
      if (units === 0) return;
      left[cluster] = units - 1;
      member.push(cluster);
    });
  }
  const u = uniforms(seed, n * n);
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    r[i * n + i] = 1;
    for (let j = i + 1; j < n; j++) {
      const x = u[i * n + j]!;
      const apart = x < cross ? 0.25 : 0.1 * x;
      r[i * n + j] = member[i] === member[j] ? 0.5 + 0.4 * x : apart;
      r[j * n + i] = r[i * n + j]!;
    }
  }
  return { r, member };
}

/** The same correlations with unit i as unit moved[i]. */
export function permuted(r: Float64Array, moved: readonly number[]): Float64Array {
  const n = moved.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[moved[i]! * n + moved[j]!] = r[i * n + j]!;
  return out;
}

/** The blocks of joint correlations [n × n], a's units first, in chunks of `rows` rows. */
export function blocksOf(r: Float64Array, unitsA: number, rows = Infinity): JointBlocks {
  const n = Math.sqrt(r.length);
  const block = (rowsFrom: number, rowsTo: number, from: number, to: number): BlockSource => ({
    rows: rowsTo - rowsFrom,
    columns: to - from,
    async *chunks() {
      // one buffer for all chunks: they are valid until the next is asked for
      const values = new Float64Array(Math.min(rows, rowsTo - rowsFrom) * (to - from));
      for (let first = rowsFrom; first < rowsTo; first += rows) {
        const last = Math.min(rowsTo, first + rows);
        for (let i = first; i < last; i++) values.set(r.subarray(i * n + from, i * n + to), (i - first) * (to - from));
        yield { first: first - rowsFrom, values: values.subarray(0, (last - first) * (to - from)) };
      }
    },
  });
  return {
    within_a: block(0, unitsA, 0, unitsA),
    between: block(0, unitsA, unitsA, n),
    within_b: block(unitsA, n, unitsA, n),
  };
}

/** Groups of points around the corners of a cube of side 20 [n × d]. */
export function cloud(sizes: readonly number[], seed: number, d: number, spread: number): Float64Array {
  const group = sizes.flatMap((size, g) => Array.from({ length: size }, () => g));
  return uniforms(seed, group.length * d).map((x, at) => {
    const corner = (group[Math.floor(at / d)]! >> (at % d)) & 1 ? 10 : -10;
    return corner + spread * (x - 0.5);
  });
}

/** Adjusted Rand index of two labellings: 1 exactly where they are the same partition. Hubert and Arabie 1985. */
export function adjustedRand(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const counts = { both: new Map<string, number>(), one: new Map<number, number>(), other: new Map<number, number>() };
  const add = <K>(map: Map<K, number>, key: K) => map.set(key, (map.get(key) ?? 0) + 1);
  for (let i = 0; i < one.length; i++) {
    add(counts.both, `${one[i]} ${other[i]}`);
    add(counts.one, one[i]!);
    add(counts.other, other[i]!);
  }
  const sum = (map: Map<unknown, number>): number =>
    [...map.values()].reduce((total, count) => total + pairs(count), 0);
  const [both, first, second] = [sum(counts.both), sum(counts.one), sum(counts.other)];
  const expected = (first * second) / pairs(one.length);
  const most = (first + second) / 2;
  return most === expected ? 1 : (both - expected) / (most - expected);
}
