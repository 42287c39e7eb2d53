/**
 * What starts a run from outside, in real workerd over HTTP: deliveries of GitHub, Hugging Face and Standard Webhooks,
 * and R2's event notifications. Every other host is a server of ours. R2 emits no notifications locally: its documented
 * messages (developers.cloudflare.com/r2/buckets/event-notifications, read 2026-11) are handed to the consumer.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildInto } from '../../../build.js';
import { OWN_FOLDERS } from '../../../src/definition/serviceRules.ts';
import type { Problem, RunList, RunRecord } from '../../../src/service/documents.ts';
import { redirectTo, startUpstream } from '../../unit/triggers/upstream.ts';
import type { Upstream } from '../../unit/triggers/upstream.ts';
import { ROOT, temporaryFolder } from '../command.ts';
import * as outside from '../outside.ts';
import {
  assetOf,
  githubDelivery,
  hubDelivery,
  MODEL,
  releasePayload,
  standardDelivery,
  tinyPipeline,
} from '../outside.ts';
import type { Delivery } from '../outside.ts';
import { sha256, startService, unending } from '../service.ts';
import type { Service } from '../service.ts';

interface Answer {
  status: number;
  location: string | null;
  run: string | null;
  url: string | null;
  reason?: string;
  code?: string;
}

const SECRETS = {
  GITHUB_HOOK: `gh ${randomBytes(16).toString('hex')}`,
  HF_HOOK: `hf ${randomBytes(16).toString('hex')}`,
  CI_HOOK: `whsec_${randomBytes(32).toString('base64')}`,
  UNLISTED: 'not on the list',
};
const URL_OF = 'https://convergent.acme.com';
const HUB_SHA = '575db8b7a51b6f85eb06eee540738584589f131c';
const HUB_MODEL = 'https://huggingface.co/acme/net/resolve/main/net.onnx';
const TRIGGERS = `triggers:
  - github: { secret: GITHUB_HOOK, event: release, when: { /action: published }, set: { networks.candidate.model: /release/assets/0/browser_download_url } }
  - huggingface: { secret: HF_HOOK, when: { /repo/name: acme/net, /event/scope: repo.content } }
  - webhook: { secret: CI_HOOK, when: { /type: model.ready }, set: { networks.candidate.model: /data/model, networks.candidate.sha256: /data/sha256 } }
`;

const build = temporaryFolder();
let upstream: Upstream;
let service: Service;
// set by a test that holds what the release's asset answers
let gate: Promise<void> = Promise.resolve();

beforeAll(async () => {
  await buildInto(build.path, join(ROOT, 'test/integration/upload-worker.ts'));
  const asset = outside.githubAsset('net.onnx', MODEL.seed2);
  upstream = await startUpstream({
    ...asset,
    [assetOf('net.onnx')]: (response, seen) => void gate.then(() => asset[assetOf('net.onnx')]!(response, seen)),
    ...outside.githubAsset('same.onnx', MODEL.seed1),
    ...outside.hubFile('net.onnx', MODEL.seed2),
    [assetOf('away.onnx')]: redirectTo('https://evil.example/net.onnx?sig=hunter2'),
    [assetOf('inside.onnx')]: redirectTo('https://169.254.169.254/latest/meta-data'),
  });
  service = await startService(build.path, {
    variables: { ...SECRETS, CONVERGENT_SECRETS: 'GITHUB_HOOK,HF_HOOK@huggingface.co, CI_HOOK', PUBLIC_URL: URL_OF },
    outbound: upstream.address,
  });
  await service.put('net', () => tinyPipeline('net', TRIGGERS));
  await service.put('hub', () =>
    tinyPipeline('hub', TRIGGERS).replace(
      /model: "[^"]+", hosts: \[github\]/,
      `model: "${HUB_MODEL}", hosts: [huggingface]`,
    ),
  );
  await service.put('pinned', () => tinyPipeline('pinned', TRIGGERS, `, sha256: ${sha256(MODEL.seed2)}`));
  await service.put('unlisted', () => tinyPipeline('unlisted', TRIGGERS.replace('CI_HOOK', 'UNLISTED')));
  await service.put('plain', () => tinyPipeline('plain'));
  await service.put('uploads', () => tinyPipeline('uploads', 'triggers:\n  - upload: { prefix: candidates/ }\n'));
});
afterAll(async () => {
  await service.close();
  await upstream.close();
  build.remove();
});
beforeEach(() => {
  upstream.seen.length = 0;
});

const seenBodies: string[] = [];
async function deliver(
  path: string,
  delivery: Omit<Delivery, 'body'> & { body: string | Uint8Array },
): Promise<Answer> {
  const response = await service.ask('POST', `/hooks/${path}`, delivery);
  const text = await response.text();
  seenBodies.push(text, JSON.stringify([...response.headers]));
  const { status, headers } = response;
  return { ...(JSON.parse(text) as Answer), status, location: headers.get('location') };
}
// the answer to a request of whose body so many bytes come, and then no more
function statusOfSlow(path: string, headers: Record<string, string>, sent: number): Promise<number> {
  return new Promise((answered, fail) => {
    const outgoing = request(`${service.engine.address}${path}`, { method: 'POST', headers }, (response) => {
      answered(response.statusCode!);
      outgoing.destroy();
    });
    outgoing.on('error', fail);
    outgoing.write(new Uint8Array(sent));
  });
}
const runsOf = async (pipeline: string): Promise<RunRecord[]> =>
  (await service.json<RunList>('GET', `/runs?pipeline=${pipeline}&limit=200`)).runs;
const keys = (): Promise<string[]> => service.json('GET', '/test/keys');
const ready = (model: string, digest = sha256(MODEL.seed2)): object => ({
  type: 'model.ready',
  timestamp: '2026-11-20T08:00:00Z',
  data: { model, sha256: digest },
});

// what a delivery started, once it has ended
async function outcome(path: string, delivery: Delivery): Promise<RunRecord> {
  const answer = await deliver(path, delivery);
  expect(answer).toMatchObject({
    status: 202,
    url: `${URL_OF}/runs/${answer.run}`,
    location: `${URL_OF}/runs/${answer.run}`,
  });
  return service.ended(answer.run!);
}

describe('a delivery', () => {
  it('of GitHub compares the release that it tells of', async () => {
    const run = await outcome(
      'net/github',
      await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('net.onnx')), { id: 'first' }),
    );
    expect(run).toMatchObject({
      state: 'done',
      error: null,
      trigger: { kind: 'github', delivery: 'first', by: 'acme/net' },
      candidates: { candidate: { model: assetOf('net.onnx') } },
    });
    expect(run.figures[0]!.mean_r).toBeLessThan(0.999);
    // no credentials, no cookies
    expect(upstream.seen.map(({ url }) => new URL(url).host)).toEqual([
      'github.com',
      'release-assets.githubusercontent.com',
    ]);
    for (const { headers } of upstream.seen) expect(headers).not.toHaveProperty('authorization');
    expect(await keys()).toContain(`inputs/${sha256(MODEL.seed2)}`);
  });

  it('of GitHub takes the model of its payload, not the one of the file', async () => {
    const run = await outcome(
      'net/github',
      await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('same.onnx'))),
    );
    expect(run.figures[0]!.mean_r).toBeCloseTo(1, 6);
  });

  it('of Hugging Face opens the Hub', async () => {
    const run = await outcome('hub/huggingface', hubDelivery(SECRETS.HF_HOOK, outside.hubPayload(HUB_SHA)));
    expect(run).toMatchObject({ state: 'done', trigger: { kind: 'huggingface', by: 'acme/net' }, candidates: {} });
    expect(upstream.seen.map(({ url }) => new URL(url).host)).toEqual(['huggingface.co', 'cas-bridge.xethub.hf.co']);
  });

  it('of Standard Webhooks sets model and hash', async () => {
    const run = await outcome('net/webhook', standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx'))));
    expect(run).toMatchObject({
      state: 'done',
      trigger: { kind: 'webhook', by: 'model.ready' },
      candidates: { candidate: { model: assetOf('net.onnx'), sha256: sha256(MODEL.seed2) } },
    });
  });

  it('is answered before anything is downloaded', async () => {
    let open = (): void => undefined;
    gate = new Promise((done) => (open = done));
    const delivery = await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('net.onnx')));
    const { status, run } = await deliver('net/github', delivery);
    expect(status).toBe(202);
    await expect.poll(() => upstream.seen.length, { timeout: 30_000 }).toBe(1);
    expect((await service.json<RunRecord>('GET', `/runs/${run}`)).state).toBe('running');
    open();
    expect((await service.ended(run!)).state).toBe('done');
  });

  it('that comes again, replayed or delivered twice, names the run it started', async () => {
    const before = (await runsOf('net')).length;
    const github = await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('net.onnx')));
    const standard = standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx')));
    for (const [path, delivery] of [
      ['net/github', github],
      ['net/webhook', standard],
    ] as const) {
      const { run } = await outcome(path, delivery).then(({ id }) => ({ run: id }));
      for (let i = 0; i < 3; i++)
        expect(await deliver(path, delivery)).toMatchObject({ status: 202, run, reason: 'delivered before' });
    }
    // signed anew at another time, as a sender tries again
    const again = standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx')), {
      id: standard.headers['webhook-id']!,
      ageSeconds: 60,
    });
    expect(await deliver('net/webhook', again)).toMatchObject({ reason: 'delivered before' });
    expect(await runsOf('net')).toHaveLength(before + 2);
    // the Hub has no id: the body is it
    const [hub] = await runsOf('hub');
    expect(await deliver('hub/huggingface', hubDelivery(SECRETS.HF_HOOK, outside.hubPayload(HUB_SHA)))).toMatchObject({
      run: hub!.id,
      reason: 'delivered before',
    });
  });
});

describe('a delivery that nobody asked for starts nothing', () => {
  let before: number;
  beforeAll(async () => {
    before = (await keys()).length;
  });
  const nothing = async (pipeline: string, act: () => Promise<void>): Promise<void> => {
    const runs = (await runsOf(pipeline)).length;
    await act();
    expect(await runsOf(pipeline)).toHaveLength(runs);
    expect(upstream.seen).toEqual([]);
    expect(await keys()).toHaveLength(before);
  };

  it('wrong, missing or for another body signed', async () => {
    const good = await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('net.onnx')));
    const ci = standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx')));
    const hub = hubDelivery(SECRETS.HF_HOOK, outside.hubPayload(HUB_SHA));
    const without = ({ headers, ...rest }: Delivery, name: string): Delivery => ({
      ...rest,
      headers: Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name)),
    });
    const flipped = (delivery: Delivery): Delivery => ({
      ...delivery,
      body: delivery.body.replace('v1.2.0', 'v1.2.1').replace('model.ready', 'model.reada'),
    });
    const said = new Set<string>();
    await nothing('net', async () => {
      for (const [path, delivery] of [
        ['net/github', await githubDelivery('another secret', releasePayload(assetOf('net.onnx')))],
        ['net/github', await githubDelivery(SECRETS.HF_HOOK, releasePayload(assetOf('net.onnx')))],
        ['net/github', without(good, 'x-hub-signature-256')],
        [
          'net/github',
          {
            ...good,
            headers: {
              ...good.headers,
              'x-hub-signature-256': `${good.headers['x-hub-signature-256']!.slice(0, -1)}g`,
            },
          },
        ],
        ['net/github', flipped(good)],
        ['net/github', { ...good, body: `${good.body} ` }],
        ['net/webhook', standardDelivery(`whsec_${randomBytes(32).toString('base64')}`, ready(assetOf('net.onnx')))],
        ['net/webhook', without(ci, 'webhook-signature')],
        ['net/webhook', { ...ci, headers: { ...ci.headers, 'webhook-id': 'msg_other' } }],
        ['net/webhook', flipped(ci)],
        ['net/huggingface', { ...hub, headers: { ...hub.headers, 'x-webhook-secret': `${SECRETS.HF_HOOK}x` } }],
        ['net/huggingface', without(hub, 'x-webhook-secret')],
        // right for another kind
        ['net/webhook', good],
      ] as const) {
        const response = await service.ask('POST', `/hooks/${path}`, delivery);
        const { status, code, detail } = (await response.json()) as Problem;
        expect([status, code], JSON.stringify([path, delivery.headers])).toEqual([401, 'signature-invalid']);
        said.add(detail);
      }
    });
    // wrong and missing are told alike
    expect(said.size).toBe(1);
  });

  it('signed too long ago, or ahead', async () => {
    await nothing('net', async () => {
      for (const ageSeconds of [360, -360]) {
        const answer = await deliver(
          'net/webhook',
          standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx')), { ageSeconds }),
        );
        expect(answer).toMatchObject({ status: 401, code: 'signature-invalid' });
      }
    });
  });

  it('of 10 MB, said or not: refused before it has come, and the next one is answered', async () => {
    const good = await githubDelivery(SECRETS.GITHUB_HOOK, {}, { event: 'ping' });
    const bytes = 10 * 2 ** 20;
    await nothing('net', async () => {
      const begun = performance.now();
      expect(await statusOfSlow('/hooks/net/github', { ...good.headers, 'content-length': String(bytes) }, 1000)).toBe(
        413,
      );
      const unsaid = await service.ask('POST', '/hooks/net/github', { ...good, body: unending(6 * 2 ** 20) });
      expect(unsaid.status).toBe(413);
      expect(((await unsaid.json()) as Problem).code).toBe('too-large');
      // whoever goes on sending finds the connection closed, before or after the answer
      const whole = service.ask('POST', '/hooks/net/github', { ...good, body: new Uint8Array(bytes) });
      expect(await whole.then(({ status }) => String(status), String)).toMatch(/^413$|fetch failed/);
      expect(performance.now() - begun).toBeLessThan(5000);
      expect(await deliver('net/github', good)).toMatchObject({ status: 200, run: null, url: null });
    });
  });

  it('for pipelines and kinds that are not there: told as a wrong signature is, so that no name can be guessed', async () => {
    const good = await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('net.onnx')));
    const wrong = await githubDelivery('another secret', releasePayload(assetOf('net.onnx')));
    const answerTo = async (path: string, delivery: Omit<Delivery, 'body'> & { body?: string }) => {
      // failures of this address are counted apart from the other tests'
      const from = { ...delivery, headers: { ...delivery.headers, 'cf-connecting-ip': '192.0.2.1' } };
      const response = await service.ask('POST', `/hooks/${path}`, from);
      const headers = [...response.headers].filter(([name]) => name !== 'date');
      return { status: response.status, headers, text: await response.text() };
    };
    const refused = await answerTo('net/github', wrong);
    expect([refused.status, (JSON.parse(refused.text) as Problem).code]).toEqual([401, 'signature-invalid']);
    for (const path of ['unknown/github', 'plain/github', 'uploads/webhook', '..%2Fnet/github'])
      for (const delivery of [good, wrong, { token: null, headers: {} }])
        expect(await answerTo(path, delivery), path).toEqual(refused);
    expect(await answerTo('net/github', { token: null, headers: {} })).toEqual(refused);
    const large = { ...good, body: ' '.repeat(6 * 2 ** 20) };
    expect((await answerTo('unknown/github', large)).status).toBe(413);
    // kinds are no secret: the same for every name
    const other = await answerTo('net/gitlab', good);
    expect([other.status, (JSON.parse(other.text) as Problem).code]).toEqual([404, 'not-found']);
    expect(await answerTo('unknown/gitlab', good)).toEqual(other);
    expect((await service.ask('GET', '/hooks/net/github', { token: null })).status).toBe(404);
  });

  it('of another event or content: genuine, and no run', async () => {
    await nothing('net', async () => {
      const model = assetOf('net.onnx');
      for (const [path, delivery] of [
        [
          'net/github',
          await githubDelivery(SECRETS.GITHUB_HOOK, { zen: 'Design for failure.', hook_id: 1 }, { event: 'ping' }),
        ],
        ['net/github', await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(model), { event: 'push' })],
        ['net/github', await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(model, 'deleted'))],
        ['net/huggingface', hubDelivery(SECRETS.HF_HOOK, outside.hubPayload(HUB_SHA, 'evil/net'))],
        ['net/webhook', standardDelivery(SECRETS.CI_HOOK, { ...ready(model), type: 'model.broken' })],
      ] as const)
        expect(await deliver(path, delivery)).toMatchObject({ status: 200, run: null, location: null });
    });
  });

  it('with an address that is none of the pipeline’s', async () => {
    await nothing('net', async () => {
      for (const [model, code] of [
        ['file:///etc/passwd', 'payload-invalid'],
        ['http://github.com/acme/net.onnx', 'payload-invalid'],
        ['../reference.onnx', 'payload-invalid'],
        ['fashion-mnist/seed1.onnx', 'payload-invalid'],
        ['http://169.254.169.254/latest/meta-data', 'payload-invalid'],
        ['https://169.254.169.254/latest/meta-data', 'address-refused'],
        ['https://127.0.0.1/net.onnx', 'address-refused'],
        ['https://[::1]/net.onnx', 'address-refused'],
        ['https://2130706433/net.onnx', 'address-refused'],
        ['https://localhost/net.onnx', 'address-refused'],
        ['https://github.com:8443/net.onnx', 'address-refused'],
        ['https://github.com@evil.example/net.onnx', 'address-refused'],
        ['https://evil.example/net.onnx', 'address-refused'],
        ['https://github.com.evil.example/net.onnx', 'address-refused'],
        ['https://evil.githubusercontent.com/net.onnx', 'address-refused'],
      ] as const) {
        const delivery = await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(model));
        expect(await deliver('net/github', delivery), model).toMatchObject({ status: 422, code });
      }
      const odd = standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx'), 'no hash'));
      expect(await deliver('net/webhook', odd)).toMatchObject({ status: 422, code: 'payload-invalid' });
      const none = await githubDelivery(SECRETS.GITHUB_HOOK, { action: 'published' });
      expect(await deliver('net/github', none)).toMatchObject({ status: 422, code: 'payload-invalid' });
    });
  });

  it('whose secret is not on the list of the service', async () => {
    const answer = await deliver('unlisted/webhook', standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx'))));
    expect(answer).toMatchObject({ status: 422, code: 'secret-missing' });
    expect(await runsOf('unlisted')).toEqual([]);
  });
});

describe('a payload', () => {
  it('fills nothing that the pipeline does not name', async () => {
    const more = {
      networks: {
        ref: { model: assetOf('same.onnx') },
        candidate: { model: assetOf('same.onnx'), hosts: ['evil.example'] },
      },
      'networks.ref.model': assetOf('same.onnx'),
      pipeline: 'pinned',
      gate: [],
      __proto__: { sha256: '0'.repeat(64) },
    };
    const run = await outcome(
      'net/github',
      await githubDelivery(SECRETS.GITHUB_HOOK, { ...releasePayload(assetOf('net.onnx')), ...more }),
    );
    expect(run).toMatchObject({
      pipeline: 'net',
      state: 'done',
      candidates: { candidate: { model: assetOf('net.onnx') } },
    });
    expect(Object.keys(run.candidates)).toEqual(['candidate']);
    expect(upstream.seen.some(({ url }) => url.includes('same.onnx'))).toBe(false);
  });

  it.each(['away.onnx', 'inside.onnx'])(
    'with %s, which redirects elsewhere, ends refused, and nothing is stored',
    async (file) => {
      const before = await keys();
      const run = await outcome('net/github', await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf(file))));
      expect(run).toMatchObject({
        state: 'failed',
        plan: null,
        error: { code: 'address-refused', place: { key: 'networks.candidate.model' } },
      });
      // asked once: no retry helps
      expect(upstream.seen.map(({ url }) => url)).toEqual([assetOf(file)]);
      expect(await keys()).toEqual(before);
      expect(JSON.stringify(run)).not.toContain('hunter2');
    },
  );

  it('with a model of another hash than the pinned one ends refused', async () => {
    const before = await keys();
    const pinned = await outcome(
      'pinned/github',
      await githubDelivery(SECRETS.GITHUB_HOOK, releasePayload(assetOf('same.onnx'))),
    );
    // the pin names a file that is there: nothing is opened
    expect(pinned).toMatchObject({ state: 'done' });
    expect(upstream.seen).toEqual([]);
    const told = await outcome(
      'net/webhook',
      standardDelivery(SECRETS.CI_HOOK, ready(assetOf('net.onnx'), 'ab'.repeat(32))),
    );
    expect(told).toMatchObject({ state: 'failed', error: { code: 'address-refused' } });
    expect(told.error!.message).toContain('ab'.repeat(32));
    expect((await keys()).filter((key) => key.startsWith('inputs/'))).toEqual(
      before.filter((key) => key.startsWith('inputs/')),
    );
  });
});

describe('a notification of the bucket', () => {
  const put = async (key: string, bytes: Uint8Array): Promise<{ size: number; etag: string }> =>
    service.json('PUT', `/test/object?key=${encodeURIComponent(key)}`, { body: bytes });
  const message = (key: string, { size, etag }: { size: number; etag: string }, action = 'PutObject'): object => ({
    account: '3f4b7e3dcab231cbfdaa90a6a28bd548',
    action,
    bucket: 'convergent',
    object: { key, size, eTag: etag },
    eventTime: '2026-11-20T19:36:44.379Z',
  });
  const notify = (...bodies: object[]): Promise<string[]> => service.json('POST', '/test/notify', { body: bodies });

  it('starts one run of the object, however often it comes, and another one of another content', async () => {
    const first = message('candidates/x.onnx', await put('candidates/x.onnx', MODEL.seed2));
    expect(await notify(first, first)).toEqual(['ack', 'ack']);
    expect(await notify(first)).toEqual(['ack']);
    const [run, ...others] = await runsOf('uploads');
    expect(others).toEqual([]);
    expect(await service.ended(run!.id)).toMatchObject({
      state: 'done',
      trigger: { kind: 'upload', by: 'candidates/x.onnx' },
      candidates: { candidate: { object: 'candidates/x.onnx' } },
    });
    expect(upstream.seen).toEqual([]);

    const second = message('candidates/x.onnx', await put('candidates/x.onnx', MODEL.seed1), 'CompleteMultipartUpload');
    expect(await notify(second, first)).toEqual(['ack', 'ack']);
    const runs = await runsOf('uploads');
    expect(runs).toHaveLength(2);
    expect((await service.ended(runs[0]!.id)).figures[0]!.mean_r).toBeCloseTo(1, 6);
  });

  it('of a deletion, another prefix or a folder starts none', async () => {
    const object = { size: 1, etag: 'a'.repeat(32) };
    const { object: gone, ...deleted } = message('candidates/y.onnx', object, 'DeleteObject') as {
      object: { key: string };
    };
    expect(
      await notify(
        { ...deleted, object: { key: gone.key } },
        message('candidates/y.onnx', object, 'LifecycleDeletion'),
        message('other/x.onnx', object),
        message('candidates/', object),
        message('candidates/../inputs/x', object),
        message(`inputs/${'a'.repeat(64)}`, object),
      ),
    ).toEqual(Array.from({ length: 6 }, () => 'ack'));
    expect(await runsOf('uploads')).toHaveLength(2);
  });

  it('of an object that is larger than the network allows, or another than it pins, ends refused', async () => {
    for (const [name, network] of [
      ['bounded', ', max_bytes: 1000'],
      ['fixed', `, sha256: ${sha256(MODEL.seed2)}`],
    ] as const)
      await service.put(name, () =>
        tinyPipeline(name, `triggers:\n  - upload: { prefix: checked/${name}/ }\n`, network),
      );
    const started = async (name: string, bytes: Uint8Array): Promise<RunRecord> => {
      const key = `checked/${name}/x.onnx`;
      expect(await notify(message(key, await put(key, bytes)))).toEqual(['ack']);
      return service.ended((await runsOf(name))[0]!.id);
    };
    const place = { key: 'networks.candidate.model' };
    const [larger, largest, other] = [1001, 1000, 999].map((bytes) => randomBytes(bytes));
    const bounded = await started('bounded', larger!);
    expect(bounded).toMatchObject({ state: 'failed', plan: null, error: { code: 'too-large', place } });
    expect(bounded.error!.message).toBe('expected at most 1000 bytes; found 1001 at checked/bounded/x.onnx');
    expect((await started('bounded', largest!)).error!.code).toBe('model-invalid');

    const fixed = await started('fixed', other!);
    expect(fixed).toMatchObject({ state: 'failed', plan: null, error: { code: 'address-refused', place } });
    expect(fixed.error!.message).toBe(`expected a file with SHA-256 ${sha256(MODEL.seed2)}; found ${sha256(other!)}`);
    expect(await started('fixed', MODEL.seed2)).toMatchObject({ state: 'done', error: null });
    // what whoever starts a run asks for holds beside it, and instead of nothing
    for (const [pipeline, object] of [
      ['fixed', 'checked/fixed/x.onnx'],
      ['uploads', 'candidates/x.onnx'],
    ] as const) {
      const candidates = { candidate: { object, sha256: 'ab'.repeat(32) } };
      const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline, candidates } });
      expect((await service.ended(id)).error, pipeline).toMatchObject({ code: 'address-refused', place });
    }
    const stored = await keys();
    expect(stored).toContain(`inputs/${sha256(largest!)}`);
    for (const refused of [larger!, other!]) expect(stored).not.toContain(`inputs/${sha256(refused)}`);
  });

  it('of what the service writes itself starts none: no pipeline may declare such a prefix', async () => {
    for (const prefix of [...OWN_FOLDERS, 'in', 'runs/x']) {
      const text = tinyPipeline('own', `triggers:\n  - upload: { prefix: ${prefix} }\n`);
      const answer = await service.ask('PUT', '/pipelines/own', { body: { text, files: {} } });
      const { status, code, place } = (await answer.json()) as Problem;
      expect([status, code, place?.key], prefix).toEqual([422, 'definition-invalid', 'triggers[0].upload.prefix']);
    }
    expect((await service.ask('GET', '/pipelines/own')).status).toBe(404);
  });

  it('that is none is not delivered again', async () => {
    expect(await notify({ something: 'else' })).toEqual(['ack']);
  });
});

describe('in the end', () => {
  it('the bucket has nothing but candidates and the service’s own folders', async () => {
    const folders = new Set((await keys()).map((key) => `${key.split('/')[0]}/`));
    for (const folder of folders) expect([...OWN_FOLDERS, 'candidates/', 'checked/']).toContain(folder);
    expect(folders.has('incoming/')).toBe(false);
  });

  it('no secret stands in an answer, a run, an event, a page, a log or a request', async () => {
    const { runs } = await service.json<RunList>('GET', '/runs?limit=200');
    const texts = [...seenBodies, service.logged(), JSON.stringify(runs), JSON.stringify(upstream.seen)];
    for (const { id } of runs) {
      texts.push(JSON.stringify(await service.events(id)));
      texts.push(await (await service.ask('GET', `/runs/${id}`, { headers: { accept: 'text/html' } })).text());
    }
    expect(runs.length).toBeGreaterThan(10);
    expect(service.logged()).toContain('"log":"run"');
    for (const secret of Object.values(SECRETS)) {
      const forms = [secret, Buffer.from(secret).toString('base64'), secret.replace('whsec_', '')];
      for (const form of forms) expect(texts.filter((text) => text.includes(form))).toEqual([]);
    }
  });
});
