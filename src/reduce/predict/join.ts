/** Joins parts of one prediction, which have different targets of the same networks. Part of predict. */
import { PipelineError } from '../../errors.ts';
import type { Prediction } from './predict.ts';
import { WeightsBuilder } from './weights.ts';

/**
 * The prediction of all targets that any of `parts` was made for.
 * @throws internal where parts are of other networks or alphas, or share a target
 */
export function joinPredictions(parts: readonly Prediction[]): Prediction {
  const [first] = parts;
  if (!first) throw new PipelineError('internal', 'expected parts of a prediction; found none');
  const { alphas, sources, targets, predictors } = first;
  const joined = {
    alphas,
    sources,
    targets,
    predictors,
    chosen: new Uint8Array(targets),
    scored: new Uint8Array(targets),
    r2Fit: new Float64Array(first.r2Fit.length),
    r2HeldOut: first.r2HeldOut && new Float64Array(first.r2HeldOut.length),
    nonzero: new Int32Array(first.nonzero.length),
    kkt: new Float64Array(first.kkt.length),
  };
  const partOf = new Int32Array(targets).fill(-1);
  for (const [index, part] of parts.entries()) {
    const same = part.sources === sources && part.targets === targets && part.alphas.join() === alphas.join();
    if (!same) throw new PipelineError('internal', 'expected parts of one prediction; found one of another');
    for (let t = 0; t < targets; t++) {
      if (part.chosen[t] === 0) continue;
      if (partOf[t]! >= 0) throw new PipelineError('internal', `expected target ${t} in one part; found it in two`);
      partOf[t] = index;
      joined.chosen[t] = 1;
      joined.scored[t] = part.scored[t]!;
      for (let a = 0; a < alphas.length; a++) {
        const at = a * targets + t;
        joined.r2Fit[at] = part.r2Fit[at]!;
        if (joined.r2HeldOut) joined.r2HeldOut[at] = part.r2HeldOut![at]!;
        joined.nonzero[at] = part.nonzero[at]!;
        joined.kkt[at] = part.kkt[at]!;
      }
    }
  }
  const weights = Array.from(alphas, (_, a) => {
    const builder = new WeightsBuilder(targets);
    for (let t = 0; t < targets; t++) {
      const own = parts[partOf[t]!]?.weights[a];
      if (own) for (let e = own.indptr[t]!; e < own.indptr[t + 1]!; e++) builder.add(own.indices[e]!, own.data[e]!);
      builder.endRow();
    }
    return builder.finish();
  });
  return { ...joined, weights };
}
