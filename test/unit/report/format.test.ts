import { expect, it } from 'vitest';
import { formatCost, formatNumber, tintOf } from '../../../src/report/format.ts';
import type { CostUnit, NumberKind } from '../../../src/report/format.ts';

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

it.each<[number | null, CostUnit, string]>([
  [0, 's', '0 s'],
  [0.0421, 's', '0.042 s'],
  [61.7, 's', '62 s'],
  [12_345.6, 's', '12,346 s'],
  [128 * 2 ** 20, 'MiB', '128 MiB'],
  [1.25 * 2 ** 20, 'MiB', '1.3 MiB'],
  [0, '$', '$0'],
  [0.00042, '$', '$0.00042'],
  [0.257, '$', '$0.26'],
  [12.3, '$', '$12.30'],
  [1234.5, '$', '$1,234.50'],
  [null, '$', '—'],
])('the cost of %s %s is %s', (value, unit, expected) => {
  expect(formatCost(value, unit)).toBe(expected);
});
