/**
 * Models by path and by address. Paths of a definition that came over HTTP name what was uploaded with it, and must
 * lead nowhere else on any system: a service refuses others before it looks at them. The command line reads its user's
 * files as written.
 */
import { PipelineError } from '../errors.ts';
import type { ParsedDefinition } from './definition.ts';
import { keyPathText, quoted, type KeyPath } from './problems.ts';

/** Whether a model is an https address; anything else is a path. */
export function isAddress(model: string): boolean {
  return model.startsWith('https://');
}

/**
 * Refuses paths of models and data that are absolute or begin with a drive letter, or have `..`, backslashes or control
 * characters. Models by https address are no paths.
 * @throws PipelineError `definition-invalid` with the place of the first such path
 */
export function refuseOutside({ definition, where }: ParsedDefinition): void {
  const paths: [KeyPath, string][] = definition.networks
    .filter(({ model }) => !isAddress(model))
    .map(({ name, model }) => [['networks', name, 'model'], model]);
  for (const [key, path] of [...paths, [['probe', 'data'], definition.probe.data] as [KeyPath, string]]) {
    const reason = outside(path);
    if (reason === undefined) continue;
    throw new PipelineError(
      'definition-invalid',
      `expected ${keyPathText(key)} to be a path below the pipeline file; found ${quoted(path)}, ${reason}`,
      { place: where(key), hint: 'Put the file below the pipeline file, and write its path from there with "/".' },
    );
  }
}

function outside(path: string): string | undefined {
  if (/\p{Cc}/u.test(path)) return 'which has control characters';
  if (path.includes('\\')) return 'which has a backslash';
  if (path.startsWith('/')) return 'which is absolute';
  if (/^[a-z]:/i.test(path)) return 'which begins with a drive letter';
  return path.split('/').includes('..') ? 'which has ".."' : undefined;
}
