/** What rows that look inside a runtime share: asking the program of inside/ for readings. */
import { join } from 'node:path';
import type { Reading, Readings } from '../inside/runtime.ts';
import { median } from '../measure.ts';
import { runInside } from '../ours.ts';
import type { Provider } from '../ours.ts';
import type { RowContext } from '../row.ts';

/** Reads parts over `rows` images of the CaffeNet conv1–5 pair. */
export async function readCaffenet(
  { fixtures, scratch, say }: RowContext,
  provider: Provider,
  rows: number,
  rounds: number,
  parts: readonly string[],
): Promise<Readings> {
  await fixtures.need(say, 'caffenet-conv');
  const file = fixtures.path('caffenet-conv-unpredicted.yaml');
  return runInside('parts', file, provider, rows, rounds, parts.join(','), join(scratch, 'inside'));
}

/** CPU seconds where known, else wall: a busy machine stretches the wall alone. */
export function spent(readings: readonly Reading[]): number[] {
  return readings.map(({ seconds, cpuSeconds }) => cpuSeconds ?? seconds);
}

export const wall = (readings: readonly Reading[]): number[] => readings.map(({ seconds }) => seconds);

/** Billions of operations a second: the median over rounds, on the wall or of CPU. */
export function rate(readings: readonly Reading[], of: (readings: readonly Reading[]) => number[] = wall): number {
  return median(of(readings).map((seconds, round) => readings[round]!.operations / seconds / 1e9));
}
