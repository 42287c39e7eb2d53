import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kktResidual, objectiveOf } from '../../../../src/reduce/predict/gradient.ts';
import { LassoPath } from '../../../../src/reduce/predict/lasso.ts';
import { memoryOf, pearson, randomFrom, reluSamples } from './samples.ts';

const ALPHAS = [0.3, 0.1, 0.03, 0.01, 0.003];

/** Predictors' Gram matrix and the targets' correlations with them, from samples whose last columns are targets. */
function problemOf(samples: number[][], targets: number): { gram: Float64Array; c: Float64Array[]; n: number } {
  const r = pearson(samples);
  const all = samples[0]!.length;
  const n = all - targets;
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++) gram.set(r.subarray(i * all, i * all + n), i * n);
  return { gram, n, c: Array.from({ length: targets }, (_, t) => r.slice((n + t) * all, (n + t) * all + n)) };
}

/** c − Gw, written apart from the kernel. */
function gradientOf(gram: Float64Array, c: Float64Array, w: Float64Array): Float64Array {
  return c.map((value, i) => value - w.reduce((sum, weight, j) => sum + gram[i * c.length + j]! * weight, 0));
}

interface Solution {
  weights: Float64Array;
  kkt: number;
  objective: number;
}

/** The path over falling alphas, each with its KKT residual and objective recomputed from the weights alone. */
function solve(gram: Float64Array, c: Float64Array, alphas: readonly number[], path?: LassoPath): Solution[] {
  const lasso = path ?? new LassoPath(memoryOf(gram, c.length), c.length);
  lasso.start(c);
  return alphas.map((alpha) => {
    const told = lasso.moveTo(alpha);
    const weights = lasso.weights.slice();
    const gradient = gradientOf(gram, c, weights);
    const kkt = kktResidual(gradient, weights, alpha);
    const size = weights.reduce((sum, weight) => sum + Math.abs(weight), 1);
    // what it tells of itself is true, up to rounding in sums of such weights
    expect(Math.abs(told - kkt)).toBeLessThan(1e-14 * size);
    return { weights, kkt, objective: 0.5 + objectiveOf(c, gradient, weights, alpha) };
  });
}

describe('moveTo(alpha): the KKT certificate', () => {
  // samples × columns → samples × columns, each a way to make correlations hard
  const shapes: Record<string, (rows: number[][], random: () => number) => number[][]> = {
    'as they are': (rows) => rows,
    'every predictor twice': (rows) => rows.map((row) => [...row, ...row]),
    'side by side with its negative': (rows) => rows.map((row) => row.flatMap((x) => [x, -x, x])),
    'sums and differences of others': (rows) =>
      rows.map((row) => [...row, row[0]! + row[1]!, row[0]! - row[1]!, row[1]! + 2 * row[2]! - row[0]!]),
    'nearly the same': (rows, random) => rows.map((row) => row.flatMap((x) => [x, x + 1e-4 * random()])),
    'all but equal to rounding': (rows, random) => rows.map((row) => row.flatMap((x) => [x, x + 1e-8 * random()])),
    'one common part': (rows, random) =>
      rows.map((row) => {
        const common = 300 * random();
        return row.map((x) => x + common);
      }),
  };

  it.each(Object.keys(shapes))('%s, with many or few samples', (shape) => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.integer({ min: 3, max: 40 }),
        fc.integer({ min: 3, max: 14 }),
        (seed, rows, units) => {
          const random = randomFrom(seed + 1);
          const predictors = shapes[shape]!(reluSamples(seed, rows, units, 5), random);
          // targets: a mixture with noise, noise, a predictor itself
          const samples = predictors.map((row) => [...row, row[0]! - row[1]! + random(), random(), row[2]!]);
          const { gram, c } = problemOf(samples, 3);
          for (const target of c) {
            for (const { kkt } of solve(gram, target, ALPHAS)) expect(kkt).toBeLessThanOrEqual(1e-10);
          }
        },
      ),
      { seed: 11, numRuns: 60 },
    );
  });

  it('correlations rounded to float32, so that the matrix is no longer positive semidefinite', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { gram, c } = problemOf(reluSamples(seed, 12, 30, 6), 2);
      const rounded = gram.map(Math.fround);
      for (const target of c) {
        for (const { kkt } of solve(rounded, target, ALPHAS)) expect(kkt).toBeLessThanOrEqual(1e-10);
      }
    }
  });

  it('a layer’s size: 120 predictors, a support of most of them', () => {
    const { gram, c } = problemOf(reluSamples(7, 400, 123, 16), 3);
    for (const target of c) {
      const solutions = solve(gram, target, [...ALPHAS, 1e-3, 1e-4]);
      for (const { kkt } of solutions) expect(kkt).toBeLessThanOrEqual(1e-12);
      expect(solutions.at(-1)!.weights.filter((w) => w !== 0).length).toBeGreaterThan(90);
    }
  });

  it('where it cannot solve it ends, and says so by its residual', () => {
    // no correlation matrix: eigenvalue −1, so that the objective has no minimum
    const gram = Float64Array.of(1, 2, 2, 1);
    const [solution] = solve(gram, Float64Array.of(0.5, -0.5), [0.01]);
    expect(solution!.kkt).toBeGreaterThan(1e-3);
    const nan = new LassoPath(memoryOf(gram, 2), 2);
    nan.start(Float64Array.of(NaN, 0.1));
    expect(nan.moveTo(0.01)).toBeNaN();
  });
});

