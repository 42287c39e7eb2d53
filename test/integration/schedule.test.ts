/** Schedules in the real Worker: due once, however often and late somebody ticks. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildInto } from '../../build.js';
import { startEngine } from '../../src/cli/engine.ts';
import type { Engine } from '../../src/cli/engine.ts';
import { serviceIn } from '../../src/cli/remote.ts';
import type { Service } from '../../src/cli/remote.ts';
import type { NoticeMessage } from '../../src/runtime/notify.ts';
import type { RunStatus } from '../../src/runtime/protocol.ts';
import type { PipelineRecord, RunEvent, RunList, RunRecord } from '../../src/service/documents.ts';
import { answer, startUpstream } from '../unit/triggers/upstream.ts';
import type { Upstream } from '../unit/triggers/upstream.ts';
import { PIPELINES, ROOT, temporaryFolder } from './command.ts';

const MINUTE = 60_000;
const RECEIVER = 'https://hooks.acme.com';
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const folder = temporaryFolder();
let upstream: Upstream;
let engine: Engine;
let service: Service;
/** The minute after the pipeline was put, on the minute. */
let begin: number;

const tick = (now: number): Promise<{ started: string[]; mended: string[] }> =>
  engine.json('/tick', { method: 'POST', body: JSON.stringify({ now }) });
const runsOf = async (pipeline: string): Promise<RunList['runs']> =>
  (await service.json<RunList>(`/runs?pipeline=${pipeline}`)).runs;

async function eventsOf(id: string): Promise<RunEvent[]> {
  const log = await service.ask(`/runs/${id}/log`, {}, (response) => response.text());
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent);
}

