/**
 * How a run ends, in real workerd: its gate, who is told, cancelling and trying again, and what anybody may read of it.
 * Every other host is a server of ours; who receives verifies with the Standard Webhooks library.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NoticeMessage } from '../../../src/runtime/notify.ts';
import type { Artifacts, RunRecord, RunTasks } from '../../../src/service/documents.ts';
import { answer, startUpstream } from '../../unit/triggers/upstream.ts';
import type { Seen, Upstream } from '../../unit/triggers/upstream.ts';
import { assetOf, githubAsset, githubDelivery, MODEL, tinyPipeline } from '../outside.ts';
import { smallPipeline, startService } from '../service.ts';
import type { Service } from '../service.ts';

const SECRETS = {
  HOOK: randomBytes(16).toString('hex'),
  NOTIFY: `whsec_${randomBytes(32).toString('base64')}`,
  STATUS: `ghp_${randomBytes(16).toString('hex')}`,
  UNBOUND: `whsec_${randomBytes(32).toString('base64')}`,
};
const PUBLIC_URL = 'https://convergent.acme.com';
const RECEIVER = 'https://hooks.acme.com';
const SHA = '0123456789abcdef0123456789abcdef01234567';
const STATUSES = `https://api.github.com/repos/acme/net/statuses/${SHA}`;
const SAME = assetOf('same.onnx');
const WORSE = assetOf('worse.onnx');

const AT_LEAST = (r: number): string => `gate:\n  - { layer: fc, figure: match.mean_r, at_least: ${r} }\n`;
const NOTIFIES = (path: string, secret = 'NOTIFY'): string =>
  `notify:\n  - { url: "${RECEIVER}/${path}", secret: ${secret} }\n`;

let upstream: Upstream;
let service: Service;
const statuses = { flaky: [500, 500, 200] };

beforeAll(async () => {
  upstream = await startUpstream({
    ...githubAsset('same.onnx', MODEL.seed1),
    ...githubAsset('worse.onnx', MODEL.seed2),
    [`${RECEIVER}/taken`]: answer('thanks'),
    [`${RECEIVER}/flaky`]: (response) => void response.writeHead(statuses.flaky.shift() ?? 200).end(),
    [`${RECEIVER}/gone`]: answer('', {}, 410),
    [STATUSES]: answer('{}', {}, 201),
  });
  service = await startService(undefined, {
    variables: {
      ...SECRETS,
      CONVERGENT_SECRETS: 'HOOK,NOTIFY@hooks.acme.com,STATUS@api.github.com,UNBOUND@other.acme.com',
      PUBLIC_URL,
    },
    outbound: upstream.address,
  });
});
afterAll(async () => {
  await service.close();
  await upstream.close();
});

const put = (name: string, more: string) => service.put(name, () => tinyPipeline(name, more));
async function compare(pipeline: string, model: string): Promise<RunRecord> {
  const body = { pipeline, candidates: { candidate: { model } } };
  return service.ended((await service.json<RunRecord>('POST', '/runs', { body })).id);
}
const received = (path: string): Seen[] => upstream.seen.filter(({ url }) => url === `${RECEIVER}/${path}`);

/** What the run's log says of its notices, once the last of `count` is through. */
async function noticesOf(run: RunRecord, count = 1): Promise<string[]> {
  for (;;) {
    const events = await service.events(run.id);
    const texts = events.flatMap((event) => (event.type === 'stage' && event.stage === 'notify' ? [event.text] : []));
    if (texts.length >= count) return texts;
    await sleep(50);
  }
}

