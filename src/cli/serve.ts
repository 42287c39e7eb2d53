/**
 * `convergent serve`: the service on this machine, in miniflare, until Ctrl-C. Runs that were under way when it ended,
 * however it ended, go on at the next start.
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../errors.ts';
import type { RunLogLine } from '../runtime/log.ts';
import {
  COMPUTE_DETAIL,
  COMPUTE_OPTION,
  computeChoice,
  optionText,
  STATE_DETAIL,
  STATE_OPTION,
  stateFolder,
} from './command.ts';
import type { Command, Invocation } from './command.ts';
import { startEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { harmless } from './errors.ts';
import { removeServed, writeServed } from './local.ts';
import { startNative } from './native.ts';
import type { NativeCompute } from './native.ts';
import { DIST } from './prepare.ts';
import { serviceIn } from './remote.ts';
import { openState } from './state.ts';
import { createToken, listTokens } from './token.ts';

const PORT = 8787;
const HOST = '127.0.0.1';
const TICK_MS = 60_000;
/** Variables of the Worker that are no secrets of pipelines. */
const OURS = [
  'LOCAL',
  'ENGINE_TOKEN',
  'COMPUTE_TOKEN',
  'COMPUTE_TASKS_AT_ONCE',
  'CONVERGENT_ADMIN_TOKEN',
  'PUBLIC_URL',
];
/** Reached by nobody else. */
const LOOPBACK = ['127.0.0.1', 'localhost', '::1'];

export const serveCommand: Command = {
  name: 'serve',
  usage: 'serve [--port <n>] [--host <name>] [--state <dir>] [--compute <provider>] [--json]',
  summary: 'runs the service on this machine: pipelines, webhooks, schedules, pages',
  details: [
    `  --port <n>     where it listens (default ${PORT}; 0: a free one)`,
    `  --host <name>  interface (default ${HOST}: this machine alone)`,
    STATE_DETAIL,
    COMPUTE_DETAIL,
    '  --json         one line of JSON with address and token',
    '',
    'The first start prints a token of scope admin, once. Secrets of pipelines come from the environment:',
    'CONVERGENT_SECRETS lists them, such as GITHUB_WEBHOOK_SECRET,NOTIFY_SECRET@hooks.acme.com. PUBLIC_URL is the',
    'address that messages link to. Ctrl-C ends it; runs go on at the next start.',
  ],
  operands: 0,
  options: { ...STATE_OPTION, ...COMPUTE_OPTION, port: { type: 'string' }, host: { type: 'string' } },
  run: async (invocation, { signal, json }) => {
    const listen = await listenOf(invocation);
    const compute = computeChoice(invocation);
    const say = (text: string): void => void process.stderr.write(`${text}\n`);
    const state = await openState(stateFolder(invocation));
    let engine: Engine | undefined;
    try {
      if (state.ended.length > 0) say(`ended a workerd left over from a killed process (${state.ended.join(', ')})`);
      const native = compute === 'isolate' ? Promise.resolve(null) : startNative(state.path, 1);
      engine = await startListening(state.path, listen, native);
      if (compute === 'native' && (await native) === null) {
        throw new PipelineError('usage', 'expected onnxruntime-node, which --compute native needs; found none', {
          hint: 'install onnxruntime-node beside this package, or use --compute isolate',
        });
      }
      const { token, address } = engine;
      writeServed(state.path, { address, token, pid: process.pid });
      const first = await firstToken(engine, signal);
      process.stdout.write(`${json ? JSON.stringify({ address, token: first }) : startText(address, first)}\n`);
      if (!LOOPBACK.includes(listen.host))
        say('others can reach this over http, where tokens go unencrypted: put a proxy with https before it');
      const { runs } = await engine.json<{ runs: string[] }>('/wake', { method: 'POST' });
      if (runs.length > 0) say(`goes on with ${runs.length} unfinished run${runs.length === 1 ? '' : 's'}`);
      await tickUntil(engine, signal, say);
      say('stopped; unfinished runs go on at the next start');
      return null;
    } catch (error) {
      if (!signal.aborted) throw error;
      return null;
    } finally {
      removeServed(state.path);
      await engine?.stop().catch(() => undefined);
      state.release();
    }
  },
};

