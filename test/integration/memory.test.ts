/** Memory does not grow with the number of images, and stays within what the plan promised. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pipelineText, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';

interface RunRecord {
  memory: { workerdPeakBytes: number; projectedBytes: number; reservedBytes: number; allowedBytes: number };
  computed: { id: string; kind: string; heapBytes: number }[];
}

const folder = temporaryFolder();
afterAll(() => folder.remove());

async function record(rows: number): Promise<RunRecord> {
  const file = join(folder.path, `rows-${rows}.yaml`);
  writeFileSync(
    file,
    pipelineText('fashion-mnist.yaml', (text) => text.replace(/rows: 10000/, `rows: ${rows}`)),
  );
  const out = join(folder.path, `out-${rows}`);
  await runJson<RunAnswer>(['run', file, '--state', join(folder.path, `state-${rows}`), '--out', out]);
  return JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as RunRecord;
}

describe.runIf(process.platform === 'linux')('memory', () => {
  it('peak of workerd (VmHWM) at 10,000 rows is at most 1.10 × that at 2,000 rows', async () => {
    const small = await record(2_000);
    const large = await record(10_000);
    expect(large.memory.workerdPeakBytes / small.memory.workerdPeakBytes).toBeLessThanOrEqual(1.1);

    for (const { memory, computed } of [small, large]) {
      const heaps = computed
        .filter(({ kind }) => kind === 'pilot' || kind === 'activate')
        .map(({ heapBytes }) => heapBytes);
      expect(heaps.length).toBeGreaterThan(1);
      // the heap of every activation is known, and below what an isolate has
      for (const heap of heaps) expect(heap).toBeGreaterThan(1e6);
      expect(Math.max(...heaps)).toBeLessThanOrEqual(memory.projectedBytes + memory.reservedBytes);
      expect(memory.projectedBytes + memory.reservedBytes).toBeLessThanOrEqual(memory.allowedBytes);
    }
  });
});
