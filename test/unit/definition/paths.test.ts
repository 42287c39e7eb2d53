import { describe, expect, it } from 'vitest';
import { parseDefinition, type ParsedDefinition } from '../../../src/definition/definition.ts';
import { refuseOutside } from '../../../src/definition/paths.ts';
import { PipelineError } from '../../../src/errors.ts';
import { pipelineText, unmark } from './pipelines.ts';

function refusalOf(parsed: ParsedDefinition): PipelineError {
  try {
    refuseOutside(parsed);
  } catch (thrown) {
    if (thrown instanceof PipelineError) return thrown;
    throw thrown;
  }
  return expect.fail('expected a refusal');
}

describe('refuseOutside(parsed)', () => {
  it.each(['a.onnx', 'models/a.onnx', './a.onnx', 'a..b/c.onnx', '...', 'a b.onnx', 'ä.onnx', 'ab:c.onnx'])(
    'passes %j, of models and data',
    (path) => {
      const networks = `networks: { a: { model: "${path}" }, b: { model: b } }`;
      expect(() => refuseOutside(parseDefinition(pipelineText({ networks }), 'p.yaml'))).not.toThrow();
      const probe = `probe: { data: "${path}" }`;
      expect(() => refuseOutside(parseDefinition(pipelineText({ probe }), 'p.yaml'))).not.toThrow();
    },
  );

  it('passes addresses, which are no paths', () => {
    const networks = 'networks: { a: { model: "https://github.com/a/../b\\\\c", hosts: [github] }, b: { model: b } }';
    expect(() => refuseOutside(parseDefinition(pipelineText({ networks }), 'p.yaml'))).not.toThrow();
  });

  it.each([
    ['..', 'which has ".."'],
    ['../a.onnx', 'which has ".."'],
    ['a/../b.onnx', 'which has ".."'],
    ['a/..', 'which has ".."'],
    ['/etc/passwd', 'which is absolute'],
    ['//host/share', 'which is absolute'],
    ['a\\\\b', 'which has a backslash'],
    ['..\\\\a', 'which has a backslash'],
    ['C:/a.onnx', 'which begins with a drive letter'],
    ['c:a.onnx', 'which begins with a drive letter'],
  ])('refuses %j, with its place', (path, reason) => {
    for (const [section, text, key] of [
      ['networks', `networks: { a: { model: a }, b: { ▸model: "${path}" } }`, 'networks.b.model'],
      ['probe', `probe: { ▸data: "${path}" }`, 'probe.data'],
    ] as const) {
      const marked = unmark(pipelineText({ [section]: text }));
      const error = refusalOf(parseDefinition(marked.text, 'p.yaml'));
      expect(error.code).toBe('definition-invalid');
      expect(error.place).toEqual({ file: 'p.yaml', line: marked.line, column: marked.column, key });
      expect(error.plainMessage).toMatch(new RegExp(`^expected ${key} to be a path below the pipeline file; found`));
      expect(error.plainMessage.endsWith(reason)).toBe(true);
      expect(error.hint).toMatch(/\S/);
    }
  });

  // the schema refuses them before; a definition may come another way
  it.each(['a\0.onnx', 'a\n', '\u0085'])('refuses control characters: %j', (model) => {
    const parsed = parseDefinition(pipelineText(), 'p.yaml');
    parsed.definition.networks[1]!.model = model;
    expect(refusalOf(parsed).plainMessage).toMatch(/which has control characters$/);
  });
});
