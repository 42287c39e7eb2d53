/** How near the products of samples come to the fastest product the same runtime can do. */
import { median } from '../measure.ts';
import { atLeast, table } from '../row.ts';
import type { Line, Row } from '../row.ts';
import { rate, readCaffenet, spent } from './parts.ts';

const LEAST = 0.8;
const PEAKS = ['peak', 'peak-transposed'];

export const gram: Row = {
  name: 'gram',
  how: 'Operations that the products of CaffeNet conv1–5 samples execute per second of CPU, in the shapes of `addProducts` and weighted by their share of the work, over the better of two float32 products of 1024³ (MatMul, and Gemm with the second side transposed) in the same runtime, rounds alternating.',
  async run(context) {
    const lines: Line[] = [];
    const details: string[] = [];
    for (const provider of ['native', 'isolate'] as const) {
      const layers = [0, 1, 2, 3, 4];
      const parts = [...PEAKS, ...layers.flatMap((layer) => [`product:${layer}`, `add:${layer}`])];
      const rounds = context.quick ? 1 : 5;
      const read = await readCaffenet(context, provider, context.quick ? 8 : 50, rounds, parts);
      const best = Math.max(...PEAKS.map((part) => rate(read.parts[part]!, spent)));
      const of = (kind: string, layer: number) => read.parts[`${kind}:${layer}`]!;
      // operations and seconds of one image: those of a sample by its positions
      const perImage = (kind: string) =>
        layers.reduce(
          (sum, layer) => {
            const { positions, units } = read.layers[layer]!;
            const total = units.reduce((all, each) => all + each, 0);
            const operations = positions * total * total;
            const perOperation = median(
              spent(of(kind, layer)).map((seconds, round) => seconds / of(kind, layer)[round]!.operations),
            );
            return { operations: sum.operations + operations, seconds: sum.seconds + operations * perOperation };
          },
          { operations: 0, seconds: 0 },
        );
      const share = (kind: string): number => {
        const { operations, seconds } = perImage(kind);
        return operations / seconds / 1e9 / best;
      };
      lines.push(atLeast(`Gram product as a share of the 1024³ product, ${provider}`, share('product'), LEAST));
      details.push(
        `${provider}: peak ${best.toFixed(1)} GFLOP/s; with adding up in float64 a share of ${share('add').toFixed(3)}.`,
        table(
          ['layer', 'units of both', 'positions', 'GFLOP/s, product', 'share', 'GFLOP/s, with adding up'],
          layers.map((layer) => {
            const { name, positions, units } = read.layers[layer]!;
            const product = rate(of('product', layer), spent);
            const total = String(units.reduce((all, each) => all + each, 0));
            return [name, total, String(positions), product, product / best, rate(of('add', layer), spent)];
          }),
        ),
      );
    }
    return { lines, details };
  },
};
