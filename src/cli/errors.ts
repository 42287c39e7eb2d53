/**
 * How the command line prints an error: what, where and what to do, a line each, as compilers do.
 * Only text; who prints it decides on colour and stream.
 */
import type { Place, PipelineError } from '../errors.ts';

const RED = '\u001b[1;31m';
const CYAN = '\u001b[36m';
const DIM = '\u001b[2m';
const RESET = '\u001b[0m';

/**
 * An error as lines of text without a newline at the end:
 *
 *     error: expected seed to be a whole number ≥ 0; found -1
 *       at pipeline.yaml:23:7 (seed)
 *       hint: Write it like this: `seed: 1`
 *
 * Further lines of a message are indented. Control characters are shown as escapes, because file names
 * and model names end up here.
 */
export function formatError(error: PipelineError, color: boolean): string {
  const paint = (code: string, text: string) => (color ? code + text + RESET : text);
  const place = error.place && placeText(error.place);
  const [first = '', ...others] = error.plainMessage.trimEnd().split('\n');
  const lines = [`${paint(RED, 'error:')} ${harmless(first)}`, ...others.map((line) => `  ${harmless(line)}`)];
  if (place) lines.push(paint(DIM, `  at ${harmless(place)}`));
  if (error.hint) lines.push(`  ${paint(CYAN, 'hint:')} ${harmless(error.hint)}`);
  return lines.join('\n');
}

// `file:line:column (key)`, as much of it as is known; empty for nothing
function placeText({ file, line, column, key }: Place): string {
  const position = line === undefined ? [] : column === undefined ? [line] : [line, column];
  const spot =
    file === undefined
      ? position.map((n, i) => `${['line', 'column'][i]} ${n}`).join(', ')
      : [file, ...position].join(':');
  if (key === undefined) return spot;
  return spot === '' ? key : `${spot} (${key})`;
}

/** A text without control characters: they are shown as escapes. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
