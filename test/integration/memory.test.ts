/** Memory does not grow with the number of images, and stays within what the plan promised. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BUDGETS } from '../../src/plan/providers.ts';
import type { ProviderName } from '../../src/plan/providers.ts';
import { NATIVE_VERSION, pipelineText, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';

interface RunRecord {
  memory: { workerdPeakBytes: number };
  sets: { provider: ProviderName; projectedBytes: number }[];
  computed: {
    id: string;
    kind: string;
    provider: ProviderName;
    /** Milliseconds. */
    started: number;
    projectedBytes: number;
    peakBytes: number;
  }[];
}

const folder = temporaryFolder();
afterAll(() => folder.remove());

async function record(rows: number, provider: ProviderName, more = ''): Promise<RunRecord> {
  const name = `${provider}-${rows}`;
  const file = join(folder.path, `${name}.yaml`);
  writeFileSync(
    file,
    pipelineText('fashion-mnist.yaml', (text) => `${text.replace(/rows: 10000/, `rows: ${rows}`)}\n${more}\n`),
  );
  const out = join(folder.path, `out-${name}`);
  const state = join(folder.path, `state-${name}`);
  await runJson<RunAnswer>(['run', file, '--state', state, '--out', out, '--compute', provider]);
  return JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as RunRecord;
}

const activations = ({ computed }: RunRecord): RunRecord['computed'] =>
  computed.filter(({ kind }) => kind === 'pilot' || kind === 'activate');

describe.runIf(process.platform === 'linux')('memory', () => {
  it('isolate: the peak of workerd (VmHWM) at 10,000 rows is at most 1.10 × that at 2,000 rows', async () => {
    const [small, large] = [await record(2_000, 'isolate'), await record(10_000, 'isolate')];
    expect(large.memory.workerdPeakBytes / small.memory.workerdPeakBytes).toBeLessThanOrEqual(1.1);
    const { allowedBytes, reservedBytes } = BUDGETS.isolate;
    for (const run of [small, large]) {
      expect(run.sets.length).toBeGreaterThan(0);
      for (const { projectedBytes } of run.sets)
        expect(projectedBytes + reservedBytes).toBeLessThanOrEqual(allowedBytes);
      // the wasm heap never shrinks: of all tasks so far, the largest projection bounds it
      const most = Math.max(...run.computed.map(({ projectedBytes }) => projectedBytes));
      expect(activations(run).length).toBeGreaterThan(1);
      for (const { peakBytes } of activations(run)) {
        expect(peakBytes).toBeGreaterThan(1e6);
        expect(peakBytes).toBeLessThanOrEqual(most + reservedBytes);
      }
    }
  });

  it.runIf(NATIVE_VERSION !== null)('native: nor does that of a child process, task by task', async () => {
    // 200 tasks of one size in the same children: what one leaves behind would add up
    const run = await record(10_000, 'native', 'shard: { rows: 50 }');
    const shards = run.computed
      .filter(({ kind }) => kind === 'activate')
      .toSorted((a, b) => a.started - b.started)
      .map(({ peakBytes }) => peakBytes);
    expect(shards).toHaveLength(200);
    expect(Math.min(...shards)).toBeGreaterThan(0);
    // single peaks differ by garbage; until a child is warm they grow a little, with its compiled code and its heap
    expect(median(shards.slice(160)) / median(shards.slice(80, 120))).toBeLessThanOrEqual(1.1);
    // what is reserved is a bare process; garbage that V8 has not collected yet has room beside it
    const { reservedBytes } = BUDGETS.native;
    for (const { peakBytes, projectedBytes } of activations(run)) {
      expect(peakBytes).toBeLessThanOrEqual(projectedBytes + reservedBytes);
    }
  });
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
