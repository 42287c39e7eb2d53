/** The product as a user runs it: built into a folder of the bench's own, started as a process, its run.json read. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { buildInto, wasmBesideBundle } from '../../build.js';
import { NATIVE_ENVIRONMENT, NATIVE_V8_OPTIONS } from '../../src/compute/native.ts';
import { run } from './measure.ts';
import type { Ran } from './measure.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
/** Inside `dist`, so that packages are found from it. */
export const BUILT = join(ROOT, 'dist/bench');
/** The same with a new child process for each task. */
export const BUILT_FRESH = join(BUILT, 'fresh');

export type Provider = 'native' | 'isolate';

/** A task as run.json has it. */
export interface ComputedTask {
  id: string;
  kind: string;
  seconds: number;
  computeSeconds?: number | null;
  projectedBytes: number;
  peakBytes: number | null;
}

/** A run's figures. */
export interface OurRun extends Ran {
  stages: Record<string, number>;
  tasks: { total: number; computed: number };
  computed: ComputedTask[];
  workerdPeakBytes: number | null;
}

/** Builds the product and the bench's own programs (inside/). */
export async function buildBench(): Promise<void> {
  await buildInto(BUILT);
  const shared = { absWorkingDir: ROOT, bundle: true, format: 'esm', target: 'node22', logLevel: 'warning' } as const;
  const define = { CODE_HASHES: readFileSync(join(BUILT, 'code-hashes.json'), 'utf8') };
  await buildInto(BUILT_FRESH);
  const programs = [
    ['test/bench/inside/main.ts', join(BUILT, 'inside.js')],
    ['test/bench/inside/freshChild.ts', join(BUILT_FRESH, 'child.js')],
  ] as const;
  for (const [entry, outfile] of programs)
    await build({ ...shared, entryPoints: [entry], outfile, platform: 'node', packages: 'external', define });
  await build({
    ...shared,
    entryPoints: ['test/bench/inside/worker.ts'],
    outfile: join(BUILT, 'inside-worker.js'),
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*'],
    plugins: [wasmBesideBundle],
    define,
  });
}

/**
 * `convergent run` of a pipeline from nothing: a new state folder, a new process. `keep`: where its output stays;
 * `built`: the folder of the product.
 */
export async function runOurs(
  file: string,
  provider: Provider,
  scratch: string,
  keep?: string,
  built = BUILT,
): Promise<OurRun> {
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(join(scratch, 'run-'));
  try {
    const out = keep ?? join(folder, 'out');
    const args = ['run', file, '--compute', provider, '--fresh', '--json', '--state', join(folder, 'state')];
    const ran = await run(process.execPath, [join(built, 'cli.js'), ...args, '--out', out]);
    const document = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as {
      seconds: Record<string, number>;
      tasks: OurRun['tasks'];
      computed: ComputedTask[];
      memory: { workerdPeakBytes: number | null };
    };
    const { seconds: stages, tasks, computed, memory } = document;
    return { ...ran, stages, tasks, computed, workerdPeakBytes: memory.workerdPeakBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program of inside/ in a process of its own; its answer. */
export async function runInside<T>(...args: readonly (string | number)[]): Promise<T> {
  const { stdout } = await run(
    process.execPath,
    [...NATIVE_V8_OPTIONS, join(BUILT, 'inside.js'), ...args.map(String)],
    NATIVE_ENVIRONMENT,
  );
  return JSON.parse(stdout) as T;
}

/** Σ of the seconds of a run's tasks by kind. */
export function secondsByKind({ computed }: Pick<OurRun, 'computed'>): Record<string, number> {
  const sums: Record<string, number> = {};
  // what a task took by itself: natively its record's own seconds include the wait for a free child
  for (const { kind, seconds, computeSeconds } of computed)
    sums[kind] = (sums[kind] ?? 0) + (computeSeconds ?? seconds);
  return sums;
}
