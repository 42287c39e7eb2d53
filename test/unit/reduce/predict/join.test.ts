import { describe, expect, it } from 'vitest';
import { predictionParts, partRange } from '../../../../src/plan/targets.ts';
import { readNpz, writeNpz } from '../../../../src/numeric/npz.ts';
import { partFrom, partMembers } from '../../../../src/reduce/objects.ts';
import { joinPredictions } from '../../../../src/reduce/predict/join.ts';
import { predictUnits } from '../../../../src/reduce/predict/predict.ts';
import type { Prediction } from '../../../../src/reduce/predict/predict.ts';
import { denseWeights } from '../../../../src/reduce/predict/weights.ts';
import { inputOf, reluSamples } from './samples.ts';

const ALPHAS = [0.01, 0.1, 0.4];
const samples = reluSamples(3, 60, 15, 4);
const part = (targets: number[]): Prediction => predictUnits(inputOf(samples, 6, 40, targets), ALPHAS);
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('joinPredictions(parts)', () => {
  it('is the prediction of all targets at once, whatever the parts', async () => {
    const whole = part([0, 1, 3, 4, 6, 8]);
    const stored = await Promise.all(
      [part([4]), part([0, 6, 8]), part([1, 3])].map(async (own) =>
        partFrom(await readNpz(await writeNpz(partMembers(own)))),
      ),
    );
    const joined = joinPredictions(stored);
    expect(joined.chosen).toEqual(whole.chosen);
    expect(joined.scored).toEqual(whole.scored);
    expect(joined.nonzero).toEqual(whole.nonzero);
    // a path starts where the one of the target before it ended: last bits differ
    expect(largestGap(joined.r2Fit, whole.r2Fit)).toBeLessThanOrEqual(1e-11);
    expect(largestGap(joined.r2HeldOut!, whole.r2HeldOut!)).toBeLessThanOrEqual(1e-11);
    for (const [a, weights] of joined.weights.entries()) {
      const [ours, theirs] = [weights, whole.weights[a]!].map((own) => denseWeights(own, whole.targets, whole.sources));
      expect(largestGap(ours!, theirs!)).toBeLessThanOrEqual(1e-11);
    }
  });

  it('refuses a target in two parts, parts of another prediction, and no parts', () => {
    expect(() => joinPredictions([part([1, 2]), part([2, 3])])).toThrow(/target 2 in one part; found it in two/);
    const other = predictUnits(inputOf(samples, 7, 40, [5]), ALPHAS);
    expect(() => joinPredictions([part([1]), other])).toThrow(/^\(internal\)/);
    expect(() => joinPredictions([])).toThrow(/^\(internal\)/);
  });
});

describe('predictionParts(targets, sources)', () => {
  it.each([
    [1024, 1024, 1],
    [512, 2048, 1],
    [512, 4096, 4],
    [512, 8192, 16],
    [8192, 8192, 256],
    [1, 100_000, 1],
  ])('%i targets of %i sources: %i tasks', (targets, sources, parts) => {
    expect(predictionParts(targets, sources)).toBe(parts);
  });

  it('every target is in one part', () => {
    for (const [targets, parts] of [
      [512, 4],
      [10, 3],
      [7, 7],
    ] as const) {
      const ranges = Array.from({ length: parts }, (_, index) => partRange(targets, index, parts));
      expect(ranges[0]![0]).toBe(0);
      expect(ranges.at(-1)![1]).toBe(targets);
      for (const [index, [start, end]] of ranges.entries()) {
        expect(end).toBeGreaterThan(start);
        expect(start).toBe(index === 0 ? 0 : ranges[index - 1]![1]);
      }
    }
  });
});
