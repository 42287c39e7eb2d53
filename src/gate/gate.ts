/**
 * Gate stage, after the report. Takes the gate's rules and results.json, and for `against: last-passed` those of the
 * last run that passed; gives an outcome for each rule, pair and layer. Guarantees: the gate passes exactly when every
 * outcome does; a figure that is null, missing or no number fails; a rule that meets no pair or layer fails.
 */
import { pairFolder } from '../definition/names.ts';
import type { GateRule } from '../definition/service.ts';
import type { LayerResult, Results } from '../report/results.ts';
import { readFigure, type Reading } from './figure.ts';
import { apart, rounded } from './numbers.ts';

/** Whether a run is good enough, and why. */
export interface GateOutcome {
  passed: boolean;
  /** `digest` of the earlier results that rules compared with; null where none did. */
  against: string | null;
  /** By rule, then pair, then layer, in the files' order. */
  rules: RuleOutcome[];
}

/** One rule at one layer of one pair. */
export interface RuleOutcome {
  passed: boolean;
  /** The pair's folder; as the rule has it, or `*`, where results have no such pair. */
  pair: string;
  layer: string;
  figure: string;
  alpha: number | null;
  /** The figure; null where there is none. */
  value: number | null;
  /** The figure of the run compared with; null where there is none, or nothing was compared. */
  previous: number | null;
  bound: 'at_least' | 'at_most' | 'drop_at_most';
  limit: number;
  /** How far beyond the bound, > 0 where it is broken, else 0; null where there is no value or nothing to compare with. */
  by: number | null;
  /** One sentence for people. */
  text: string;
}

type Bound = Pick<RuleOutcome, 'bound' | 'limit'>;
type Verdict = Pick<RuleOutcome, 'passed' | 'value' | 'previous' | 'by'> & { says: string };

/**
 * Holds results against one or more rules; `previous` are the results of the last run that passed, null where none has.
 * What `previous` lacks (a new layer, a figure that was null) there is nothing to fall from: the rule passes and says so.
 */
export function evaluateGate(rules: readonly GateRule[], results: Results, previous: Results | null): GateOutcome {
  const outcomes = rules.flatMap((rule) => evaluateRule(rule, results, previous));
  const compares = rules.some((rule) => rule.against === 'last-passed');
  return {
    passed: outcomes.every((outcome) => outcome.passed),
    against: compares ? (previous?.digest ?? null) : null,
    rules: outcomes,
  };
}

function evaluateRule(rule: GateRule, results: Results, previous: Results | null): RuleOutcome[] {
  const bound = boundOf(rule);
  const figure = rule.alpha === undefined ? rule.figure : `${rule.figure} at alpha ${rule.alpha}`;
  const outcome = (pair: string, layer: string, { says, ...verdict }: Verdict): RuleOutcome => ({
    ...verdict,
    pair,
    layer,
    figure: rule.figure,
    alpha: rule.alpha ?? null,
    ...bound,
    text: `${layer} of ${pair}: ${figure} ${says}`,
  });

  const places = placesOf(rule, results);
  if (places.length === 0) {
    return [outcome(rule.pair ?? '*', rule.layer, failed('cannot be read: results have no such layer and pair'))];
  }
  return places.map(({ pair, layer }) => {
    const reading = readFigure(layer, rule.figure, rule.alpha);
    if (typeof reading === 'string') return outcome(pair, layer.layer, failed(`cannot be read: ${reading}`));
    if (bound.bound !== 'drop_at_most') return outcome(pair, layer.layer, bounded(reading, bound));
    return outcome(
      pair,
      layer.layer,
      dropped(reading, bound.limit, previousReading(rule, pair, layer.layer, previous)),
    );
  });
}

function boundOf({ atLeast, atMost, dropAtMost }: GateRule): Bound {
  if (atLeast !== undefined) return { bound: 'at_least', limit: atLeast };
  if (atMost !== undefined) return { bound: 'at_most', limit: atMost };
  return { bound: 'drop_at_most', limit: dropAtMost! };
}

function placesOf(rule: GateRule, results: Results): { pair: string; layer: LayerResult }[] {
  return results.pairs
    .map(({ a, b, layers }) => ({ pair: pairFolder(a, b), layers }))
    .filter(({ pair }) => rule.pair === undefined || rule.pair === pair)
    .flatMap(({ pair, layers }) => layers.map((layer) => ({ pair, layer })))
    .filter(({ layer }) => rule.layer === '*' || rule.layer === layer.layer);
}

// the figure that must not have fallen, or why there is nothing to fall from
function previousReading(rule: GateRule, pair: string, layer: string, previous: Results | null): Reading {
  if (!previous) return 'no run has passed yet';
  const [place] = placesOf({ ...rule, pair, layer }, previous);
  if (!place) return 'the last run that passed has no such layer and pair';
  const reading = readFigure(place.layer, rule.figure, rule.alpha);
  return typeof reading === 'string' ? `in the last run that passed, ${reading}` : reading;
}

function failed(says: string): Verdict {
  return { passed: false, value: null, previous: null, by: null, says };
}

function bounded(value: number, { bound, limit }: Bound): Verdict {
  const by = Math.max(0, bound === 'at_least' ? limit - value : value - limit);
  const [shown, asked] = apart(value, limit);
  const [side, kept] = bound === 'at_least' ? ['below', 'at least'] : ['above', 'at most'];
  const says =
    by > 0
      ? `is ${shown}, ${rounded(by)} ${side} the ${asked} ${bound === 'at_least' ? 'asked for' : 'allowed'}`
      : `is ${shown}, ${kept} ${asked} as asked for`;
  return { passed: by === 0, value, previous: null, by, says };
}

// a fall of exactly the limit, as people write it, is none beyond it: 0.65 − 0.6 is 0.05 and a rounding error
function dropped(value: number, limit: number, previous: Reading): Verdict {
  if (typeof previous === 'string') {
    return {
      passed: true,
      value,
      previous: null,
      by: null,
      says: `is ${rounded(value)}, with nothing to compare with: ${previous}`,
    };
  }
  const fall = previous - value;
  const rounding = 2 * Number.EPSILON * Math.max(Math.abs(previous), Math.abs(value), limit);
  const by = fall - limit > rounding ? fall - limit : 0;
  const [shown, before] = apart(value, previous);
  const from = `the ${before} of the last run that passed`;
  const change =
    fall === 0
      ? 'as in the last run that passed'
      : `${rounded(Math.abs(fall))} ${fall > 0 ? 'below' : 'above'} ${from}`;
  const says = `is ${shown}, ${change}${by > 0 ? `, ${rounded(by)} more than the ${limit} allowed` : ''}`;
  return { passed: by === 0, value, previous, by, says };
}
