/** What a task costs that computes next to nothing: queue, workflow, progress and bucket. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../measure.ts';
import { ROOT, runInside, runOurs } from '../ours.ts';
import type { OurRun } from '../ours.ts';
import { atMost } from '../row.ts';
import type { Row } from '../row.ts';

const ROWS_PER_TASK = 2;

export const tiny: Row = {
  name: 'tiny',
  how: 'A pipeline of 1,000 activation tasks of 2 rows each through two networks of one pooling node, isolate, no later stages: wall time from the first task’s start to the last one’s end by the number of tasks; median of 3 runs.',
  async run({ scratch, quick }) {
    const tasks = quick ? 100 : 1000;
    const folder = join(scratch, 'tiny');
    mkdirSync(folder, { recursive: true });
    await runInside('tiny', folder);
    const file = join(folder, 'tiny.yaml');
    writeFileSync(
      file,
      [
        'name: tiny',
        'networks: { mean: { model: AveragePool.onnx }, maximum: { model: MaxPool.onnx } }',
        'layers: { units: units }',
        `probe: { data: ${join(ROOT, 'pipelines/fashion-mnist/test-images.npy')}, layout: nhw, scale: 255, rows: ${tasks * ROWS_PER_TASK} }`,
        `shard: { rows: ${ROWS_PER_TASK} }`,
        'match: false\npredict: false\ncluster: false\n',
      ].join('\n'),
    );
    const runs: OurRun[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) runs.push(await runOurs(file, 'isolate', scratch));
    for (const { computed, tasks: counted } of runs) {
      const found = computed.filter(({ kind }) => kind === 'activate').length;
      if (found !== tasks || counted.computed !== counted.total)
        throw new Error(`expected ${tasks} activation tasks, all computed; found ${found}`);
    }
    const perTask = median(runs.map(({ stages }) => (1000 * stages.activate!) / tasks));
    const inside = median(
      runs.map(({ computed }) => median(computed.filter(({ kind }) => kind === 'activate').map((t) => t.seconds))),
    );
    return {
      lines: [atMost('one tiny task through queue, workflow and R2, 1,000 of them', perTask, 10, ' ms')],
      details: [`Of which ${(1000 * inside).toFixed(1)} ms (median) from a message’s arrival to its object’s storing.`],
    };
  },
};
