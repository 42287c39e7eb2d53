/**
 * The compute server over HTTP, as the process that its container would start: the files that the Dockerfile copies,
 * its environment, its command, under a memory limit. The children do what fake plans say.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { TASK_FIGURES, writeTaskHeader, type TaskHeader } from '../../src/compute/request.ts';
import type { ErrorRecord } from '../../src/errors.ts';
import { readNpz } from '../../src/numeric/npz.ts';
import type { FakeTask } from '../unit/compute/fake-child.ts';
import { bundleInto, fakeChild, fakePlan, pipe, scratchFolder, sha256Of } from '../unit/compute/fixtures.ts';

// a pipe that nobody opens waits for ever
vi.setConfig({ testTimeout: 30_000 });

const ROOT = join(import.meta.dirname, '../..');
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').split('FROM ').at(-1)!;
/** Memory each process may write to, besides the 512 MiB that V8 reserves for the code of each of up to two threads. */
const DATA_LIMIT = (2 * 512 + 256) * 2 ** 20;
/** Most resident bytes of a server, whatever passes through it. */
const SERVER_MOST = 200 * 2 ** 20;

const { folder, remove } = scratchFolder();
const image = join(folder, 'app');
const command = JSON.parse(/^CMD (.*)$/m.exec(DOCKERFILE)![1]!) as string[];
const environment = Object.fromEntries(
  [...DOCKERFILE.matchAll(/^ENV (\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
);

interface Server {
  url: string;
  process: ChildProcess;
  /** What it printed first. */
  line: string;
  cacheFolder: string;
}
let servers: ChildProcess[] = [];
let started = 0;
/** One for all tests that need no settings and end nothing. */
let shared: Server;

beforeAll(async () => {
  await bundleInto(join(ROOT, 'src/compute/main.ts'), join(image, 'dist/compute.js'), 'external');
  await bundleInto(join(ROOT, 'src/compute/child.ts'), join(image, 'dist/native-child.js'), 'external');
  await fakeChild(join(image, 'dist'), 'child.js');
  for (const [, from, to] of DOCKERFILE.matchAll(/^COPY --from=build \/app\/(\S+) (\S+)$/gm)) {
    if (!to!.startsWith('dist/')) cpSync(join(ROOT, from!), join(image, to!), { recursive: true, dereference: true });
  }
  shared = await start();
  servers = [];
}, 60_000);
afterEach(async () => {
  const running = servers.filter((server) => server.exitCode === null && server.signalCode === null);
  servers = [];
  for (const server of running) server.kill('SIGKILL');
  await Promise.all(running.map((server) => once(server, 'exit')));
});
afterAll(async () => {
  shared.process.kill('SIGTERM');
  await once(shared.process, 'exit');
  remove();
});

async function start(settings: Record<string, string> = {}, dist = 'dist'): Promise<Server> {
  const cacheFolder = join(folder, `cache-${++started}`);
  const [node, ...args] = command.map((part) => part.replace(/^dist\//, `${dist}/`));
  const child = spawn('prlimit', [`--data=${DATA_LIMIT}`, node === 'node' ? process.execPath : node!, ...args], {
    cwd: image,
    env: { ...environment, PORT: '0', CONVERGENT_CHILDREN: '2', CONVERGENT_CACHE_DIR: cacheFolder, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  servers.push(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => text as string),
    once(child, 'close').then(([code]) => expect.fail(`exit code ${code as number}: ${errors}`)),
  ]);
  return { url: /http:\S+(?=:\s)/.exec(line)![0], process: child, line, cacheFolder };
}

const put = (server: Server, content: Uint8Array | string, hash = sha256Of(content)): Promise<Response> =>
  fetch(`${server.url}/inputs/${hash}`, { method: 'PUT', body: content as BodyInit });

function post(server: Server, header: Partial<TaskHeader>, ...parts: Uint8Array[]): Promise<Response> {
  const head = writeTaskHeader({ planHash: '', task: 0, files: [], parts: [], ...header });
  return fetch(`${server.url}/tasks`, { method: 'POST', body: Buffer.concat([head, ...parts]) });
}

// puts a plan of one task and posts it
async function run(server: Server, task: FakeTask, header: Partial<TaskHeader> = {}, ...parts: Uint8Array[]) {
  const plan = fakePlan(task);
  expect((await put(server, plan.text)).status).toBe(204);
  return post(server, { planHash: plan.hash, ...header }, ...parts);
}

/** The exit code of the container's health check. */
function healthCheck(port: string): number | null {
  const check = JSON.parse(/^HEALTHCHECK .* CMD (.*)$/m.exec(DOCKERFILE)![1]!) as string[];
  return spawnSync(process.execPath, check.slice(1), { env: { PORT: port } }).status;
}

// sends what is given and no more, and reads one answer in JSON
async function talk(server: Server, ...sent: (string | Uint8Array)[]): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  for (const part of sent) socket.write(part);
  let text = '';
  for await (const data of socket) {
    text += String(data);
    if (text.endsWith('}')) break;
  }
  return text;
}

const resultOf = async (answer: Response): Promise<Uint8Array> => {
  expect(answer.status, answer.ok ? '' : await answer.clone().text()).toBe(200);
  return (await readNpz(new Uint8Array(await answer.arrayBuffer()))).bytes!.data as Uint8Array;
};
const errorOf = async (answer: Response): Promise<ErrorRecord> => (await answer.json()) as ErrorRecord;
const healthOf = async (server: Server): Promise<unknown> => (await fetch(`${server.url}/health`)).json();
const spooled = (server: Server): string[] => readdirSync(join(server.cacheFolder, 'spool'));

describe('a server', () => {
  test('with its own child says its runtime, and runs under the memory limit', async () => {
    const dist = join(image, 'native');
    mkdirSync(dist, { recursive: true });
    cpSync(join(image, 'dist/compute.js'), join(dist, 'compute.js'));
    cpSync(join(image, 'dist/native-child.js'), join(dist, 'child.js'));
    for (const kernel of ['samples.wasm', 'rows.wasm']) cpSync(join(ROOT, 'dist', kernel), join(dist, kernel));
    const server = await start({}, 'native');
    expect(server.line).toMatch(/onnxruntime-node 1\.\d+\.\d+, up to 2 child processes/);
    expect(await healthOf(server)).toMatchObject({ status: 'ok', runtime: expect.stringMatching(/^onnxruntime-node/) });
    const port = new URL(server.url).port;
    expect(healthCheck(port)).toBe(0);
    server.process.kill('SIGKILL');
    await once(server.process, 'exit');
    expect(healthCheck(port)).toBe(1);
  });

  test('takes files by hash, and tells which it has', async () => {
    const server = await start();
    const file = Buffer.from('a model');
    const has = async (): Promise<number> =>
      (await fetch(`${server.url}/inputs/${sha256Of(file)}`, { method: 'HEAD' })).status;
    expect(await has()).toBe(404);
    expect((await put(server, file)).status).toBe(204);
    expect(await has()).toBe(200);
    expect((await put(server, file)).status).toBe(204);
    const wrong = await put(server, 'another', sha256Of('a third'));
    expect([wrong.status, (await errorOf(wrong)).code]).toEqual([503, 'input-damaged']);
    for (const hash of ['..%2f..%2fetc', 'A'.repeat(64), 'ab'])
      expect((await put(server, file, hash)).status).toBe(400);
    expect(await healthOf(server)).toEqual({
      status: 'ok',
      runtime: 'fake 1',
      children: 1,
      busy: 0,
      waiting: 0,
      cacheBytes: file.length,
    });
  });

  test('runs a task on files, rows and objects that came with it', async () => {
    const server = shared;
    const file = Buffer.from('a model');
    const files = [sha256Of(file)];
    await put(server, file);
    expect(await resultOf(await run(server, { do: 'read', file: files[0]! }, { files }))).toEqual(new Uint8Array(file));

    const rows = Uint8Array.from({ length: 40 }, (_, i) => i);
    const object = Uint8Array.from({ length: 8 }, (_, i) => 100 + i);
    const parts: TaskHeader['parts'] = [
      { kind: 'rows', start: 10, end: 15, bytes: 20 },
      { kind: 'rows', start: 15, end: 20, bytes: 20 },
      {
        kind: 'object',
        task: 4,
        size: 1000,
        ranges: [
          [10, 15],
          [900, 903],
        ],
      },
    ];
    const answer = await run(server, { do: 'read', rows: [14, 16] }, { parts }, rows, object);
    expect(JSON.parse(answer.headers.get(TASK_FIGURES)!)).toEqual({
      seconds: expect.any(Number) as number,
      peakBytes: expect.any(Number) as number,
    });
    const length = Number(answer.headers.get('content-length'));
    expect((await answer.clone().arrayBuffer()).byteLength).toBe(length);
    expect(await resultOf(answer)).toEqual(rows.subarray(16, 24));
    const read: FakeTask = { do: 'read', object: { task: 4, range: [900, 903] } };
    expect(await resultOf(await run(server, read, { parts }, rows, object))).toEqual(object.subarray(5));
    expect(spooled(server)).toEqual([]);
  });

  test('streams bodies and results without holding them', async () => {
    const server = await start();
    const bytes = 2 ** 27;
    const piece = Buffer.alloc(2 ** 20, 7);
    const parts: TaskHeader['parts'] = [{ kind: 'rows', start: 0, end: 2 ** 7, bytes }];
    const plan = fakePlan({ do: 'read', rows: [0, 100] });
    await put(server, plan.text);
    const head = writeTaskHeader({ planHash: plan.hash, task: 0, files: [], parts });
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(head),
      pull: (controller) => (sent++ < 128 ? controller.enqueue(piece) : controller.close()),
    });
    const headers = { 'content-length': String(head.length + bytes) };
    const answer = await fetch(`${server.url}/tasks`, { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
    let received = 0;
    for await (const taken of answer.body!) received += taken.length;
    expect(received).toBe(Number(answer.headers.get('content-length')));
    expect(received).toBeGreaterThan(100 * 2 ** 20);
    const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
    expect(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) * 1024).toBeLessThan(SERVER_MOST);
  });

  test('passes on what a task refuses', async () => {
    const answer = await run(shared, { do: 'not-finite' });
    expect(answer.status).toBe(422);
    expect(await errorOf(answer)).toEqual({
      code: 'not-finite',
      message: 'expected numbers; found NaN',
      hint: 'look at the data',
    });
  });

  test('survives tasks that crash, hang and take too much memory, all at once', async () => {
    const server = await start({
      CONVERGENT_CHILDREN: '4',
      CONVERGENT_TASK_SECONDS: '1',
      CONVERGENT_CHILD_BYTES: String(2 ** 24),
    });
    const tasks: FakeTask[] = [{ do: 'crash' }, { do: 'hang' }, { do: 'hog' }, { do: 'pid' }];
    const answers = await Promise.all(tasks.map((task) => run(server, task)));
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 422, 200]);
    const [crash, hang, hog] = await Promise.all(answers.slice(0, 3).map(errorOf));
    expect(crash).toMatchObject({ code: 'task-failed', message: expect.stringMatching(/SIGSEGV, in 2 attempts/) });
    expect(hang).toMatchObject({ code: 'task-failed', message: expect.stringMatching(/within 1 s.*in 2 attempts/) });
    expect(hog).toMatchObject({ code: 'plan-too-large' });
    expect((await run(server, { do: 'pid' })).status).toBe(200);
    expect(spooled(server)).toEqual([]);
  });
});

describe('bounds', () => {
  test('424 names the files that must be sent first, and reads no parts', async () => {
    const server = shared;
    const [planHash, file] = [sha256Of('plan'), sha256Of('file')];
    const head = writeTaskHeader({
      planHash,
      task: 0,
      files: [file],
      parts: [{ kind: 'rows', start: 0, end: 1, bytes: 10 }],
    });
    // the parts never come
    const text = await talk(
      server,
      `POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: ${head.length + 10}\r\n\r\n`,
      head,
    );
    expect(text).toMatch(/^HTTP\/1.1 424/);
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toEqual({ missing: [planHash, file] });
  });

  test('says which inputs are missing, before a task is sent', async () => {
    const [there, absent] = [sha256Of('there'), sha256Of('not there')];
    const put = await fetch(`${shared.url}/inputs/${there}`, { method: 'PUT', body: 'there' });
    expect(put.status).toBe(204);
    const ask = (body: string): Promise<Response> => fetch(`${shared.url}/inputs/missing`, { method: 'POST', body });
    expect(await (await ask(JSON.stringify([there, absent]))).json()).toEqual({ missing: [absent] });
    for (const wrong of ['', '{}', '["../etc/passwd"]']) {
      expect(await errorOf(await ask(wrong))).toMatchObject({ code: 'usage' });
    }
  });

  test('413 for bodies, files and headers that are too large; 411 without a length', async () => {
    const server = await start({ CONVERGENT_MAX_BODY_BYTES: '1000' });
    expect((await put(server, Buffer.alloc(1001))).status).toBe(413);
    expect((await put(server, Buffer.alloc(1000))).status).toBe(204);
    const large = await fetch(`${server.url}/tasks`, { method: 'POST', body: Buffer.alloc(2000) });
    expect([large.status, (await errorOf(large)).message]).toEqual([
      413,
      'expected a body of at most 1000 bytes; found 2000',
    ]);
    const header = await fetch(`${server.url}/tasks`, { method: 'POST', body: Buffer.alloc(100, 0xff) });
    expect(header.status).toBe(413);
    const chunked = await talk(server, 'POST /tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    expect(chunked).toMatch(/^HTTP\/1.1 411/);
  });

  test('400 for a body that is not what its header says, before anything runs', async () => {
    const server = shared;
    const { text, hash } = fakePlan({ do: 'crash' });
    await put(server, text);
    const parts: TaskHeader['parts'] = [{ kind: 'rows', start: 0, end: 1, bytes: 10 }];
    const short = await post(server, { planHash: hash, parts }, Buffer.alloc(9));
    expect([short.status, (await errorOf(short)).message]).toEqual([
      400,
      expect.stringMatching(/expected content-length \d+, as the header says/),
    ]);
    expect((await post(server, { planHash: 'plan' })).status).toBe(400);
    expect((await fetch(`${server.url}/tasks`, { method: 'POST', body: 'xy' })).status).toBe(400);
    expect((await fetch(`${server.url}/elsewhere`)).status).toBe(404);
  });

  test('401 without the token, but for health', async () => {
    const token = 'a-token-of-the-test';
    const server = await start({ CONVERGENT_COMPUTE_TOKEN: token });
    expect((await put(server, 'a file')).status).toBe(401);
    const url = `${server.url}/inputs/${sha256Of('a file')}`;
    const status = async (authorization: string): Promise<number> =>
      (await fetch(url, { headers: { authorization } })).status;
    expect(await status(`Bearer ${token}x`)).toBe(401);
    expect(await status(token)).toBe(401);
    expect(await status(`Bearer ${token}`)).toBe(404);
    expect(await healthOf(server)).toMatchObject({ status: 'ok' });
  });

  test('a setting that is wrong ends the start with its name and exit code 2', async () => {
    await expect(start({ CONVERGENT_CHILDREN: 'many' })).rejects.toThrow(
      /exit code 2: error: \(usage\) CONVERGENT_CHILDREN: .* found 'many'/,
    );
  });
});

describe('the end', () => {
  test('on SIGTERM lets a running task end, takes no more, and exits with 0', async () => {
    const server = await start();
    const gate = pipe(folder);
    const running = run(server, { do: 'wait', pipe: gate });
    const begun = await open(gate, 'w');
    server.process.kill('SIGTERM');
    const exit = once(server.process, 'exit');
    // a new connection is refused as soon as the signal has come
    await expect
      .poll(() =>
        fetch(`${server.url}/health`, { headers: { connection: 'close' } }).then(
          (answer) => answer.status,
          () => 0,
        ),
      )
      .not.toBe(200);
    await begun.writeFile('go');
    await begun.close();
    const answer = await running;
    expect(answer.status).toBe(200);
    expect(Object.keys(await readNpz(new Uint8Array(await answer.arrayBuffer())))).toEqual(['pid']);
    expect(await exit).toEqual([0, null]);
  });

  test('by SIGKILL leaves no child behind, even one that hears nothing', async () => {
    const server = await start();
    const begun = pipe(folder);
    const running = run(server, { do: 'hang-holding', begun }).catch(() => null);
    const held = await open(begun);
    server.process.kill('SIGKILL');
    await running;
    // ends when the child, the only writer, is gone
    expect((await held.readFile()).length).toBe(0);
    await held.close();
  });

  test('of a client takes its waiting task back', async () => {
    const server = await start({ CONVERGENT_CHILDREN: '1' });
    const gate = pipe(folder);
    const running = run(server, { do: 'wait', pipe: gate });
    const begun = await open(gate, 'w');
    const mark = join(folder, 'never');
    const { text, hash } = fakePlan({ do: 'crash-once', mark });
    await put(server, text);
    const leaving = new AbortController();
    const body = writeTaskHeader({ planHash: hash, task: 0, files: [], parts: [] });
    const left = fetch(`${server.url}/tasks`, { method: 'POST', body, signal: leaving.signal });
    await expect.poll(() => healthOf(server)).toMatchObject({ busy: 1, waiting: 1 });
    leaving.abort();
    await expect(left).rejects.toThrow(/abort/);
    await expect.poll(() => healthOf(server)).toMatchObject({ busy: 1, waiting: 0 });
    await writeFile(gate, 'go');
    await begun.close();
    expect((await running).status).toBe(200);
    await expect(readFile(mark)).rejects.toThrow(/ENOENT/);
    expect(spooled(server)).toEqual([]);
  });
});