describe('the gate', () => {
  it('at_least passes and fails, and the run is done either way', async () => {
    await put('passes', AT_LEAST(0.5));
    await put('fails', AT_LEAST(0.999));
    const passed = await compare('passes', WORSE);
    expect(passed).toMatchObject({ state: 'done', error: null, gate: { passed: true, against: null } });
    const failed = await compare('fails', WORSE);
    const [rule] = failed.gate!.rules;
    expect(failed).toMatchObject({ state: 'done', error: null, gate: { passed: false } });
    const r = failed.figures[0]!.mean_r!;
    expect(rule).toMatchObject({ pair: 'ref-candidate', layer: 'fc', figure: 'match.mean_r', value: r, limit: 0.999 });
    expect(rule!.by).toBeCloseTo(0.999 - r, 12);
    expect(rule!.text).toMatch(/^fc of ref-candidate: match.mean_r is 0\.\d+, 0\.\d+ below the 0\.999 asked for$/);
    const page = await service.ask('GET', `/runs/${failed.id}`, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain(rule!.text);
  });

  it('against the last run that passed: none yet, then a worse one, which does not become it', async () => {
    await put('drops', 'gate:\n  - { layer: "*", figure: match.mean_r, drop_at_most: 0.001, against: last-passed }\n');
    const first = await compare('drops', SAME);
    expect(first.gate).toMatchObject({ passed: true, against: null });
    expect(first.gate!.rules[0]!.text).toContain('with nothing to compare with: no run has passed yet');

    // a failed run has no say: neither this one, which is not there, nor the worse ones
    expect((await compare('drops', assetOf('missing.onnx'))).state).toBe('failed');
    for (let i = 0; i < 2; i++) {
      const worse = await compare('drops', WORSE);
      const [rule] = worse.gate!.rules;
      expect(worse.gate).toMatchObject({ passed: false, against: first.digest });
      expect(rule).toMatchObject({ value: worse.figures[0]!.mean_r, previous: first.figures[0]!.mean_r, limit: 0.001 });
      expect(rule!.by).toBeCloseTo(first.figures[0]!.mean_r! - worse.figures[0]!.mean_r! - 0.001, 12);
      expect(rule!.text).toMatch(
        /match\.mean_r is 0\.\d+, 0\.\d+ below the 1 of the last run that passed, 0\.\d+ more than the 0\.001 allowed$/,
      );
    }
    expect((await compare('drops', SAME)).gate!.passed).toBe(true);
  });
});

describe('a notice', () => {
  it('is signed, and says which rule failed and by how much', async () => {
    await put('told', AT_LEAST(0.999) + NOTIFIES('taken'));
    const run = await compare('told', WORSE);
    expect(await noticesOf(run)).toEqual(['told hooks.acme.com']);
    const [message, ...others] = received('taken');
    expect(others).toEqual([]);
    const headers = message!.headers as Record<string, string>;
    const { type, data } = new Webhook(SECRETS.NOTIFY).verify(message!.body, headers) as {
      type: string;
      data: NoticeMessage & { text: string };
    };
    expect(type).toBe('run.done');
    expect(data).toMatchObject({
      run: run.id,
      pipeline: 'told',
      state: 'done',
      digest: run.digest,
      gate: run.gate,
      url: `${PUBLIC_URL}/runs/${run.id}`,
    });
    expect(data.text).toBe(`1 of 1 rule failed: ${run.gate!.rules[0]!.text}`);
    expect(() => new Webhook(SECRETS.UNBOUND).verify(message!.body, headers)).toThrow();
  });

  it('of a run that failed says why', async () => {
    const run = await compare('told', assetOf('missing.onnx'));
    await noticesOf(run);
    const { headers, body } = received('taken').at(-1)!;
    expect(new Webhook(SECRETS.NOTIFY).verify(body, headers as Record<string, string>)).toMatchObject({
      type: 'run.failed',
      data: { run: run.id, gate: null, error: { code: 'address-refused' } },
    });
  });

  it('that is not taken is sent again as the same message, until it is; a receiver that is gone is left alone', async () => {
    await put('flaky', NOTIFIES('flaky') + `  - { url: "${RECEIVER}/gone", secret: NOTIFY }\n`);
    const run = await compare('flaky', SAME);
    const [first, second] = await noticesOf(run, 2);
    expect(first).toBe('told hooks.acme.com');
    expect(second).toContain(
      'could not tell hooks.acme.com: expected hooks.acme.com to take the notice; found status 410',
    );
    const sent = received('flaky');
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    // every one signed for its own time
    for (const { headers, body } of sent) new Webhook(SECRETS.NOTIFY).verify(body, headers as Record<string, string>);
    expect(received('gone')).toHaveLength(1);
    expect((await service.json<RunRecord>('GET', `/runs/${run.id}`)).state).toBe('done');
  });

  it('never takes a secret where it is not bound to', async () => {
    await put('unbound', NOTIFIES('taken', 'UNBOUND'));
    const before = received('taken').length;
    const [said] = await noticesOf(await compare('unbound', SAME));
    expect(said).toBe(
      'could not tell hooks.acme.com: expected the secret UNBOUND to be bound to where it goes; found it is not',
    );
    expect(received('taken')).toHaveLength(before);
  });

  it('is a commit status, pending and then what the gate said', async () => {
    const hook = 'triggers:\n  - github: { secret: HOOK, event: push }\nnotify:\n  - { github-status: STATUS }\n';
    await service.put('status', () => tinyPipeline('status', AT_LEAST(0.999) + hook).replace('net.onnx', 'worse.onnx'));
    const push = {
      ref: 'refs/heads/main',
      after: SHA,
      head_commit: { id: SHA },
      repository: { full_name: 'acme/net' },
    };
    const delivery = await githubDelivery(SECRETS.HOOK, push, { event: 'push' });
    const { run: id } = (await (await service.ask('POST', '/hooks/status/github', delivery)).json()) as { run: string };
    const run = await service.ended(id);
    expect(await noticesOf(run, 2)).toEqual(['told the commit status', 'told the commit status']);
    const sent = upstream.seen.filter(({ url }) => url === STATUSES);
    for (const { method, headers } of sent)
      expect([method, headers.authorization]).toEqual(['POST', `Bearer ${SECRETS.STATUS}`]);
    const context = 'convergent/status';
    const target_url = `${PUBLIC_URL}/runs/${id}`;
    expect(sent.map(({ body }) => JSON.parse(body) as object)).toEqual([
      { state: 'pending', target_url, context, description: 'The comparison is under way.' },
      {
        state: 'failure',
        target_url,
        context,
        description: expect.stringContaining('1 of 1 rule failed: fc of') as string,
      },
    ]);
    // the token goes there alone
    expect(
      upstream.seen.filter((seen) => seen.url !== STATUSES && JSON.stringify(seen).includes(SECRETS.STATUS)),
    ).toEqual([]);
  });
});

describe('a run that is cancelled', () => {
  it('stops, and goes on with what is done when it is tried again', async () => {
    const long = smallPipeline('long').replace('rows: 200', 'rows: 2000').replace('fc: logits', 'conv1: /conv1/relu');
    await service.put('long', () => long);
    const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline: 'long' } });
    const done = async (): Promise<number> =>
      (await service.events(id)).filter((event) => event.type === 'task' && event.state === 'done').length;
    while ((await done()) < 3) await sleep(20);
    const cancelled = await service.json<RunRecord>('POST', `/runs/${id}/cancel`);
    expect(cancelled).toMatchObject({ state: 'cancelled', attempt: 1 });
    const events = await service.events(id);
    // what was under way may end; nothing else is begun
    await sleep(1000);
    const later = (await service.events(id)).slice(events.length);
    expect(later.filter((event) => event.type === 'task' && event.state === 'started')).toEqual([]);
    const finished = await done();
    expect(finished).toBeGreaterThanOrEqual(3);
    expect(await service.json('GET', `/runs/${id}`)).toMatchObject({ state: 'cancelled' });

    await service.json('POST', `/runs/${id}/retry`);
    expect(await service.ended(id)).toMatchObject({ state: 'done', attempt: 2 });
    const counted = (await service.events(id)).flatMap((event) => (event.type === 'tasks' ? [event] : []));
    const { total, reused } = counted.at(-1)!;
    expect(reused).toBeGreaterThanOrEqual(finished);
    expect(reused).toBeLessThan(total);
    const { tasks } = await service.json<RunTasks>('GET', `/runs/${id}/tasks`);
    expect(tasks).toHaveLength(total - reused);
  });

  it('is told of', async () => {
    await put('stopped', NOTIFIES('taken'));
    const before = received('taken').length;
    const body = { pipeline: 'stopped', candidates: { candidate: { model: SAME } } };
    const { id } = await service.json<RunRecord>('POST', '/runs', { body });
    expect(await service.json('POST', `/runs/${id}/cancel`)).toMatchObject({ state: 'cancelled' });
    await expect.poll(() => received('taken').length, { timeout: 30_000 }).toBe(before + 1);
    const { headers, body: told } = received('taken')[before]!;
    expect(new Webhook(SECRETS.NOTIFY).verify(told, headers as Record<string, string>)).toMatchObject({
      type: 'run.cancelled',
      data: { run: id, text: 'The run was cancelled.' },
    });
  });
});

