/** The built command line as a child process on folders of its own, as a user has it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeLoads } from '../nativeLoads.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
export const PIPELINES = join(ROOT, 'pipelines');

/** The launcher of the real build. */
export const LAUNCHER = join(ROOT, 'bin/convergent.js');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command under way. */
export interface Running {
  child: ChildProcess;
  /** What it has said on stderr so far. */
  said: () => string;
  /** What it has answered on stdout so far. */
  answered: () => string;
  ended: Promise<Ended>;
}

/** Starts `convergent <args>`; `script` is the launcher or another build's cli.js. */
export function start(
  args: readonly string[],
  options: { script?: string; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Running {
  const child = spawn(process.execPath, [options.script ?? LAUNCHER, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code, signal) => {
      // an orphaned workerd may hold the pipes: what was said until now is what there is
      setImmediate(() => done({ code, signal, stdout, stderr }));
    });
  });
  return { child, said: () => stderr, answered: () => stdout, ended };
}

/** Runs a command to its end. */
export function run(args: readonly string[], options: Parameters<typeof start>[1] = {}): Promise<Ended> {
  return start(args, options).ended;
}

/** The one JSON document of a `--json` command. @throws Error with what it said instead */
export async function runJson<T>(args: readonly string[], options: Parameters<typeof start>[1] = {}): Promise<T> {
  const ended = await run([...args, '--json'], options);
  if (ended.code !== 0) throw new Error(`exit ${ended.code ?? ended.signal}: ${ended.stdout}${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

/** What `run --json` prints. */
export type { RunReport as RunAnswer } from '../../src/cli/run.ts';

/** What makes `run` and `plan` compute in the Worker, or natively. */
export const ISOLATE = ['--compute', 'isolate'] as const;
export const NATIVE = ['--compute', 'native'] as const;

/** Name and version of native ONNX Runtime, null where it doesn't load on this machine; then its tests are skipped. */
export const NATIVE_VERSION = await nativeLoads();
if (NATIVE_VERSION === null)
  process.stderr.write('onnxruntime-node does not load here: native compute is not tested\n');
/** The providers there are here, and what makes a command use them. */
export const PROVIDERS = [
  { provider: 'isolate', compute: ISOLATE },
  ...(NATIVE_VERSION === null ? [] : [{ provider: 'native', compute: NATIVE }]),
];

/** The child processes of a command that compute natively: their process ids; Linux. */
export function childrenOf({ child }: Running): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        // "pid (command) state parent …"
        const parent = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
        return Number(parent) === child.pid && /child\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // not a process, or gone meanwhile
        return false;
      }
    });
}

/** Polls a condition of another process. @throws Error where that process ends first */
export async function until(condition: () => boolean, running: Running): Promise<void> {
  while (!condition()) {
    if (running.child.exitCode !== null || running.child.signalCode !== null)
      throw new Error(`ended too early: ${running.said()}`);
    await sleep(5);
  }
}

/** How many objects the bucket of a state folder holds, inputs included. */
export function objectsIn(state: string): number {
  try {
    return readdirSync(join(state, 'worker/r2/convergent/blobs')).length;
  } catch {
    return 0;
  }
}

/** A folder that is gone when the test file ends. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'convergent-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A shipped pipeline's text with absolute paths, so that it can stand anywhere, and with changes. */
export function pipelineText(name: string, change: (text: string) => string = (text) => text): string {
  const text = readFileSync(join(PIPELINES, name), 'utf8');
  return change(text.replaceAll('fashion-mnist/', `${PIPELINES}/fashion-mnist/`));
}
