// `npm run bench [-- row…] [--quick] [--json]`: measures the rows named, or all, ours and the peer in turn, and writes
// results.json, scaling.svg and both READMEs. --quick: small sizes, one round, nothing written.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Fixtures } from './fixtures.ts';
import { describeMachine } from './machine.ts';
import { buildBench } from './ours.ts';
import { drawScaling } from './plot.ts';
import { overview, readResults, writeResults } from './results.ts';
import type { Result, Results } from './results.ts';
import { Skipped } from './row.ts';
import type { Outcome, Row, RowContext } from './row.ts';
import { caffenet } from './rows/caffenet.ts';
import { cluster } from './rows/cluster.ts';
import { gram } from './rows/gram.ts';
import { job } from './rows/job.ts';
import { lasso } from './rows/lasso.ts';
import { match } from './rows/match.ts';
import { memory } from './rows/memory.ts';
import { overheadIsolate, overheadNative } from './rows/overhead.ts';
import { projection } from './rows/projection.ts';
import { scaling } from './rows/scaling.ts';
import type { Point } from './rows/scaling.ts';
import { service } from './rows/service.ts';
import { tiny } from './rows/tiny.ts';

const ROWS = [
  job,
  caffenet,
  overheadNative,
  overheadIsolate,
  gram,
  match,
  lasso,
  cluster,
  tiny,
  memory,
  projection,
  scaling,
  service,
];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const known = ROWS.map(({ name }) => name);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  say(`expected rows among ${known.join(', ')}; found ${unknown.join(', ')}`);
  process.exit(2);
}

const fixtures = new Fixtures();
mkdirSync(fixtures.folder, { recursive: true });
const scratch = mkdtempSync(join(fixtures.folder, 'scratch-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
say(`fixtures in ${fixtures.folder}`);
await buildBench();
const machine = describeMachine(await fixtures.peerVersions());
const measured: Result[] = [];
for (const row of ROWS) {
  if (names.length > 0 && !names.includes(row.name)) continue;
  measured.push(await measure(row, { fixtures, scratch, quick: options.quick, say }));
}
// rows that weren't asked for stay as they were, where they are of this machine and these versions
const earlier = options.quick ? null : readResults();
const before = JSON.stringify(earlier?.machine) === JSON.stringify(machine) ? earlier!.rows : [];
const rows = ROWS.flatMap(({ name }) => [...measured, ...before].find((result) => result.name === name) ?? []);
const results: Results = { machine, rows };
if (!options.quick) {
  await drawPoints(measured);
  await writeResults(results);
}
const shown: Results = { machine, rows: measured };
process.stdout.write(`${options.json ? JSON.stringify(shown, null, 1) : overview(shown)}\n`);

async function measure(row: Row, context: RowContext): Promise<Result> {
  const [load, started] = [loadavg()[0]!, performance.now()];
  say(`${row.name}: load ${load.toFixed(2)}`);
  const outcome = await row.run(context).catch((error: unknown): Outcome => {
    // the other rows go on
    if (!(error instanceof Skipped)) process.exitCode = 1;
    const value = error instanceof Skipped ? 'skipped' : 'failed';
    const text = error instanceof Error ? error.message : String(error);
    return {
      lines: [{ what: row.name, value: `${value}: ${text.split('\n')[0]}`, aim: '', reached: null }],
      details: [],
    };
  });
  const seconds = (performance.now() - started) / 1000;
  for (const { what, value, aim } of outcome.lines) say(`  ${what}: ${value} (aim ${aim})`);
  say(`  took ${seconds.toFixed(0)} s`);
  return { name: row.name, how: row.how, date: new Date().toISOString(), load, seconds, ...outcome };
}

async function drawPoints(results: readonly Result[]): Promise<void> {
  const data = results.find(({ name }) => name === scaling.name)?.data as
    { byRows: Point[]; byUnits: Point[] } | undefined;
  if (!data) return;
  writeFileSync(join(import.meta.dirname, 'scaling.svg'), await drawScaling(data.byRows, data.byUnits));
}
