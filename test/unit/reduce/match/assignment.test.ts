import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { solveAssignment, type Assignment } from '../../../../src/reduce/match/assignment.ts';
import { assertOptimal, assignmentGap } from '../../../../src/reduce/match/certificate.ts';
import { matrixOf, uniforms, type Kind } from './problems.ts';

/** Solves and checks everything the certificate says, to rounding in sums of that many values of that size. */
function solve(values: Float64Array, rows: number, columns: number): { assignment: Assignment; objective: number } {
  const assignment = solveAssignment(values, rows, columns);
  const pairs = Math.min(rows, columns);
  const used = assignment.columnOf.filter((j) => j >= 0);
  expect(used.length).toBe(pairs);
  expect(new Set(used).size).toBe(pairs);
  expect(used.every((j) => j < columns)).toBe(true);
  const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const { primal, gap, infeasibility, slackness } = assignmentGap(values, rows, columns, assignment);
  expect(infeasibility).toBeLessThanOrEqual(1e-13 * size);
  expect(slackness).toBeLessThanOrEqual(1e-13 * size);
  expect(Math.abs(gap)).toBeLessThanOrEqual(1e-13 * size * pairs);
  return { assignment, objective: primal };
}

/** The largest Σ by trying all injections of the shorter side. */
function bruteForce(values: Float64Array, rows: number, columns: number): number {
  const wide = rows <= columns;
  const [short, long] = wide ? [rows, columns] : [columns, rows];
  const used = new Set<number>();
  const best = (i: number): number => {
    if (i === short) return 0;
    let most = -Infinity;
    for (let j = 0; j < long; j++) {
      if (used.has(j)) continue;
      used.add(j);
      most = Math.max(most, (wide ? values[i * columns + j]! : values[j * columns + i]!) + best(i + 1));
      used.delete(j);
    }
    return most;
  };
  return best(0);
}

const shape = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }));

