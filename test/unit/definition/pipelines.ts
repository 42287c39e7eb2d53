/**
 * Pipeline texts for the tests of the definition stage, and two ways to look at what is refused.
 */
import { expect } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { PipelineError } from '../../../src/errors.ts';

const SECTIONS = {
  name: 'name: tiny',
  networks: 'networks: { seed1: { model: a.onnx }, seed2: { model: b.onnx } }',
  layers: 'layers: { conv1: /conv1/relu }',
  probe: 'probe: { data: images.npy }',
};

/** The smallest valid pipeline, a line each for name, networks, layers and probe; any may be replaced or others added. */
export function pipelineText(sections: Record<string, string> = {}): string {
  return Object.values({ ...SECTIONS, ...sections }).join('\n') + '\n';
}

/** The error that a text is refused with. */
export function refusal(text: string): PipelineError {
  try {
    parseDefinition(text, 'p.yaml');
  } catch (thrown) {
    if (thrown instanceof PipelineError) return thrown;
    throw thrown;
  }
  return expect.fail(`expected a refusal; the text was accepted:\n${text}`);
}

/** A text without its mark `▸`, and the 1-based line and column of what the mark stood before. */
export function unmark(marked: string): { text: string; line: number; column: number } {
  const before = marked.slice(0, marked.indexOf('▸')).split('\n');
  expect(marked.split('▸'), 'one mark').toHaveLength(2);
  return { text: marked.replace('▸', ''), line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
