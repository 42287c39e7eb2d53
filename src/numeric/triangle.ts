/** The packed upper triangle of a symmetric matrix, row by row: row i starts after rows of n, n − 1, … entries. */

/** Entries of the upper triangle of an n × n matrix. */
export function triangleLength(n: number): number {
  return (n * (n + 1)) / 2;
}

/** Where entry (i, j), i ≤ j, of an n × n matrix stands. */
export function triangleIndex(n: number, i: number, j: number): number {
  return i * n - (i * (i - 1)) / 2 + j - i;
}
