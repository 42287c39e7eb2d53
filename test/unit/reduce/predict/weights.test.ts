import { describe, expect, it } from 'vitest';
import { chooseTargets } from '../../../../src/reduce/predict/targets.ts';
import { denseWeights, scipyCsr, WeightsBuilder } from '../../../../src/reduce/predict/weights.ts';
import { randomFrom } from './samples.ts';

describe('WeightsBuilder', () => {
  it('holds what was added, however much; denseWeights gives the rows back', () => {
    const random = randomFrom(1);
    const [targets, sources] = [30, 70];
    const dense = Float64Array.from({ length: targets * sources }, () => (random() < 0.4 ? random() - 0.5 : 0));
    // a row without weights, and the last one
    dense.fill(0, 3 * sources, 4 * sources).fill(0, 29 * sources);
    const builder = new WeightsBuilder(targets);
    for (let t = 0; t < targets; t++) {
      for (let s = 0; s < sources; s++) if (dense[t * sources + s] !== 0) builder.add(s, dense[t * sources + s]!);
      builder.endRow();
    }
    const weights = builder.finish();
    expect(weights.data.length).toBeGreaterThan(512);
    expect(weights.data).toEqual(dense.filter((w) => w !== 0));
    expect(weights.indptr[4]! - weights.indptr[3]!).toBe(0);
    expect(denseWeights(weights, targets, sources)).toEqual(dense);
  });

  it('no rows, and rows without weights', () => {
    const none = new WeightsBuilder(0).finish();
    expect([...none.indptr, none.data.length]).toEqual([0, 0]);
    expect(denseWeights(none, 0, 5)).toEqual(new Float64Array(0));
  });
});

describe('scipyCsr(weights, targets, sources)', () => {
  it('has the members of scipy.sparse.save_npz; format is a single value of three bytes', () => {
    const weights = {
      indptr: Int32Array.of(0, 1, 3),
      indices: Int32Array.of(2, 0, 1),
      data: Float64Array.of(0.5, -1, 2),
    };
    const members = scipyCsr(weights, 2, 3);
    expect(Object.keys(members)).toEqual(['indices', 'indptr', 'format', 'shape', 'data']);
    expect(members.shape.data).toEqual(Int32Array.of(2, 3));
    expect(members.data).toEqual({ data: weights.data, shape: [3] });
    // as numpy.lib.format.write_array(file, numpy.array(b'csr')) of numpy 1.24 writes it
    const bytes = members.format.npy;
    const text = String.fromCharCode(...bytes);
    expect(text).toBe(
      `\x93NUMPY\x01\x00\x76\x00${"{'descr': '|S3', 'fortran_order': False, 'shape': (), }".padEnd(117)}\ncsr`,
    );
    expect(bytes.length).toBe(131);
  });
});

describe('chooseTargets(units, asked, seed)', () => {
  const all = (units: number) => Int32Array.from({ length: units }, (_, unit) => unit);

  it('all of a layer of up to 1,024 units, 512 of a wider one', () => {
    expect(chooseTargets(1024, undefined, 1)).toEqual(all(1024));
    expect(chooseTargets(0, undefined, 1)).toEqual(all(0));
    const drawn = chooseTargets(1025, undefined, 1);
    expect(drawn.length).toBe(512);
    expect(drawn).toEqual(drawn.toSorted());
    expect(new Set(drawn).size).toBe(512);
    expect(drawn.at(-1)).toBeLessThan(1025);
  });

  it('as many as asked, no more than there are; the seed decides which', () => {
    expect(chooseTargets(3000, 'all', 1)).toEqual(all(3000));
    expect(chooseTargets(20, 21, 1)).toEqual(all(20));
    expect(chooseTargets(20, 7, 1).length).toBe(7);
    expect(chooseTargets(200, 70, 1)).toEqual(chooseTargets(200, 70, 1));
    expect(chooseTargets(200, 70, 2)).not.toEqual(chooseTargets(200, 70, 1));
  });
});
