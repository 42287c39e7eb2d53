/** The paper's network, conv1–5, two of them: heavy forwards and products, then predictions. */
import { alternate, cpuOf, median, medianRatio, secondsOf } from '../measure.ts';
import { runOurs } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Line, Row } from '../row.ts';
import { jobDetails } from './jobDetails.ts';

const CASES = [
  { pipeline: 'caffenet-conv-unpredicted', what: 'without prediction', aim: 0.8, rounds: 3 },
  { pipeline: 'caffenet-conv', what: 'with prediction', aim: 0.4, rounds: 1 },
];

export const caffenet: Row = {
  name: 'caffenet',
  how: 'Two CaffeNets (conv1–5, 256 images), native, from nothing against `peer.py --job` on the same pipeline file: wall time of the whole process; median ratio of 3 rounds without prediction, one round with.',
  async run({ fixtures, scratch, quick, say }) {
    await fixtures.need(say, 'caffenet-conv');
    const lines: Line[] = [];
    const details: string[] = [];
    for (const { pipeline, what, aim, rounds } of quick ? CASES.slice(0, 1) : CASES) {
      const ours = () => runOurs(fixtures.path(`${pipeline}.yaml`), 'native', scratch);
      const theirs = () => fixtures.peer('--job', pipeline, '--folder', fixtures.folder);
      const [peer, own] = await alternate(quick ? 1 : rounds, theirs, ours);
      const ratio = medianRatio(secondsOf(own), secondsOf(peer));
      lines.push(atMost(`CaffeNet conv1–5 pair, 256 images, ${what}, native ÷ peer`, ratio, aim));
      details.push(
        table(
          [what, 'seconds', 'of CPU'],
          [
            ['ours', median(secondsOf(own)), cpuOf(own)],
            ['peer', median(secondsOf(peer)), cpuOf(peer)],
          ],
        ),
        jobDetails(own[0]!, peer[0]!.answer),
      );
    }
    return { lines, details };
  },
};
