import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apart, rounded } from '../../../src/gate/numbers.ts';

describe('rounded(value)', () => {
  it.each([
    [0, '0'],
    [0.35 - 0.31, '0.04'],
    [0.123456, '0.123'],
    [-1.98765, '-1.99'],
    [123456, '123456'],
    [1.5e-9, '1.5e-9'],
  ])('%d → %s', (value, text) => expect(rounded(value)).toBe(text));
});

describe('apart(first, second)', () => {
  it.each([
    [0.31, 0.35, '0.31', '0.35'],
    [0.34999, 0.35, '0.34999', '0.35'],
    [1 / 3, 1 / 3, '0.333', '0.333'],
    [0.1 + 0.2, 0.3, '0.30000000000000004', '0.3'],
    [1000, 1000.4, '1000', '1000.4'],
    [0, 5e-324, '0', '5e-324'],
  ])('%d and %d', (first, second, left, right) => expect(apart(first, second)).toEqual([left, right]));

  it('keeps the order of any two numbers', () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(finite, finite, (first, second) => {
        const [left, right] = apart(first, second).map(Number);
        expect(Math.sign(left! - right!)).toBe(Math.sign(first - second));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
