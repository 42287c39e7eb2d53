/** Sparse prediction: the kernel alone, on files that both sides read. */
import { join } from 'node:path';
import { alternate, median, medianRatio, secondsOf } from '../measure.ts';
import { runInside } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Row } from '../row.ts';
import type { PeerAnswer } from '../fixtures.ts';
import { drawn, realMatrices } from './matrices.ts';

const ALPHAS = '0.3,0.1,0.03,0.01,0.003';
const RARE_UNITS = 384;
const RARE_SAMPLES = 300;
/** The peer stops at its own default tolerance: ours may be lower, never higher by more than rounding. */
const OBJECTIVE_ROUNDING = 1e-10;

type Answer = Pick<PeerAnswer, 'alphas'> & { seconds: number };

export const lasso: Row = {
  name: 'lasso',
  how: `All 384 targets of CaffeNet conv3 from the other network's 384 units at α = ${ALPHAS.replaceAll(',', ', ')} (correlations given) against scikit-learn's \`Lasso(precompute=…)\` with warm starts and its own tolerance; one core each; median ratio of 3 alternating processes. As a remark the same on rarely firing units with fewer samples than units.`,
  async run(context) {
    const { fixtures, quick } = context;
    const real = await realMatrices(context, 'caffenet', 'conv3');
    const rare = await drawn(context, ['rare-gram.npy', 'rare-cross.npy'], 'rare', RARE_UNITS, RARE_SAMPLES);
    const cases = [
      { what: 'conv3', files: [join(real, 'within_a.npy'), join(real, 'between.npy')], rounds: quick ? 1 : 3 },
      { what: 'rarely firing, rank < units', files: rare, rounds: 1 },
    ];
    const ratios: number[] = [];
    const details: string[] = [];
    for (const { what, files, rounds } of cases) {
      const ours = () => runInside<Answer>('lasso', ...files, ALPHAS);
      const theirs = async () => (await fixtures.peer('lasso', ...files, ALPHAS)).answer as Answer;
      const [peer, own] = await alternate(rounds, theirs, ours);
      ratios.push(medianRatio(secondsOf(own), secondsOf(peer)));
      const pairs = own[0]!.alphas.map((mine, index) => ({ mine, other: peer[0]!.alphas[index]! }));
      for (const { mine, other } of pairs) {
        if (mine.objective > other.objective + OBJECTIVE_ROUNDING)
          throw new Error(`${what}, α ${mine.alpha}: expected objective ≤ ${other.objective}; found ${mine.objective}`);
      }
      const [ourSeconds, peerSeconds] = [median(secondsOf(own)), median(secondsOf(peer))];
      details.push(
        `${what}: ours ${ourSeconds.toFixed(2)} s, scikit-learn ${peerSeconds.toFixed(2)} s, ratio ${ratios.at(-1)!.toFixed(3)}.`,
        table(
          ['α', 'mean non-zero', 'max KKT, ours', 'max KKT, scikit-learn', 'objective, ours − scikit-learn'],
          pairs.map(({ mine, other }) => [
            String(mine.alpha),
            mine.mean_nonzero,
            mine.max_kkt.toExponential(1),
            other.max_kkt.toExponential(1),
            (mine.objective - other.objective).toExponential(1),
          ]),
        ),
      );
    }
    const what = 'LASSO path, 5 α, all targets of a 384-unit layer, ÷ scikit-learn';
    return { lines: [atMost(what, ratios[0]!, 0.2)], details };
  },
};
