/** The service as a process on the loopback, with a pipeline and tokens, for the row that puts load on it. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { processesMarked } from '../../src/cli/state.ts';
import type { FileReference, RunEvent, RunRecord } from '../../src/service/documents.ts';
import { BUILT, ROOT } from './ours.ts';
import { sha256Hex } from '../../src/numeric/hash.ts';

const SECRET = `whsec_${Buffer.from('what signs the deliveries of the bench').toString('base64')}`;
const FILES = ['seed1.onnx', 'seed2.onnx', 'test-images.npy'].map((name) => `fashion-mnist/${name}`);
/** proc(5): times in stat are in hundredths of a second on every Linux that Node runs on. */
const TICKS = 100;

export interface BenchService {
  address: string;
  /** A token's Authorization header. */
  authorization: string;
  /** Puts the shipped pair at one layer, on `rows` images in shards of `shard`, under a name. */
  put(name: string, rows: number, shard: number): Promise<void>;
  json<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Resolves once no run goes on. */
  idle(): Promise<void>;
  /** CPU seconds and resident bytes of workerd; null where the system doesn't say. */
  workerd(): { cpuSeconds: number; residentBytes: number } | null;
  stop(): Promise<void>;
}

/** Starts `convergent serve` on a folder. */
export async function startService(state: string): Promise<BenchService> {
  const child = spawn(
    process.execPath,
    [join(BUILT, 'cli.js'), 'serve', '--port', '0', '--json', '--compute', 'isolate', '--state', state],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, CONVERGENT_SECRETS: 'BENCH', BENCH: SECRET } },
  );
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = (): void => void child.kill();
  process.on('exit', end);
  const [line] = (await Promise.race([
    createInterface({ input: child.stdout })[Symbol.asyncIterator]().next(),
    gone,
  ]).then((first) => [first?.value])) as [string | undefined];
  if (line === undefined) throw new Error('expected the address of the service; found that it ended');
  const { address, token } = JSON.parse(line) as { address: string; token: string };
  const authorization = `Bearer ${token}`;

  const ask = async (method: string, path: string, body: Uint8Array<ArrayBuffer> | string | null, type: string) => {
    const headers = { authorization, accept: 'application/json', ...(body !== null && { 'content-type': type }) };
    const response = await fetch(`${address}${path}`, { method, headers, body });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  };
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    JSON.parse(await ask(method, path, body === undefined ? null : JSON.stringify(body), 'application/json')) as T;
  const files: Record<string, FileReference> = {};
  for (const path of FILES) {
    const bytes = new Uint8Array(readFileSync(join(ROOT, 'pipelines', path)));
    const sha256 = await sha256Hex(bytes);
    files[path] = { sha256, bytes: bytes.length };
    await ask('PUT', `/uploads/${sha256}`, bytes, 'application/octet-stream');
  }
  return {
    address,
    authorization,
    json,
    put: (name, rows, shard) => json('PUT', `/pipelines/${name}`, { text: definition(name, rows, shard), files }),
    idle: async () => {
      for (const state of ['queued', 'running'])
        while ((await json<{ runs: RunRecord[] }>('GET', `/runs?state=${state}&limit=1`)).runs.length > 0)
          await sleep(100);
    },
    workerd: () => {
      if (process.platform !== 'linux') return null;
      const [pid] = processesMarked(state);
      if (pid === undefined) return null;
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return {
        cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
        residentBytes: Number(resident?.[1] ?? NaN) * 1024,
      };
    },
    stop: async () => {
      process.off('exit', end);
      child.kill();
      await gone;
    },
  };
}

/** A delivery of its own, signed; `start`: whether the trigger asks for a run. */
export function delivery(id: string, start: boolean): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify({ type: 'bench', start, checkpoint: { id, notes: 'x'.repeat(2000) } });
  const now = new Date();
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(SECRET).sign(id, now, body),
    },
  };
}

/** An event as a follower received it, milliseconds since 1970. */
export interface Received {
  event: RunEvent;
  at: number;
}

/** Follows a run until it has ended; all events in the order they came. */
export async function followRun(service: BenchService, id: string): Promise<Received[]> {
  const ending = new AbortController();
  const response = await fetch(`${service.address}/runs/${id}/events`, {
    headers: { authorization: service.authorization },
    signal: ending.signal,
  });
  if (!response.ok) throw new Error(`expected events of ${id}; found status ${response.status}`);
  const received: Received[] = [];
  let text = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const at = Date.now();
    const messages = (text + piece).split('\n\n');
    text = messages.pop()!;
    for (const message of messages) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      if (data === undefined) continue;
      const event = JSON.parse(data) as RunEvent;
      received.push({ event, at });
      if (event.type !== 'state' || event.state === 'queued' || event.state === 'running') continue;
      ending.abort();
      return received;
    }
  }
  throw new Error(`expected events of ${id} to its end; found an end after ${received.length}`);
}

function definition(name: string, rows: number, shard: number): string {
  return [
    `name: ${name}`,
    'compute: isolate',
    'networks: { seed1: { model: fashion-mnist/seed1.onnx }, seed2: { model: fashion-mnist/seed2.onnx } }',
    'layers: { conv3: /conv3/relu }',
    `probe: { data: fashion-mnist/test-images.npy, layout: nhw, scale: 255, mean: [0.286], std: [0.353], rows: ${rows} }`,
    `shard: { rows: ${shard} }`,
    'predict: { alphas: [0.1], holdout: 0.2 }',
    'cluster: false',
    'triggers: [{ webhook: { secret: BENCH, when: { /start: true } } }]\n',
  ].join('\n');
}
