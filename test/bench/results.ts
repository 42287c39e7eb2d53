/** results.json, and the two documents that are made from it: the README's table and the details beside the bench. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { Machine } from './machine.ts';
import { ROOT } from './ours.ts';
import { table } from './row.ts';
import type { Line, Outcome } from './row.ts';

/** A row as it was measured. */
export interface Result extends Outcome {
  name: string;
  how: string;
  /** When, ISO 8601. */
  date: string;
  /** Load average over a minute before the row started: beside the number of cores it tells of noise. */
  load: number;
  /** How long the row took. */
  seconds: number;
}

export interface Results {
  machine: Machine;
  rows: Result[];
}

const FILE = join(import.meta.dirname, 'results.json');
const BEGIN = '<!-- bench -->';
const END = '<!-- /bench -->';

/** What was measured before, null without it. */
export function readResults(): Results | null {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Results;
  } catch {
    return null;
  }
}

/** Writes results.json, the README's table and the details. */
export async function writeResults(results: Results): Promise<void> {
  const style = await resolveConfig(FILE);
  writeFileSync(FILE, await format(JSON.stringify(results), { ...style, parser: 'json' }));
  replaceBetween(join(ROOT, 'README.md'), overview(results));
  replaceBetween(join(import.meta.dirname, 'README.md'), details(results));
}

/** The table of all lines, with the machine below. */
export function overview({ machine, rows }: Results): string {
  const lines = rows.flatMap((row) => row.lines);
  const latest = rows.map(({ date }) => date.slice(0, 10)).sort((a, b) => (a < b ? 1 : -1))[0] ?? '';
  return [linesTable(lines), '', `Measured on ${latest}: ${told(machine)}.`].join('\n');
}

function linesTable(lines: readonly Line[]): string {
  return table(
    ['what', 'measured', 'aim', ''],
    lines.map(({ what, value, aim, reached }) => [what, value, aim, reached === null ? '' : reached ? '✓' : 'missed']),
  );
}

function details(results: Results): string {
  const sections = results.rows.map((row) => {
    const noise = `${row.date.slice(0, 16).replace('T', ' ')} UTC, load before ${row.load.toFixed(2)}, took ${row.seconds.toFixed(0)} s`;
    return [`### ${row.name}`, row.how, linesTable(row.lines), ...row.details, noise].join('\n\n');
  });
  const total = results.rows.reduce((sum, { seconds }) => sum + seconds, 0);
  return [`${told(results.machine)}. All rows take ${(total / 60).toFixed(0)} minutes.`, ...sections].join('\n\n');
}

function told({ cpu, cores, memoryGiB, versions }: Machine): string {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB; ${list.join(', ')}`;
}

function replaceBetween(file: string, text: string): void {
  const before = readFileSync(file, 'utf8');
  const [from, to] = [before.indexOf(BEGIN), before.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${file}: expected ${BEGIN} … ${END}; found none`);
  writeFileSync(file, `${before.slice(0, from + BEGIN.length)}\n\n${text}\n\n${before.slice(to)}`);
}