/** Puts the shipped pipeline with these triggers, and `more`; its files are not there, so that its runs fail soon. */
function put(name: string, crons: string[], more = ''): Promise<PipelineRecord> {
  const text = readFileSync(join(PIPELINES, 'fashion-mnist.yaml'), 'utf8').replace(
    'name: fashion-mnist',
    `name: ${name}`,
  );
  const triggers = crons.map((cron) => `  - schedule: "${cron}"\n`).join('');
  return service.json<PipelineRecord>(`/pipelines/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: () =>
      JSON.stringify({ text: `${text}\n${crons.length === 0 ? '' : `triggers:\n${triggers}`}${more}`, files: {} }),
  });
}

beforeAll(async () => {
  const dist = join(ROOT, 'node_modules/.cache/convergent-tests/schedule');
  await buildInto(dist, join(import.meta.dirname, 'schedule-worker.ts'));
  upstream = await startUpstream({ [`${RECEIVER}/taken`]: answer('thanks') });
  engine = await startEngine(folder.path, dist, {
    compute: Promise.resolve(null),
    inspects: true,
    variables: { NOTIFY: SECRET, CONVERGENT_SECRETS: 'NOTIFY@hooks.acme.com' },
    outbound: upstream.address,
  });
  service = serviceIn(engine);
  const { created } = await put('minutely', ['* * * * *']);
  await put('yearly', ['0 0 1 1 *', '30 4 29 2 *']);
  begin = Math.ceil(created / MINUTE) * MINUTE + MINUTE;
});
afterAll(async () => {
  await engine.stop();
  await upstream.close();
  folder.remove();
});

describe('a tick', () => {
  it('starts nothing the first time: nobody knows since when', async () => {
    expect((await tick(begin)).started).toEqual([]);
  });

  it('starts what was due since the last one', async () => {
    const { started } = await tick(begin + MINUTE);
    expect(started).toHaveLength(1);
    const [run] = await runsOf('minutely');
    expect(run).toMatchObject({ id: started[0], trigger: { kind: 'schedule', by: '* * * * *' } });
    expect(run!.trigger.delivery).toBe(`schedule minutely * * * * * ${begin + MINUTE}`);
    expect(await runsOf('yearly')).toEqual([]);
  });

  it('starts nothing twice: not again, not at once, not with a clock that went back', async () => {
    await Promise.all([1, 1, 1, 0].map((minutes) => tick(begin + minutes * MINUTE)));
    expect(await runsOf('minutely')).toHaveLength(1);
  });

  it('after a long sleep makes up for one run, not for all', async () => {
    const [day, year] = [24 * 60 * MINUTE, 366 * 24 * 60 * MINUTE];
    expect((await tick(begin + day)).started).toHaveLength(1);
    // 1 January and 29 February are two schedules
    const { started } = await tick(begin + 4 * year);
    expect(started).toHaveLength(3);
    expect(await runsOf('yearly')).toHaveLength(2);
  });

  it('leaves runs alone whose workflow goes on or has told its end', async () => {
    expect((await tick(begin + 4 * 366 * 24 * 60 * MINUTE + 30_000)).mended).toEqual([]);
  });
});

describe('a run whose workflow', () => {
  const startRun = (pipeline: string): Promise<RunRecord> =>
    service.json<RunRecord>('/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: () => JSON.stringify({ pipeline }),
    });

  it('could not be made is queued, and begins with a later tick', async () => {
    await put('orphan', []);
    await expect(startRun('orphan')).rejects.toThrow();
    const [orphan] = await runsOf('orphan');
    expect(orphan!.state).toBe('queued');
    // within the minute its maker may still be at it
    expect((await tick(orphan!.created + MINUTE)).mended).toEqual([]);
    expect((await tick(orphan!.created + MINUTE + 1)).mended).toEqual([orphan!.id]);
    await expect.poll(async () => (await runsOf('orphan'))[0]!.state).toBe('failed');
    expect((await runsOf('orphan'))[0]!.error!.code).toBe('file-missing');
  });

  it('was ended by somebody else fails, says so, and tells who asked to be told: once, however many tick', async () => {
    const received = () => upstream.seen.filter(({ url }) => url === `${RECEIVER}/taken`);
    const told = async (id: string) =>
      (await eventsOf(id)).flatMap((event) => (event.type === 'stage' && event.stage === 'notify' ? [event.text] : []));
    await put('ended', [], `notify:\n  - { url: "${RECEIVER}/taken", secret: NOTIFY }\n`);
    const run = await startRun('ended');
    // another tick overtakes it
    expect((await tick(run.created)).mended).toContain(run.id);
    expect(await service.json<RunRecord>(`/runs/${run.id}`)).toMatchObject({
      state: 'failed',
      error: { message: 'the workflow was terminated' },
    });
    await expect.poll(() => told(run.id)).toEqual(['told hooks.acme.com']);
    expect((await tick(run.created + MINUTE)).mended).not.toContain(run.id);

    // the next run's notice comes after all of this one's
    const next = await startRun('ended');
    expect((await tick(run.created + MINUTE)).mended).toContain(next.id);
    await expect.poll(() => told(next.id)).toEqual(['told hooks.acme.com']);
    const messages = received().map(
      ({ headers, body }) =>
        new Webhook(SECRET).verify(body, headers as Record<string, string>) as { type: string; data: NoticeMessage },
    );
    expect(messages.map(({ type, data }) => [type, data.run, data.error?.message])).toEqual(
      [run, next].map(({ id }) => ['run.failed', id, 'the workflow was terminated']),
    );
    const states = (await eventsOf(run.id)).flatMap((event) => (event.type === 'state' ? [event.state] : []));
    expect(states.filter((state) => state === 'failed')).toHaveLength(1);
  });

  it('is made after somebody cancelled it does nothing', async () => {
    await put('cancelled', []);
    const { id } = await startRun('cancelled');
    const outcome = async () => (await engine.json<RunStatus>(`/runs/${id}/attempts/1`)).outcome;
    await expect.poll(outcome).toMatchObject({ error: { code: 'cancelled' } });
    expect(await service.json<RunRecord>(`/runs/${id}`)).toMatchObject({ state: 'cancelled', error: null, plan: null });
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual(['state']);
  });
});
