/**
 * Which units are predicted. The LASSO of every unit of a wide layer would take hours, and the mean over a
 * seeded sample tells as much: so a wide layer's targets are drawn unless the definition asks otherwise.
 */
import { drawSample, randomFrom } from '../../numeric/random.ts';
import { chosenTargets } from '../../plan/targets.ts';

/**
 * Targets to predict among `units`, rising: as many as `asked`, drawn by `seed` where that isn't all of them.
 * Default: all up to 1,024 units, else 512.
 */
export function chooseTargets(units: number, asked: number | 'all' | undefined, seed: number): Int32Array<ArrayBuffer> {
  const count = chosenTargets(units, asked);
  if (count >= units) return Int32Array.from({ length: units }, (_, unit) => unit);
  return Int32Array.from(drawSample(randomFrom(seed, 'targets'), units, count));
}
