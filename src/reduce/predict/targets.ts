/**
 * Which units are predicted. The LASSO of every unit of a wide layer would take hours, and the mean over a
 * seeded sample tells as much: so a wide layer's targets are drawn unless the definition asks otherwise.
 */
import { drawSample, randomFrom } from '../../numeric/random.ts';

/** Layers of up to so many units are predicted whole. */
const ALL_UP_TO = 1024;
/** Targets drawn of a wider layer. */
const DRAWN = 512;

/**
 * Targets to predict among `units`, rising: as many as `asked`, drawn by `seed` where that isn't all of them.
 * Default: all up to 1,024 units, else 512.
 */
export function chooseTargets(units: number, asked: number | 'all' | undefined, seed: number): Int32Array<ArrayBuffer> {
  const count = asked === 'all' ? units : (asked ?? (units <= ALL_UP_TO ? units : DRAWN));
  if (count >= units) return Int32Array.from({ length: units }, (_, unit) => unit);
  return Int32Array.from(drawSample(randomFrom(seed, 'targets'), units, count));
}
