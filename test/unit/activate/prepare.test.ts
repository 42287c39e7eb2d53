import { describe, expect, it } from 'vitest';
import { requireFiniteRows, rowPreparer } from '../../../src/activate/prepare.ts';
import { readRows } from '../../../src/inspect/layout.ts';
import type { DataLayout } from '../../../src/definition/definition.ts';
import type { Preprocessing } from '../../../src/plan/layers.ts';
import type { PlannedData } from '../../../src/plan/plan.ts';

function data(dtype: 'uint8' | 'float32', rowShape: number[]): PlannedData {
  return { sha256: '', chunksSha256: '', sizeBytes: 0, dtype, rowShape, offset: 128 };
}

function preprocessing(
  rowShape: number[],
  layout: DataLayout,
  network: 'nchw' | 'nhwc',
  modelRow: number[],
  values: Partial<Preprocessing> = {},
): Preprocessing {
  return {
    ...readRows(rowShape, layout, modelRow, network),
    input: 'x',
    fixedBatch: null,
    scale: [1],
    mean: [0],
    std: [1],
    ...values,
  };
}

const bytesOf = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe('rowPreparer(data, preprocessing)(bytes, rows)', () => {
  it('gives float32 (x / scale − mean) / std, each step rounded to float32', () => {
    const prepare = rowPreparer(
      data('uint8', [2, 2]),
      preprocessing([2, 2], 'nhw', 'nchw', [1, 2, 2], { scale: [255], mean: [0.286], std: [0.353] }),
    );
    const f = Math.fround;
    const expected = [0, 1, 127, 255].map((x) => f(f(f(x / 255) - f(0.286)) / f(0.353)));
    expect([...prepare(Uint8Array.of(0, 1, 127, 255), 1)]).toEqual(expected);
    expect([...prepare(Uint8Array.of(9, 9, 9, 9, 0, 1, 127, 255), 2).subarray(4)]).toEqual(expected);
  });

  it('puts axes in the model’s order: nhwc data into an nchw model, one mean per channel', () => {
    // two pixels of three channels
    const prepare = rowPreparer(
      data('uint8', [1, 2, 3]),
      preprocessing([1, 2, 3], 'nhwc', 'nchw', [3, 1, 2], { mean: [0, 100, 200] }),
    );
    expect([...prepare(Uint8Array.of(1, 101, 201, 2, 102, 202), 1)]).toEqual([1, 2, 1, 2, 1, 2]);
  });

  it('puts nchw data into an nhwc model', () => {
    const prepare = rowPreparer(
      data('float32', [2, 1, 3]),
      preprocessing([2, 1, 3], 'nchw', 'nhwc', [1, 3, 2], { scale: [1, 10] }),
    );
    expect([...prepare(bytesOf([1, 2, 3, 10, 20, 30]), 1)]).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('takes rows as they are', () => {
    const prepare = rowPreparer(data('float32', [3]), preprocessing([3], 'as-is', 'nchw', [3]));
    expect([...prepare(bytesOf([0.5, -1, 3]), 1)]).toEqual([0.5, -1, 3]);
  });

  it('reads float32 rows that stand at an odd place in their buffer', () => {
    const shifted = new Uint8Array(13);
    shifted.set(bytesOf([1, 2, 3]), 1);
    const prepare = rowPreparer(data('float32', [3]), preprocessing([3], 'as-is', 'nchw', [3]));
    expect([...prepare(shifted.subarray(1), 1)]).toEqual([1, 2, 3]);
  });
});

describe('requireFiniteRows(data, bytes, firstRow)', () => {
  it.each([NaN, Infinity, -Infinity])('says which row holds %d', (value) => {
    expect(() => requireFiniteRows(data('float32', [2]), bytesOf([1, 2, 3, value]), 40)).toThrow(
      `(not-finite) expected finite probe data; found ${value} in row 41, element 1`,
    );
  });
  it('lets the largest float32 and any byte pass', () => {
    requireFiniteRows(data('float32', [2]), bytesOf([3.4028234663852886e38, -0]), 0);
    requireFiniteRows(data('uint8', [4]), bytesOf([NaN]), 0);
  });
});
