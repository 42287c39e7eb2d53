import { describe, expect, it } from 'vitest';
import { find, readYaml, YAML_LIMITS, type Tree } from '../../../src/definition/yaml.ts';
import { refusal, unmark } from './pipelines.ts';

const rootOf = (text: string): Tree => readYaml(text).root ?? expect.fail('expected a tree');

describe('readYaml(text) keeps keys, order and places', () => {
  it('keys as written, in the file’s order', () => {
    const root = rootOf('b: 1\n2: 1\n1: 1\n007: 1\n"x y": 1\ntrue: 1\n~: 1\n? null\n: 1\n');
    expect(root.kind === 'map' && [...root.entries.keys()]).toEqual(['b', '2', '1', '007', 'x y', 'true', '~', 'null']);
  });

  it('values of the core schema, and their text', () => {
    const root = rootOf('[1_0, 0x10, 1e2, -0, .inf, yes, True, ~, "1", !!str 1, 2001-01-01]');
    expect(root.kind === 'list' && root.items.map((item) => item.kind === 'scalar' && item.value)).toEqual(
      ['1_0', 16, 100, 0, Infinity, 'yes', true, null, '1', '1', '2001-01-01'], // toEqual tells 0 from −0
    );
    expect(root.kind === 'list' && root.items[1]).toMatchObject({ text: '0x10' });
  });

  it('counts what aliases stand for', () => {
    expect(rootOf('a: &x [1, 2]\nb: *x\n').size).toBe(7);
  });

  it('gives 1-based places in characters, also past lines that end in CRLF', () => {
    const yaml = readYaml('a: 1\r\nbä: 1\r\nc: 1\r\n');
    const { start } = find(yaml.root ?? expect.fail('expected a tree'), ['c']);
    expect(yaml.position(start)).toEqual({ line: 3, column: 1 });
  });
});

describe('find(root, path) goes as far as a path leads', () => {
  const root = rootOf('a: { b: [x, y] }\n1: z');
  it.each([
    [[], 0, 0],
    [['a'], 1, 0],
    [['a', 'b'], 2, 5],
    [['a', 'b', 1], 3, 12],
    [['a', 'b', 2], 2, 5],
    [['a', 'c', 'd'], 1, 0],
    [['1'], 1, 17],
    [[1], 1, 17],
    [['a', 'b', '1'], 2, 5],
    [['constructor'], 0, 0],
  ])('%j', (path, steps, start) => {
    expect(find(root, path)).toMatchObject({ steps, start });
  });
});

describe('what is no pipeline’s YAML is refused with its place', () => {
  it.each([
    ['name: "a', 1, 9, /expected valid YAML; found .*quote/],
    ['name: a\nnetworks: [\n', 2, 12, /expected valid YAML/],
    ['a: b: c', 1, 4, /Nested mappings/],
    ['a:\n\tb: 1', 2, 1, /expected spaces as indentation; found a tab/],
    ['a: 1\n---\nb: 2', 2, 1, /one YAML document; found a second one/],
    ['a: 1\nb: !foo x', 2, 4, /a tag that has no meaning here/],
    ['a: !!binary aGk=', 1, 4, /a tag/],
    ['a: !!js/function x', 1, 4, /a tag/],
    ['%YAML 9.9\n---\na: 1', 1, 7, /YAML version 9\.9/],
    ['a: 1\n? [b]\n: 2', 2, 3, /a list or mapping as key/],
    ['a: 1\n? { b: c }\n: 2', 2, 3, /a list or mapping as key/],
    ['a: *b', 1, 4, /anchor &b that is complete before its alias/],
    ['a: &a\n  b: *a', 2, 6, /anchor &a that is complete/],
    ['- &a [*a]', 1, 7, /anchor &a that is complete/],
  ])('%j', (text, line, column, message) => {
    const error = refusal(text);
    expect(error.code).toBe('definition-invalid');
    expect(error.place).toMatchObject({ file: 'p.yaml', line, column });
    expect(error.plainMessage).toMatch(message);
    expect(error.hint).toMatch(/\S/);
  });

  it('counts columns without the byte order mark', () => {
    expect(refusal('\uFEFFnaem: x').place).toMatchObject({ line: 1, column: 1, key: 'naem' });
  });

  it('keys that read alike, wherever they stand', () => {
    const { text, line, column } = unmark('a:\n  b: { 1: x, ▸"1": y }\n');
    const { problems, position } = readYaml(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.path).toEqual(['a', 'b', '1']);
    expect(position(problems[0]?.start ?? -1)).toEqual({ line, column });
  });
});

describe('hostile files end in a refusal, soon', () => {
  const { textLength, values, depth } = YAML_LIMITS;
  const bomb = (levels: number, width: number) => {
    const rows = Array.from(
      { length: levels },
      (_, i) =>
        `k${i}: &k${i} [${Array<string>(width)
          .fill(i ? `*k${i - 1}` : 'x')
          .join(',')}]`,
    );
    return rows.join('\n');
  };
  it.each([
    ['10^30 values by aliases', bomb(30, 10), /expected at most 50000 values, aliases expanded/],
    ['2^1000 values by aliases', bomb(1000, 2), /expected at most 50000 values/],
    ['more values than allowed', `[${'1,'.repeat(values)}]`, /expected at most 50000 values/],
    ['one level too deep', '['.repeat(depth + 2) + ']'.repeat(depth + 2), /expected at most 20 levels/],
    ['brackets without end', '['.repeat(20_000), /expected at most 20 levels/],
    ['mappings without end', '{a: '.repeat(5_000), /expected at most 20 levels/],
    ['dashes without end', '- '.repeat(10_000), /expected at most 20 levels/],
    [
      'one character too many',
      '#'.repeat(textLength + 1),
      /expected a file of at most 262144 characters; found 262145/,
    ],
    ['5,000 unknown keys', Array.from({ length: 5_000 }, (_, i) => `k${i}: 1`).join('\n'), /and 5003 more problems/],
    ['the same key 5,000 times', 'a: 1\n'.repeat(5_000), /and 5003 more problems/],
    ['an unknown key of 1,000 characters', `${'x'.repeat(1000)}: 1`, /found "x{63}…"/],
  ])('%s', (_, text, message) => {
    const error = refusal(text);
    expect(error.plainMessage).toMatch(message);
    expect(error.message.length).toBeLessThan(400);
  });

  it('escapes control characters, so that no text reaches the terminal as a command', () => {
    const error = refusal('"\\e[31mred\\a": 1\nname: "\\e]0;x\\a"');
    expect(error.plainMessage + error.hint + (error.place?.key ?? '')).not.toMatch(/\p{Cc}/u);
    expect(error.plainMessage).toContain('found "\\u001b[31mred\\u0007"');
  });

  it('leaves prototypes alone', () => {
    refusal('__proto__: { polluted: yes }\nconstructor: { prototype: { polluted: yes } }');
    expect({}).not.toHaveProperty('polluted');
  });
});