describe('public: true', () => {
  it('lets anybody read the pipeline, its runs, events, artifacts and pages, and nothing of another', async () => {
    await put('open', 'public: true\n');
    await put('closed', '');
    const [open, closed] = [await compare('open', SAME), await compare('closed', SAME)];
    const { files } = await service.json<Artifacts>('GET', `/runs/${open.id}/artifacts`);
    const html = { accept: 'text/html' };
    const paths = (pipeline: string, run: string): [string, Record<string, string>][] => [
      [`/pipelines/${pipeline}`, {}],
      [`/pipelines/${pipeline}`, html],
      [`/runs?pipeline=${pipeline}`, {}],
      [`/runs/${run}`, {}],
      [`/runs/${run}`, html],
      [`/runs/${run}/tasks`, {}],
      [`/runs/${run}/log`, {}],
      [`/runs/${run}/artifacts`, {}],
      ...files.slice(0, 3).map(({ path }): [string, Record<string, string>] => [`/runs/${run}/artifacts/${path}`, {}]),
    ];
    const read = async ([path, headers]: [string, Record<string, string>]): Promise<[number, string]> => {
      const response = await service.ask('GET', path, { token: null, headers });
      return [response.status, `${await response.text()} ${response.headers.get('location')}`];
    };
    for (const place of paths('open', open.id)) expect((await read(place))[0], place[0]).toBe(200);
    const nobody = '20260101T000000-00000000';
    const [refused, unknown] = [paths('closed', closed.id), paths('unknown', nobody)];
    for (const [index, place] of refused.entries()) {
      const [status, said] = await read(place);
      expect([303, 401], place[0]).toContain(status);
      // the same words, but for the address itself
      const plain = said.replaceAll(closed.id, nobody).replaceAll('closed', 'unknown');
      expect([status, plain]).toEqual(await read(unknown[index]!));
    }
    // reading is all
    expect((await service.ask('POST', '/runs', { token: null, body: { pipeline: 'open' } })).status).toBe(401);
    expect((await service.ask('POST', `/runs/${open.id}/retry`, { token: null })).status).toBe(401);
  });
});

it('no secret stands in a log', () => {
  for (const secret of Object.values(SECRETS)) expect(service.logged()).not.toContain(secret);
});
