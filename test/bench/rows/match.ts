/** One-to-one matching: the kernel alone, on files that both sides read. */
import { join } from 'node:path';
import { alternate, median, medianRatio, secondsOf } from '../measure.ts';
import { runInside } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Line, Row, RowContext } from '../row.ts';
import { drawn, realMatrices } from './matrices.ts';

const SAME_OBJECTIVE = 1e-9;

interface Answer {
  seconds: number;
  objective: number;
  provedSeconds: number;
}

export const match: Row = {
  name: 'match',
  how: 'The assignment of 1024² and 4096² correlations, random (N(0, 1/200)) and real (a layer of 1,024 units; fc6 of CaffeNet), against `scipy.optimize.linear_sum_assignment` on the same .npy: median of 3 calls in a process, median ratio of 3 alternating processes each.',
  async run(context) {
    const { fixtures, quick } = context;
    const lines: Line[] = [];
    const rows: (string | number)[][] = [];
    for (const { what, file } of await cases(context)) {
      const ours = () => runInside<Answer>('match', file);
      const theirs = async () => (await fixtures.peer('match', file)).answer as unknown as Answer;
      const [peer, own] = await alternate(quick ? 1 : 3, theirs, ours);
      const difference = Math.abs(own[0]!.objective - peer[0]!.objective);
      if (!(difference <= SAME_OBJECTIVE * Math.abs(peer[0]!.objective)))
        throw new Error(`${what}: expected Σ r ${peer[0]!.objective}; found ${own[0]!.objective}`);
      const ratio = medianRatio(secondsOf(own), secondsOf(peer));
      lines.push(atMost(`one-to-one matching, ${what}, ÷ scipy`, ratio, 1));
      rows.push([
        what,
        median(secondsOf(own)),
        median(secondsOf(peer)),
        ratio,
        median(own.map((answer) => answer.provedSeconds)),
      ]);
    }
    const head = ['matrix', 'ours, s', 'scipy, s', 'ratio', 'ours with semi-matchings and proof, s'];
    return { lines, details: [table(head, rows)] };
  },
};

async function cases(context: RowContext): Promise<{ what: string; file: string }[]> {
  const small = [
    { what: '1024² random', file: (await drawn(context, ['random-1024.npy'], 'random', 1024))[0]! },
    { what: '1024² real', file: join(await realMatrices(context, 'wide1024', 'wide'), 'between.npy') },
  ];
  if (context.quick) return small;
  return [
    ...small,
    { what: '4096² random', file: (await drawn(context, ['random-4096.npy'], 'random', 4096))[0]! },
    { what: '4096² real', file: join(await realMatrices(context, 'caffenet', 'fc6'), 'between.npy') },
  ];
}
