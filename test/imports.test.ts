/**
 * Who may import what: imports point up the flow, data flows down it; types count. This file holds the
 * table and checks every import of the source against it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../src');

const FLOOR = ['errors', 'numeric', 'onnx'];
/** Stages in the order of the flow: each may import those before it. */
const STAGES = [
  'definition',
  'inspect',
  'plan',
  'activate',
  'accumulate',
  'reduce',
  'task',
  'report',
  'gate',
  'triggers',
];
const SHELL = ['runtime', 'service', 'compute', 'cli', 'worker'];
/** Packages that only one file, or only some folders, may name. */
const PLATFORM: [named: RegExp, may: (file: string) => boolean][] = [
  [/^cloudflare:/, (file) => file.startsWith('runtime/') || file === 'worker.ts'],
  [/^onnxruntime-web$|^onnxruntime-web\/wasm$/, (file) => file === 'onnx/wasm.ts'],
  [/^onnxruntime-web\/.*\.wasm$/, (file) => file === 'runtime/isolate.ts'],
  [/^onnxruntime-node$/, (file) => file === 'compute/native.ts'],
  [/^miniflare$/, (file) => file === 'cli/engine.ts'],
  [/^node:/, (file) => file.startsWith('cli/') || file.startsWith('compute/')],
];

interface Import {
  file: string;
  /** Relative to src for files of ours, else the package. */
  target: string;
  ours: boolean;
  /** `import type`: nothing is loaded. */
  typeOnly: boolean;
}

const imports: Import[] = sourceFiles(SOURCE).flatMap((path) => {
  const file = relative(SOURCE, path).split(sep).join('/');
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^(import|export)( type)?[^;]*?'([^']+)';$|import\('([^']+)'\)/gm)].map((match) => {
    const specifier = match[3] ?? match[4] ?? '';
    const typeOnly = match[2] !== undefined;
    if (!specifier.startsWith('.')) return { file, target: specifier, ours: false, typeOnly };
    return {
      file,
      target: relative(SOURCE, resolve(dirname(path), specifier))
        .split(sep)
        .join('/'),
      ours: true,
      typeOnly,
    };
  });
});

const sectionOf = (file: string): string => file.split('/')[0]!.replace(/\.ts$/, '');
const branchOf = (file: string): string | null => /^reduce\/([^/]+)\//.exec(file)?.[1] ?? null;

/** What a section may import, or a reason it is unknown. */
function allowed(section: string): string[] {
  if (section === 'errors') return [];
  if (FLOOR.includes(section)) return ['errors', 'numeric', 'onnx'];
  const stage = STAGES.indexOf(section);
  if (stage >= 0) return [...FLOOR, ...STAGES.slice(0, stage + 1)];
  if (SHELL.includes(section)) return [...FLOOR, ...STAGES, ...SHELL, '..'];
  throw new Error(`${section} stands in no row of the table`);
}

describe('imports', () => {
  it('finds the source', () => {
    expect(imports.length).toBeGreaterThan(100);
  });

  it.each(imports.filter((entry) => entry.ours))('$file may import $target', ({ file, target }) => {
    expect(allowed(sectionOf(file))).toContain(sectionOf(target));
    const [from, to] = [branchOf(file), branchOf(target)];
    if (from !== null && to !== null) expect(to).toBe(from);
  });

  it.each(imports.filter((entry) => !entry.ours))('$file may name $target', ({ file, target }) => {
    for (const [name, may] of PLATFORM) if (name.test(target)) expect(may(file)).toBe(true);
  });

  it('loads no file in a cycle', () => {
    const edges = new Map<string, string[]>();
    for (const { file, target } of imports.filter((entry) => entry.ours && !entry.typeOnly))
      edges.set(file, [...(edges.get(file) ?? []), target]);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (done.has(file)) return;
      expect(path, `cycle through ${file}`).not.toContain(file);
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of edges.keys()) visit(file, []);
  });
});

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') && !path.endsWith('.d.ts') ? [path] : [];
  });
}
