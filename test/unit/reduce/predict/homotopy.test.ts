import { describe, expect, it } from 'vitest';
import { Gradient, kktResidual } from '../../../../src/reduce/predict/gradient.ts';
import { followPath } from '../../../../src/reduce/predict/homotopy.ts';
import { LassoPath } from '../../../../src/reduce/predict/lasso.ts';
import { Route } from '../../../../src/reduce/predict/route.ts';
import { Support } from '../../../../src/reduce/predict/support.ts';
import { memoryOf, pearson, reluSamples } from './samples.ts';

/** Predictors' Gram matrix and one target's correlations with them. */
function problemOf(samples: number[][]): { gram: Float64Array; c: Float64Array; n: number } {
  const all = samples[0]!.length;
  const n = all - 1;
  const r = pearson(samples);
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++) gram.set(r.subarray(i * all, i * all + n), i * n);
  return { gram, n, c: r.slice(n * all, n * all + n) };
}

/** The path from its beginning to `alpha`: weights, and whether it got there. */
function followed({ gram, c, n }: ReturnType<typeof problemOf>, alpha: number, mostWork = Infinity) {
  const memory = memoryOf(gram, n);
  const g = new Gradient(memory.problem, memory.gram, memory.gradient);
  const support = new Support(memory, n);
  g.compute(c, support.weights);
  // just above the largest |c|, where all weights are 0
  const from = c.reduce((most, x) => Math.max(most, Math.abs(x)), 0) * (1 + 1e-12);
  const arrived = followPath(
    support,
    from,
    alpha,
    mostWork,
    new Gradient(memory.problem, memory.gram, memory.rate),
    memory.direction,
    memory.zero,
  );
  g.compute(c, support.weights);
  return { arrived, weights: support.weights, kkt: kktResidual(g.values, support.weights, alpha) };
}

describe('followPath(support, from, to, …)', () => {
  it.each([
    ['many samples', 300, 12],
    ['fewer samples than predictors', 18, 12],
    ['few inputs', 300, 3],
  ])('ends at the optimum: %s', (_, rows, inputs) => {
    for (let seed = 0; seed < 10; seed++) {
      const problem = problemOf(reluSamples(seed, rows, 31, inputs));
      for (const alpha of [0.3, 0.03, 0.003]) {
        const { arrived, weights, kkt } = followed(problem, alpha);
        expect(arrived).toBe(true);
        expect(kkt).toBeLessThan(1e-10);
        const path = new LassoPath(memoryOf(problem.gram, problem.n), problem.n);
        path.start(problem.c);
        path.moveTo(alpha);
        weights.forEach((w, j) => expect(w).toBeCloseTo(path.weights[j]!, 8));
      }
    }
  });

  it('says where units that depend on each other end its way', () => {
    const doubled = problemOf(
      reluSamples(1, 100, 9, 6).map((row) => [...row.slice(0, 8).flatMap((x) => [x, x]), row[8]!]),
    );
    expect(followed(doubled, 0.01).arrived).toBe(false);
  });
});

describe('followPath: work', () => {
  it('ends where it has done as much as it may', () => {
    const problem = problemOf(reluSamples(1, 300, 31, 12));
    expect(followed(problem, 0.003, 1000).arrived).toBe(false);
  });
});

describe('LassoPath: many targets of a layer with fewer samples than units', () => {
  it('every optimum stands, whichever way it was found', () => {
    const [units, targets] = [60, 40];
    const samples = reluSamples(4, 35, units + targets, 20);
    const r = pearson(samples);
    const all = units + targets;
    const gram = new Float64Array(units * units);
    for (let i = 0; i < units; i++) gram.set(r.subarray(i * all, i * all + units), i * units);
    const memory = memoryOf(gram, units);
    const path = new LassoPath(memory, units);
    for (let t = 0; t < targets; t++) {
      const c = r.slice((units + t) * all, (units + t) * all + units);
      path.start(c);
      for (const alpha of [0.3, 0.1, 0.03, 0.01, 0.003]) {
        path.moveTo(alpha);
        const g = new Gradient(memory.problem, memory.gram, memory.rate);
        g.compute(c, path.weights);
        expect(kktResidual(g.values, path.weights, alpha)).toBeLessThan(1e-10);
      }
    }
  });
});

describe('Route', () => {
  it('stays with sweeps while they are easy', () => {
    const route = new Route();
    for (let target = 0; target < 100; target++) {
      expect(route.byPath).toBe(false);
      route.record(false, 1000, 1);
    }
  });

  it('tries the path after hard sweeps, then goes the cheaper way, and tries the other again now and then', () => {
    for (const pathWork of [10, 1000]) {
      const route = new Route();
      route.record(false, 100, 5);
      let byPath = 0;
      for (let target = 0; target < 96; target++) {
        if (target === 0) expect(route.byPath).toBe(true);
        if (route.byPath) byPath++;
        route.record(route.byPath, route.byPath ? pathWork : 100, 5);
      }
      expect(pathWork < 100 ? 96 - byPath : byPath).toBeLessThan(10);
      expect(pathWork < 100 ? 96 - byPath : byPath).toBeGreaterThan(1);
    }
  });

  it('tries the other way the rarer the more often it was dearer, and as often as ever once it was cheaper', () => {
    const route = new Route();
    const triesOf = (targets: number, pathWork: number): number[] => {
      const tries: number[] = [];
      for (let target = 0; target < targets; target++) {
        if (route.byPath) tries.push(target);
        route.record(route.byPath, route.byPath ? pathWork : 100, 5);
      }
      return tries;
    };
    const dear = triesOf(800, 1000);
    const gaps = dear.slice(1).map((target, k) => target - dear[k]!);
    expect(gaps.length).toBeGreaterThan(2);
    for (let k = 1; k < gaps.length; k++) expect(gaps[k]! / gaps[k - 1]!).toBeCloseTo(2, 1);
    // from the next try on the path is the way, but for the tries of sweeps
    const cheap = triesOf(1600, 10);
    const first = cheap.findIndex((target, k) => cheap[k + 1] === target + 1);
    expect(cheap.slice(first).length).toBeGreaterThan(0.9 * (1600 - cheap[first]!));
  });
});