describe('moveTo(alpha): closed forms', () => {
  it('orthogonal predictors: soft thresholding', () => {
    const n = 20;
    const identity = Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
    const random = randomFrom(3);
    const c = Float64Array.from({ length: n }, () => random() * 2 - 1);
    for (const [k, { weights }] of solve(identity, c, ALPHAS).entries()) {
      const expected = c.map((x) => Math.sign(x) * Math.max(0, Math.abs(x) - ALPHAS[k]!));
      weights.forEach((w, j) => expect(w).toBeCloseTo(expected[j]!, 15));
      expect(weights.map(Math.sign)).toEqual(expected.map((x) => Math.sign(x) + 0));
    }
  });

  it('one predictor', () => {
    const found = [0.7, -0.7, 0.01].map((c) => solve(Float64Array.of(1), Float64Array.of(c), [0.2])[0]!.weights[0]!);
    expect(found[0]).toBeCloseTo(0.5, 15);
    expect(found[1]).toBeCloseTo(-0.5, 15);
    expect(found[2]).toBe(0);
  });

  it('two predictors with correlation ρ, both in the support', () => {
    const [rho, c1, c2, alpha] = [0.6, 0.8, 0.75, 0.05];
    const { weights } = solve(Float64Array.of(1, rho, rho, 1), Float64Array.of(c1, c2), [alpha])[0]!;
    const determinant = 1 - rho * rho;
    expect(weights[0]).toBeCloseTo((c1 - alpha - rho * (c2 - alpha)) / determinant, 14);
    expect(weights[1]).toBeCloseTo((c2 - alpha - rho * (c1 - alpha)) / determinant, 14);
  });

  it('α ≥ max |c|: all weights exactly 0; just below, the strongest alone', () => {
    const { gram, c } = problemOf(reluSamples(5, 60, 13, 6), 1);
    const most = c[0]!.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const [above, at, below] = solve(gram, c[0]!, [most * (1 + 2 ** -52), most, most - 1e-6]);
    expect([...above!.weights, ...at!.weights].every((w) => w === 0)).toBe(true);
    const strongest = c[0]!.findIndex((x) => Math.abs(x) === most);
    expect([...below!.weights.entries()].filter(([, w]) => w !== 0).map(([j]) => j)).toEqual([strongest]);
    expect(below!.weights[strongest]).toBeCloseTo(1e-6, 12);
  });

  it('a target that is a predictor: weight 1 − α on it, 0 elsewhere', () => {
    const { gram, n } = problemOf(reluSamples(6, 80, 10, 6), 1);
    const own = gram.slice(4 * n, 5 * n);
    for (const [k, { weights }] of solve(gram, own, ALPHAS).entries()) {
      weights.forEach((w, j) => expect(w).toBeCloseTo(j === 4 ? 1 - ALPHAS[k]! : 0, 13));
      expect(weights.filter((w) => w !== 0)).toHaveLength(1);
    }
  });

  it('no predictors', () => {
    expect(solve(new Float64Array(0), new Float64Array(0), [0.1])).toEqual([
      { weights: new Float64Array(0), kkt: 0, objective: 0.5 },
    ]);
  });
});