describe('solveAssignment(values, rows, columns)', () => {
  it.each([
    ['one pair', 1, 1, [-0.5], -0.5],
    ['one row: its maximum', 1, 4, [0.1, 0.7, -1, 0.7], 0.7],
    ['one column: its maximum', 3, 1, [-0.3, -0.1, -0.2], -0.1],
    ['not the greedy choice', 2, 2, [0.9, 0.8, 0.8, 0.1], 1.6],
    ['all equal', 3, 4, Array.from({ length: 12 }, () => 0.25), 0.75],
    ['all zero', 5, 5, Array.from({ length: 25 }, () => 0), 0],
    ['all negative: still min(rows, columns) pairs', 2, 3, [-1, -2, -3, -1, -5, -9], -3],
    ['huge', 2, 2, [1e300, 1, 1, 1e-300], 1e300],
    ['tiny', 2, 2, [1e-300, 3e-300, 1e-300, 2e-300], 4e-300],
  ])('%s', (_, rows, columns, values, objective) => {
    const found = solve(Float64Array.from(values), rows, columns).objective;
    expect(Math.abs(found - objective)).toBeLessThanOrEqual(1e-12 * Math.abs(objective));
  });

  it('equals the best of all injections, with ties', () => {
    fc.assert(
      fc.property(shape, fc.integer(), fc.constantFrom(2, 3, 1000), ([rows, columns], seed, levels) => {
        const values = uniforms(seed, rows * columns).map((x) => Math.floor(levels * x) / levels - 0.4);
        const { objective } = solve(values, rows, columns);
        expect(objective).toBeCloseTo(bruteForce(values, rows, columns), 12);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  const golden = JSON.parse(readFileSync('test/reference/matching.json', 'utf8')) as {
    problems: { kind: Kind; rows: number; columns: number; seed: number; objective: number }[];
  };
  it.each(golden.problems)(
    '$kind, $rows × $columns: as large as scipy’s',
    ({ kind, rows, columns, seed, objective }) => {
      const found = solve(matrixOf(kind, rows, columns, seed), rows, columns).objective;
      // sums of up to 300 terms of up to 9, in another order
      expect(Math.abs(found - objective)).toBeLessThanOrEqual(1e-9);
    },
  );

  // wider than a candidate list, so that lists, bounds and both searches are at work
  it.each(['uniform', 'tied', 'product', 'correlation', 'lowrank'] as const)('%s, any shape: optimal', (kind) => {
    fc.assert(
      fc.property(fc.nat(120), fc.nat(220), fc.nat(1e6), (p, q, seed) => {
        solve(matrixOf(kind, p + 1, q + 1, seed), p + 1, q + 1);
      }),
      { seed: 2, numRuns: 15 },
    );
  });

  it('finds a hidden permutation', () => {
    const n = 200;
    const noise = uniforms(3, n * n);
    const values = noise.map((x, at) => (at % n === (Math.floor(at / n) * 37 + 5) % n ? 1 : 0.9 * x));
    const { columnOf } = solve(values, n, n).assignment;
    expect([...columnOf]).toEqual(Array.from({ length: n }, (_, i) => (i * 37 + 5) % n));
  });

  it('goes on where thousands of values tie', () => {
    const n = 256;
    // equal blocks: all of a block's columns are as good for all of its rows
    const values = new Float64Array(n * n).map((_, at) =>
      Math.floor(at / n / 64) === Math.floor((at % n) / 64) ? 0.5 : 0,
    );
    expect(solve(values, n, n).objective).toBe(n / 2);
  });

  it('gives the same pairs and duals each time, and leaves its input alone', () => {
    const values = matrixOf('tied', 150, 140, 4);
    const copy = values.slice();
    expect(solveAssignment(values, 150, 140)).toEqual(solveAssignment(values, 150, 140));
    expect(values).toEqual(copy);
  });
});

describe('assignmentGap(values, rows, columns, assignment)', () => {
  const values = matrixOf('uniform', 6, 9, 5);
  const optimal = solveAssignment(values, 6, 9);
  const gapOf = (change: Partial<Assignment>) => assignmentGap(values, 6, 9, { ...optimal, ...change });

  it('is 0 for an optimum', () => {
    const { gap, infeasibility, slackness, primal, dual } = gapOf({});
    expect(Math.max(Math.abs(gap), infeasibility, slackness)).toBeLessThan(1e-15);
    expect(primal).toBeCloseTo(dual, 14);
  });

  it('shows a worse matching by its gap and its slackness', () => {
    const columnOf = optimal.columnOf.slice();
    [columnOf[0], columnOf[1]] = [columnOf[1]!, columnOf[0]!];
    expect(gapOf({ columnOf }).gap).toBeGreaterThan(1e-3);
    expect(gapOf({ columnOf }).slackness).toBeGreaterThan(1e-3);
    expect(() => assertOptimal(values, 6, 9, { ...optimal, columnOf })).toThrow(/\(internal\).*not optimal/);
  });

  it('shows a dual that is no bound, of either side', () => {
    expect(gapOf({ rowDual: optimal.rowDual.map((u, i) => (i === 2 ? u - 0.5 : u)) }).infeasibility).toBeCloseTo(
      0.5,
      12,
    );
    const free = [...optimal.columnDual.keys()].find((j) => !optimal.columnOf.includes(j))!;
    const raised = optimal.columnDual.map((v, j) => (j === free ? v + 0.25 : v));
    expect(gapOf({ columnDual: raised }).infeasibility).toBeCloseTo(0.25, 12);
    const shifted = { columnDual: optimal.columnDual.map((v) => v - 2), rowDual: optimal.rowDual.map((u) => u + 2) };
    expect(gapOf(shifted).infeasibility).toBeGreaterThan(1);
  });

  it('shows the same where there are more rows', () => {
    const tall = matrixOf('uniform', 9, 6, 5);
    const found = solveAssignment(tall, 9, 6);
    const shifted = {
      ...found,
      rowDual: found.rowDual.map((u) => u - 2),
      columnDual: found.columnDual.map((v) => v + 2),
    };
    expect(assignmentGap(tall, 9, 6, shifted).infeasibility).toBeGreaterThan(1);
    expect(() => assertOptimal(tall, 9, 6, shifted)).toThrow(/dual infeasibility/);
  });

  it('refuses a column taken twice, a row left out, and NaN', () => {
    const twice = optimal.columnOf.map((j, i) => (i === 0 ? optimal.columnOf[1]! : j));
    expect(() => assertOptimal(values, 6, 9, { ...optimal, columnOf: twice })).toThrow(/\(internal\)/);
    const less = optimal.columnOf.map((j, i) => (i === 0 ? -1 : j));
    expect(() => assertOptimal(values, 6, 9, { ...optimal, columnOf: less })).toThrow(/found 5 pairs/);
    expect(() =>
      assertOptimal(
        values.map((x, at) => (at === 7 ? NaN : x)),
        6,
        9,
        optimal,
      ),
    ).toThrow(/\(internal\)/);
  });
});
