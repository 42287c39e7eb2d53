import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { predictUnits, summarisePrediction } from '../../../../src/reduce/predict/predict.ts';
import type { Prediction } from '../../../../src/reduce/predict/predict.ts';
import { denseWeights } from '../../../../src/reduce/predict/weights.ts';
import { inputOf, memoryOf, momentsOf, reluSamples, standardise } from './samples.ts';

const ALPHAS = [0.01, 0.1, 0.4];

/** Samples of two networks [rows × (unitsA + unitsB)], of the same inputs. */
function twoNetworks(seed: number, rows: number, unitsA: number, unitsB: number): number[][] {
  return reluSamples(seed, rows, unitsA + unitsB, 4);
}

/** The samples with unit `unit` set to `value` in rows `from` to `to`. */
const freeze = (samples: number[][], unit: number, value: number, from: number, to: number): number[][] =>
  samples.map((row, i) => row.map((x, j) => (j === unit && i >= from && i < to ? value : x)));

const denseOf = (p: Prediction): Float64Array[] =>
  p.weights.map((weights) => denseWeights(weights, p.targets, p.sources));

const weightsOf = (p: Prediction, a: number, t: number): Float64Array =>
  denseOf(p)[a]!.subarray(t * p.sources, (t + 1) * p.sources);

/** R² of one target on some rows, from the samples themselves: predicted from sources standardised by the fitted rows. */
function r2Of(samples: number[][], fitRows: number, rows: number[][], weights: Float64Array, target: number): number {
  const z = standardise(rows, momentsOf(samples.slice(0, fitRows)));
  const mean = z.reduce((sum, row) => sum + row[target]!, 0) / z.length;
  let [error, total] = [0, 0];
  for (const row of z) {
    const predicted = weights.reduce((sum, weight, source) => sum + weight * row[source]!, 0);
    error += (row[target]! - predicted) ** 2;
    total += (row[target]! - mean) ** 2;
  }
  return 1 - error / total;
}

