import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openPool, poolSize, type Pool, type PoolOptions } from '../../../src/compute/pool.ts';
import { readNpz } from '../../../src/numeric/npz.ts';
import type { Job } from '../../../src/compute/jobs.ts';
import type { InspectedNetwork, NetworkRequest } from '../../../src/compute/network.ts';
import { failure, fakeChild, fakeJob, pipe, scratchFolder } from './fixtures.ts';

const { folder, remove } = scratchFolder();
let module: string;
let pool: Pool;

beforeAll(async () => {
  module = await fakeChild(folder);
});
afterEach(() => pool.close(0));
afterAll(remove);

function open(options: Partial<PoolOptions> = {}): Pool {
  pool = openPool({ module, children: 1, childBytes: 2 ** 30, taskSeconds: 60, mostWaiting: 10, ...options });
  return pool;
}

async function pidOf(job: Job): Promise<number> {
  await pool.run(job);
  return (await readNpz(new Uint8Array(await readFile(job.resultPath)))).pid!.data[0] as number;
}

describe('run(job)', () => {
  test('writes the object and says its size, time and memory', async () => {
    open();
    const job = fakeJob(folder, { do: 'take', bytes: 2 ** 26 });
    const done = await pool.run(job);
    expect(done.bytes).toBe(readFileSync(job.resultPath).length);
    expect(done.seconds).toBeGreaterThan(0);
    expect(done.peakBytes! / 2 ** 26).toBeGreaterThan(0.9);
    expect(done.peakBytes! / 2 ** 26).toBeLessThan(1.5);
  });

  test('counts the memory of a task alone, not of those before it', async () => {
    open();
    await pool.run(fakeJob(folder, { do: 'take', bytes: 2 ** 27 }));
    const done = await pool.run(fakeJob(folder, { do: 'pid' }));
    expect(done.peakBytes).toBeLessThan(2 ** 26);
  });

  test('keeps children from task to task, and starts no more than there is work for', async () => {
    open({ children: 4 });
    expect(pool.status()).toEqual({ runtime: null, children: 0, busy: 0, waiting: 0 });
    const first = await pidOf(fakeJob(folder, { do: 'pid' }));
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).toBe(first);
    expect(pool.status()).toEqual({ runtime: 'fake 1', children: 1, busy: 0, waiting: 0 });
  });

  test('goes back to the child that knows the plan', async () => {
    open({ children: 2 });
    const plans = [pipe(folder), pipe(folder)].map((path) => ({ do: 'wait' as const, pipe: path }));
    const round = async (order: number[]): Promise<number[]> => {
      const pids = order.map((index) => pidOf(fakeJob(folder, plans[index]!)));
      await Promise.all(order.map((index) => writeFile(plans[index]!.pipe, 'go')));
      return Promise.all(pids);
    };
    const [a, b] = await round([0, 1]);
    expect(a).not.toBe(b);
    expect(await round([1, 0])).toEqual([b, a]);
    expect(await round([0, 1])).toEqual([a, b]);
  });

  test('passes on what a task refuses, once, and keeps the child', async () => {
    open();
    const before = await pidOf(fakeJob(folder, { do: 'pid' }));
    const error = await failure('not-finite', () => pool.run(fakeJob(folder, { do: 'not-finite' })));
    expect(error.toJSON()).toEqual({
      code: 'not-finite',
      message: 'expected numbers; found NaN',
      hint: 'look at the data',
    });
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).toBe(before);
  });

  test('trusts no child that failed in an unknown way', async () => {
    open();
    const before = await pidOf(fakeJob(folder, { do: 'pid' }));
    await failure('internal', () => pool.run(fakeJob(folder, { do: 'internal' })));
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).not.toBe(before);
  });

  test('runs what waits in order, and takes back what nobody waits for', async () => {
    open();
    const gate = pipe(folder);
    const ended: string[] = [];
    const first = pool.run(fakeJob(folder, { do: 'wait', pipe: gate })).then(() => ended.push('first'));
    const leaving = new AbortController();
    const left = pool.run(fakeJob(folder, { do: 'crash' }), leaving.signal);
    const third = pool.run(fakeJob(folder, { do: 'pid' })).then(() => ended.push('third'));
    expect(pool.status()).toMatchObject({ busy: 1, waiting: 2 });
    leaving.abort();
    await failure('task-failed', () => left);
    expect(pool.status()).toMatchObject({ busy: 1, waiting: 1 });
    await writeFile(gate, 'go');
    await Promise.all([first, third]);
    expect(ended).toEqual(['first', 'third']);
  });

  test('refuses more than may wait', async () => {
    open({ mostWaiting: 1 });
    const gate = pipe(folder);
    const running = pool.run(fakeJob(folder, { do: 'wait', pipe: gate }));
    const waiting = pool.run(fakeJob(folder, { do: 'pid' }));
    const error = await failure('task-failed', () => pool.run(fakeJob(folder, { do: 'pid' })));
    expect(error.message).toMatch(/at most 1 tasks waiting/);
    await writeFile(gate, 'go');
    await Promise.all([running, waiting]);
  });
});

