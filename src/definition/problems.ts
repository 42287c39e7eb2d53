/**
 * What is wrong with a pipeline file, collected before anything is thrown: the first problem in the
 * file's order is told, the others are counted. Also the words that all messages share. Messages are
 * made only when told, because a hostile file can have fifty thousand problems.
 */
import { nearest, PipelineError } from '../errors.ts';
import type { YamlFile } from './yaml.ts';

/** Steps from the root: keys, and indices of lists. */
export type KeyPath = readonly (string | number)[];

/** One fault of the file. */
export interface Problem {
  /** Offset by which problems are sorted: for a missing key the end of its mapping, else `start`. */
  order: number;
  /** Offset that is shown. */
  start: number;
  path: KeyPath;
  say(): { message: string; hint: string };
}

/** A problem whose message costs nothing to make. */
export function problemAt(start: number, path: KeyPath, message: string, hint: string): Problem {
  return { order: start, start, path, say: () => ({ message, hint }) };
}

/** The error that tells the first of one or more problems and counts the rest. */
export function problemsError(problems: readonly Problem[], yaml: YamlFile, file: string): PipelineError {
  const [first, ...rest] = problems.toSorted((p, q) => p.order - q.order);
  if (!first) return new PipelineError('internal', 'expected a problem to tell; found none');
  const { message, hint } = first.say();
  const more =
    rest.length === 0 ? '' : ` (and ${rest.length} more problem${rest.length === 1 ? '' : 's'} in this file)`;
  const key = first.path.length === 0 ? {} : { key: keyPathText(first.path) };
  const place = { file, ...yaml.position(first.start), ...key };
  return new PipelineError('definition-invalid', message + more, { place, hint });
}

/** A key path as people write it: `probe.mean[2]`; odd keys are quoted. */
export function keyPathText(path: KeyPath): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      return (i === 0 ? '' : '.') + (/^[\w.-]+$/.test(step) ? cut(step) : quoted(step));
    })
    .join('');
}

/** What a value is called in messages. */
export function subject(path: KeyPath): string {
  return path.length === 0 ? 'the file' : keyPathText(path);
}

/** Text in quotes, control characters escaped, long text cut. */
export function quoted(text: string): string {
  return JSON.stringify(cut(text));
}

/** `a, b or c`. */
export function either(words: readonly string[], conjunction = 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** The names that may stand somewhere, `a, b or c`; where they are many, `a <what> of this file`. */
export function listedNames(names: readonly string[], what: string): string {
  return names.length > 8 ? `a ${what} of this file` : either(names);
}

/** `; did you mean "x"?` where a candidate is near enough to be a slip of the pen, else nothing. */
export function suggestion(name: string, candidates: readonly string[]): string {
  const near = nearNames(name, candidates);
  return near.length === 0 ? '' : `; did you mean ${either(near.map(quoted))}?`;
}

/** The candidates that `name` may be a slip of, nearest first, at most 3. */
export function nearNames(name: string, candidates: readonly string[]): string[] {
  if (name.length > 64) return [];
  return nearest(
    name,
    candidates.filter((candidate) => isNear(name.toLowerCase(), candidate.toLowerCase())),
  );
}

// a slip keeps one end of the word and most of its letters: 2 · common / (both lengths) ≥ 0.7
function isNear(a: string, b: string): boolean {
  if (a[0] !== b[0] && a.at(-1) !== b.at(-1)) return false;
  const left = b.split('');
  let common = 0;
  for (const letter of a) {
    const at = left.indexOf(letter);
    if (at < 0) continue;
    left.splice(at, 1);
    common++;
  }
  return (2 * common) / (a.length + b.length) >= 0.7;
}

function cut(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63)}…` : text;
}
