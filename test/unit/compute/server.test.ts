import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { TaskPart } from '../../../src/compute/parts.ts';
import { writeTaskHeader } from '../../../src/compute/request.ts';
import { startCompute, type ComputeOptions, type ComputeServer } from '../../../src/compute/server.ts';
import type { ErrorRecord } from '../../../src/errors.ts';
import { readNpz } from '../../../src/numeric/npz.ts';
import { failure, fakeChild, fakePlan, keyOf, pipe, scratchFolder } from './fixtures.ts';
import type { FakeTask } from './fake-child.ts';

const { folder, remove } = scratchFolder();
let childModule: string;
let server: ComputeServer;
let started = 0;

beforeAll(async () => {
  childModule = await fakeChild(folder);
});
afterEach(() => server.close(0));
afterAll(remove);

async function start(options: Partial<ComputeOptions> = {}): Promise<string> {
  const cacheFolder = join(folder, `cache-${++started}`);
  server = await startCompute({ cacheFolder, childModule, children: 1, ...options });
  return cacheFolder;
}

async function send(task: FakeTask, parts: TaskPart[] = []): Promise<Response> {
  const { text, hash } = fakePlan(task);
  await fetch(`${server.url}/inputs/${hash}`, { method: 'PUT', body: text });
  const body = writeTaskHeader({ planHash: hash, task: 0, files: [], parts });
  return fetch(`${server.url}/tasks`, { method: 'POST', body });
}
const health = async (): Promise<unknown> => (await fetch(`${server.url}/health`)).json();

test('one body more than children is spooled, others wait unread, and more than may wait are sent away', async () => {
  const cacheFolder = await start({ mostWaiting: 1 });
  const gate = pipe(folder);
  const running = send({ do: 'wait', pipe: gate });
  await expect.poll(health).toMatchObject({ busy: 1, waiting: 0 });
  const spooled = send({ do: 'pid' });
  await expect.poll(health).toMatchObject({ busy: 1, waiting: 1 });
  const unread = send({ do: 'pid' });
  await expect.poll(health).toMatchObject({ busy: 1, waiting: 2 });
  expect(readdirSync(join(cacheFolder, 'spool')).length).toBe(2);
  const away = await send({ do: 'pid' });
  expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
  expect((await away.json()) as ErrorRecord).toMatchObject({ code: 'task-failed' });
  await writeFile(gate, 'go');
  expect((await Promise.all([running, spooled, unread])).map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(readdirSync(join(cacheFolder, 'spool'))).toEqual([]);
});

test('an object it made is an input of the next task without being sent; one found damaged is asked for', async () => {
  await start();
  const made: FakeTask = { do: 'pid' };
  const part = { kind: 'made' as const, task: 4, key: keyOf(made) };
  const read: FakeTask = { do: 'read', object: { task: 4, range: [0, 4] } };
  const missing = await send(read, [part]);
  expect([missing.status, await missing.json()]).toEqual([424, { missing: [part.key] }]);
  const object = new Uint8Array(await (await send(made)).arrayBuffer());
  const answer = await readNpz(new Uint8Array(await (await send(read, [part])).arrayBuffer()));
  expect(answer.bytes!.data).toEqual(object.slice(0, 4));
  const damaged = await send({ do: 'damaged' }, [part]);
  expect((await damaged.json()) as ErrorRecord).toMatchObject({ code: 'object-damaged' });
  expect((await send(read, [part])).status).toBe(424);
});

test('a file of this machine is kept as if it had been sent; one with other bytes than its name says is not', async () => {
  await start();
  const { text, hash } = fakePlan({ do: 'pid' });
  const path = join(folder, 'kept');
  await writeFile(path, text);
  await server.keep(hash, path);
  await expect(server.keep('0'.repeat(64), path)).rejects.toMatchObject({ code: 'input-damaged' });
  const asked = await fetch(`${server.url}/inputs/missing`, {
    method: 'POST',
    body: JSON.stringify([hash, '0'.repeat(64)]),
  });
  expect(await asked.json()).toEqual({ missing: ['0'.repeat(64)] });
});

test('a sender that stalls is given up, and its place is free', async () => {
  const cacheFolder = await start({ limits: { stallSeconds: 0.2 } });
  const { text, hash } = fakePlan({ do: 'pid' });
  await fetch(`${server.url}/inputs/${hash}`, { method: 'PUT', body: text });
  const parts = [{ kind: 'rows' as const, start: 0, end: 1, bytes: 100 }];
  const head = writeTaskHeader({ planHash: hash, task: 0, files: [], parts });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(`POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: ${head.length + 100}\r\n\r\n`);
  socket.write(head);
  socket.write('half');
  let answer = '';
  for await (const data of socket) answer += String(data);
  expect(answer).toMatch(/^HTTP\/1.1 400.*found nothing for 0.2 s/s);
  expect(readdirSync(join(cacheFolder, 'spool'))).toEqual([]);
  expect((await send({ do: 'pid' })).status).toBe(200);
});

test('a sender that goes away in the middle leaves nothing', async () => {
  const cacheFolder = await start();
  const { text, hash } = fakePlan({ do: 'pid' });
  await fetch(`${server.url}/inputs/${hash}`, { method: 'PUT', body: text });
  const parts = [{ kind: 'rows' as const, start: 0, end: 1, bytes: 100 }];
  const head = writeTaskHeader({ planHash: hash, task: 0, files: [], parts });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(`POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: ${head.length + 100}\r\n\r\n`);
  socket.write(head);
  const spooled = (): string[] => readdirSync(join(cacheFolder, 'spool'));
  await expect.poll(spooled).toHaveLength(1);
  socket.destroy();
  await expect.poll(spooled).toEqual([]);
  expect((await send({ do: 'pid' })).status).toBe(200);
});

test('the server leaves its host process as it was', async () => {
  const before = [globalThis.Request, globalThis.Response, process.listenerCount('SIGINT')];
  await start();
  expect([globalThis.Request, globalThis.Response, process.listenerCount('SIGINT')]).toEqual(before);
});

test('close() ends waiting and running tasks that take longer than they may, and every connection', async () => {
  await start();
  const statuses = [send({ do: 'hang' }), send({ do: 'pid' }), send({ do: 'pid' })].map((answer) =>
    answer.then(({ status }) => status),
  );
  await expect.poll(health).toMatchObject({ busy: 1, waiting: 2 });
  await server.close(0);
  expect((await Promise.all(statuses)).every((status) => status === 500 || status === 503)).toBe(true);
  await expect(fetch(`${server.url}/health`)).rejects.toThrow('fetch failed');
});

test('a runtime that does not load is an error, and leaves no process', async () => {
  await start();
  const broken = join(folder, 'broken.mjs');
  await writeFile(broken, "throw new Error('no such library')");
  const options = { cacheFolder: join(folder, 'cache-broken'), childModule: broken };
  expect((await failure('internal', () => startCompute(options))).message).toMatch(/no such library/);
});
