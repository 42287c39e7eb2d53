/**
 * Reads the YAML text of a pipeline file into a tree that keeps what plain objects lose: the order
 * of keys that look like numbers, keys as they are written (`1`, `007`, `true`), and where everything
 * stands. Refuses what a pipeline file has no use for: several documents, tags, keys that are
 * collections, and files that grow without bound. Knows nothing of pipelines.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Alias, Scalar, YAMLError, YAMLMap, YAMLSeq } from 'yaml';
import { problemAt, quoted, type KeyPath, type Problem } from './problems.ts';

/** Our own bounds: far above any pipeline, low enough that no file stalls or fills a 128 MB isolate. */
export const YAML_LIMITS = {
  /** Characters of text; the slowest text found of this length took 3 s of CPU to parse (Node 24). */
  textLength: 256 * 1024,
  /** Values, each alias counted with all it stands for. */
  values: 50_000,
  /** Levels of nesting; a pipeline has 5. */
  depth: 20,
};

/** A YAML value; `start` is its offset in the text, `size` the number of values in it, aliases expanded. */
export type Tree = MapTree | ListTree | ScalarTree;

export interface MapTree {
  kind: 'map';
  start: number;
  end: number;
  size: number;
  /** In the file's order, also where keys look like numbers. */
  entries: Map<string, { start: number; value: Tree }>;
}

export interface ListTree {
  kind: 'list';
  start: number;
  size: number;
  items: Tree[];
}

export interface ScalarTree {
  kind: 'scalar';
  start: number;
  size: number;
  value: string | number | boolean | null;
  /** As written, without quotes. */
  text: string;
}

/** A read file. Without `root` its problems are of syntax and nothing else can be said about it. */
export interface YamlFile {
  root?: Tree;
  problems: Problem[];
  /** 1-based line and column (in UTF-16 units) of an offset. */
  position: (offset: number) => { line: number; column: number };
}

