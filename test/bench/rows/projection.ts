/** Whether the plan knows the memory of a task: its projection beside the child's measured peak, on real shapes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { BUILT_FRESH, runOurs } from '../ours.ts';
import type { ComputedTask } from '../ours.ts';
import { table } from '../row.ts';
import type { Line, Row } from '../row.ts';

const SHAPES = ['caffenet', 'resnet50', 'vit_b_16'] as const;
const MIB = 2 ** 20;
/** How far off a projection may be. */
const SHARE = 0.25;

export const projection: Row = {
  name: 'projection',
  how: 'CaffeNet with its fully connected layers, ResNet-50 and ViT-B/16 on 512 images, `predict: { targets: 16 }`, natively to the end, each task in a child process of its own: the memory that the plan projects over the peak (VmHWM less its value after loading the runtime).',
  async run({ fixtures, scratch, quick, say }) {
    const lines: Line[] = [];
    const details: string[] = [];
    for (const shape of quick ? SHAPES.slice(0, 1) : SHAPES) {
      await fixtures.need(say, shape);
      const text = readFileSync(fixtures.path(`${shape}-unpredicted.yaml`), 'utf8')
        .replace(/rows: \d+/, `rows: ${quick ? 24 : 512}`)
        .replace('predict: false', 'predict: { targets: 16 }');
      const file = fixtures.path(`${shape}-projection.yaml`);
      writeFileSync(file, text);
      const { computed } = await runOurs(file, 'native', scratch, undefined, BUILT_FRESH);
      const measured = computed.filter((task): task is Measured => task.peakBytes !== null);
      const within = measured.filter((task) => Math.abs(ratioOf(task) - 1) <= SHARE).length;
      lines.push({
        what: `plan’s memory within 25 % of the measured peak, ${shape}, 512 images`,
        value: `${within} of ${measured.length} tasks`,
        aim: 'all',
        reached: measured.length === 0 ? null : within === measured.length,
      });
      details.push(
        table([shape, 'tasks', 'plan, largest', 'peak, largest', 'plan ÷ peak', 'within 25 %'], byKind(measured)),
      );
    }
    details.push(
      'Of a clustering the plan counts a graph in which every unit is connected to every other: how many are is the data’s, and wide layers of drawn weights have few edges.',
    );
    return { lines, details };
  },
};

type Measured = ComputedTask & { peakBytes: number };

const ratioOf = ({ projectedBytes, peakBytes }: Measured): number => projectedBytes / peakBytes;

function byKind(tasks: readonly Measured[]): (string | number)[][] {
  const kinds = [...new Set(tasks.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const own = tasks.filter((task) => task.kind === kind);
    const largest = own.reduce((most, task) => (task.peakBytes > most.peakBytes ? task : most));
    const ratios = own.map(ratioOf).sort((a, b) => a - b);
    const within = ratios.filter((ratio) => Math.abs(ratio - 1) <= SHARE).length;
    return [
      kind,
      String(own.length),
      `${(largest.projectedBytes / MIB).toFixed(0)} MiB`,
      `${(largest.peakBytes / MIB).toFixed(0)} MiB`,
      `${ratios[0]!.toFixed(2)}–${ratios.at(-1)!.toFixed(2)}`,
      String(within),
    ];
  });
}
