/**
 * Messages are hints: delivered twice, shuffled, failed and retried, they change nothing. Runs the real
 * Worker in workerd with faults around its bucket and its queue.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildInto } from '../../build.js';
import { ISOLATE, NATIVE, NATIVE_VERSION, pipelineText, ROOT, run, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';
import type { Faults } from './faults.ts';

const folder = temporaryFolder();
const file = join(folder.path, 'small.yaml');
let reference: RunAnswer;

// below node_modules, so that the copied command line finds its packages
const buildOf = (name: string): string => join(ROOT, 'node_modules/.cache/convergent-tests', name);

async function withFaults(
  name: string,
  faults: Faults,
  compute: readonly string[] = ISOLATE,
): Promise<{ script: string; args: string[]; out: string }> {
  await buildInto(buildOf(name), join(ROOT, 'test/integration/faulty-worker.ts'), {
    TEST_FAULTS: JSON.stringify(faults),
  });
  const out = join(folder.path, `out-${name}`);
  return {
    script: join(buildOf(name), 'cli.js'),
    args: ['run', file, '--state', join(folder.path, name), '--out', out, ...compute],
    out,
  };
}

interface RunRecord {
  computed: { id: string; deliveries: number }[];
}

beforeAll(async () => {
  writeFileSync(
    file,
    pipelineText('fashion-mnist.yaml', (text) => `${text.replace(/rows: 10000/, 'rows: 1000')}\nshard: { rows: 25 }\n`),
  );
  reference = await runJson<RunAnswer>([
    'run',
    file,
    '--state',
    join(folder.path, 'reference'),
    '--out',
    join(folder.path, 'out'),
    ...ISOLATE,
  ]);
});
afterAll(() => folder.remove());

describe('delivery', () => {
  it('gives the same bytes in a second state folder', async () => {
    const again = await runJson<RunAnswer>([
      'run',
      file,
      '--state',
      join(folder.path, 'second'),
      '--out',
      join(folder.path, 'out-second'),
      ...ISOLATE,
    ]);
    expect(again.digest).toBe(reference.digest);
  });

  it('gives the same bytes when every message comes twice and in another order', async () => {
    const { script, args } = await withFaults('shuffled', { shuffleSeed: 20_261_123 });
    const answer = await runJson<RunAnswer>(args, { script });
    expect(answer.digest).toBe(reference.digest);
    expect(answer.tasks.computed).toBe(answer.tasks.total);
  });

  it('tries a failed put again, each time counted, and gives the same bytes', async () => {
    const { script, args, out } = await withFaults('retried', { puts: { 'activate/': [1, 2, 3, 6], 'reduce/': [30] } });
    const answer = await runJson<RunAnswer>(args, { script });
    expect(answer.digest).toBe(reference.digest);
    const { computed } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as RunRecord;
    const retried = computed.filter(({ deliveries }) => deliveries > 1).map(({ deliveries }) => deliveries);
    // one pilot twice and the other once, one shard and one reduction once
    expect(retried.toSorted((a, b) => a - b)).toEqual([2, 2, 2, 3]);
  });

  it('reads an object again that came back damaged once', async () => {
    const { script, args } = await withFaults('damaged', { damagedGets: { 'activate/': [3, 40], 'reduce/': [9] } });
    const answer = await runJson<RunAnswer>(args, { script });
    expect(answer.digest).toBe(reference.digest);
  });

  it.runIf(NATIVE_VERSION !== null)(
    'sends no file to the compute server twice, though both pilots need it',
    async () => {
      const { script, args, out } = await withFaults('once', { wholeOnce: ['inputs/'] }, NATIVE);
      const { tasks } = await runJson<RunAnswer>(args, { script });
      const { computed } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as RunRecord;
      expect(computed).toHaveLength(tasks.total);
      expect(computed.filter(({ deliveries }) => deliveries > 1)).toEqual([]);
    },
  );

  it('fails the run with the task and its reason when the retries are used up; the next run goes on', async () => {
    const { script, args } = await withFaults('dead', { puts: { 'reduce/': { from: 8 } } });
    const { code, stdout } = await run([...args, '--json'], { script });
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe('task-failed');
    expect(error.message).toMatch(/^task merge-\S+: the bucket refused put \d+ of reduce\/$/);

    const answer = await runJson<RunAnswer>(args);
    expect(answer.digest).toBe(reference.digest);
    expect(answer.tasks.reused).toBeGreaterThan(8);
  });
});
