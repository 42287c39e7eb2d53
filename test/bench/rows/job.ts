/** The whole job on the shipped pair: what somebody waits for who runs the demo, and what the peer takes for it. */
import { join } from 'node:path';
import { alternate, cpuOf, median, medianRatio, secondsOf } from '../measure.ts';
import { ROOT, runOurs } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Row } from '../row.ts';
import { jobDetails } from './jobDetails.ts';

export const job: Row = {
  name: 'job',
  how: '`convergent run pipelines/fashion-mnist.yaml --compute native --fresh` from nothing against `peer.py --job fashion`: wall time of the whole process, start included; median ratio of 5 rounds.',
  async run({ fixtures, scratch, quick }) {
    const rounds = quick ? 1 : 5;
    const file = join(ROOT, 'pipelines/fashion-mnist.yaml');
    const ours = () => runOurs(file, 'native', scratch);
    const theirs = () => fixtures.peer('--job', 'fashion');
    // the peer first: without its libraries nothing else is worth the time
    const [peer, own] = await alternate(rounds, theirs, ours);
    const ratio = medianRatio(secondsOf(own), secondsOf(peer));
    return {
      lines: [atMost('whole job, 10,000 images, shipped pair, all stages, native ÷ peer', ratio, 0.5)],
      details: [
        table(
          ['', 'seconds', 'of CPU'],
          [
            ['ours', median(secondsOf(own)), cpuOf(own)],
            ['peer', median(secondsOf(peer)), cpuOf(peer)],
          ],
        ),
        jobDetails(own[0]!, peer[0]!.answer),
      ],
    };
  },
};
