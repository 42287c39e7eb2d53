/**
 * A run killed at any moment loses no finished task: the same command goes on, says exactly what it
 * reused, ends the workerd that the kill left behind, and gives the same bytes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesMarked } from '../../src/cli/state.ts';
import { objectKey } from '../../src/plan/plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { openBucket, validObjects } from './bucket.ts';
import { ISOLATE, objectsIn, pipelineText, run, runJson, start, temporaryFolder, until } from './command.ts';
import type { RunAnswer } from './command.ts';

const folder = temporaryFolder();
const file = join(folder.path, 'small.yaml');
const state = (name: string): string => join(folder.path, name);
let reference: RunAnswer;
let plan: Plan;

const runArguments = (name: string): string[] => [
  'run',
  file,
  '--state',
  state(name),
  '--out',
  join(folder.path, `out-${name}`),
  ...ISOLATE,
];

beforeAll(async () => {
  writeFileSync(
    file,
    pipelineText('fashion-mnist.yaml', (text) => `${text.replace(/rows: 10000/, 'rows: 1000')}\nshard: { rows: 25 }\n`),
  );
  reference = await runJson<RunAnswer>(runArguments('reference'));
  plan = await runJson<Plan>(['plan', file, '--state', state('reference'), ...ISOLATE]);
});
afterAll(() => folder.remove());

/** The moments: how many objects are in the bucket when the blow falls; drawn once, spread over all stages. */
const KILLS: { signal: NodeJS.Signals; objects: number }[] = [
  { signal: 'SIGKILL', objects: 7 },
  { signal: 'SIGHUP', objects: 15 },
  { signal: 'SIGKILL', objects: 40 },
  { signal: 'SIGKILL', objects: 60 },
  { signal: 'SIGHUP', objects: 85 },
];

describe('five kills at seeded moments', () => {
  it('end with the digest of an undisturbed run; each attempt reuses exactly the valid objects it finds', async () => {
    let expectedReused = 0;
    let endsOrphans = 0;
    let orphansLeft = 0;
    for (const { signal, objects } of KILLS) {
      const running = start([...runArguments('killed'), '--json']);
      await until(() => objectsIn(state('killed')) >= objects && /^run /m.test(running.said()), running);
      if (expectedReused > 0) await until(() => /^reuses /m.test(running.said()), running);
      running.child.kill(signal);
      const ended = await running.ended;
      expect(ended.code, ended.stderr).not.toBe(0);
      if (expectedReused > 0) expect(ended.stderr).toContain(`reuses ${expectedReused} of ${plan.tasks.length} tasks`);
      if (orphansLeft > 0) endsOrphans += Number(/ended a workerd left over/.test(ended.stderr));

      // a SIGKILL leaves workerd behind: held still, so that what it has stored can be counted
      const orphans = processesMarked(state('killed'));
      orphansLeft = orphans.length;
      if (signal === 'SIGHUP') expect(orphans).toEqual([]);
      for (const pid of orphans) process.kill(pid, 'SIGSTOP');
      expectedReused = (await validObjects(state('killed'), plan, join(folder.path, 'scratch'))).length;
    }
    expect(endsOrphans).toBeGreaterThan(0);

    const total = plan.tasks.length;
    const answer = await runJson<RunAnswer>(runArguments('killed'));
    expect(answer.tasks).toEqual({ total, reused: expectedReused, computed: total - expectedReused });
    expect(answer.digest).toBe(reference.digest);
    expect(answer.run).toBe(JSON.parse(readFileSync(join(folder.path, 'out-killed/run.json'), 'utf8')).run);
  });
});

describe('Ctrl-C', () => {
  it('exits 130, says that nothing is lost, and leaves no output and no process', async () => {
    const running = start([...runArguments('interrupted'), '--json']);
    await until(() => objectsIn(state('interrupted')) >= 9, running);
    // as a terminal and a launcher do: more than once
    running.child.kill('SIGINT');
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('no finished task is lost');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'stopped' } });
    expect(processesMarked(state('interrupted'))).toEqual([]);
    expect(readdirSync(folder.path).filter((name) => name.includes('out-interrupted'))).toEqual([]);
  });
});

describe('a run asked for twice', () => {
  it('is a second run with an id of its own, which finds everything done and says so', async () => {
    const again = await runJson<RunAnswer>(runArguments('reference'));
    const total = plan.tasks.length;
    expect(again.tasks).toEqual({ total, reused: total, computed: 0 });
    expect(again.digest).toBe(reference.digest);
    expect(again.run).not.toBe(reference.run);
  });

  it('is refused on a busy state folder', async () => {
    const first = start([...runArguments('busy'), '--json']);
    await until(() => /^run /m.test(first.said()), first);
    const second = await run([...runArguments('busy'), '--json']);
    first.child.kill('SIGINT');
    await first.ended;
    expect(second.code).toBe(2);
    expect(JSON.parse(second.stdout)).toMatchObject({ error: { code: 'state-busy' } });
  });

  it('computes everything anew with --fresh, in a state folder that other plans share', async () => {
    const total = plan.tasks.length;
    const fresh = await runJson<RunAnswer>([...runArguments('reference'), '--fresh']);
    expect(fresh.tasks).toEqual({ total, reused: 0, computed: total });
    expect(fresh.digest).toBe(reference.digest);
  });
});

describe('damaged objects', () => {
  it('are found, deleted and made anew, and nothing else is; the digest stays', async () => {
    const bucket = await openBucket(state('reference'));
    const chosen = ['pilot', 'activate', 'merge', 'correlate', 'cluster'].map((kind) =>
      plan.tasks.findIndex((task) => task.kind === kind),
    );
    for (const [way, index] of chosen.entries()) {
      const key = objectKey(plan.tasks[index]!);
      const bytes = (await bucket.get(key))!;
      // one bit, an end cut off, nothing left, another's content, a zip of zeros
      const damaged = [
        flipped(bytes),
        bytes.slice(0, bytes.length - 40),
        new Uint8Array(0),
        (await bucket.get(objectKey(plan.tasks.at(-2)!)))!.slice(1),
        new Uint8Array(bytes.length),
      ];
      await bucket.put(key, damaged[way]!);
    }
    await bucket.close();
    const total = plan.tasks.length;
    const repaired = await runJson<RunAnswer>(runArguments('reference'));
    expect(repaired.tasks).toEqual({ total, reused: total - chosen.length, computed: chosen.length });
    expect(repaired.digest).toBe(reference.digest);
  });

  it('are no reason for wrong numbers where they are inputs: the run fails, and the next one stores them anew', async () => {
    const bucket = await openBucket(state('reference'));
    const key = `inputs/${plan.data.sha256}`;
    const bytes = (await bucket.get(key))!;
    // in a row that the run reads
    await bucket.put(key, flipped(bytes, 100_000));
    await bucket.close();
    const failed = await run([...runArguments('reference'), '--fresh', '--json']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'input-damaged' } });
    const repaired = await runJson<RunAnswer>(runArguments('reference'));
    expect(repaired.digest).toBe(reference.digest);
  });
});

function flipped(bytes: Uint8Array, at = bytes.length >> 1): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}
