/** What moments cost beside the forward itself, natively and in an isolate. */
import { median, medianRatio } from '../measure.ts';
import type { Provider } from '../ours.ts';
import { atMost, table } from '../row.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { readCaffenet, spent, wall } from './parts.ts';

const MOST = 1.25;
/** Parts, each with what it adds to the one before. */
const PARTS = {
  bare: 'one session per network on prepared inputs, outputs fetched',
  sets: 'the same for each activation set',
  activate: 'and rows read and prepared, shapes checked',
  samples: 'and activations shifted, copied for products, minimum and maximum kept',
  moments: 'and products, added up in float64: the whole task',
};

const SETUP = {
  native: { runtime: 'onnxruntime-node', where: 'in one Node process, one thread, as a child of the compute server' },
  isolate: { runtime: 'onnxruntime-web', where: 'inside workerd, timed from outside' },
} as const;

function overhead(provider: Provider): Row {
  const { runtime, where } = SETUP[provider];
  return {
    name: `overhead-${provider}`,
    how: `The CaffeNet conv1–5 pair ${where}: an activation task against the bare ${runtime} sessions on the same images in the same batches (inputs prepared beforehand, outputs fetched, nothing else); median ratio of alternating rounds, of CPU time where the system tells it.`,
    run: (context) => measure(context, provider),
  };
}

async function measure(context: RowContext, provider: Provider): Promise<Outcome> {
  const native = provider === 'native';
  const rows = context.quick ? 6 : native ? 50 : 12;
  const rounds = context.quick ? 1 : native ? 5 : 9;
  const { sets, parts } = await readCaffenet(context, provider, rows, rounds, Object.keys(PARTS));
  const ratio = (of: typeof wall, part: string): number => medianRatio(of(parts[part]!), of(parts.bare!));
  const what = `${native ? 'activations + moments' : 'isolate: activations + moments'} ÷ bare ${SETUP[provider].runtime} forward, CaffeNet conv1–5 pair`;
  return {
    lines: [atMost(what, ratio(spent, 'moments'), MOST)],
    details: [
      `${rows} images, ${rounds} rounds; activation sets: ${sets.map(({ batch, layers }) => `${layers.join(', ')} in batches of ${batch}`).join('; ')}.`,
      table(
        ['part', '', 'ms of CPU per image', '÷ bare', '÷ bare on the wall'],
        Object.entries(PARTS).map(([part, text]) => [
          part,
          text,
          (1000 * median(spent(parts[part]!))) / rows,
          ratio(spent, part),
          ratio(wall, part),
        ]),
      ),
    ],
  };
}

export const overheadNative = overhead('native');
export const overheadIsolate = overhead('isolate');
