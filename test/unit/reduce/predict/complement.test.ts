import { describe, expect, it } from 'vitest';
import { Cholesky } from '../../../../src/numeric/cholesky.ts';
import { Complement, inverseOf } from '../../../../src/reduce/predict/complement.ts';
import { memoryOf, pearson, randomFrom, reluSamples } from './samples.ts';

const N = 30;
const gram = pearson(reluSamples(1, 400, N, 12));

describe('inverseOf(gram, n)', () => {
  it('times G is the identity', () => {
    const inverse = inverseOf(memoryOf(gram, N), N)!.values;
    for (let i = 0; i < N; i++) {
      for (let j = 0; j < N; j++) {
        let sum = 0;
        for (let k = 0; k < N; k++) sum += inverse[i * N + k]! * gram[k * N + j]!;
        expect(Math.abs(sum - (i === j ? 1 : 0))).toBeLessThan(1e-11);
      }
    }
  });

  it('no inverse of a singular matrix, one near it, or one with NaN', () => {
    const inverse = (of: Float64Array, n: number) => inverseOf(memoryOf(of, n), n);
    expect(inverse(pearson(reluSamples(2, 20, N, 12)), N)).toBeNull();
    expect(inverse(Float64Array.of(1, 1 - 1e-6, 1 - 1e-6, 1), 2)).toBeNull();
    expect(inverse(Float64Array.of(1, NaN, NaN, 1), 2)).toBeNull();
    expect(inverse(new Float64Array(0), 0)!.values).toHaveLength(0);
  });
});

describe('Complement', () => {
  it('solves what the factor of the support solves, in its order, while units come and go', () => {
    const random = randomFrom(3);
    const memory = memoryOf(gram, N);
    const direct = new Cholesky(memory.factor, memory.gram, N);
    const complement = new Complement(memory, inverseOf(memory, N)!);
    const both = [direct, complement];
    const held = new Set<number>();
    // b of each unit: often the last one, so that only what changed is added to what was made of it
    const values = new Float64Array(N);
    for (let step = 0; step < 60; step++) {
      if (step === 40) {
        for (const system of both) system.clear();
        held.clear();
      }
      // in turns: some join, one leaves; all of them once
      const absent = [...Array(N).keys()].filter((unit) => !held.has(unit));
      const joining = step === 20 ? absent : absent.filter(() => random() < 0.2);
      for (const system of both) expect(system.append(Int32Array.from(joining), joining.length, 1e-12)).toBe(0);
      for (const unit of joining) held.add(unit);
      if (held.size > 1 && step !== 20) {
        const k = Math.floor(random() * held.size);
        held.delete(direct.order[k]!);
        for (const system of both) system.remove(k);
      }
      expect(complement.size).toBe(held.size);
      expect([...complement.order.subarray(0, held.size)]).toEqual([...direct.order.subarray(0, held.size)]);
      const share = step % 4 === 0 ? 1 : 0.1;
      for (let unit = 0; unit < N; unit++) if (random() < share) values[unit] = random() - 0.5;
      const b = Float64Array.from(direct.order.subarray(0, held.size), (unit) => values[unit]!);
      const [expected, found] = [b.slice(), b.slice()];
      direct.solve(expected);
      complement.solve(found);
      found.forEach((x, k) => expect(Math.abs(x - expected[k]!)).toBeLessThan(1e-10));
    }
  });
});
