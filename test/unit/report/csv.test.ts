import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvBytes, decimalText } from '../../../src/report/csv.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('csvBytes', () => {
  it('writes a header, one line per row, and nothing where a value is not applicable', () => {
    expect(
      text(
        csvBytes(
          ['net', 'unit', 'r'],
          [
            ['a', 0, 0.1],
            ['b', 12, null],
          ],
        ),
      ),
    ).toBe('net,unit,r\na,0,0.1\nb,12,\n');
  });
  it('of no rows is the header', () => {
    expect(text(csvBytes(['alpha', 'unit'], []))).toBe('alpha,unit\n');
  });
  it('writes decimals that come back as the same number', () => {
    const property = fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const line = text(csvBytes(['x'], [[value]])).split('\n')[1]!;
      return Number(line) === value; // −0 is written as 0, which is equal
    });
    fc.assert(property, { seed: 1 });
    expect(text(csvBytes(['x'], [[0.1 + 0.2], [1e21], [5e-324], [-0]]))).toBe(
      'x\n0.30000000000000004\n1e+21\n5e-324\n0\n',
    );
  });
  it.each([NaN, Infinity, -Infinity])('refuses %s', (value) => {
    expect(() => csvBytes(['x'], [[value]])).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

describe('decimalText', () => {
  it.each([
    [0.1, '0.1'],
    [0.3, '0.3'],
    [1, '1'],
    [10, '10'],
    [0.000001, '0.000001'],
    [1e-7, '0.0000001'],
    [1.25e-9, '0.00000000125'],
    [2e21, '2000000000000000000000'],
    [1.5e22, '15000000000000000000000'],
    [-3e-8, '-0.00000003'],
    [0, '0'],
  ])('%d is %s', (value, expected) => {
    expect(decimalText(value)).toBe(expected);
  });
  it('of any number is digits and at most one point, and comes back as the same number', () => {
    const property = fc.property(fc.double({ min: Number.MIN_VALUE, noDefaultInfinity: true }), (value) => {
      expect(decimalText(value)).toMatch(/^\d+(\.\d+)?$/);
      expect(Number(decimalText(value))).toBe(value);
    });
    fc.assert(property, { seed: 1 });
  });
});
