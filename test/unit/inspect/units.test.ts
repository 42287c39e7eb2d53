import { describe, expect, test } from 'vitest';
import { unitsOf } from '../../../src/inspect/units.ts';
import { failure } from '../onnx/fixtures.ts';

describe('unitsOf(shape, unitAxis)', () => {
  test.each([
    [[2, 64, 13, 14], { unitAxis: 1, units: 64, positions: [13, 14] }],
    [[2, 197, 768], { unitAxis: 2, units: 768, positions: [197] }],
    [[2, 10], { unitAxis: 1, units: 10, positions: [] }],
  ])('goes by rank: %j', (shape, expected) => {
    expect(unitsOf(shape)).toEqual(expected);
  });

  test('takes another axis where told, at any rank', () => {
    expect(unitsOf([2, 13, 14, 64], 3)).toEqual({ unitAxis: 3, units: 64, positions: [13, 14] });
    expect(unitsOf([2, 768, 197], 1)).toEqual({ unitAxis: 1, units: 768, positions: [197] });
    expect(unitsOf([2, 8, 4, 5, 6], 1)).toEqual({ unitAxis: 1, units: 8, positions: [4, 5, 6] });
  });

  test.each<[number[], number | undefined]>([
    [[], undefined],
    [[2], undefined],
    [[2, 8, 4, 5, 6], undefined],
    [[2, 8], 0],
    [[2, 8], 2],
    [[2, 8], -1],
    [[2, 8], 0.5],
    [[2], 1],
  ])('refuses %j with axis %j', async (shape, unitAxis) => {
    const error = await failure('tap-unsupported', () => unitsOf(shape, unitAxis));
    expect(error.message).toContain(`[${shape.join(', ')}]`);
  });
});
