/**
 * Turns what the schema objects to into problems in people's words: expected, found, the nearest known
 * key or value, and what to write instead. Reads the error texts that the schemas leave for it, see elements.ts.
 */
import type { z } from 'zod';
import { either, nearNames, problemAt, quoted, subject, suggestion, type KeyPath, type Problem } from './problems.ts';
import { child, find, type Tree } from './yaml.ts';

type Issue = z.core.$ZodIssue;

/** The problems of one issue; `at` is the path of the value that was validated, [] for the whole file. */
export function explainIssue(root: Tree, issue: Issue, at: KeyPath = []): Problem[] {
  const path: KeyPath = [
    ...at,
    ...issue.path.map((step) => (typeof step === 'string' ? writtenKey(step) : Number(step))),
  ];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(root, path, writtenKey(key), issue));
  }
  if (issue.code === 'invalid_key') return [invalidName(root, path, issue)];
  if (issue.code === 'invalid_union') {
    const branch = branchMeant(issue, find(root, path).tree);
    if (branch) return branch.flatMap((inner) => explainIssue(root, inner, path));
  }
  return [find(root, path).steps < path.length ? missingKey(root, path, issue) : wrongValue(root, path, issue)];
}

/**
 * A tree as plain data for the schema: objects without prototype, so no key is inherited.
 * zod passes over the key `__proto__`, so it and its like get one underscore more; see {@link writtenKey}.
 */
export function plainData(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plainData);
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, { value }] of tree.entries) object[safeKey(key)] = plainData(value);
  return object;
}

/** The name under which {@link plainData} holds a key. */
export function safeKey(key: string): string {
  return /^__proto_{2,}$/.test(key) ? `${key}_` : key;
}

function writtenKey(key: string): string {
  return /^__proto_{3,}$/.test(key) ? key.slice(0, -1) : key;
}

// the alternative a person had in mind, by the kind of value found; undefined: none of them
function branchMeant(issue: z.core.$ZodIssueInvalidUnion, found: Tree): Issue[] | undefined {
  const sameKind = issue.errors.filter((branch) => !branch.some(isOfOtherKind));
  if (sameKind.length < 2) return sameKind[0];
  // only a layer has two mappings to choose from: { tensor, units }, then by network
  return child(found, 'tensor') || child(found, 'units') ? sameKind[0] : sameKind[1];
}

function isOfOtherKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function unknownKey(root: Tree, path: KeyPath, key: string, issue: Issue): Problem {
  const { start } = find(root, [...path, key]);
  return {
    order: start,
    start,
    path: [...path, key],
    say: () => {
      const known = issue.message.split('\n');
      const near = nearNames(key, known)[0];
      const hint =
        key === '<<'
          ? 'Merge keys are not supported: write the keys out.'
          : near === undefined
            ? `Remove ${quoted(key)}.`
            : `Rename it to ${quoted(near)}, or remove it.`;
      const where = path.length === 0 ? '' : ` in ${subject(path)}`;
      return { message: `expected ${either(known)}${where}; found ${quoted(key)}${suggestion(key, known)}`, hint };
    },
  };
}

function invalidName(root: Tree, path: KeyPath, issue: z.core.$ZodIssueInvalidKey): Problem {
  const { start } = find(root, path);
  const [expected = '', example] = issue.issues[0]?.message.split('\n') ?? ['expected another name'];
  const hint = example === undefined ? 'Choose another name.' : `Write it like this: \`${example}\``;
  return problemAt(start, path, `${expected}; found ${quoted(String(path.at(-1)))}`, hint);
}

function missingKey(root: Tree, path: KeyPath, issue: Issue): Problem {
  const parent = find(root, path);
  return {
    // after the mapping's other problems: one of them may be this key, misspelt
    order: parent.tree.kind === 'map' ? parent.tree.end : parent.start,
    start: parent.start,
    path,
    say: () => {
      const [expected, example] = expectation(issue);
      return { message: `expected ${subject(path)}, ${expected}; found no such key`, hint: `Add ${example}.` };
    },
  };
}

function wrongValue(root: Tree, path: KeyPath, issue: Issue): Problem {
  const { tree, start: keyStart } = find(root, path);
  // a value that can be pointed at, else its key
  const start = tree.kind === 'scalar' && (tree.value !== null || tree.text !== '') ? tree.start : keyStart;
  return {
    order: start,
    start,
    path,
    say: () => {
      const [expected, example, known] = expectation(issue);
      const values = issue.code === 'invalid_value' ? issue.values.map(String) : known;
      const near = tree.kind === 'scalar' ? suggestion(tree.text, values) : '';
      const message = `expected ${subject(path)} to be ${expected}; found ${isSecret(path) ? 'something else' : foundText(tree)}${near}`;
      return { message, hint: quotesHint(tree, issue) ?? `Write it like this: ${example}` };
    },
  };
}

function expectation(issue: Issue): [expected: string, example: string, known: string[]] {
  const [expected = '', example = '', ...known] = issue.message.split('\n');
  return [expected, `\`${example}\``, known];
}

// where a secret's name is wanted, its value may have been written
function isSecret(path: KeyPath): boolean {
  return ['secret', 'github-status'].includes(String(path.at(-1)));
}

function foundText(tree: Tree): string {
  if (tree.kind === 'map') return tree.entries.size === 0 ? 'an empty mapping' : `a mapping of ${tree.entries.size}`;
  if (tree.kind === 'list') return tree.items.length === 0 ? 'an empty list' : `a list of ${tree.items.length}`;
  if (typeof tree.value === 'string') return quoted(tree.value);
  if (tree.value === null) return 'nothing';
  return (
    tree.text + (Number.isInteger(tree.value) && !Number.isSafeInteger(tree.value) ? ' (not exact above 2^53)' : '')
  );
}

// numbers where text is wanted, and the reverse
function quotesHint(tree: Tree, issue: Issue): string | undefined {
  if (tree.kind !== 'scalar') return undefined;
  const wanted = wantedTypes(issue);
  if (typeof tree.value === 'number' && wanted.includes('string')) return `Put it in quotes: "${tree.text}".`;
  const looksNumeric =
    typeof tree.value === 'string' && tree.value.trim() !== '' && Number.isFinite(Number(tree.value));
  if (looksNumeric && (wanted.includes('number') || wanted.includes('int'))) return 'Remove the quotes.';
  return undefined;
}

function wantedTypes(issue: Issue): string[] {
  if (issue.code === 'invalid_type') return [issue.expected];
  if (issue.code !== 'invalid_union') return [];
  return issue.errors
    .flat()
    .filter((inner) => inner.path.length === 0)
    .flatMap(wantedTypes);
}
