import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GateRule } from '../../../src/definition/service.ts';
import { evaluateGate } from '../../../src/gate/gate.ts';
import { layerResult, matched, resultsOf } from './documents.ts';

const MEAN_R: GateRule = { layer: 'conv4', figure: 'match.mean_r' };
const HELD_OUT = { layer: 'conv4', figure: 'predict.a_to_b.r2_held_out', alpha: 0.03 };
const one = resultsOf({ 'a-b': [layerResult('conv4')] });

/** The only outcome of one rule. */
function outcome(rule: GateRule, results = one, previous: typeof one | null = null) {
  const { rules, passed } = evaluateGate([rule], results, previous);
  expect(rules).toHaveLength(1);
  expect(rules[0]!.passed).toBe(passed);
  return rules[0]!;
}

describe('a bound on a figure', () => {
  it('is broken below at_least, and says by how much', () => {
    expect(evaluateGate([{ ...MEAN_R, atLeast: 0.35 }], one, null)).toStrictEqual({
      passed: false,
      against: null,
      rules: [
        {
          passed: false,
          pair: 'a-b',
          layer: 'conv4',
          figure: 'match.mean_r',
          alpha: null,
          value: 0.31,
          previous: null,
          bound: 'at_least',
          limit: 0.35,
          by: 0.35 - 0.31,
          text: 'conv4 of a-b: match.mean_r is 0.31, 0.04 below the 0.35 asked for',
        },
      ],
    });
  });

  it.each<[GateRule, boolean, string]>([
    [{ ...MEAN_R, atLeast: 0.31 }, true, 'match.mean_r is 0.31, at least 0.31 as asked for'],
    [{ ...MEAN_R, atLeast: -1 }, true, 'match.mean_r is 0.31, at least -1 as asked for'],
    [{ ...MEAN_R, atMost: 0.31 }, true, 'match.mean_r is 0.31, at most 0.31 as asked for'],
    [{ ...MEAN_R, atMost: 0.3 }, false, 'match.mean_r is 0.31, 0.01 above the 0.3 allowed'],
    [{ ...MEAN_R, atLeast: 0.3100001 }, false, 'match.mean_r is 0.31, 1e-7 below the 0.3100001 asked for'],
    [{ layer: '*', figure: 'samples', atLeast: 123_456 }, false, 'samples is 1000, 122456 below the 123456 asked for'],
    [
      { ...HELD_OUT, atLeast: 0.6 },
      true,
      'predict.a_to_b.r2_held_out at alpha 0.03 is 0.61, at least 0.6 as asked for',
    ],
  ])('%j passes: %s', (rule, passed, text) => {
    expect(outcome(rule)).toMatchObject({ passed, text: `conv4 of a-b: ${text}` });
  });
});

describe('a figure that is none fails, and says why', () => {
  it.each<[Partial<GateRule>, string]>([
    [{ figure: 'match.share_equal' }, 'match.share_equal is null'],
    [{ figure: 'cluster.k' }, 'cluster is null'],
    [{ figure: 'cluster' }, 'cluster is null'],
    [{ figure: 'match' }, 'match is a mapping'],
    [{ figure: 'layer' }, 'layer is no finite number'],
    [{ figure: 'layer.length' }, 'layer has no length'],
    [{ figure: 'match.mean' }, 'match has no mean'],
    [{ figure: 'nothing' }, 'the layer has no nothing'],
    [{ figure: 'units' }, 'units is a list'],
    [{ figure: 'units.0' }, 'units is a list, whose items are picked by alpha'],
    [{ figure: 'units.length', alpha: 0.03 }, 'units has no item of alpha 0.03'],
    [{ figure: 'dead_a.length' }, 'dead_a is a list, whose items are picked by alpha'],
    [{ figure: 'predict.a_to_b' }, 'predict.a_to_b is a list'],
    [{ figure: 'predict.a_to_b.r2_held_out' }, 'predict.a_to_b is a list, whose items are picked by alpha'],
    [{ figure: 'predict.a_to_b.0.r2_held_out' }, 'predict.a_to_b is a list, whose items are picked by alpha'],
    [{ figure: 'predict.a_to_b.0.r2_fit', alpha: 0.03 }, 'predict.a_to_b has no 0'],
    [{ figure: 'predict.a_to_b.r2_held_out', alpha: 0.1 }, 'predict.a_to_b has no item of alpha 0.1'],
    [{ figure: 'predict.a_to_b.r2_held_out', alpha: 0.3 }, 'predict.a_to_b.r2_held_out is null'],
    [{ figure: '__proto__' }, 'the layer has no __proto__'],
    [{ figure: 'constructor.length' }, 'the layer has no constructor'],
    [{ figure: 'match.constructor.length' }, 'match has no constructor'],
    [{ figure: 'match.__proto__.mean_r' }, 'match has no __proto__'],
  ])('%j', (rule, why) => {
    const found = outcome({ layer: 'conv4', figure: '', atLeast: -1e9, ...rule });
    expect(found).toMatchObject({ passed: false, value: null, previous: null, by: null });
    expect(found.text).toMatch(/^conv4 of a-b: \S+( at alpha \S+)? cannot be read: /);
    expect(found.text.split(': ')[2]).toBe(why);
  });

  it('NaN and ∞, should they ever stand there', () => {
    for (const bad of [NaN, Infinity]) {
      const layer = { ...layerResult('conv4'), samples: bad };
      const results = { ...one, pairs: [{ a: 'a', b: 'b', layers: [layer] }] };
      expect(outcome({ layer: '*', figure: 'samples', atLeast: 0 }, results).passed).toBe(false);
    }
  });
});

