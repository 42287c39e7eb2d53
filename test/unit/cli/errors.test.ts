import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatError } from '../../../src/cli/errors.ts';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { PipelineError, type Place } from '../../../src/errors.ts';

const error = (place?: Place, hint?: string) => new PipelineError('usage', 'expected a; found b', { place, hint });

describe('formatError(error, color)', () => {
  it('prints message, place and hint, a line each', () => {
    const place = { file: 'p.yaml', line: 23, column: 7, key: 'seed' };
    expect(formatError(error(place, 'Write a.'), false)).toBe(
      'error: expected a; found b\n  at p.yaml:23:7 (seed)\n  hint: Write a.',
    );
  });

  it.each<[Place | undefined, string]>([
    [undefined, ''],
    [{}, ''],
    [{ file: 'p.yaml' }, '\n  at p.yaml'],
    [{ file: 'p.yaml', line: 2 }, '\n  at p.yaml:2'],
    [{ file: 'p.yaml', key: 'a.b' }, '\n  at p.yaml (a.b)'],
    [{ key: 'a.b' }, '\n  at a.b'],
    [{ line: 2, column: 3 }, '\n  at line 2, column 3'],
    [{ line: 2, column: 3, key: 'a' }, '\n  at line 2, column 3 (a)'],
  ])('prints as much of the place as is known: %j', (place, line) => {
    expect(formatError(error(place), false)).toBe(`error: expected a; found b${line}`);
  });

  it('indents further lines of a message', () => {
    const lines = new PipelineError('plan-too-large', 'expected 128 MB\nprojected 200 MB\n', { hint: 'Lower it.' });
    expect(formatError(lines, false)).toBe('error: expected 128 MB\n  projected 200 MB\n  hint: Lower it.');
  });

  it('adds colour and nothing else', () => {
    const place = { file: 'p.yaml', line: 1, column: 1, key: 'k' };
    const painted = formatError(error(place, 'Do it.'), true);
    expect(painted).toContain('\u001b[1;31merror:\u001b[0m ');
    expect(painted).toContain('\u001b[36mhint:\u001b[0m ');
    expect(stripVTControlCharacters(painted)).toBe(formatError(error(place, 'Do it.'), false));
  });

  it('shows control characters instead of sending them', () => {
    const evil = 'x\u001b[2J\u0007\u007f\u009by\r';
    const text = formatError(new PipelineError('usage', evil, { place: { file: evil, key: evil }, hint: evil }), false);
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
    expect(text).toContain('error: x\\u001b[2J\\u0007\\u007f\\u009by');
  });

  it('prints a refused pipeline like a compiler', () => {
    let thrown: unknown;
    try {
      parseDefinition('name: a\nprobe: { dta: d }\n', 'pipelines/p.yaml');
    } catch (caught) {
      thrown = caught;
    }
    expect(formatError(thrown as PipelineError, false)).toBe(
      [
        'error: expected data, layout, scale, mean, std or rows in probe; found "dta"; did you mean "data"? ' +
          '(and 3 more problems in this file)',
        '  at pipelines/p.yaml:2:10 (probe.dta)',
        '  hint: Rename it to "data", or remove it.',
      ].join('\n'),
    );
  });
});
