/**
 * What a reader has to know before trusting a number: each warning names the layer, the networks and the
 * units it is about. What concerns one network only doesn't name the pair, so that it is told once.
 */
import type { Plan } from '../plan/plan.ts';
import type { SampleCounts, UnitStats } from '../reduce/correlation.ts';
import type { PredictionScores } from '../reduce/objects.ts';
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
  const { counts, aToB, bToA } = documents;
  const { a, b } = plan.pairs[pair]!;
  const { name } = plan.layers[layer]!;
  const sideA = { net: plan.networks[a]!.name, stats: documents.a, asSource: aToB, asTarget: bToA };
  const sideB = { net: plan.networks[b]!.name, stats: documents.b, asSource: bToA, asTarget: aToB };
  return [
    ...networkWarnings(name, sideA, counts),
    ...networkWarnings(name, sideB, counts),
    ...(aToB ? predictionWarnings(`${name}, ${sideA.net} → ${sideB.net}`, sideB.net, aToB) : []),
    ...(bToA ? predictionWarnings(`${name}, ${sideB.net} → ${sideA.net}`, sideA.net, bToA) : []),
    ...clusteringWarnings(plan, `${name}, ${sideA.net} and ${sideB.net}`, documents),
  ];
}

/** One network of a pair: its units, and the predictions from it and of it. */
interface Side {
  net: string;
  stats: UnitStats;
  asSource: PredictionScores | null;
  asTarget: PredictionScores | null;
}

function networkWarnings(layer: string, { net, stats, asSource, asTarget }: Side, counts: SampleCounts): Warning[] {
  const where = `${layer}, ${net}`;
  const { dead, varianceLost, fitConstant, meanShift } = stats;
  const warnings: Warning[] = [];
  const add = (kind: WarningKind, text: string): number => warnings.push({ kind, text: `${where}: ${text}` });

  // too few samples
  const units = dead.length;
  const samples = asSource ? counts.fitSamples : counts.samples;
  if (samples <= units) {
    const what = asSource ? 'samples to fit on' : 'samples';
    const consequence = asSource
      ? 'without a penalty, predictions from them are 1 by construction'
      : 'high correlations arise by chance';
    add('samples', `${samples} ${what} for ${units} units: ${consequence}; use more rows or positions`);
  }

  // units that don't vary, over all samples or in one part
  const lost = flagged(varianceLost);
  const silentAlways = flagged(dead).filter((unit) => varianceLost[unit] === 0);
  if (silentAlways.length > 0) {
    add(
      'units',
      `${unitList(silentAlways)} ${be(silentAlways)} dead (constant over all samples): r is 0, left out of prediction and clustering`,
    );
  }
  if (lost.length > 0) {
    add(
      'precision',
      `${unitList(lost)} ${be(lost)} so nearly constant that the variance was lost to rounding: counted as dead`,
    );
  }
  const silent = asSource ? flagged(fitConstant).filter((unit) => dead[unit] === 0) : [];
  if (silent.length > 0) {
    add(
      'prediction',
      `${unitList(silent)} ${be(silent)} constant in the rows fitted on: left out of prediction, as predictor and as target`,
    );
  }
  const unscored = asTarget ? flagged(asTarget.chosen).filter((unit) => asTarget.scored[unit] === 0) : [];
  const silentHeldOut = unscored.filter((unit) => dead[unit] === 0 && fitConstant[unit] === 0);
  if (silentHeldOut.length > 0) {
    add(
      'prediction',
      `${unitList(silentHeldOut)} ${be(silentHeldOut)} constant in the rows held out: left out of prediction as target`,
    );
  }

  // sums that lost digits
  const shifted = flagged(Uint8Array.from(meanShift, (shift) => (shift > MOST_MEAN_SHIFT ? 1 : 0)));
  if (shifted.length > 0) {
    const worst = shifted.reduce((most, unit) => Math.max(most, meanShift[unit]!), 0);
    const text = `the first rows are not typical for ${unitList(shifted)}: their mean is off by up to ${worst.toPrecision(2)} standard deviations, so r has fewer correct digits; shuffle the rows`;
    add('precision', text);
  }
  return warnings;
}

function predictionWarnings(where: string, target: string, prediction: PredictionScores): Warning[] {
  const { alphas, targets, chosen, scored, r2Fit, r2HeldOut, nonzero, kkt } = prediction;
  const warnings: Warning[] = [];
  const add = (text: string): number => warnings.push({ kind: 'prediction', text: `${where}: ${text}` });
  const units = flagged(scored);
  if (units.length === 0) {
    const { length: asked } = flagged(chosen);
    const none = asked < targets ? `none of the ${asked} units chosen` : 'no unit';
    add(`${none} of ${target} varies both in the rows fitted on and in those held out: nothing to predict`);
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
