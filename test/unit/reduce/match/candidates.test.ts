import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CandidateLists } from '../../../../src/reduce/match/candidates.ts';
import { uniforms } from './problems.ts';

it('findBest(row): the two best columns at the present prices, by lists old and new', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.constantFrom(2, 1e6), fc.nat(1e6), (columns, levels, seed) => {
      const values = uniforms(seed, columns).map((x) => Math.floor(levels * x) / levels);
      const price = new Float64Array(columns);
      const lists = new CandidateLists(values, 1, columns, price);
      // the best is outbid each time, until no column of the first list is among the best
      for (let round = 0; round < 150; round++) {
        lists.findBest(0);
        const margins = values.map((value, j) => value - price[j]!);
        const sorted = margins.slice().sort().reverse();
        expect([lists.best, lists.second]).toEqual([sorted[0], sorted[1] ?? -Infinity]);
        expect(margins[lists.bestColumn]).toBe(lists.best);
        if (columns > 1) expect(margins[lists.secondColumn]).toBe(lists.second);
        expect(lists.bestColumn).not.toBe(lists.secondColumn);
        price[lists.bestColumn]! += 0.5;
      }
    }),
    { seed: 1, numRuns: 40 },
  );
});

it('CandidateLists: no column outside a list beats its bound, also after prices rose; the two best are in a new list', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom(1, 2, 30, 1e6),
      fc.nat(1e6),
      (columns, levels, seed) => {
        const rows = 3;
        const values = uniforms(seed, rows * columns).map((x) => Math.floor(levels * x) / levels);
        const price = new Float64Array(columns);
        const lists = new CandidateLists(values, rows, columns, price);
        const rise = uniforms(seed + 1, columns);
        for (let round = 0; round < 4; round++) {
          for (let row = 0; row < rows; row++) {
            if (row === round) lists.rebuild(row);
            const from = row * lists.capacity;
            const listed = lists.column.subarray(from, from + lists.length[row]!);
            listed.forEach((j, t) => expect(lists.value[from + t]).toBe(values[row * columns + j]));
            expect(new Set(listed).size).toBe(listed.length);
            const margins = Array.from({ length: columns }, (_, j) => values[row * columns + j]! - price[j]!);
            const outside = margins.filter((_, j) => !listed.includes(j));
            expect(Math.max(...outside)).toBeLessThanOrEqual(lists.bound[row]!);
            if (round > 0 && row !== round) continue;
            // what reduceRows relies on
            const inside = [...listed].map((j) => margins[j]!).sort((a, b) => b - a);
            if (columns > 1) expect(inside[1]).toBeGreaterThanOrEqual(lists.bound[row]!);
            expect(inside[0]).toBe(Math.max(...margins));
          }
          rise.forEach((x, j) => (price[j]! += x < 0.3 ? x : 0));
        }
      },
    ),
    { seed: 1 },
  );
});
