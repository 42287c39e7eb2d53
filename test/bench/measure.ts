/** Processes with their wall and CPU seconds, and medians of alternating rounds. Knows nothing of what is measured. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Wall and CPU seconds; CPU of all processes that were waited for, null where the system doesn't say. */
export interface Cost {
  seconds: number;
  cpuSeconds: number | null;
}

export interface Ran extends Cost {
  stdout: string;
}

/** A process that ended with another exit code than 0. */
export class Failed extends Error {
  readonly exitCode: unknown;
  readonly stderr: string;
  constructor(command: string, exitCode: unknown, stderr: string) {
    const said = stderr.trim().split('\n');
    const reason = said.findLast((line) => /^\w*Error\b|^error:/.test(line)) ?? said.at(-1) ?? '';
    super(`${reason} (exit code ${String(exitCode)} of ${command})`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** Runs a program to its end, its start included. One at a time, since CPU is counted over all children. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const before = childrenCpu();
  const started = performance.now();
  const stdout = await new Promise<string>((resolve, reject) => {
    const options = { maxBuffer: 2 ** 30, env: { ...process.env, ...env } };
    const child = execFile(program, args, options, (error, text, stderr) => {
      process.off('exit', end);
      if (error) reject(new Failed([program, ...args].join(' '), error.code ?? error.signal, stderr));
      else resolve(text);
    });
    // nothing outlives the bench
    const end = (): void => void child.kill();
    process.on('exit', end);
  });
  const seconds = (performance.now() - started) / 1000;
  const after = childrenCpu();
  return { stdout, seconds, cpuSeconds: before === null || after === null ? null : after - before };
}

/** Calls both in turn, `rounds` times, so that noise of the machine meets both; the answers of each. */
export async function alternate<A, B>(
  rounds: number,
  first: () => Promise<A>,
  second: () => Promise<B>,
): Promise<[A[], B[]]> {
  const answers: [A[], B[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    answers[0].push(await first());
    answers[1].push(await second());
  }
  return answers;
}

/** The seconds of each. */
export function secondsOf(costs: readonly { seconds: number }[]): number[] {
  return costs.map(({ seconds }) => seconds);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median of ours ÷ theirs, round by round. */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / theirs[round]!));
}

/** The median CPU seconds; empty where they are unknown. */
export function cpuOf(costs: readonly Cost[]): number | '' {
  const known = costs.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  return known.length < costs.length ? '' : median(known);
}

// proc(5): fields 16 and 17 of stat, in hundredths of a second on every Linux that Node runs on
function childrenCpu(): number | null {
  if (process.platform !== 'linux') return null;
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
