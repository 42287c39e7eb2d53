/**
 * The rules for names of pipelines, networks and layers, and what is named after them: the output
 * folder of each pair of networks. Names become folder and file names, so they are plain ASCII and
 * unique without regard to case. Source: the pipeline file's contract.
 */
import type { Definition } from './definition.ts';

/** A letter, digit or `_`, then up to 63 of these, `.` and `-`. */
export const NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** {@link NAME_PATTERN} in words, for messages. */
export const NAME_RULE = '1 to 64 letters, digits, "_", "-" or ".", not beginning with "-" or "."';

/** Keys of a tap, so that `{ tensor, units }` and a mapping by network can be told apart. */
export const RESERVED_NETWORK_NAMES: readonly string[] = ['tensor', 'units'];

/** Two networks to compare: their indices in the definition, `a < b`, and the pair's output folder. */
export interface Pair {
  a: number;
  b: number;
  folder: string;
}

/** The output folder of a pair of networks, `<a>-<b>`. */
export function pairFolder(a: string, b: string): string {
  return `${a}-${b}`;
}

/** Every pair of networks in the file's order: the first with each later one, then the second, and so on. */
export function pairsOf(definition: Pick<Definition, 'networks'>): Pair[] {
  return pairsOfNames(definition.networks.map((network) => network.name));
}

/** {@link pairsOf} for bare names: n(n − 1)/2 pairs; none for fewer than two names. */
export function pairsOfNames(names: readonly string[]): Pair[] {
  return names.flatMap((first, a) =>
    names.slice(a + 1).map((second, i) => ({ a, b: a + 1 + i, folder: pairFolder(first, second) })),
  );
}
