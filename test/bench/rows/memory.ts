/** Whether memory grows with the images: it must not. */
import type { OurRun } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Line, Row } from '../row.ts';
import { fashionRuns } from './fashion.ts';

const MIB = 2 ** 20;

export const memory: Row = {
  name: 'memory',
  how: 'Peak resident memory of workerd (VmHWM) and the largest of a native child’s tasks (beyond its runtime) on 60,000 images over that on 10,000, Fashion-MNIST’s training images; one run each.',
  async run(context) {
    const [few, many] = context.quick ? [500, 1000] : [10000, 60000];
    const figures = new Map<string, [number, number]>();
    for (const provider of ['native', 'isolate'] as const) {
      const [small, large] = [
        (await fashionRuns(context, provider, few))[0]!,
        (await fashionRuns(context, provider, many))[0]!,
      ];
      figures.set(`workerd, ${provider} run`, [small.workerdPeakBytes ?? NaN, large.workerdPeakBytes ?? NaN]);
      const name = provider === 'native' ? 'native child, activation' : 'wasm heap, isolate run';
      figures.set(name, [peakOf(small), peakOf(large)]);
    }
    const told = ['workerd, isolate run', 'workerd, native run', 'native child, activation'];
    const lines = told.map((what): Line => {
      const [small, large] = figures.get(what)!;
      const label = `peak memory, ${few.toLocaleString('en')} → ${many.toLocaleString('en')} images: ${what}`;
      if (Number.isNaN(large / small)) return { what: label, value: 'unknown here', aim: '≤ 1.1 ×', reached: null };
      return atMost(label, large / small, 1.1, ' ×');
    });
    const rows = [...figures].map(([what, [small, large]]) => [
      what,
      (small / MIB).toFixed(0),
      (large / MIB).toFixed(0),
    ]);
    return { lines, details: [table(['MiB', String(few), String(many)], rows)] };
  },
};

function peakOf({ computed }: OurRun): number {
  const peaks = computed.filter(({ kind }) => kind === 'activate').map(({ peakBytes }) => peakBytes ?? NaN);
  return Math.max(...peaks);
}