describe('inspect(network)', () => {
  const network = (path: string): NetworkRequest => ({
    path,
    layout: 'nchw',
    rowShape: [1],
    dataLayout: undefined,
    taps: [],
    code: '',
    keptFolder: folder,
  });
  // the fake child says its process id as a size
  const pidFrom = ({ external }: InspectedNetwork): number => external[0]!.sizeBytes;

  test('gives what the child found, bytes as bytes', async () => {
    open();
    const { model, external } = await pool.inspect(network('a'));
    expect(model).toEqual({ sha256: 'a' });
    expect(external[0]!.chunkHashes).toEqual(Uint8Array.of(1, 2));
  });

  test('uses the children that were started for it, several at once', async () => {
    open({ children: 3 });
    expect(await pool.ready(2)).toBe('fake 1');
    const pids = (await Promise.all([pool.inspect(network('a')), pool.inspect(network('b'))])).map(pidFrom);
    expect(new Set(pids).size).toBe(2);
    expect(pool.status().children).toBe(2);
    expect(pids).toContain(await pidOf(fakeJob(folder, { do: 'pid' })));
  });

  test('leaves tasks the memory they are planned to have', async () => {
    open();
    const pid = pidFrom(await pool.inspect(network('hold')));
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).not.toBe(pid);
  });

  test('passes on what is refused', async () => {
    open();
    const error = await failure('model-invalid', () => pool.inspect(network('invalid')));
    expect(error.plainMessage).toBe('expected a model; found none');
  });

  test('of a network that ends its process is an error of the network, and others go on', async () => {
    open();
    const error = await failure('model-unsupported', () => pool.inspect(network('crash')));
    expect(error.plainMessage).toMatch(/^the network: .*signal SIGSEGV, in 2 attempts/);
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).toBeGreaterThan(0);
  });

  test('of a network that never ends is given up', async () => {
    open({ taskSeconds: 0.5 });
    const error = await failure('model-unsupported', () => pool.inspect(network('hang')));
    expect(error.plainMessage).toMatch(/within 0.5 s; found it still running, in 2 attempts/);
  });
});

