/**
 * The service as its users have it: the real `serve` as a process, and the commands that talk to it. Runs come to the
 * same bytes as local ones, and outlive the service that began them.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesMarked } from '../../src/cli/state.ts';
import type { RunEvent, RunList, RunRecord } from '../../src/service/documents.ts';
import { ISOLATE, PIPELINES, run, runJson, start, temporaryFolder, until } from './command.ts';
import type { RunAnswer, Running } from './command.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder.path, name);
const state = inFolder('state');
const here = ['--state', state];
let serving: Running;
let address: string;
let token: string;
let local: RunAnswer;

/** The shipped pipeline under another name, cut down. */
function writePipeline(name: string, rows: number, more = ''): string {
  const file = inFolder(`${name}.yaml`);
  const text = readFileSync(join(PIPELINES, 'fashion-mnist.yaml'), 'utf8')
    .replace('name: fashion-mnist', `name: ${name}`)
    .replace('rows: 10000', `rows: ${rows}`)
    .replace(/^ {2}conv[12]: .*\n/gm, '');
  writeFileSync(file, `${text}\nshard: { rows: 20 }\n${more}`);
  return file;
}

/** Of uint8 [rows × 28 × 28]. */
function npyHeader(rows: number): Buffer {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, 28, 28), }`;
  return Buffer.concat([
    Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]),
    Buffer.from(text.padEnd(117)),
    Buffer.from('\n'),
  ]);
}

const GATE = 'gate: [{ layer: fc, figure: match.mean_r, at_least: 0.9999 }]\n';

async function serve(): Promise<void> {
  const port = address === undefined ? '0' : new URL(address).port;
  serving = start(['serve', '--port', port, ...here, ...ISOLATE, '--json']);
  await until(() => serving.answered().includes('\n'), serving);
}

const statusOf = (id: string): Promise<RunRecord> => runJson<RunRecord>(['status', id, ...here]);
const runRemotely = (file: string, out: string): string[] => ['run', file, '--remote', address, '--out', inFolder(out)];
const withToken = (value: string): { env: NodeJS.ProcessEnv } => ({ env: { CONVERGENT_TOKEN: value } });

/** Starts a run as any program does, without following it. */
async function startRun(pipeline: string): Promise<string> {
  const response = await fetch(`${address}/runs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ pipeline }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as RunRecord).id;
}

/** Resolves once a task of the run's present attempt is done. */
async function workingOn(id: string, attempt: number): Promise<void> {
  const following = start(['logs', id, '--follow', ...here, '--json']);
  const events = (): RunEvent[] =>
    following
      .answered()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as RunEvent);
  await until(() => {
    const all = events();
    const begun = all.findIndex((event) => event.type === 'state' && event.attempt === attempt);
    return begun >= 0 && all.slice(begun).some((event) => event.type === 'task' && event.state === 'done');
  }, following);
  following.child.kill('SIGINT');
  expect((await following.ended).code).toBe(130);
}

beforeAll(async () => {
  symlinkSync(join(PIPELINES, 'fashion-mnist'), inFolder('fashion-mnist'));
  await serve();
  ({ address, token } = JSON.parse(serving.answered()) as { address: string; token: string });
  const file = writePipeline('small', 200);
  local = await runJson<RunAnswer>(['run', file, '--state', inFolder('other'), '--out', inFolder('local'), ...ISOLATE]);
});
afterAll(() => {
  serving.child.kill('SIGKILL');
  for (const pid of processesMarked(state)) process.kill(pid, 'SIGKILL');
  folder.remove();
});

