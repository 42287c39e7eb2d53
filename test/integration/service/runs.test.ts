/** Pipelines, runs and their results over HTTP, in real workerd. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  Artifacts,
  PipelineDetail,
  PipelineRecord,
  Problem,
  RunEvent,
  RunList,
  RunRecord,
  RunTasks,
} from '../../../src/service/documents.ts';
import type { RunStatus } from '../../../src/runtime/protocol.ts';
import { ISOLATE, PIPELINES, runJson, temporaryFolder } from '../command.ts';
import type { RunAnswer } from '../command.ts';
import { FILES, sha256, smallPipeline, startService, unending } from '../service.ts';
import type { Service } from '../service.ts';

let service: Service;
let pipeline: PipelineRecord;
let done: RunRecord;
let reader: string;
let starter: string;

beforeAll(async () => {
  service = await startService();
  reader = (await service.token('read')).secret;
  starter = (await service.token('run')).secret;
  pipeline = await service.put('small');
  const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline: 'small' }, token: starter });
  done = await service.ended(id);
});
afterAll(() => service.close());

const problem = async (response: Response): Promise<Problem> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const document = (await response.json()) as Problem;
  expect(document.status).toBe(response.status);
  return document;
};

describe('pipelines', () => {
  it('are there as they were put', async () => {
    const detail = await service.json<PipelineDetail>('GET', '/pipelines/small', { token: reader });
    expect(detail).toMatchObject(pipeline);
    expect(detail.text).toBe(smallPipeline('small'));
    expect(Object.keys(detail.files).sort()).toEqual([...FILES].sort());
    const { pipelines } = await service.json<{ pipelines: PipelineRecord[] }>('GET', '/pipelines', { token: reader });
    expect(pipelines).toContainEqual(pipeline);
  });

  it('are put anew with the same revision for the same content', async () => {
    expect(await service.put('small')).toMatchObject({ revision: pipeline.revision, created: pipeline.created });
  });

  it('with an error are refused, with its line and column', async () => {
    const text = smallPipeline('small').replace('rows: 200', 'rows: many');
    const line = text.split('\n').findIndex((one) => one.includes('rows: many')) + 1;
    const answer = await service.ask('PUT', '/pipelines/small', { body: { text, files: {} } });
    expect(answer.status).toBe(422);
    expect(await problem(answer)).toMatchObject({
      code: 'definition-invalid',
      place: { line, column: 9, key: 'probe.rows' },
    });
  });

  it('that take what the service writes itself for uploads are refused', async () => {
    for (const prefix of ['report/', 'r', 'inputs/abc']) {
      const text = `${smallPipeline('small')}\ntriggers: [{ upload: { prefix: ${prefix}, network: seed1 } }]\n`;
      const answer = await service.ask('PUT', '/pipelines/small', { body: { text, files: {} } });
      expect(await problem(answer), prefix).toMatchObject({
        code: 'definition-invalid',
        place: { key: 'triggers[0].upload.prefix' },
      });
    }
  });

  it('of another name than in the address are refused', async () => {
    const answer = await service.ask('PUT', '/pipelines/other', { body: { text: smallPipeline('small'), files: {} } });
    expect(await problem(answer)).toMatchObject({ code: 'usage', place: { key: 'name' } });
  });

  it('whose files are not uploaded are refused', async () => {
    const files = { 'fashion-mnist/seed1.onnx': { sha256: 'a'.repeat(64), bytes: 1 } };
    const answer = await service.ask('PUT', '/pipelines/other', { body: { text: smallPipeline('other'), files } });
    expect(await problem(answer)).toMatchObject({ code: 'file-missing', status: 422 });
  });

  it('of another name or shape are no requests', async () => {
    for (const name of ['..%2Fsmall', '-small', 'a'.repeat(65), 'a%00b'])
      expect((await service.ask('GET', `/pipelines/${name}`)).status, name).toBe(400);
    const answer = await service.ask('PUT', '/pipelines/small', { body: { text: 3, files: {} } });
    expect(await problem(answer)).toMatchObject({ code: 'usage', status: 400, place: { key: 'text' } });
  });

  it('that are too large are not read', async () => {
    // longer than any put may be, without saying so
    const answer = await service.ask('PUT', '/pipelines/small', {
      body: unending(5 * 2 ** 20),
      headers: { 'content-type': 'application/json' },
    });
    expect(await problem(answer)).toMatchObject({ code: 'too-large', status: 413 });
  });

  it('are forgotten once', async () => {
    await service.put('gone');
    expect((await service.ask('DELETE', '/pipelines/gone')).status).toBe(204);
    expect((await service.ask('DELETE', '/pipelines/gone')).status).toBe(404);
    expect((await service.ask('GET', '/pipelines/gone')).status).toBe(404);
  });
});

describe('a run', () => {
  it('ends with a result, and says what it was', () => {
    expect(done).toMatchObject({
      pipeline: 'small',
      revision: pipeline.revision,
      state: 'done',
      attempt: 1,
      trigger: { kind: 'api', delivery: null, by: 'run token' },
      error: null,
      gate: null,
    });
    expect(done.figures).toEqual([{ pair: 'seed1-seed2', layer: 'fc', mean_r: expect.closeTo(0.96, 1) as number }]);
  });

  it('gives the bytes that the command line gives', async () => {
    const folder = temporaryFolder();
    try {
      mkdirSync(join(folder.path, 'fashion-mnist'));
      for (const file of FILES) cpSync(join(PIPELINES, file), join(folder.path, file));
      const file = join(folder.path, 'small.yaml');
      writeFileSync(file, smallPipeline('small'));
      const out = join(folder.path, 'out');
      const state = join(folder.path, 'state');
      const local = await runJson<RunAnswer>(['run', file, '--out', out, '--state', state, ...ISOLATE]);
      expect(done.digest).toBe(local.digest);
      const { files } = await service.json<Artifacts>('GET', `/runs/${done.id}/artifacts`);
      // the page and its data name what the run cost
      const timeless = files.filter(({ path }) => path.includes('/'));
      expect(timeless.length).toBeGreaterThan(5);
      for (const entry of timeless) expect(sha256(readFileSync(join(out, entry.path))), entry.path).toBe(entry.sha256);
    } finally {
      folder.remove();
    }
  });

  it('of an unknown pipeline or with an odd body is none', async () => {
    const start = (body: unknown) => service.ask('POST', '/runs', { body });
    expect(await problem(await start({ pipeline: 'unknown' }))).toMatchObject({ code: 'not-found', status: 404 });
    expect(await problem(await start({ pipeline: '../small' }))).toMatchObject({
      code: 'usage',
      place: { key: 'pipeline' },
    });
    expect(await problem(await start({ pipeline: 'small', also: 1 }))).toMatchObject({ code: 'usage', status: 400 });
    const answer = await service.ask('POST', '/runs', {
      body: '{"pipeline":',
      headers: { 'content-type': 'application/json' },
    });
    expect(await problem(answer)).toMatchObject({ code: 'usage', status: 400 });
    const text = await service.ask('POST', '/runs', { body: '{}', headers: { 'content-type': 'text/plain' } });
    expect(text.status).toBe(415);
  });

  it('takes no model but what the pipeline lets in', async () => {
    const start = async (candidates: unknown) =>
      (await problem(await service.ask('POST', '/runs', { body: { pipeline: 'small', candidates } }))).code;
    expect(await start({ seed3: { model: 'https://github.com/a/b.onnx' } })).toBe('usage');
    expect(await start({ seed1: { model: 'https://github.com/a/b.onnx' } })).toBe('address-refused');
    expect(await start({ seed1: { object: 'pipelines/secret.json' } })).toBe('usage');
    expect(await start({ seed1: { object: `inputs/${'a'.repeat(64)}/../x` } })).toBe('usage');
    expect(await start({ seed1: { object: `inputs/${'a'.repeat(64)}` } })).toBe('file-missing');
  });

  it('takes an uploaded model', async () => {
    const { files } = await service.json<PipelineDetail>('GET', '/pipelines/small');
    const object = `inputs/${files['fashion-mnist/seed2.onnx']!.sha256}`;
    const body = { pipeline: 'small', candidates: { seed1: { object } } };
    const { id } = await service.json<RunRecord>('POST', '/runs', { body });
    const run = await service.ended(id);
    // the same network twice
    expect(run.figures[0]!.mean_r).toBeCloseTo(1, 6);
  });

  it('is started once for a key', async () => {
    const start = (pipeline: string, key: string, token: string) =>
      service.ask('POST', '/runs', { body: { pipeline }, headers: { 'idempotency-key': key }, token });
    // each is read as it comes: undici cancels a body that waits, once the response that brought it is collected
    const readStart = async (): Promise<{ status: number; run: RunRecord }> => {
      const answer = await start('small', 'build 7', starter);
      return { status: answer.status, run: (await answer.json()) as RunRecord };
    };
    const answers = await Promise.all(Array.from({ length: 5 }, readStart));
    expect(new Set(answers.map(({ run }) => run.id)).size).toBe(1);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 200, 200, 202]);
    expect(answers[0]!.run.trigger.delivery).toBe('build 7');

    await service.put('second');
    const other = await start('second', 'build 7', starter);
    expect(await problem(other)).toMatchObject({ code: 'conflict', status: 409 });
    // keys are a token's own
    const { secret } = await service.token('run');
    expect((await start('small', 'build 7', secret)).status).toBe(202);
    expect((await start('small', 'ä'.repeat(3), secret)).status).toBe(400);
  });

  it('cancelled ends, and tried again goes on', async () => {
    await service.put('long', (text) => text.replace('rows: 200', 'rows: 600'));
    const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline: 'long' } });
    expect((await service.ask('POST', `/runs/${id}/retry`)).status).toBe(409);
    const cancelled = await service.json<RunRecord>('POST', `/runs/${id}/cancel`, { token: starter });
    expect(cancelled).toMatchObject({ id, state: 'cancelled', attempt: 1 });
    expect(await problem(await service.ask('POST', `/runs/${id}/cancel`))).toMatchObject({ code: 'conflict' });
    expect((await service.json<Artifacts>('GET', `/runs/${id}/artifacts`)).files).toEqual([]);

    const answer = await service.ask('POST', `/runs/${id}/retry`, { token: starter });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({ id, state: 'queued', attempt: 2, ended: null });
    expect(await service.ended(id)).toMatchObject({ state: 'done', attempt: 2 });
    expect((await service.ask('POST', `/runs/${id}/retry`)).status).toBe(409);
    // the workflow of the first attempt has ended, not by force
    const first = await service.engine.json<RunStatus>(`/runs/${id}/attempts/1`);
    expect(first.outcome).toMatchObject({ error: { code: 'cancelled' } });
  });

  it('that does not exist is not found, whatever is asked of it', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/tasks'],
      ['GET', '/log'],
      ['GET', '/events'],
      ['GET', '/artifacts'],
      ['GET', '/artifacts/results.json'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const)
      expect((await service.ask(method, `/runs/20260101T000000-00000000${path}`)).status, path).toBe(404);
  });

  it('lists what its tasks cost', async () => {
    const { tasks } = await service.json<RunTasks>('GET', `/runs/${done.id}/tasks`, { token: reader });
    expect(new Set(tasks.map(({ task }) => task)).size).toBe(tasks.length);
    expect(new Set(tasks.map(({ kind }) => kind))).toEqual(
      new Set(['pilot', 'activate', 'correlate', 'match', 'predict']),
    );
    for (const task of tasks) expect(task).toMatchObject({ provider: 'isolate', deliveries: 1 });
  });
});

describe('the list of runs', () => {
  it('comes in pages, newest first, each run once', async () => {
    const all = (await service.json<RunList>('GET', '/runs?limit=200')).runs.map(({ id }) => id);
    const paged: string[] = [];
    let before: string | null = null;
    do {
      const page: RunList = await service.json('GET', `/runs?limit=2${before === null ? '' : `&before=${before}`}`, {
        token: reader,
      });
      expect(page.runs.length).toBeLessThanOrEqual(2);
      paged.push(...page.runs.map(({ id }) => id));
      before = page.next;
    } while (before !== null);
    expect(paged).toEqual(all);
    expect(paged.at(-1)).toBe(done.id);
  });

  it('is filtered by pipeline and state', async () => {
    const { runs } = await service.json<RunList>('GET', '/runs?pipeline=small&state=done');
    expect(runs.map(({ id }) => id)).toContain(done.id);
    expect(runs.every((run) => run.pipeline === 'small' && run.state === 'done')).toBe(true);
    expect((await service.json<RunList>('GET', '/runs?pipeline=unknown')).runs).toEqual([]);
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'state=gone', 'before=../x', 'pipeline=%2F'])
      expect((await service.ask('GET', `/runs?${query}`)).status, query).toBe(400);
  });
});

describe('events', () => {
  const eventsOf = (text: string): RunEvent[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);

  // reads server-sent events until `last` came
  async function follow(path: string, last: number, headers: Record<string, string> = {}): Promise<RunEvent[]> {
    const stop = new AbortController();
    const answer = await service.ask('GET', path, { headers, token: reader, signal: stop.signal });
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events: RunEvent[] = [];
    let text = '';
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const messages = text.split('\n\n');
      text = messages.pop()!;
      for (const message of messages) {
        const data = /^data: (.*)$/m.exec(message)?.[1];
        if (data === undefined) continue;
        const event = JSON.parse(data) as RunEvent;
        expect(message).toBe(`id: ${event.id}\nevent: ${event.type}\ndata: ${data}`);
        events.push(event);
      }
      if (events.at(-1)?.id === last) break;
    }
    stop.abort();
    return events;
  }

  it('are a log of lines, from any of them on', async () => {
    const log = async (query: string) =>
      eventsOf(await (await service.ask('GET', `/runs/${done.id}/log${query}`, { token: reader })).text());
    const all = await log('');
    expect(all[0]).toMatchObject({ type: 'state', state: 'running' });
    expect(all.at(-1)).toMatchObject({ type: 'state', state: 'done' });
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => a - b));
    const middle = all[3]!.id;
    expect(await log(`?after=${middle}&limit=2`)).toEqual(all.slice(4, 6));
    expect((await service.ask('GET', `/runs/${done.id}/log?limit=10001`)).status).toBe(400);
  });

  it('are followed, after the last that a reader has', async () => {
    const log = eventsOf(await (await service.ask('GET', `/runs/${done.id}/log`)).text());
    const last = log.at(-1)!.id;
    expect(await follow(`/runs/${done.id}/events`, last)).toEqual(log);
    const [middle, rest] = [log[4]!.id, log.slice(5)];
    expect(await follow(`/runs/${done.id}/events`, last, { 'last-event-id': String(middle) })).toEqual(rest);
    expect(await follow(`/runs/${done.id}/events?after=${middle}`, last)).toEqual(rest);
    // the header is newer than the address of the page that asks
    expect(await follow(`/runs/${done.id}/events?after=1`, last, { 'last-event-id': String(middle) })).toEqual(rest);
  });

  it('come while the run goes on', async () => {
    await service.put('followed', (text) => text.replace('rows: 200', 'rows: 300'));
    const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline: 'followed' } });
    const stop = new AbortController();
    const answer = await service.ask('GET', `/runs/${id}/events`, { signal: stop.signal });
    let text = '';
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('"state":"done","attempt"')) break;
    }
    stop.abort();
    expect((await service.json<RunRecord>('GET', `/runs/${id}`)).state).toBe('done');
    expect(text).toContain('event: task\n');
  });
});
