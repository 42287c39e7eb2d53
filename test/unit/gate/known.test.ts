import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { PipelineError } from '../../../src/errors.ts';
import { readFigure } from '../../../src/gate/figure.ts';
import { knownFigures, requireFigures } from '../../../src/gate/known.ts';
import { pipelineText, unmark } from '../definition/pipelines.ts';
import { layerResult } from './documents.ts';

const check = (text: string) => requireFigures(parseDefinition(text, 'p.yaml'));

describe('knownFigures()', () => {
  it('are the numbers that a layer has', () => {
    const cluster = { k: 2, threshold: 0.2, isolated: 0, clusters: [] };
    const match = { mean_r: 0, semi_mean_r_a: 0, semi_mean_r_b: 0, share_equal: 0 };
    const layer = layerResult('c', { cluster, match });
    for (const { figure, byAlpha } of knownFigures()) {
      expect([figure, typeof readFigure(layer, figure, byAlpha ? 0.03 : undefined)]).toEqual([figure, 'number']);
    }
    const numbers = (value: unknown, path: string): string[] =>
      typeof value === 'number'
        ? [path]
        : Array.isArray(value) || value === null || typeof value !== 'object'
          ? []
          : Object.entries(value).flatMap(([key, inner]) => numbers(inner, path === '' ? key : `${path}.${key}`));
    const plain = knownFigures().filter(({ byAlpha }) => !byAlpha);
    expect(plain.map(({ figure }) => figure)).toEqual(numbers(layer, ''));
    const [first] = layer.predict!.a_to_b;
    const lists = ['a_to_b', 'b_to_a'].flatMap((list) => numbers(first, `predict.${list}`));
    expect(
      knownFigures()
        .filter(({ byAlpha }) => byAlpha)
        .map(({ figure }) => figure)
        .toSorted(),
    ).toEqual(lists.toSorted());
  });
});

describe('requireFigures(parsed)', () => {
  it('passes what results have', () => {
    const gate = [
      '{ layer: conv1, figure: match.mean_r, at_least: 0 }',
      '{ layer: "*", figure: predict.b_to_a.r2_held_out, alpha: 0.03, at_least: 0 }',
      '{ layer: "*", figure: cluster.isolated, at_most: 3 }',
      '{ layer: "*", figure: samples, at_least: 3 }',
    ];
    expect(() => check(pipelineText({ more: `match: true\ngate: [${gate.join(', ')}]` }))).not.toThrow();
    expect(() => check(pipelineText())).not.toThrow();
  });

  it.each([
    [
      'gate: [{ layer: conv1, ▸figure: match.men_r, at_least: 0 }]',
      'figure',
      'expected gate[0].figure to be a figure of results.json; found "match.men_r"; did you mean "match.mean_r"',
    ],
    [
      'gate: [{ layer: conv1, ▸figure: predict.r2, alpha: 0.1, at_least: 0 }]',
      'figure',
      'expected gate[0].figure to be a figure of results.json; found "predict.r2"',
    ],
    [
      'gate: [{ layer: conv1, ▸figure: units.0, at_least: 0 }]',
      'figure',
      'expected gate[0].figure to be a figure of results.json; found "units.0"',
    ],
    [
      'match: false\ngate: [{ layer: conv1, ▸figure: match.mean_r, at_least: 0 }]',
      'figure',
      'expected gate[0].figure to be of a stage that runs; found "match.mean_r", and match is false',
    ],
    [
      'gate: [▸{ layer: conv1, figure: predict.a_to_b.r2_fit, at_least: 0 }]',
      'alpha',
      'expected gate[0].alpha, because predict.a_to_b.r2_fit is there for each alpha; found no such key',
    ],
    [
      'gate: [{ layer: conv1, figure: match.mean_r, ▸alpha: 0.1, at_least: 0 }]',
      'alpha',
      'expected gate[0].alpha beside figures of predict.a_to_b and predict.b_to_a only; found it beside "match.mean_r"',
    ],
  ])('refuses %j', (marked, key, message) => {
    const { text, line, column } = unmark(pipelineText({ more: marked }));
    try {
      check(text);
    } catch (thrown) {
      if (!(thrown instanceof PipelineError)) throw thrown;
      expect(thrown.code).toBe('definition-invalid');
      expect(thrown.plainMessage.startsWith(message), thrown.plainMessage).toBe(true);
      expect(thrown.place).toEqual({ file: 'p.yaml', line, column, key: `gate[0].${key}` });
      expect(thrown.hint).toMatch(/\S/);
      return;
    }
    expect.fail('expected a refusal');
  });
});