async function startListening(
  statePath: string,
  listen: { host: string; port: number },
  compute: Promise<NativeCompute | null>,
): Promise<Engine> {
  const variables = {
    PUBLIC_URL:
      process.env.PUBLIC_URL ?? `http://${LOOPBACK.includes(listen.host) ? HOST : listen.host}:${listen.port}`,
    ...secretsOf(process.env),
  };
  const heard = (line: string): void => {
    const text = logText(line);
    if (text !== null) process.stderr.write(`${text}\n`);
  };
  try {
    return await startEngine(statePath, DIST, { compute, inspects: true, listen, variables, heard });
  } catch (error) {
    if (!/in use|EADDRINUSE|EACCES|EADDRNOTAVAIL/i.test(String(error))) throw error;
    throw new PipelineError(
      'usage',
      `expected a free port; found ${listen.host}:${listen.port}, which is taken or not ours`,
      { hint: 'choose another with --port', cause: error },
    );
  }
}

/** The variables that a Worker's secrets stand in: the list, and each name on it that has a value. */
export function secretsOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const list = environment.CONVERGENT_SECRETS;
  if (list === undefined) return {};
  const names = list.split(',').map((entry) => entry.trim().split('@')[0]!);
  const values = names.flatMap((name) => {
    const value = OURS.includes(name) ? undefined : environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { CONVERGENT_SECRETS: list, ...Object.fromEntries(values) };
}

/** What `serve` prints of a line that the Worker logs; null where it is none of a run. */
export function logText(line: string): string | null {
  if (!line.startsWith('{"log":"run"')) return null;
  const { run, pipeline, attempt, state, trigger, gate, error } = JSON.parse(line) as RunLogLine;
  const parts = [`run ${run}`, pipeline, state === 'queued' ? `started by ${trigger}` : state];
  if (attempt > 1) parts.push(`attempt ${attempt}`);
  if (gate) parts.push(`gate ${gate}`);
  if (error) parts.push(error);
  return harmless(`${new Date().toISOString().slice(0, 19)}Z  ${parts.join('  ')}`);
}

// null where there are tokens already
async function firstToken(engine: Engine, signal: AbortSignal): Promise<string | null> {
  const service = serviceIn(engine);
  if ((await listTokens(service, signal)).length > 0) return null;
  return (await createToken(service, { name: 'first', scope: 'admin' }, signal)).secret;
}

function startText(address: string, token: string | null): string {
  const told =
    token === null
      ? 'sign in with a token of yours; another: convergent token create'
      : `token, scope admin, shown this once: ${token}`;
  return `Convergent is at ${address}\n${told}`;
}

// at the start of every minute, as cron has it
async function tickUntil(engine: Engine, signal: AbortSignal, say: (text: string) => void): Promise<void> {
  while (!signal.aborted) {
    const body = JSON.stringify({ now: Date.now() });
    await engine.fetch('/tick', { method: 'POST', body }).catch((error: unknown) => {
      if (!signal.aborted) say(`the schedule could not be looked at: ${String(error)}`);
    });
    await sleep(TICK_MS - (Date.now() % TICK_MS), undefined, { signal }).catch(() => undefined);
  }
}

async function listenOf(invocation: Invocation): Promise<{ host: string; port: number }> {
  const text = optionText(invocation, 'port') ?? String(PORT);
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new PipelineError('usage', `expected --port 0 to 65535; found ${text}`);
  const host = optionText(invocation, 'host') ?? HOST;
  // known before the Worker starts, which tells others where it is
  return { host, port: port === 0 ? await freePort(host) : port };
}

function freePort(host: string): Promise<number> {
  return new Promise((found, fail) => {
    const probe = createServer().on('error', fail);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => found(port));
    });
  });
}