describe('layers and pairs of a rule', () => {
  const three = resultsOf({
    'a-b': [layerResult('conv1'), layerResult('conv4')],
    'a-c': [layerResult('conv1'), layerResult('conv4')],
  });
  const met = (rule: Partial<GateRule>, results = three) =>
    evaluateGate([{ ...MEAN_R, atLeast: 0, ...rule }], results, null).rules.map(
      ({ pair, layer }) => `${pair}/${layer}`,
    );

  it('are the named layer of every pair', () => expect(met({})).toEqual(['a-b/conv4', 'a-c/conv4']));
  it('are every layer with *', () => {
    expect(met({ layer: '*' })).toEqual(['a-b/conv1', 'a-b/conv4', 'a-c/conv1', 'a-c/conv4']);
    expect(met({ layer: '*', pair: 'a-c' })).toEqual(['a-c/conv1', 'a-c/conv4']);
  });
  it('fail where results have none, by name or at all', () => {
    for (const [rule, results] of [
      [{ layer: 'conv9' }, three],
      [{ pair: 'b-a' }, three],
      [{ layer: '*' }, resultsOf({})],
    ] as const) {
      const { passed, rules } = evaluateGate([{ ...MEAN_R, atLeast: 0, ...rule }], results, null);
      expect(passed).toBe(false);
      expect(rules).toMatchObject([{ passed: false, value: null, by: null }]);
      expect(rules[0]!.text).toContain('results have no such layer and pair');
    }
  });
  it('fail together where one fails', () => {
    const results = resultsOf({ 'a-b': [matched('conv1', 0.9), matched('conv4', 0.1)] });
    const { passed, rules } = evaluateGate([{ ...MEAN_R, layer: '*', atLeast: 0.5 }], results, null);
    expect([passed, rules.map((each) => each.passed)]).toEqual([false, [true, false]]);
  });
});

describe('a drop against the last run that passed', () => {
  const DROP: GateRule = { ...MEAN_R, dropAtMost: 0.05, against: 'last-passed' };
  const before = (meanR: number) => resultsOf({ 'a-b': [matched('conv4', meanR)] }, 'f'.repeat(64));
  const SINCE = 'of the last run that passed';

  it('beyond the limit fails, and says from where and by how much', () => {
    const { passed, against, rules } = evaluateGate([DROP], one, before(0.39));
    expect({ passed, against }).toEqual({ passed: false, against: 'f'.repeat(64) });
    expect(rules).toMatchObject([{ value: 0.31, previous: 0.39, bound: 'drop_at_most', limit: 0.05 }]);
    expect(rules[0]!.by).toBeCloseTo(0.03, 12);
    expect(rules[0]!.text).toBe(
      `conv4 of a-b: match.mean_r is 0.31, 0.08 below the 0.39 ${SINCE}, 0.03 more than the 0.05 allowed`,
    );
  });

  it.each([
    [0.36, `is 0.31, 0.05 below the 0.36 ${SINCE}`],
    [0.31, 'is 0.31, as in the last run that passed'],
    [0.2, `is 0.31, 0.11 above the 0.2 ${SINCE}`],
  ])('from %d passes', (from, says) => {
    expect(outcome(DROP, one, before(from))).toMatchObject({ passed: true, by: 0, previous: from });
    expect(outcome(DROP, one, before(from)).text).toBe(`conv4 of a-b: match.mean_r ${says}`);
  });

  // 0.65 − 0.6 is 0.050000000000000044
  it('of exactly the limit passes, whatever subtraction makes of decimals', () => {
    for (let hundredths = 5; hundredths <= 100; hundredths++) {
      const results = resultsOf({ 'a-b': [matched('conv4', (hundredths - 5) / 100)] });
      expect(outcome(DROP, results, before(hundredths / 100)).passed).toBe(true);
      expect(outcome({ ...DROP, dropAtMost: 0.0499999999 }, results, before(hundredths / 100)).passed).toBe(false);
    }
  });

  it.each([
    ['no run that passed', null, 'no run has passed yet'],
    ['a new layer', resultsOf({ 'a-b': [matched('conv1', 1)] }), 'the last run that passed has no such layer and pair'],
    ['a new pair', resultsOf({ 'b-a': [matched('conv4', 1)] }), 'the last run that passed has no such layer and pair'],
    [
      'a figure that was null',
      resultsOf({ 'a-b': [layerResult('conv4', { match: null })] }),
      'in the last run that passed, match is null',
    ],
  ])('with %s passes and says so', (_, previous, why) => {
    const found = outcome(DROP, one, previous);
    expect(found).toMatchObject({ passed: true, value: 0.31, previous: null, by: null });
    expect(found.text).toBe(`conv4 of a-b: match.mean_r is 0.31, with nothing to compare with: ${why}`);
  });

  it('fails without a figure now, whatever was before', () => {
    const results = resultsOf({ 'a-b': [layerResult('conv4', { match: null })] });
    expect(outcome(DROP, results, null).passed).toBe(false);
    expect(outcome(DROP, results, before(0)).passed).toBe(false);
  });

  it('compares layer with layer, pair with pair, alpha with alpha', () => {
    const now = resultsOf({ 'a-b': [matched('x', 0.1), matched('y', 0.9)], 'a-c': [matched('x', 0.5)] });
    const then = resultsOf({ 'a-c': [matched('x', 0.6)], 'a-b': [matched('y', 0.8), matched('x', 0.2)] });
    const { rules } = evaluateGate([{ ...DROP, layer: '*' }], now, then);
    expect(rules.map(({ value, previous }) => [value, previous])).toEqual([
      [0.1, 0.2],
      [0.9, 0.8],
      [0.5, 0.6],
    ]);
    expect(outcome({ ...HELD_OUT, dropAtMost: 0, against: 'last-passed' }, one, one).previous).toBe(0.61);
  });

  it('names the results compared with only where something was to be compared', () => {
    expect(evaluateGate([{ ...MEAN_R, atLeast: 0 }], one, before(1)).against).toBeNull();
    expect(evaluateGate([DROP], one, null).against).toBeNull();
  });
});