describe('predictUnits(input, alphas)', () => {
  it('R² of fit and held-out part: as computed from the samples', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.integer({ min: 2, max: 9 }), fc.integer({ min: 2, max: 9 }), (seed, p, q) => {
        const samples = twoNetworks(seed, 40, p, q);
        const prediction = predictUnits(inputOf(samples, p, 28), ALPHAS);
        expect([prediction.sources, prediction.targets]).toEqual([p, q]);
        for (let a = 0; a < ALPHAS.length; a++) {
          for (let t = 0; t < q; t++) {
            if (prediction.scored[t] === 0) continue;
            const w = weightsOf(prediction, a, t);
            const fitted = r2Of(samples, 28, samples.slice(0, 28), w, p + t);
            const heldOut = r2Of(samples, 28, samples.slice(28), w, p + t);
            expect(prediction.r2Fit[a * q + t]).toBeCloseTo(fitted, 12);
            // SSE and SST are differences of sums: their rounding grows with R² itself
            expect(prediction.r2HeldOut![a * q + t]! / Math.max(1, -heldOut)).toBeCloseTo(
              heldOut / Math.max(1, -heldOut),
              10,
            );
            expect(prediction.nonzero[a * q + t]).toBe(w.filter((weight) => weight !== 0).length);
            expect(prediction.kkt[a * q + t]).toBeLessThan(1e-12);
          }
        }
      }),
      { seed: 21, numRuns: 100 },
    );
  });

  it('only chosen targets: theirs as if all were, the others blank and not scored', () => {
    const samples = twoNetworks(1, 50, 6, 9);
    const all = predictUnits(inputOf(samples, 6, 40), ALPHAS);
    const some = predictUnits(inputOf(samples, 6, 40, [1, 4, 8]), ALPHAS);
    expect([...some.chosen]).toEqual([0, 1, 0, 0, 1, 0, 0, 0, 1]);
    expect(some.scored).toEqual(some.chosen);
    expect([...all.chosen]).toEqual(Array(9).fill(1));
    for (let a = 0; a < ALPHAS.length; a++) {
      for (let t = 0; t < 9; t++) {
        const at = a * 9 + t;
        const fields = (p: Prediction) => [p.r2Fit[at]!, p.r2HeldOut![at]!, p.nonzero[at]!, ...weightsOf(p, a, t)];
        // the way to an optimum may differ, the optimum doesn't
        fields(some).forEach((value, k) => expect(value).toBeCloseTo(some.chosen[t] === 0 ? 0 : fields(all)[k]!, 11));
        if (some.chosen[t] === 0) expect(some.kkt[at]).toBe(0);
      }
    }
  });

  it.each(['memory', 'fitCross', 'heldOutGram', 'heldOutCross'] as const)('refuses another size of %s', (block) => {
    const input = inputOf(twoNetworks(1, 50, 4, 5), 4, 40);
    const other = block === 'memory' ? memoryOf(new Float64Array(9), 3) : new Float64Array(7);
    expect(() => predictUnits({ ...input, [block]: other }, ALPHAS)).toThrow(/^\(internal\) expected/);
  });

  it('alphas rise in the document, in whatever order they came; the same bits', () => {
    const input = () => inputOf(twoNetworks(2, 50, 7, 5), 7, 40);
    const prediction = predictUnits(input(), [0.1, 0.4, 0.01]);
    expect([...prediction.alphas]).toEqual(ALPHAS);
    expect(predictUnits(input(), ALPHAS)).toEqual(prediction);
    // fewer weights and a worse fit as α rises
    const summary = summarisePrediction(prediction);
    expect(summary[0]!.mean_nonzero!).toBeGreaterThan(summary[2]!.mean_nonzero!);
    expect(summary[0]!.r2_fit!).toBeGreaterThan(summary[2]!.r2_fit!);
  });

  it('a network and its copy: each unit from itself, weight 1 − α and R² 1 − α²', () => {
    const own = reluSamples(3, 60, 5, 4);
    const prediction = predictUnits(
      inputOf(
        own.map((row) => [...row, ...row.map((x) => 3 * x + 1)]),
        5,
        60,
      ),
      [0.1],
    );
    for (let t = 0; t < 5; t++) {
      weightsOf(prediction, 0, t).forEach((w, s) => expect(w).toBeCloseTo(s === t ? 0.9 : 0, 13));
      expect(prediction.r2Fit[t]).toBeCloseTo(0.99, 13);
    }
    expect(prediction.r2HeldOut).toBeNull();
  });

  it('α ≥ every |r|: nothing is predicted, R² 0 on the fit part and at most 0 on the held-out part', () => {
    const prediction = predictUnits(inputOf(twoNetworks(4, 40, 6, 6), 6, 30), [1]);
    expect([...prediction.r2Fit, ...prediction.nonzero, ...prediction.kkt].every((x) => x === 0)).toBe(true);
    expect(prediction.weights.map(({ data }) => data.length)).toEqual([0]);
    expect(prediction.r2HeldOut!.every((r2) => r2 <= 0)).toBe(true);
  });
});