describe('serve', () => {
  it('prints its address and a first token, and leaves both for its user alone', () => {
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(token).toMatch(/^cvg_[\w-]{43}$/);
    const file = join(state, 'service.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const served = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    expect(served).toMatchObject({ address, pid: serving.child.pid });
    expect(served.token).not.toBe(token);
  });

  it('is refused on a port that is taken', async () => {
    const { code, stderr } = await run(['serve', '--port', new URL(address).port, '--state', inFolder('third')]);
    expect(code).toBe(2);
    expect(stderr).toContain('expected a free port');
  });
});

describe('push', () => {
  it('sends what is not there, and nothing the second time', async () => {
    const file = writePipeline('small', 200);
    const to = ['push', file, '--to', address, ...here];
    type Pushed = { sent: { files: number; bytes: number } };
    const bytes = ['seed1.onnx', 'seed2.onnx', 'test-images.npy']
      .map((name) => statSync(join(PIPELINES, 'fashion-mnist', name)).size)
      .reduce((sum, size) => sum + size, 0);
    expect((await runJson<Pushed>(to)).sent).toEqual({ files: 3, bytes });
    expect((await runJson<Pushed>(to)).sent).toEqual({ files: 0, bytes: 0 });
  });

  it('sends a long file in parts, and only those that did not arrive before', async () => {
    const [part, rows] = [16 * 2 ** 20, 90_000];
    const data = Buffer.concat([npyHeader(rows), Buffer.alloc(rows * 784)]);
    writeFileSync(inFolder('long.npy'), data);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const authorization = `Bearer ${token}`;
    const upload = (path: string, init: RequestInit): Promise<Response> =>
      fetch(`${address}/uploads/${sha256}${path}`, { headers: { authorization }, ...init });
    const headers = { authorization, 'content-type': 'application/json' };
    const begun = await upload('', { method: 'POST', headers, body: JSON.stringify({ bytes: data.length }) });
    expect(await begun.json()).toMatchObject({ complete: false, partBytes: part });
    await upload('/parts/2', { method: 'PUT', body: data.subarray(part, 2 * part) });

    const file = inFolder('parts.yaml');
    const text = readFileSync(writePipeline('parts', 200), 'utf8').replace('fashion-mnist/test-images.npy', 'long.npy');
    writeFileSync(file, text);
    const { sent } = await runJson<{ sent: unknown }>(['push', file, '--to', address, ...here]);
    expect(sent).toEqual({ files: 1, bytes: data.length - part });
    expect(await (await upload('', {})).json()).toMatchObject({ complete: true, bytes: data.length });
  });

  it('refuses a pipeline whose files stand elsewhere before it sends anything', async () => {
    const file = inFolder('outside.yaml');
    writeFileSync(file, readFileSync(writePipeline('inside', 200), 'utf8').replace('fashion-mnist/seed1', '../seed1'));
    const { code, stderr } = await run(['push', file, '--to', address, ...here]);
    expect(code).toBe(2);
    expect(stderr).toContain('".."');
  });

  it.each([
    ['a wrong token', `cvg_${'x'.repeat(43)}`, 'wrong or revoked'],
    ['no token', '', '--token or CONVERGENT_TOKEN'],
  ])('with %s exits 2 and says what to do', async (_, value, hint) => {
    // away from the state folder, whose service.json would open the service
    const { code, stderr } = await run(
      ['push', inFolder('small.yaml'), '--to', address, '--state', inFolder('other')],
      withToken(value),
    );
    expect(code).toBe(2);
    expect(stderr).toContain(hint);
  });
});

describe('run --remote', () => {
  it('gives the files of a local run, and is told of by serve', async () => {
    const answer = await runJson<RunAnswer>([...runRemotely(inFolder('small.yaml'), 'remote'), ...here]);
    expect(answer.digest).toBe(local.digest);
    expect(answer.tasks).toEqual(local.tasks);
    expect(answer.gate).toBeNull();
    const document = (name: string): { files: string[]; remote?: string } =>
      JSON.parse(readFileSync(join(inFolder(name), 'run.json'), 'utf8')) as { files: string[]; remote?: string };
    expect(document('remote').remote).toBe(address);
    expect(document('remote').files).toEqual(document('local').files);
    const results = (name: string): string => readFileSync(join(inFolder(name), 'results.json'), 'utf8');
    expect(results('remote')).toBe(results('local'));
    await until(() => serving.said().includes(`run ${answer.run}  small  done`), serving);
    expect(serving.said()).toContain(`run ${answer.run}  small  started by api`);
  });

  it('stopped, leaves the run going and says how to come back', async () => {
    const running = start([...runRemotely(writePipeline('left', 210), 'left'), ...here]);
    await until(() => /^run \S+: http/m.test(running.said()), running);
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    const id = /run (\S+) goes on: convergent logs \1 --follow --remote/.exec(stderr)?.[1];
    expect(id).toBeDefined();
    expect(existsSync(inFolder('left'))).toBe(false);
    const follow = await run(['logs', id!, '--follow', ...here]);
    expect(follow.code, follow.stderr).toBe(0);
    expect(follow.stdout).toMatch(/done, attempt 1\n$/);
    expect((await statusOf(id!)).state).toBe('done');
  });

  it('takes no option that only a local run has', async () => {
    const { code, stderr } = await run([...runRemotely(inFolder('small.yaml'), 'remote'), '--fresh']);
    expect(code).toBe(2);
    expect(stderr).toContain('--fresh');
  });
});

describe('a gate that fails', () => {
  it.each(['remote', 'local'])('exits 3, says which rule, and leaves the outputs: %s', async (where) => {
    const out = `gated-${where}`;
    const file = writePipeline('gated', 200, GATE);
    const { code, stdout, stderr } = await run(
      where === 'remote'
        ? [...runRemotely(file, out), ...here, '--json']
        : ['run', file, '--state', inFolder('other'), '--out', inFolder(out), ...ISOLATE, '--json'],
    );
    expect(code, stderr).toBe(3);
    const answer = JSON.parse(stdout) as RunAnswer & { error: { code: string } };
    expect(answer.error.code).toBe('gate-failed');
    expect(answer.digest).toBe(local.digest);
    expect(answer.gate).toMatchObject({ passed: false, rules: [{ layer: 'fc', figure: 'match.mean_r' }] });
    expect(stderr).toContain(answer.gate!.rules[0]!.text);
    expect(existsSync(join(inFolder(out), 'report.html'))).toBe(true);
  });
});

describe('tokens', () => {
  it('open what their scope says, until they are revoked', async () => {
    const make = ['token', 'create', '--name', 'ci', '--scope', 'read', ...here];
    const made = await runJson<{ token: { id: string }; secret: string }>(make);
    const list = await runJson<{ tokens: { id: string; name: string }[] }>(['token', 'list', ...here]);
    expect(list.tokens.map(({ name }) => name)).toEqual(['first', 'ci']);
    const remote = ['--remote', address];
    expect((await run(['status', ...remote], withToken(made.secret))).code).toBe(0);
    const refused = await run(['token', 'list', ...remote], withToken(made.secret));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('scope admin');
    // who may only start runs cannot change what they are of
    const starter = await runJson<{ secret: string }>(['token', 'create', '--name', 's', '--scope', 'run', ...here]);
    const push = (file: string): ReturnType<typeof run> =>
      run(['push', file, '--to', address, '--state', inFolder('other')], withToken(starter.secret));
    expect((await push(writePipeline('small', 200))).code).toBe(0);
    const changed = await push(writePipeline('small', 190));
    expect(changed.code).toBe(2);
    expect(changed.stderr).toContain('scope admin');
    await runJson(['token', 'revoke', made.token.id, ...remote, '--token', token]);
    expect((await run(['status', ...remote], withToken(made.secret))).code).toBe(2);
  });
});

describe('a run that is interrupted', () => {
  let id: string;

  it('is cancelled, and retried with what was done', async () => {
    await runJson(['push', writePipeline('long', 400), '--to', address, ...here]);
    id = await startRun('long');
    await workingOn(id, 1);
    expect((await runJson<RunRecord>(['cancel', id, ...here])).state).toBe('cancelled');
    expect((await statusOf(id)).state).toBe('cancelled');
    const again = await run(['cancel', id, ...here]);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('which is cancelled');
    expect((await runJson<RunRecord>(['retry', id, ...here])).attempt).toBe(2);
  });

  it('ends by itself after serve was killed and started again', async () => {
    await workingOn(id, 2);
    serving.child.kill('SIGKILL');
    await serving.ended;
    await serve();
    expect(JSON.parse(serving.answered())).toEqual({ address, token: null });
    await until(() => serving.said().includes('goes on with 1 unfinished run'), serving);
    await until(() => serving.said().includes(`run ${id}  long  done  attempt 3`), serving);
    expect(await statusOf(id)).toMatchObject({ state: 'done', attempt: 3, error: null });
  });
});

describe('after serve has ended', () => {
  let id: string;

  it('nothing of it is left', async () => {
    await runJson(['push', writePipeline('later', 220), '--to', address, ...here]);
    id = await startRun('later');
    await runJson(['cancel', id, ...here]);
    serving.child.kill('SIGINT');
    expect((await serving.ended).code).toBe(0);
    expect(existsSync(join(state, 'service.json'))).toBe(false);
    expect(processesMarked(state)).toEqual([]);
  });

  it('its runs can be asked for and retried, to the end and the output folder', async () => {
    const { runs } = await runJson<RunList>(['status', ...here]);
    expect(runs[0]).toMatchObject({ id, state: 'cancelled' });
    const answer = await runJson<RunAnswer>(['retry', id, ...here, '--out', inFolder('later')]);
    expect(answer.run).toBe(id);
    expect(existsSync(join(inFolder('later'), 'report.html'))).toBe(true);
    const { code, stderr } = await run(['status', id, '--state', inFolder('nowhere')]);
    expect(code).toBe(2);
    expect(stderr).toContain('expected a state folder');
  });
});
