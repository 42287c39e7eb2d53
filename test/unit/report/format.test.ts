import { expect, it } from 'vitest';
import { formatNumber, tintOf } from '../../../src/report/format.ts';
import type { NumberKind } from '../../../src/report/format.ts';

it.each<[number | null, NumberKind, string]>([
  [0.62349, 'r', '0.623'],
  [-0.0304, 'r', '−0.030'],
  [-0.0001, 'r', '0.000'],
  [-1234.5, 'r', '−1.2e+3'],
  [0.625, 'brief', '0.63'],
  [1_960_000, 'count', '1,960,000'],
  [12.345, 'mean', '12.3'],
  [0.987, 'share', '99 %'],
  [0.003, 'alpha', '0.003'],
  [2.6e-16, 'residual', '3e−16'],
  [0, 'residual', '0'],
  [null, 'r', '–'],
])('%s as %s is %s', (value, kind, expected) => {
  expect(formatNumber(value, kind)).toBe(expected);
});

it.each([
  [-0.3, 0],
  [0, 0],
  [0.54, 5],
  [1, 10],
  [1.2, 10],
])('the tint of %d is %d', (share, expected) => {
  expect(tintOf(share)).toBe(expected);
});
