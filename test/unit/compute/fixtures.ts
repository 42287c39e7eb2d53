/** What the tests of the compute server share: built children, fake plans, pipes that tell when a task has begun. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect } from 'vitest';
import { fromUnknown, type ErrorCode, type PipelineError } from '../../../src/errors.ts';
import type { Job } from '../../../src/compute/jobs.ts';
import type { FakeTask } from './fake-child.ts';

/** A folder of its own for one test file. */
export function scratchFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'convergent-compute-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Bundles an entry as the build does; packages stay outside. */
export async function bundleInto(entry: string, outfile: string, packages: 'external' | 'bundle' = 'bundle') {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    packages,
    external: ['onnxruntime-node'],
    logLevel: 'warning',
  });
}

/** A child that does what a fake plan says. */
export async function fakeChild(folder: string, name = 'fake-child.mjs'): Promise<string> {
  const path = join(folder, name);
  await bundleInto(join(import.meta.dirname, 'fake-child.ts'), path);
  return path;
}

export function sha256Of(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A plan of fake tasks, as text and by its hash; none has a file of probe data. */
export function fakePlan(...tasks: FakeTask[]): { text: string; hash: string } {
  const text = JSON.stringify({ data: { sha256: '' }, tasks: tasks.map((task) => ({ ...task, key: keyOf(task) })) });
  return { text, hash: sha256Of(text) };
}

/** The key of a fake task. */
export function keyOf(task: FakeTask): string {
  return sha256Of(JSON.stringify(task));
}

let made = 0;

/** A job of a fake plan with nothing sent along, its files in `folder`. */
export function fakeJob(folder: string, task: FakeTask, sent: Partial<Job> = {}): Job {
  const filesFolder = join(folder, 'files');
  const madeFolder = join(folder, 'made');
  for (const path of [filesFolder, madeFolder]) mkdirSync(path, { recursive: true });
  const plan = fakePlan(task);
  writeFileSync(join(filesFolder, plan.hash), plan.text);
  const spoolPath = join(folder, `${++made}.in`);
  writeFileSync(spoolPath, '');
  const resultPath = join(folder, `${made}.out`);
  return {
    planHash: plan.hash,
    task: 0,
    filesFolder,
    madeFolder,
    files: [],
    parts: [],
    spoolPath,
    resultPath,
    ...sent,
  };
}

/** A pipe: whoever opens an end waits for the other end, and whoever reads waits for the last writer to be gone. */
export function pipe(folder: string): string {
  const path = join(folder, `pipe-${++made}`);
  execFileSync('mkfifo', [path]);
  return path;
}

/** The error that `act` rejects with; it must have the code. */
export async function failure(code: ErrorCode, act: () => Promise<unknown>): Promise<PipelineError> {
  const error = await act().then(
    () => expect.fail(`expected ${code}; found success`),
    (thrown: unknown) => fromUnknown(thrown),
  );
  expect(error.toJSON()).toMatchObject({ code });
  return error;
}
