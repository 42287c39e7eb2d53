/** The matrices of test/reference/matching.py, made the same way. */

/** `count` numbers in [0, 1) from a congruential generator. */
export function uniforms(seed: number, count: number): Float64Array {
  let state = seed >>> 0;
  return new Float64Array(count).map(() => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

export type Kind = 'uniform' | 'signed' | 'integer' | 'tied' | 'product' | 'correlation' | 'lowrank';

export function matrixOf(kind: Kind, rows: number, columns: number, seed: number): Float64Array {
  const u = uniforms(seed, rows * columns);
  switch (kind) {
    case 'uniform':
      return u;
    case 'signed':
      return u.map((x) => 2 * x - 1);
    case 'integer':
      return u.map((x) => Math.floor(10 * x));
    case 'tied':
      return u.map((x) => Math.floor(2 * x));
    case 'product':
      return u.map((_, at) => ((Math.floor(at / columns) + 1) * ((at % columns) + 1)) / (rows * columns));
    case 'correlation':
      return correlationOf(rows, columns, 24, seed);
    case 'lowrank':
      return correlationOf(rows, columns, 3, seed);
  }
}

/** Correlations of two layers of ReLU features of the same inputs; every seventh unit is dead. */
function correlationOf(rows: number, columns: number, inputs: number, seed: number): Float64Array {
  const samples = 200;
  const units = rows + columns;
  const u = uniforms(seed, samples * inputs + inputs * units).map((x) => x - 0.5);
  const weights = u.subarray(samples * inputs);
  // unit by unit, standardised
  const z = Array.from({ length: units }, (_, unit) => {
    const x = Float64Array.from({ length: samples }, (_, s) => {
      let sum = 0;
      for (let t = 0; t < inputs; t++) sum += u[s * inputs + t]! * weights[t * units + unit]!;
      return Math.max(sum, 0);
    });
    const mean = x.reduce((sum, value) => sum + value, 0) / samples;
    const std = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples);
    return x.map((value) => (std > 0 ? (value - mean) / std : 0));
  });
  const r = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (i % 7 === 0 || j % 7 === 0) continue;
      r[i * columns + j] = z[i]!.reduce((sum, value, s) => sum + value * z[rows + j]![s]!, 0) / samples;
    }
  }
  return r;
}