describe('a child that fails', () => {
  test.each([
    ['crash', /signal SIGSEGV, in 2 attempts/],
    ['exit', /exit code 3: last words, in 2 attempts/],
  ] as const)('by %s is replaced; the task fails after a second try, others go on', async (how, message) => {
    open({ children: 2 });
    const gate = pipe(folder);
    const other = pidOf(fakeJob(folder, { do: 'wait', pipe: gate }));
    const error = await failure('task-failed', () => pool.run(fakeJob(folder, { do: how })));
    expect(error.plainMessage).toMatch(message);
    expect(error.retryable).toBe(true);
    await writeFile(gate, 'go');
    expect(await other).toBeGreaterThan(0);
    expect(pool.status()).toMatchObject({ children: 1, busy: 0, waiting: 0 });
  });

  test('once gets its task done in another', async () => {
    open();
    const before = await pidOf(fakeJob(folder, { do: 'pid' }));
    expect(await pidOf(fakeJob(folder, { do: 'crash-once', mark: `${folder}/mark` }))).not.toBe(before);
  });

  test('and its task goes before those that wait', async () => {
    open();
    const ended: string[] = [];
    const again = pool
      .run(fakeJob(folder, { do: 'crash-once', mark: `${folder}/mark2` }))
      .then(() => ended.push('again'));
    const after = pool.run(fakeJob(folder, { do: 'pid' })).then(() => ended.push('after'));
    await Promise.all([again, after]);
    expect(ended).toEqual(['again', 'after']);
  });

  test('by hanging is ended when its time is over', async () => {
    open({ taskSeconds: 0.5 });
    const error = await failure('task-failed', () => pool.run(fakeJob(folder, { do: 'hang' })));
    expect(error.plainMessage).toMatch(/within 0.5 s; found it still running, in 2 attempts/);
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).toBeGreaterThan(0);
  });

  test('by taking too much memory is ended, and the amounts are named', async () => {
    open({ childBytes: 2 ** 25 });
    const error = await failure('plan-too-large', () => pool.run(fakeJob(folder, { do: 'hog' })));
    const [, allowed, found] = /at most (\d+) MiB .* found (\d+) MiB, in 2 attempts/.exec(error.message)!.map(Number);
    expect(allowed).toBe(32);
    expect(found).toBeGreaterThan(32);
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).toBeGreaterThan(0);
  });

  test('by finding no memory is replaced, and says so', async () => {
    open();
    const before = await pidOf(fakeJob(folder, { do: 'pid' }));
    const error = await failure('plan-too-large', () => pool.run(fakeJob(folder, { do: 'no-memory' })));
    expect(error.message).toMatch(/Array buffer allocation failed/);
    expect(await pidOf(fakeJob(folder, { do: 'pid' }))).not.toBe(before);
  });

  test('by filling the heap of JavaScript is told from one that crashes', async () => {
    open();
    const error = await failure('plan-too-large', () => pool.run(fakeJob(folder, { do: 'heap' })));
    expect(error.message).toMatch(/at most 1024 MiB.*signal SIGABRT: FATAL ERROR: Reached heap limit.*in 2 attempts/);
  });

  test('to start is an error that names its last words', async () => {
    const broken = `${folder}/broken.mjs`;
    await writeFile(broken, "throw new Error('no such library')");
    open({ module: broken });
    expect((await failure('internal', () => pool.ready())).message).toMatch(/exit code 1.*no such library/s);
    await failure('task-failed', () => pool.run(fakeJob(folder, { do: 'pid' })));
  });
});

describe('close(graceMs)', () => {
  test('lets running tasks end, refuses the others, leaves no process', async () => {
    open();
    const gate = pipe(folder);
    const running = pidOf(fakeJob(folder, { do: 'wait', pipe: gate }));
    const waiting = pool.run(fakeJob(folder, { do: 'pid' }));
    const refused = failure('task-failed', () => waiting);
    const closed = pool.close(60_000);
    expect((await refused).message).toMatch(/shutting down/);
    await failure('task-failed', () => pool.run(fakeJob(folder, { do: 'pid' })));
    await writeFile(gate, 'go');
    const pid = await running;
    await closed;
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(pool.status().children).toBe(0);
  });

  test('ends tasks that take longer', async () => {
    open();
    const error = failure('task-failed', () => pool.run(fakeJob(folder, { do: 'hang' })));
    await pool.close(0);
    expect((await error).message).toMatch(/shutting down/);
  });
});

test('poolSize(childBytes) is bounded by cores and by memory, and at least 1', () => {
  expect(poolSize(1)).toBe(availableParallelism());
  expect(poolSize(totalmem() * 2)).toBe(1);
});
