// `npm run bench`: the demo from nothing (a new state folder, --fresh, cold), by stage.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'convergent-bench-'));
const print = (text = '') => process.stdout.write(`${text}\n`);

try {
  const out = join(folder, 'out');
  const launcher = join(ROOT, 'bin/convergent.js');
  const pipeline = join(ROOT, 'pipelines/fashion-mnist.yaml');
  const args = [launcher, 'run', pipeline, '--fresh', '--json', '--state', join(folder, 'state'), '--out', out];
  const started = performance.now();
  const answer = JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const wall = (performance.now() - started) / 1000;
  const { memory, computed } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

  print(`machine: ${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.versions.node}`);
  print(`demo: 2 networks, 5 layers, 10,000 images, ${answer.tasks.total} tasks, --fresh, cold`);
  print();
  print('| stage | seconds |');
  print('|---|---|');
  for (const [stage, seconds] of Object.entries(answer.seconds))
    if (stage !== 'total') print(`| ${stage} | ${seconds.toFixed(2)} |`);
  print(`| whole command | ${wall.toFixed(2)} |`);
  print();
  const kinds = [...new Set(computed.map((task) => task.kind))];
  print('| task | count | mean seconds | largest wasm heap |');
  print('|---|---|---|---|');
  for (const kind of kinds) {
    const tasks = computed.filter((task) => task.kind === kind);
    const mean = tasks.reduce((total, task) => total + task.seconds, 0) / tasks.length;
    const heap = Math.max(...tasks.map((task) => task.heapBytes));
    print(`| ${kind} | ${tasks.length} | ${mean.toFixed(3)} | ${heap > 0 ? mib(heap) : ''} |`);
  }
  print();
  print(
    `peak memory of workerd (VmHWM): ${memory.workerdPeakBytes === null ? 'unknown here' : mib(memory.workerdPeakBytes)}`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
