import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchUnits } from '../../../../src/reduce/match/match.ts';
import { matrixOf, uniforms } from './problems.ts';

describe('matchUnits(between, unitsA, unitsB)', () => {
  it('one unit each', () => {
    expect(matchUnits(Float64Array.of(-0.5), 1, 1)).toMatchObject({
      semiA: { partner: Int32Array.of(0), r: Float64Array.of(-0.5) },
      semiB: { partner: Int32Array.of(0), r: Float64Array.of(-0.5) },
      pairsA: Int32Array.of(0),
      pairsB: Int32Array.of(0),
      r: Float64Array.of(-0.5),
    });
  });

  it('semi-matches with replacement, signed, lowest index on ties', () => {
    const { semiA, semiB } = matchUnits(Float64Array.of(0.2, 0.9, -0.95, 0.9, 0.9, -0.3), 2, 3);
    expect(semiA).toEqual({ partner: Int32Array.of(1, 0), r: Float64Array.of(0.9, 0.9) });
    expect(semiB).toEqual({ partner: Int32Array.of(1, 0, 1), r: Float64Array.of(0.9, 0.9, -0.3) });
  });

  it('matches dead units too, with r = 0', () => {
    // unit 1 of a and unit 0 of b are dead: better together than on a negative r
    const { pairsA, pairsB, r, semiA, semiB } = matchUnits(Float64Array.of(0, -0.4, 0, 0), 2, 2);
    expect([pairsA, pairsB, r]).toEqual([Int32Array.of(0, 1), Int32Array.of(0, 1), Float64Array.of(0, 0)]);
    expect([...semiA.r, ...semiB.r]).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ['more units in a', 9, 4],
    ['more units in b', 4, 9],
  ])('%s: min(p, q) pairs, rising by unit of a, with their r', (_, p, q) => {
    const between = matrixOf('signed', p, q, 1);
    const { pairsA, pairsB, r, dualA, dualB } = matchUnits(between, p, q);
    expect(pairsA.length).toBe(4);
    expect([...pairsA]).toEqual([...new Set(pairsA)].sort((a, b) => a - b));
    expect(new Set(pairsB).size).toBe(4);
    expect([...r]).toEqual([...pairsA].map((unit, pair) => between[unit * q + pairsB[pair]!]));
    // the documented signs of the dual
    const [wide, matched] = p > q ? [dualA, pairsA] : [dualB, pairsB];
    expect(wide.every((v, unit) => (matched.includes(unit) ? v >= 0 : v === 0))).toBe(true);
  });

  it('turning the networks round turns the matching round', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), fc.nat(1e6), (p, q, seed) => {
        const between = uniforms(seed, p * q).map((x) => 2 * x - 1);
        const turned = new Float64Array(p * q).map((_, at) => between[(at % p) * q + Math.floor(at / p)]!);
        const forth = matchUnits(between, p, q);
        const back = matchUnits(turned, q, p);
        expect(back.semiA).toEqual(forth.semiB);
        expect(back.semiB).toEqual(forth.semiA);
        // without ties the optimum is unique
        const pairs = [...forth.pairsA].map((unit, pair) => `${unit} ${forth.pairsB[pair]}`);
        expect([...back.pairsB].map((unit, pair) => `${unit} ${back.pairsA[pair]}`).sort()).toEqual(pairs.sort());
      }),
      { seed: 1 },
    );
  });

  it.each([
    ['another size', new Float64Array(5), 2, 3],
    ['no unit', new Float64Array(0), 0, 3],
    ['NaN', Float64Array.of(0, NaN), 1, 2],
    ['infinity', Float64Array.of(0, -Infinity), 1, 2],
  ])('refuses %s', (_, between, p, q) => {
    expect(() => matchUnits(between, p, q)).toThrow(/^\(internal\) expected/);
  });
});
