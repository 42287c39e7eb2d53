import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitGroups, groupShards, imageGroups } from '../../../src/plan/groups.ts';

const rowsArbitrary = fc.integer({ min: 1, max: 5000 });
const shardArbitrary = fc.integer({ min: 1, max: 1200 });

function shardsOf(rows: number, shardRows: number): { group: number; ranges: (readonly [number, number])[] }[] {
  const groups = imageGroups(rows);
  return Array.from({ length: groups.count }, (_, group) => groupShards(groups, rows, group, shardRows)).flatMap(
    (shards, group) => shards.map((ranges) => ({ group, ranges })),
  );
}

describe('imageGroups(rows): G = min(20, rows), B = max(1, min(50, ⌊rows/G⌋))', () => {
  it.each([
    [1, 1, 1],
    [19, 19, 1],
    [20, 20, 1],
    [399, 20, 19],
    [999, 20, 49],
    [1000, 20, 50],
    [10_000, 20, 50],
  ])('%i rows: %i groups of blocks of %i', (rows, count, blockRows) => {
    expect(imageGroups(rows)).toEqual({ count, blockRows });
  });
});

describe('groupShards(groups, rows, group, shardRows)', () => {
  it('puts each row into exactly one task, of the group ⌊i/B⌋ mod G, in row order', () => {
    fc.assert(
      fc.property(rowsArbitrary, shardArbitrary, (rows, shardRows) => {
        const { count, blockRows } = imageGroups(rows);
        const groupOf = new Int32Array(rows).fill(-1);
        const timesSeen = new Int32Array(rows);
        for (const { group, ranges } of shardsOf(rows, shardRows)) {
          const starts = ranges.map(([start]) => start);
          expect(starts).toEqual([...starts].sort((a, b) => a - b));
          for (const [start, end] of ranges) {
            groupOf.fill(group, start, end);
            for (let row = start; row < end; row++) timesSeen[row]!++;
          }
        }
        expect(timesSeen).toEqual(new Int32Array(rows).fill(1));
        expect(groupOf).toEqual(Int32Array.from({ length: rows }, (_, row) => Math.floor(row / blockRows) % count));
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('takes at most max(B, shardRows) rows a task, and at most shardRows where that is below B', () => {
    fc.assert(
      fc.property(rowsArbitrary, shardArbitrary, (rows, shardRows) => {
        for (const { ranges } of shardsOf(rows, shardRows)) {
          expect(ranges.reduce((total, [start, end]) => total + end - start, 0)).toBeLessThanOrEqual(shardRows);
        }
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it('keeps every full task when rows are raised, from 1,000 rows on', () => {
    const tasks = (rows: number): Set<string> => new Set(shardsOf(rows, 500).map((shard) => JSON.stringify(shard)));
    const more = tasks(20_000);
    for (const shard of tasks(10_000)) expect(more).toContain(shard);
    // 3,000 rows: three blocks a group, part of a task of ten
    expect([...tasks(3_000)].filter((shard) => more.has(shard))).toHaveLength(0);
  });
});

describe('fitGroups(groups, holdout): all but the last min(G − 1, max(1, ⌊hG + ½⌋))', () => {
  it.each([
    [20, 0, 20],
    [20, 0.2, 16],
    [20, 0.01, 19],
    [20, 0.99, 1],
    [3, 0.5, 1],
    [2, 0.2, 1],
  ])('%i groups, holdout %d: %i fitted', (groups, holdout, expected) => {
    expect(fitGroups(groups, holdout)).toBe(expected);
  });
});
