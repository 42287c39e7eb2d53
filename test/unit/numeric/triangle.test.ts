import { describe, expect, it } from 'vitest';
import { triangleIndex, triangleLength } from '../../../src/numeric/triangle.ts';

describe('triangleIndex(n, i, j)', () => {
  it.each([1, 2, 5])('counts the entries of the upper triangle of %i × %i row by row, as numpy.triu_indices', (n) => {
    const order: number[] = [];
    for (let i = 0; i < n; i++) for (let j = i; j < n; j++) order.push(triangleIndex(n, i, j));
    expect(order).toEqual(Array.from({ length: triangleLength(n) }, (_, k) => k));
  });
});
