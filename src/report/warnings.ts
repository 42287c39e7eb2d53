/**
 * What a reader has to know before trusting a number: each warning names the layer, the networks and the
 * units it is about. What concerns one network only doesn't name the pair, so that it is told once.
 */
import type { Plan } from '../plan/plan.ts';
import type { Prediction } from '../reduce/predict/predict.ts';
import { flagged } from './entry.ts';
import type { LayerDocuments } from './entry.ts';

/** What a warning is about; the page groups by it. */
export type WarningKind = 'samples' | 'units' | 'precision' | 'prediction' | 'clustering';

export interface Warning {
  kind: WarningKind;
  text: string;
}

/** Image groups from which on a jackknife and a holdout have enough to go by; imageGroups gives no more. */
const ENOUGH_GROUPS = 20;
/** |provisional − true mean| in standard deviations beyond which float32 sums lose digits (contract.md). */
const MOST_MEAN_SHIFT = 0.5;
/** KKT residual above which a solution isn't the optimum. */
const MOST_KKT = 1e-8;
/** Units named in one warning. */
const UNITS_NAMED = 8;

/** Warnings of the run as a whole. */
export function runWarnings(plan: Plan): Warning[] {
  const { count } = plan.groups;
  if (count >= ENOUGH_GROUPS) return [];
  const text = `${rows(plan.rows)} of probe data make ${count} image ${count === 1 ? 'group' : 'groups'} instead of ${ENOUGH_GROUPS}: parts held out are coarse`;
  return [{ kind: 'samples', text }];
}

/** Warnings of one pair at one layer, and of its two networks there. */
export function layerWarnings(plan: Plan, pair: number, layer: number, documents: LayerDocuments): Warning[] {
  const { correlation, aToB, bToA } = documents;
  const { a, b } = plan.pairs[pair]!;
  const { name } = plan.layers[layer]!;
  const sides: Side[] = [
    { net: plan.networks[a]!.name, start: 0, units: correlation.unitsA, asSource: aToB, asTarget: bToA },
    {
      net: plan.networks[b]!.name,
      start: correlation.unitsA,
      units: correlation.unitsB,
      asSource: bToA,
      asTarget: aToB,
    },
  ];
  const [sideA, sideB] = sides as [Side, Side];
  return [
    ...sides.flatMap((side) => networkWarnings(name, side, documents)),
    ...(aToB ? predictionWarnings(`${name}, ${sideA.net} → ${sideB.net}`, sideB.net, aToB) : []),
    ...(bToA ? predictionWarnings(`${name}, ${sideB.net} → ${sideA.net}`, sideA.net, bToA) : []),
    ...clusteringWarnings(plan, `${name}, ${sideA.net} and ${sideB.net}`, documents),
  ];
}

/** One network of a pair: its units among the joint ones, and the predictions from it and of it. */
interface Side {
  net: string;
  start: number;
  units: number;
  asSource: Prediction | null;
  asTarget: Prediction | null;
}

function networkWarnings(layer: string, side: Side, { correlation }: LayerDocuments): Warning[] {
  const { net, start, units, asSource, asTarget } = side;
  const where = `${layer}, ${net}`;
  const warnings: Warning[] = [];
  const add = (kind: WarningKind, text: string): number => warnings.push({ kind, text: `${where}: ${text}` });
  const own = (flags: Uint8Array): number[] => flagged(flags.subarray(start, start + units));

  // too few samples
  const samples = asSource ? correlation.fit.samples : correlation.samples;
  if (samples <= units) {
    const what = asSource ? 'samples to fit on' : 'samples';
    const consequence = asSource
      ? 'without a penalty, predictions from them are 1 by construction'
      : 'high correlations arise by chance';
    add('samples', `${samples} ${what} for ${units} units: ${consequence}; use more rows or positions`);
  }

  // units that don't vary, over all samples or in one part
  const lost = own(correlation.varianceLost);
  const dead = own(correlation.dead).filter((unit) => !lost.includes(unit));
  if (dead.length > 0) {
    add(
      'units',
      `${unitList(dead)} ${be(dead)} dead (constant over all samples): r is 0, left out of prediction and clustering`,
    );
  }
  if (lost.length > 0) {
    add(
      'precision',
      `${unitList(lost)} ${be(lost)} so nearly constant that the variance was lost to rounding: counted as dead`,
    );
  }
  const isDead = (unit: number): boolean => correlation.dead[start + unit] === 1;
  const silent = asSource ? own(correlation.fit.constant).filter((unit) => !isDead(unit)) : [];
  if (silent.length > 0) {
    add(
      'prediction',
      `${unitList(silent)} ${be(silent)} constant in the rows fitted on: left out of prediction, as predictor and as target`,
    );
  }
  const unscored = asTarget ? flagged(asTarget.scored.map((flag) => 1 - flag)) : [];
  const silentHeldOut = unscored.filter((unit) => !isDead(unit) && !silent.includes(unit));
  if (silentHeldOut.length > 0) {
    add(
      'prediction',
      `${unitList(silentHeldOut)} ${be(silentHeldOut)} constant in the rows held out: left out of prediction as target`,
    );
  }

  // sums that lost digits
  const shifted = flagged(
    Uint8Array.from(correlation.meanShift.subarray(start, start + units), (shift) => (shift > MOST_MEAN_SHIFT ? 1 : 0)),
  );
  if (shifted.length > 0) {
    const worst = shifted.reduce((most, unit) => Math.max(most, correlation.meanShift[start + unit]!), 0);
    const text = `the first rows are not typical for ${unitList(shifted)}: their mean is off by up to ${worst.toPrecision(2)} standard deviations, so r has fewer correct digits; shuffle the rows`;
    add('precision', text);
  }
  return warnings;
}

