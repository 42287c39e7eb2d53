/** Where both sides' time goes in one job, as a table. */
import type { PeerAnswer } from '../fixtures.ts';
import { secondsByKind } from '../ours.ts';
import type { OurRun } from '../ours.ts';
import { short } from '../row.ts';

/** One line for each side; ours by stage on the wall, then by kind of task, summed over processes. */
export function jobDetails(ours: OurRun, { seconds }: Pick<PeerAnswer, 'seconds'>): string {
  const listed = (each: Record<string, number>): string =>
    Object.entries(each)
      .filter(([name]) => name !== 'total')
      .map(([name, value]) => `${name} ${short(value)}`)
      .join(', ');
  return [
    `Ours, seconds by stage: ${listed(ours.stages)}; of tasks by kind, waiting for a child included: ${listed(secondsByKind(ours))}.`,
    `Peer: ${listed(seconds)}.`,
  ].join(' ');
}