describe('moveTo(alpha): singular matrices', () => {
  it('a duplicated predictor costs nothing: the objective of the problem without duplicates, no more weights', () => {
    const samples = reluSamples(8, 100, 13, 6);
    const single = problemOf(samples, 1);
    const double = problemOf(
      samples.map((row) => [...row.slice(0, 12).flatMap((x) => [x, 2 * x, -x]), row[12]!]),
      1,
    );
    const expected = solve(single.gram, single.c[0]!, ALPHAS);
    for (const [k, { weights, objective }] of solve(double.gram, double.c[0]!, ALPHAS).entries()) {
      expect(objective).toBeCloseTo(expected[k]!.objective, 13);
      const perPredictor = Array.from({ length: 12 }, (_, j) =>
        weights.subarray(3 * j, 3 * j + 3).filter((w) => w !== 0),
      );
      expect(perPredictor.every((of) => of.length <= 1)).toBe(true);
      expect(perPredictor.flatMap((of) => [...of])).toHaveLength(expected[k]!.weights.filter((w) => w !== 0).length);
    }
  });

  it('fewer samples than predictors: never more weights than samples', () => {
    const { gram, c } = problemOf(reluSamples(9, 10, 41, 8), 1);
    for (const { weights, kkt } of solve(gram, c[0]!, [...ALPHAS, 1e-4])) {
      expect(weights.filter((w) => w !== 0).length).toBeLessThan(10);
      expect(kkt).toBeLessThan(1e-12);
    }
  });
});

describe('LassoPath: its state', () => {
  const { gram, c, n } = problemOf(reluSamples(10, 150, 42, 10), 2);

  const expectAlike = (found: Solution[], expected: Solution[]): void => {
    found.forEach(({ weights, objective, kkt }, k) => {
      expect(kkt).toBeLessThan(1e-12);
      expect(objective).toBeCloseTo(expected[k]!.objective, 14);
      weights.forEach((w, j) => expect(w).toBeCloseTo(expected[k]!.weights[j]!, 11));
    });
  };

  it('targets and repetitions do not disturb each other, whichever way the path went before; again: the same bits', () => {
    const run = () => {
      const path = new LassoPath(memoryOf(gram, n), n);
      return Array.from({ length: 40 }, (_, t) => solve(gram, c[t % 2]!, ALPHAS, path));
    };
    const found = run();
    found.forEach((solutions, t) => expectAlike(solutions, found[t % 2]!));
    expect(run()).toEqual(found);
  });

  it('the optimum does not depend on the path: directly, and with α rising', () => {
    const along = solve(gram, c[0]!, ALPHAS);
    const rising = solve(gram, c[0]!, ALPHAS.toReversed()).reverse();
    for (const [k, alpha] of ALPHAS.entries()) {
      const [directly] = solve(gram, c[0]!, [alpha]);
      for (const other of [directly!, rising[k]!]) {
        expect(other.objective).toBeCloseTo(along[k]!.objective, 14);
        other.weights.forEach((w, j) => expect(w).toBeCloseTo(along[k]!.weights[j]!, 11));
      }
    }
  });

  it('reads its inputs only', () => {
    const [gramBefore, cBefore] = [gram.slice(), c[0]!.slice()];
    solve(gram, c[0]!, ALPHAS);
    expect(gram).toEqual(gramBefore);
    expect(c[0]).toEqual(cBefore);
  });
});

describe('scikit-learn', () => {
  interface Problem {
    name: string;
    gram: number[][];
    c: number[][];
    alphas: number[];
    coefficients: number[][][];
    objective: number[][];
    eigenvalue: number[][];
  }
  const text = readFileSync(`${import.meta.dirname}/../../../reference/lasso.json`, 'utf8');
  const { problems } = JSON.parse(text) as { problems: Problem[] };

  it.each(problems)('$name: the objective to 1e-10, and the weights where the support decides them', (problem) => {
    const gram = Float64Array.from(problem.gram.flat());
    let compared = 0;
    for (const [t, row] of problem.c.entries()) {
      for (const [k, { weights, objective, kkt }] of solve(gram, Float64Array.from(row), problem.alphas).entries()) {
        expect(kkt).toBeLessThan(1e-12);
        expect(Math.abs(objective - problem.objective[k]![t]!)).toBeLessThan(1e-10);
        if (problem.eigenvalue[k]![t]! < 1e-2) continue;
        weights.forEach((w, j) => expect(Math.abs(w - problem.coefficients[k]![t]![j]!)).toBeLessThan(1e-6));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0);
  });
});