describe('predictUnits: units that are constant', () => {
  const samples = twoNetworks(5, 40, 4, 4);
  const scoredOf = (rows: number[][]): Prediction => predictUnits(inputOf(rows, 4, 30), ALPHAS);

  /** Whatever belongs to target `t` is 0. */
  const isBlank = (p: Prediction, t: number): boolean =>
    ALPHAS.every((_, a) => {
      const at = a * p.targets + t;
      const fields = [p.r2Fit[at], p.r2HeldOut![at], p.nonzero[at], p.kkt[at], ...weightsOf(p, a, t)];
      return fields.every((value) => value === 0);
    });

  it.each([
    ['everywhere', 0, 40],
    ['in the fit part', 0, 30],
    ['in the held-out part', 30, 40],
  ])('a target constant %s is left out, the others are as before', (_, from, to) => {
    const before = scoredOf(samples);
    expect(isBlank(before, 1)).toBe(false);
    // values whose sums of squares round up and down
    for (const value of [0.7, 0.1, 0.3, 1.1, 2.3]) {
      const prediction = scoredOf(freeze(samples, 5, value, from, to));
      expect([...prediction.scored]).toEqual([1, 0, 1, 1]);
      expect([...prediction.predictors]).toEqual([1, 1, 1, 1]);
      expect(isBlank(prediction, 1)).toBe(true);
      for (const t of [0, 2, 3]) expect(weightsOf(prediction, 0, t)).toEqual(weightsOf(before, 0, t));
    }
  });

  it.each([
    ['everywhere', 0, 40],
    ['in the fit part', 0, 30],
  ])('a predictor constant %s is left out: as if it were not there', (_, from, to) => {
    const prediction = scoredOf(freeze(samples, 1, 0.7, from, to));
    expect([...prediction.predictors]).toEqual([1, 0, 1, 1]);
    const without = predictUnits(
      inputOf(
        samples.map((row) => row.filter((_x, j) => j !== 1)),
        3,
        30,
      ),
      ALPHAS,
    );
    expect([...prediction.scored]).toEqual([...without.scored]);
    for (let a = 0; a < ALPHAS.length; a++) {
      for (let t = 0; t < 4; t++) {
        const [w0, w1, w2, w3] = weightsOf(prediction, a, t);
        expect(w1).toBe(0);
        expect([w0, w2, w3]).toEqual([...weightsOf(without, a, t)]);
      }
    }
  });

  it('a predictor constant in the held-out part only stays', () => {
    const prediction = scoredOf(freeze(samples, 1, 0.7, 30, 40));
    expect([...prediction.predictors]).toEqual([1, 1, 1, 1]);
    expect(prediction.weights).toEqual(scoredOf(samples).weights);
  });

  it('a unit that is dead by its computed variance is left out too', () => {
    const input = inputOf(samples, 4, 30);
    input.sources.dead[1] = 1;
    input.targets.dead[2] = 1;
    const prediction = predictUnits(input, ALPHAS);
    expect([...prediction.predictors]).toEqual([1, 0, 1, 1]);
    expect([...prediction.scored]).toEqual([1, 1, 0, 1]);
  });

  it('a held-out sum of squares lost to rounding: not scored, no NaN', () => {
    const input = inputOf(samples, 4, 30);
    const heldOut = input.targets.heldOut!;
    heldOut.square[1] = heldOut.sum[1]! ** 2 / input.heldOutSamples;
    const prediction = predictUnits(input, ALPHAS);
    expect([...prediction.scored]).toEqual([1, 0, 1, 1]);
    expect(prediction.r2HeldOut!.every(Number.isFinite)).toBe(true);
  });

  it('no live predictor: the mean predicts', () => {
    let rows = samples;
    for (let unit = 0; unit < 4; unit++) rows = freeze(rows, unit, 1, 0, 40);
    const prediction = scoredOf(rows);
    expect([...prediction.scored]).toEqual([1, 1, 1, 1]);
    expect(prediction.weights.every(({ data }) => data.length === 0)).toBe(true);
    for (const { r2_fit, r2_held_out, mean_nonzero, max_kkt } of summarisePrediction(prediction)) {
      expect([r2_fit, mean_nonzero, max_kkt]).toEqual([0, 0, 0]);
      expect(r2_held_out).toBeLessThanOrEqual(0);
    }
  });

  it('no live target, and no units at all', () => {
    let rows = samples;
    for (let unit = 4; unit < 8; unit++) rows = freeze(rows, unit, 1, 0, 40);
    const blank = ALPHAS.map((alpha) => ({
      alpha,
      r2_fit: null,
      r2_held_out: null,
      mean_nonzero: null,
      max_kkt: null,
    }));
    expect(summarisePrediction(scoredOf(rows))).toEqual(blank);
    const none = predictUnits(inputOf([[], []], 0, 1), ALPHAS);
    expect([none.sources, none.targets]).toEqual([0, 0]);
    expect(summarisePrediction(none)).toEqual(blank);
  });
});

describe('summarisePrediction(prediction)', () => {
  it('plain means over the scored targets, the largest KKT violation of them; null where nothing is held out', () => {
    const prediction: Prediction = {
      alphas: Float64Array.of(0.1, 0.2),
      sources: 1,
      targets: 3,
      chosen: Uint8Array.of(1, 1, 1),
      scored: Uint8Array.of(1, 0, 1),
      predictors: Uint8Array.of(1),
      weights: [],
      r2Fit: Float64Array.of(0.5, 9, 1, -1, 9, 0),
      r2HeldOut: Float64Array.of(0.25, 9, 0.5, -8, 9, 0),
      nonzero: Int32Array.of(1, 9, 0, 0, 9, 0),
      kkt: Float64Array.of(1e-15, 9, 1e-9, 0, 9, 0),
    };
    const expected = [
      { alpha: 0.1, r2_fit: 0.75, r2_held_out: 0.375, mean_nonzero: 0.5, max_kkt: 1e-9 },
      { alpha: 0.2, r2_fit: -0.5, r2_held_out: -4, mean_nonzero: 0, max_kkt: 0 },
    ];
    expect(summarisePrediction(prediction)).toEqual(expected);
    expect(summarisePrediction({ ...prediction, r2HeldOut: null })).toEqual(
      expected.map((row) => ({ ...row, r2_held_out: null })),
    );
  });
});
