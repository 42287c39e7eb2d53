/** Spectral clustering: the kernel alone, speed and quality, on a graph that both sides read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alternate, median, medianRatio, secondsOf } from '../measure.ts';
import { runInside } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Row } from '../row.ts';
import { realMatrices } from './matrices.ts';

const K = 16;
const THRESHOLD = 0.2;

interface Answer {
  seconds: number;
  labels: number[];
}

export const cluster: Row = {
  name: 'cluster',
  how: `The joint graph of two CaffeNets at conv3 (768 units, r > ${THRESHOLD}, k = ${K}) against scikit-learn's \`SpectralClustering(affinity="precomputed")\`, ten restarts each, from correlations (ours makes the graph first; the peer is given it): median of 3 calls, median ratio of 3 alternating processes. Σ cut/vol of both labellings by the same code.`,
  async run(context) {
    const { fixtures, scratch, quick } = context;
    const folder = await realMatrices(context, 'caffenet', 'conv3');
    const blocks = ['within_a.npy', 'between.npy', 'within_b.npy'].map((name) => join(folder, name));
    const graph = join(scratch, 'graph.npy');
    await runInside('graph', ...blocks, THRESHOLD, graph);
    const ours = () => runInside<Answer>('cluster', ...blocks, K, THRESHOLD);
    const theirs = async () => (await fixtures.peer('cluster', graph, String(K))).answer as Answer;
    const [peer, own] = await alternate(quick ? 1 : 3, theirs, ours);
    const labels = join(scratch, 'labels.json');
    writeFileSync(labels, JSON.stringify([own[0]!.labels, peer[0]!.labels]));
    const [ourCut, peerCut] = (await runInside<number[]>('cut', graph, labels)) as [number, number];
    const vertices = (answer: Answer): number => answer.labels.filter((label) => label >= 0).length;
    if (vertices(own[0]!) !== vertices(peer[0]!))
      throw new Error(`expected ${vertices(peer[0]!)} vertices; found ${vertices(own[0]!)}`);
    const ratio = medianRatio(secondsOf(own), secondsOf(peer));
    return {
      lines: [
        atMost('spectral clustering, 768-vertex joint graph, ÷ scikit-learn', ratio, 1),
        atMost('its Σ cut/vol ÷ scikit-learn’s', ourCut / peerCut, 1.05),
      ],
      details: [
        table(
          ['', 'seconds', 'vertices', 'Σ cut/vol'],
          [
            ['ours', median(secondsOf(own)), String(vertices(own[0]!)), ourCut.toFixed(4)],
            ['scikit-learn', median(secondsOf(peer)), String(vertices(peer[0]!)), peerCut.toFixed(4)],
          ],
        ),
      ],
    };
  },
};