/** Reads one YAML 1.2 document (core schema, no merge keys). Never throws: what is wrong stands in `problems`. */
export function readYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (text.length > YAML_LIMITS.textLength) {
    const message = `expected a file of at most ${YAML_LIMITS.textLength} characters; found ${text.length}`;
    return { problems: [problemAt(0, [], message, 'Split the pipeline into several files.')], position };
  }
  const document = parseDocument(text.replace(/^\uFEFF/, ''), {
    lineCounter: lines,
    schema: 'core',
    resolveKnownTags: false,
    uniqueKeys: false, // ours are checked by their text, so that 1 and "1" are one key
    prettyErrors: false,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return { problems: faults.map((fault) => syntaxProblem(fault, text)), position };
  const reader = new TreeReader();
  if (document.contents === null) {
    return { root: { kind: 'scalar', start: 0, size: 1, value: null, text: '' }, problems: [], position };
  }
  const root = reader.read(document.contents, 0, []);
  return reader.unreadable ? { problems: reader.problems, position } : { root, problems: reader.problems, position };
}

/** How far a path leads into a tree: the value reached, where its key (or list item) stands, and the steps taken. */
export function find(root: Tree, path: KeyPath): { tree: Tree; start: number; steps: number } {
  let reached: { tree: Tree; start: number; steps: number } = { tree: root, start: root.start, steps: 0 };
  for (const step of path) {
    const { tree } = reached;
    let next: { start: number; value: Tree } | undefined;
    if (tree.kind === 'map') {
      next = typeof step === 'number' ? [...tree.entries.values()][step] : tree.entries.get(step);
    } else if (tree.kind === 'list' && typeof step === 'number') {
      const item = tree.items[step];
      next = item && { start: item.start, value: item };
    }
    if (!next) break;
    reached = { tree: next.value, start: next.start, steps: reached.steps + 1 };
  }
  return reached;
}

/** The value of a key of a mapping; undefined where there is no such key or no mapping. */
export function child(tree: Tree | undefined, key: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(key)?.value : undefined;
}

// collects the tree and what is wrong with it; values that cannot be read become null
class TreeReader {
  readonly problems: Problem[] = [];
  /** Set by faults after which the rest of the file says little. */
  unreadable = false;
  private readonly anchors = new Map<string, Tree>();

  read(node: unknown, fallbackStart: number, path: KeyPath): Tree {
    const start = (node as { range?: [number, number, number] | null } | null)?.range?.[0] ?? fallbackStart;
    if (path.length > YAML_LIMITS.depth) {
      return this.refuse(start, path, `expected at most ${YAML_LIMITS.depth} levels of nesting; found more`);
    }
    if (isAlias(node)) return this.readAlias(node, start, path);
    const tree = isMap(node)
      ? this.readMap(node, start, path)
      : isSeq(node)
        ? this.readList(node, start, path)
        : readScalar(node, start);
    // an anchor counts from here on, so a value cannot contain itself
    const anchor = (node as { anchor?: string } | null)?.anchor;
    if (anchor) this.anchors.set(anchor, tree);
    return tree;
  }

  private readMap(node: YAMLMap, start: number, path: KeyPath): MapTree {
    const tree: MapTree = { kind: 'map', start, end: node.range?.[1] ?? start, size: 1, entries: new Map() };
    for (const pair of node.items) {
      const keyNode = isAlias(pair.key) ? this.read(pair.key, start, path) : pair.key;
      const keyStart = (pair.key as { range?: [number, number, number] | null } | null)?.range?.[0] ?? start;
      const key = keyText(keyNode);
      if (key === undefined) {
        this.refuse(
          keyStart,
          path,
          'expected a plain key; found a list or mapping as key',
          'Write keys as plain words.',
        );
        continue;
      }
      const value = this.read(pair.value, keyStart, [...path, key]);
      if (tree.entries.has(key)) {
        const message = `expected each key once; found ${quoted(key)} a second time`;
        this.problems.push(problemAt(keyStart, [...path, key], message, 'Remove or rename one of the two.'));
        continue;
      }
      tree.entries.set(key, { start: keyStart, value });
      tree.size += value.size;
      if (this.isTooLarge(tree, keyStart, path)) break;
    }
    return tree;
  }

  private readList(node: YAMLSeq, start: number, path: KeyPath): ListTree {
    const tree: ListTree = { kind: 'list', start, size: 1, items: [] };
    for (const [index, itemNode] of node.items.entries()) {
      const item = this.read(itemNode, start, [...path, index]);
      tree.items.push(item);
      tree.size += item.size;
      if (this.isTooLarge(tree, item.start, path)) break;
    }
    return tree;
  }

  private readAlias(node: Alias, start: number, path: KeyPath): Tree {
    const target = this.anchors.get(node.source);
    if (target) return target;
    const message = `expected an anchor &${node.source} that is complete before its alias; found only *${node.source}`;
    return this.refuse(start, path, message, 'Write the value out here.');
  }

  // a tree that only aliases make this large is small in memory, but not for whoever walks it
  private isTooLarge(tree: Tree, start: number, path: KeyPath): boolean {
    if (this.unreadable || tree.size <= YAML_LIMITS.values) return this.unreadable;
    this.refuse(start, path, `expected at most ${YAML_LIMITS.values} values, aliases expanded; found more`);
    return true;
  }

  private refuse(start: number, path: KeyPath, message: string, hint = 'Simplify the file.'): Tree {
    this.problems.push(problemAt(start, path, message, hint));
    this.unreadable = true;
    return { kind: 'scalar', start, size: 1, value: null, text: '' };
  }
}

function readScalar(node: unknown, start: number): ScalarTree {
  const raw: unknown = isScalar(node) ? node.value : null;
  const value =
    typeof raw === 'string' || typeof raw === 'boolean' ? raw : typeof raw === 'number' ? (raw === 0 ? 0 : raw) : null;
  return { kind: 'scalar', start, size: 1, value, text: isScalar(node) ? scalarText(node) : '' };
}

// a key as written; the tree of an alias used as a key has its text already
function keyText(node: unknown): string | undefined {
  if (node === null) return '';
  if (isScalar(node)) return scalarText(node);
  const tree = node as Partial<ScalarTree>;
  return tree.kind === 'scalar' ? tree.text : undefined;
}

function scalarText(scalar: Scalar): string {
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? '');
}

function syntaxProblem(fault: YAMLError, text: string): Problem {
  // what is missing at the end is missing after the last word, not on the empty line below
  const start = Math.min(fault.pos[0], text.trimEnd().length);
  const [message, hint] = SYNTAX_WORDS[fault.code] ?? [
    `expected valid YAML; found a fault: ${fault.message.replace(/\s+/g, ' ')}`,
    'Check quotes, brackets and indentation here and in the line above.',
  ];
  return problemAt(start, [], message, hint);
}

const SYNTAX_WORDS: Partial<Record<YAMLError['code'], [message: string, hint: string]>> = {
  MULTIPLE_DOCS: ['expected one YAML document; found a second one', 'Put each pipeline into a file of its own.'],
  TAB_AS_INDENT: ['expected spaces as indentation; found a tab', 'Indent with spaces.'],
  TAG_RESOLVE_FAILED: ['expected a value without tag; found a tag that has no meaning here', 'Remove the `!…` tag.'],
  RESOURCE_EXHAUSTION: [
    `expected at most ${YAML_LIMITS.depth} levels of nesting; found far more`,
    'Check for brackets that are never closed.',
  ],
};
