/** Inputs that need no networks: random correlations, units that rarely fire, and two networks of a single node. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNpy } from '../../../src/numeric/npy.ts';
import { randomFrom } from '../../../src/numeric/random.ts';
import type { Random } from '../../../src/numeric/random.ts';
import { FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from '../../../src/onnx/build.ts';

/** Rarely firing: units above this many standard deviations of a mix of 40 shared signals and their own noise. */
const SHARED = 40;
const OPEN_ABOVE = 1.5;

/** Correlations of independent units on 200 samples: `between` [n × n], N(0, 1/200). */
export function writeRandom(n: number, to: string): void {
  const random = randomFrom(1, 'bench');
  writeFileSync(
    to,
    writeNpy(
      Float64Array.from({ length: n * n }, () => normal(random) / Math.sqrt(200)),
      [n, n],
    ),
  );
}

/** Correlations of `units` + `units` rarely firing units on fewer samples than units: gram and cross. */
export function writeRare(units: number, samples: number, gramFile: string, crossFile: string): void {
  const random = randomFrom(2, 'bench');
  const signals = Array.from({ length: SHARED }, () => Float64Array.from({ length: samples }, () => normal(random)));
  const standardised = Array.from({ length: 2 * units }, () => {
    const weights = signals.map(() => normal(random) / Math.sqrt(SHARED));
    const values = Float64Array.from({ length: samples }, (_, sample) => {
      const mixed = signals.reduce((sum, signal, at) => sum + weights[at]! * signal[sample]!, 0);
      return Math.max(0, mixed + 0.3 * normal(random) - OPEN_ABOVE);
    });
    // the first sample opens every unit, so that none is dead
    values[0] = 1;
    const mean = values.reduce((sum, value) => sum + value, 0) / samples;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples);
    return values.map((value) => (value - mean) / std);
  });
  const block = (first: number): Float64Array =>
    Float64Array.from({ length: units * units }, (_, at) => {
      const [x, y] = [standardised[Math.floor(at / units)]!, standardised[first + (at % units)]!];
      return x.reduce((sum, value, sample) => sum + value * y[sample]!, 0) / samples;
    });
  writeFileSync(gramFile, writeNpy(block(0), [units, units]));
  writeFileSync(crossFile, writeNpy(block(units), [units, units]));
}

/** Two networks of 16 units on 28 × 28 images: the mean and the maximum of each 7 × 7 patch. */
export function writeTiny(folder: string): void {
  for (const pool of ['AveragePool', 'MaxPool']) {
    const model = modelFrom(13, 7, pool, [
      nodeField(pool, ['images'], 'pooled', { kernel_shape: [7, 7], strides: [7, 7] }),
      nodeField('Flatten', ['pooled'], 'units', { axis: 1 }),
      valueField(INPUT, 'images', FLOAT32, ['batch', 1, 28, 28]),
      valueField(OUTPUT, 'units', FLOAT32, ['batch', 16]),
    ]);
    writeFileSync(join(folder, `${pool}.onnx`), model);
  }
}

// Box and Muller 1958
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}
