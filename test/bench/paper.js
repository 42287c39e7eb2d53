// The paper's experiment on paper: plans pipelines/caffenet/*.yaml on networks of that shape (drawn, not trained) and
// an empty file of 50,000 images, and writes what they would take into pipelines/caffenet/README.md, between its markers.
//
//   npm run build && node test/bench/paper.js [folder]      half a gigabyte with the networks; hashing takes a few minutes
//
// Runs no task. Needs Python with PyTorch and ONNX where the folder has no networks yet (models.py).
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { ftruncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const HOME = join(ROOT, 'pipelines/caffenet');
const MARKERS = ['<!-- paper -->', '<!-- /paper -->'];
const SHAPE = [50_000, 227, 227, 3];
const PIPELINES = ['caffenet-four', 'caffenet-four-conv'];
const MIB = 2 ** 20;

const networks = resolve(process.argv[2] ?? process.env.CONVERGENT_BENCH_DATA ?? join(tmpdir(), 'convergent-bench'));
const folder = join(networks, 'paper');
mkdirSync(folder, { recursive: true });
const names = ['caffenet', 'caffenet-conv'].flatMap((shape) => [1, 2, 3, 4].map((seed) => `${shape}-${seed}.onnx`));
if (!names.every((name) => existsSync(join(networks, name)))) {
  const script = join(import.meta.dirname, 'models.py');
  execFileSync('python3', [script, networks, 'caffenet', 'caffenet-conv'], { stdio: 'inherit' });
}
for (const name of names) {
  rmSync(join(folder, name), { force: true });
  symlinkSync(join(networks, name), join(folder, name));
}
writeImages(join(folder, 'imagenet-validation-227.npy'));

const plans = PIPELINES.map((name) => {
  copyFileSync(join(HOME, `${name}.yaml`), join(folder, `${name}.yaml`));
  const cli = process.env.CONVERGENT_CLI ?? join(ROOT, 'bin/convergent.js');
  const args = [cli, 'plan', join(folder, `${name}.yaml`), '--json', '--state', join(folder, 'state')];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 30 }));
});
const text = tables(plans);
const page = readFileSync(join(HOME, 'README.md'), 'utf8');
const [before, after] = [page.split(MARKERS[0])[0], page.split(MARKERS[1])[1]];
writeFileSync(join(HOME, 'README.md'), `${before}${MARKERS[0]}\n\n${text}\n${MARKERS[1]}${after}`);
process.stdout.write(text);

// a header, and a hole where the pixels would be
function writeImages(path) {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${SHAPE.join(', ')}), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.alloc(2), Buffer.from(padded)]);
  head.writeUInt16LE(padded.length, 8);
  const file = openSync(path, 'w');
  writeSync(file, head);
  ftruncateSync(file, head.length + SHAPE.reduce((product, axis) => product * axis, 1));
  closeSync(file);
}

function tables(plans) {
  const table = (head, rows) =>
    [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
      .map((cells) => `| ${cells.join(' | ')} |\n`)
      .join('');
  const deployed = plans.map((plan) => plan.forecast.deployed);
  const total = table(
    ['at most so many Workers at once', ...plans.flatMap(() => ['wall time', 'containers', 'dollars'])],
    deployed[0].cloud.map(({ workers }, at) => [
      number(workers),
      ...deployed.flatMap(({ cloud }) => {
        const { wallSeconds, instances, dollars } = cloud[at];
        return [time(wallSeconds), number(instances), `$${dollars.toFixed(2)}`];
      }),
    ]),
  );
  const sections = deployed.map(({ kinds, reportSeconds, cloud }, at) => {
    const rows = kinds.map(({ kind, provider, tasks, seconds, longestSeconds, projectedBytes, reads, writes }) => [
      kind,
      provider,
      number(tasks),
      `${number(Math.ceil(projectedBytes / MIB))} MiB`,
      time(seconds),
      `${number(Number(longestSeconds.toPrecision(2)))} s`,
      number(reads + writes),
    ]);
    const sum = (of) => kinds.reduce((all, kind) => all + of(kind), 0);
    const last = [
      '**all**',
      '',
      number(sum((kind) => kind.tasks)),
      '',
      time(sum((kind) => kind.seconds) + reportSeconds),
      '',
      number(sum((kind) => kind.reads + kind.writes)),
    ];
    const report = ['report', 'workflow', '', '', time(reportSeconds), '', ''];
    const head = ['kind', 'where', 'tasks', 'memory of the largest', 'CPU', 'longest', 'R2 operations'];
    const { usage, dollars, idleDollars, steps } = cloud.at(-1);
    const bill = `At ${cloud.at(-1).workers} Workers: ${number(Math.round(usage.workerCpuSeconds))} CPU seconds of Workers, ${number(Math.round(usage.containerCpuSeconds))} of containers, ${number(Math.round(usage.containerGibSeconds))} GiB-seconds, ${number(Math.round(usage.objectReads))} R2 reads, ${number(Math.round(usage.objectWrites))} writes, ${number(usage.queueOperations)} queue operations, ${number(steps)} steps of the workflow: $${dollars.toFixed(2)}, of which $${idleDollars.toFixed(2)} for containers that wait to sleep.`;
    return `### \`${PIPELINES[at]}.yaml\`\n\n${table(head, [...rows, report, last])}\n${bill}\n`;
  });
  const caption = `Columns: ${PIPELINES.map((name) => `\`${name}.yaml\``).join(', then ')}.`;
  return `${caption}\n\n${total}\n${sections.join('\n')}`;
}

function number(value) {
  return value.toLocaleString('en');
}

function time(seconds) {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