describe('any figures and bounds', () => {
  const r = fc.double({ min: -1, max: 1, noNaN: true });
  const number = (text: string | undefined) => Number(text);

  it('at_least and at_most agree with ≥ and ≤, to the last bit', () => {
    const near = fc.tuple(r, fc.constantFrom(0, 1e-16, -1e-16, 1e-9)).map(([x, d]) => [x, x + d] as const);
    fc.assert(
      fc.property(fc.oneof(fc.tuple(r, r), near), ([limit, value]) => {
        fc.pre(Math.abs(value) <= 1);
        const results = resultsOf({ 'a-b': [matched('conv4', value)] });
        const least = outcome({ ...MEAN_R, atLeast: limit }, results);
        const most = outcome({ ...MEAN_R, atMost: limit }, results);
        expect(least.passed).toBe(value >= limit);
        expect(most.passed).toBe(value <= limit);
        for (const { passed, by } of [least, most]) expect(passed ? by === 0 : by! > 0).toBe(true);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('a text shows a difference wherever there is one', () => {
    fc.assert(
      fc.property(r, fc.constantFrom(1, 0.5, 1e-3, 1e-8, 1e-15), r, (limit, scale, offset) => {
        const value = limit + offset * scale;
        fc.pre(value < limit && value >= -1);
        const { text } = outcome({ ...MEAN_R, atLeast: limit }, resultsOf({ 'a-b': [matched('conv4', value)] }));
        const [, shown, by, asked] = / is (\S+), (\S+) below the (\S+) asked for$/.exec(text)!;
        expect(number(shown)).toBeLessThan(number(asked));
        expect(number(by)).toBeGreaterThan(0);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('a drop is judged by its size, and only by it', () => {
    fc.assert(
      fc.property(r, r, fc.double({ min: 0, max: 2, noNaN: true }), (value, previous, limit) => {
        fc.pre(Math.abs(previous - value - limit) > 1e-12);
        const results = (x: number) => resultsOf({ 'a-b': [matched('conv4', x)] });
        const rule: GateRule = { ...MEAN_R, dropAtMost: limit, against: 'last-passed' };
        const { passed, by } = outcome(rule, results(value), results(previous));
        expect(passed).toBe(previous - value < limit);
        expect(by).toBe(passed ? 0 : previous - value - limit);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('any figure path ends in an outcome', () => {
    const key = fc.constantFrom(
      'match',
      'predict',
      'a_to_b',
      'mean_r',
      '0',
      'length',
      '__proto__',
      'tostring',
      'units',
    );
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), fc.constantFrom(undefined, 0.03, 9), (keys, alpha) => {
        const rule = { ...MEAN_R, figure: keys.join('.'), ...(alpha !== undefined && { alpha }), atLeast: -1 };
        const { passed, value } = outcome(rule);
        expect(passed).toBe(rule.figure === 'match.mean_r');
        expect(value).toBe(passed ? 0.31 : null);
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});