function predictionWarnings(where: string, target: string, prediction: Prediction): Warning[] {
  const { alphas, targets, scored, r2Fit, r2HeldOut, nonzero, kkt } = prediction;
  const warnings: Warning[] = [];
  const add = (text: string): number => warnings.push({ kind: 'prediction', text: `${where}: ${text}` });
  const units = flagged(scored);
  if (units.length === 0) {
    add(`no unit of ${target} varies both in the rows fitted on and in those held out: nothing to predict`);
    return warnings;
  }
  const empty: number[] = [];
  for (const [index, alpha] of alphas.entries()) {
    const at = (unit: number): number => index * targets + unit;
    if (units.every((unit) => nonzero[at(unit)] === 0)) empty.push(alpha);

    const unsolved = units.filter((unit) => kkt[at(unit)]! > MOST_KKT);
    if (unsolved.length > 0) {
      const worst = unsolved.reduce((most, unit) => Math.max(most, kkt[at(unit)]!), 0);
      add(
        `the solver stopped before the optimum at alpha ${alpha} for ${unitList(unsolved)} of ${target} (KKT residual up to ${worst.toExponential(1)})`,
      );
    }
    const scores = [
      ['in the rows fitted on', r2Fit],
      ['in the rows held out', r2HeldOut],
    ] as const;
    for (const [part, r2] of scores) {
      const bad = r2 ? units.filter((unit) => r2[at(unit)]! < -1) : [];
      if (!r2 || bad.length === 0) continue;
      const worst = bad.reduce((least, unit) => Math.min(least, r2[at(unit)]!), 0);
      add(
        `R² below −1 at alpha ${alpha} ${part} for ${unitList(bad)} of ${target} (down to ${worst.toPrecision(3)}): these pull the mean down`,
      );
    }
  }
  if (empty.length > 0) {
    add(`all weights are 0 at alpha ${empty.join(', ')}: no correlation exceeds the penalty, R² says nothing there`);
  }
  return warnings;
}

function clusteringWarnings(plan: Plan, where: string, { clustering }: LayerDocuments): Warning[] {
  const asked = plan.definition.cluster;
  if (!clustering || asked === false) return [];
  const { k, components, threshold } = clustering;
  const warnings: Warning[] = [];
  const add = (text: string): number => warnings.push({ kind: 'clustering', text: `${where}: ${text}` });
  if (k < asked.k) {
    const left = k === 0 ? 'no unit has' : k === 1 ? 'only 1 unit has' : `only ${k} units have`;
    add(
      `${k === 0 ? 'no clusters' : k === 1 ? '1 cluster' : `${k} clusters`} instead of ${asked.k}: ${left} a correlation above ${threshold}`,
    );
  }
  if (components > k) {
    add(
      `${components} separate groups above the threshold ${threshold} but ${k} clusters: some clusters join units that nothing connects; raise k`,
    );
  }
  return warnings;
}

/** `unit 3`, `units 1, 2 and 5`, or `units 0, 1, 2, 3, 4, 5, 6, 7 and 17 more`. */
export function unitList(units: readonly number[]): string {
  if (units.length === 1) return `unit ${units[0]}`;
  // a list that is one too long isn't worth shortening
  if (units.length <= UNITS_NAMED + 1) return `units ${units.slice(0, -1).join(', ')} and ${units.at(-1)}`;
  return `units ${units.slice(0, UNITS_NAMED).join(', ')} and ${units.length - UNITS_NAMED} more`;
}

const be = (units: readonly number[]): string => (units.length === 1 ? 'is' : 'are');

function rows(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}`;
}
