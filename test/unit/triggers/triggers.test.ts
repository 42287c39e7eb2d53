import { sign as signGithub } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { HookTrigger, Setting, Trigger } from '../../../src/definition/service.ts';
import { sha256Hex } from '../../../src/numeric/hash.ts';
import {
  acceptDelivery,
  deliveryFor,
  dueBetween,
  parsePayload,
  settingsOf,
  uploadsFor,
} from '../../../src/triggers/triggers.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const utf8 = new TextEncoder();
const ASSET = 'https://github.com/acme/net/releases/download/v1/net.onnx';
/** The parts of GitHub's documented `release` payload that a pipeline reads. */
const RELEASE = {
  action: 'published',
  release: {
    id: 1,
    tag_name: 'v1',
    draft: false,
    assets: [{ name: 'net.onnx', browser_download_url: ASSET, size: 3, digest: `sha256:${'AB'.repeat(32)}` }],
  },
  repository: { full_name: 'acme/net' },
};

const hook = (kind: HookTrigger['kind'], rest: Partial<HookTrigger> = {}): HookTrigger => ({
  kind,
  secret: 'SECRET',
  when: [],
  set: [],
  ...rest,
});
const set = (pointer: string, key: Setting['key'] = 'model', network = 'candidate'): HookTrigger =>
  hook('github', { set: [{ network, key, pointer }] });
const event = (name: string): Headers => new Headers({ 'X-GitHub-Event': name });

describe('deliveryFor', () => {
  const published = hook('github', { event: 'release', when: [{ pointer: '/action', equals: 'published' }] });
  const triggers: Trigger[] = [
    { kind: 'schedule', cron: '0 6 * * 1' },
    hook('huggingface', { when: [{ pointer: '/repo/name', equals: 'acme/net' }] }),
    published,
    hook('github', { event: 'release' }),
    hook('github', { event: 'push' }),
    hook('webhook'),
  ];

  it('takes the first whose event and conditions hold, with its place in the list', () => {
    expect(deliveryFor(triggers, 'github', event('release'), RELEASE)).toEqual({ trigger: published, index: 2 });
    expect(deliveryFor(triggers, 'github', event('release'), { action: 'edited' })?.index).toBe(3);
    expect(deliveryFor(triggers, 'github', event('push'), {})?.index).toBe(4);
    expect(deliveryFor(triggers, 'huggingface', new Headers(), { repo: { name: 'acme/net' } })?.index).toBe(1);
    expect(deliveryFor(triggers, 'webhook', new Headers(), {})?.index).toBe(5);
  });

  it('finds nothing to do for other events, values and kinds', () => {
    expect(deliveryFor(triggers, 'github', event('issues'), RELEASE)).toBeNull();
    expect(deliveryFor(triggers, 'github', new Headers(), RELEASE)).toBeNull();
    expect(deliveryFor(triggers, 'huggingface', new Headers(), { repo: { name: 'acme/other' } })).toBeNull();
    expect(deliveryFor(triggers.slice(0, 5), 'webhook', new Headers(), {})).toBeNull();
  });

  it('has nothing to do for a ping, not even with a trigger for any event', () => {
    expect(deliveryFor([hook('github'), hook('github', { event: 'ping' })], 'github', event('ping'), {})).toBeNull();
  });

  it('compares without conversion', () => {
    const when = (equals: string | number | boolean | null): Trigger[] => [
      hook('webhook', { when: [{ pointer: '/value', equals }] }),
    ];
    const found = (equals: string | number | boolean | null, value: unknown): boolean =>
      deliveryFor(when(equals), 'webhook', new Headers(), { value }) !== null;
    expect([found(1, 1), found('1', '1'), found(true, true), found(null, null)]).toEqual([true, true, true, true]);
    expect([found(1, '1'), found('1', 1), found(true, 1), found(null, undefined), found(null, 0)]).toEqual(
      Array.from({ length: 5 }, () => false),
    );
  });
});

describe('settingsOf', () => {
  it('reads what the trigger declares, and nothing else', () => {
    const trigger = hook('github', {
      set: [
        { network: 'candidate', key: 'model', pointer: '/release/assets/0/browser_download_url' },
        { network: 'candidate', key: 'sha256', pointer: '/release/assets/0/digest' },
      ],
    });
    expect(settingsOf(trigger, { ...RELEASE, networks: { reference: { model: 'https://evil.example' } } })).toEqual({
      candidate: { model: ASSET, sha256: 'ab'.repeat(32) },
    });
    expect(settingsOf(hook('github'), RELEASE)).toEqual({});
  });

  it.each([
    ['/release/assets/1/browser_download_url', 'expected a text', 'found nothing'],
    ['/release/id', 'expected a text', 'found a value of type number'],
    ['/release/assets', 'expected a text', 'found a list'],
    ['/release', 'expected a text', 'found a value of type object'],
    ['/__proto__', 'expected a text', 'found nothing'],
    ['/release/tag_name', 'expected an https address', 'found another text'],
  ])('names the pointer of a value that cannot be a model: %s', (pointer, expected, found) => {
    expect(() => settingsOf(set(pointer), RELEASE)).toThrow(
      `(payload-invalid) ${expected} at ${pointer} of the payload, for networks.candidate.model; ${found}`,
    );
  });

  it.each([
    'file:///etc/passwd',
    'http://github.com/x',
    '../secret.onnx',
    'reference.onnx',
    ' https://github.com/x',
    '',
  ])('takes no model from the payload but an https address: %j', (url) => {
    expect(() => settingsOf(set('/url'), { url })).toThrow('(payload-invalid)');
  });

  it.each(['', 'ab', 'ab'.repeat(33), 'zz'.repeat(32), `sha512:${'ab'.repeat(32)}`])(
    'takes no hash but SHA-256: %j',
    (digest) => {
      expect(() => settingsOf(set('/digest', 'sha256'), { digest })).toThrow('(payload-invalid) expected a SHA-256');
    },
  );

  it('fills a network named __proto__ as any other', () => {
    const settings = settingsOf(set('/u', 'model', '__proto__'), { u: ASSET });
    expect(Object.entries(settings)).toEqual([['__proto__', { model: ASSET }]]);
    expect(Object.getPrototypeOf(settings)).toBe(Object.prototype);
  });
});

describe('parsePayload', () => {
  it('reads JSON, and the form that GitHub can send', () => {
    expect(parsePayload(utf8.encode(JSON.stringify(RELEASE)))).toEqual(RELEASE);
    expect(parsePayload(utf8.encode(String(new URLSearchParams({ payload: JSON.stringify(RELEASE) }))))).toEqual(
      RELEASE,
    );
  });

  it.each([
    '',
    'null',
    '1',
    '"x"',
    '[]',
    '{',
    '{"a":1}x',
    'payload=',
    'payload=[]',
    'payload={}&payload={}',
    'x=1',
    '<a/>',
  ])('refuses %j', (text) => {
    expect(() => parsePayload(utf8.encode(text))).toThrow('(payload-invalid) expected a JSON object');
  });

  it('refuses bytes that are not UTF-8, and never quotes the payload', () => {
    expect(() => parsePayload(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))).toThrow('(payload-invalid)');
    expect(() => parsePayload(utf8.encode('{"token": hunter2}'))).toThrow(/^(?!.*hunter2)/s);
  });
});

describe('acceptDelivery', () => {
  const SECRETS: Record<string, string> = { ONE: 'first', TWO: 'second', CI: btoa('a key of the CI, 24 bytes') };
  const secretOf = (name: string): string => SECRETS[name]!;
  const triggers: Trigger[] = [
    hook('github', { secret: 'ONE', event: 'release', when: [{ pointer: '/action', equals: 'deleted' }] }),
    hook('github', { secret: 'TWO', event: 'release' }),
    hook('github', { secret: 'ONE', event: 'release', set: set('/u').set }),
    hook('webhook', { secret: 'CI' }),
  ];
  const github = async (secret: string, body: string, name = 'release'): Promise<Headers> =>
    new Headers({
      'X-GitHub-Event': name,
      'X-GitHub-Delivery': 'd-1',
      'X-Hub-Signature-256': await signGithub(secret, body),
    });
  const text = JSON.stringify(RELEASE);

  it('gives id, payload and the trigger of the secret that signed it', async () => {
    const first = await acceptDelivery(
      triggers,
      'github',
      await github('first', text),
      utf8.encode(text),
      secretOf,
      NOW,
    );
    expect(first).toEqual({ id: 'd-1', payload: RELEASE, match: { trigger: triggers[2], index: 2 } });
    const second = await acceptDelivery(
      triggers,
      'github',
      await github('second', text),
      utf8.encode(text),
      secretOf,
      NOW,
    );
    expect(second.match?.index).toBe(1);
  });

  it('gives a verified delivery with nothing to do', async () => {
    for (const name of ['ping', 'push']) {
      const headers = await github('first', text, name);
      expect((await acceptDelivery(triggers, 'github', headers, utf8.encode(text), secretOf, NOW)).match).toBeNull();
    }
  });

  it('reads nothing before a signature holds', async () => {
    const refused = async (headers: Headers, body: string, kind: HookTrigger['kind'] = 'github'): Promise<string> =>
      acceptDelivery(triggers, kind, headers, utf8.encode(body), secretOf, NOW).then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    expect(await refused(await github('third', 'no JSON'), 'no JSON')).toContain('(signature-invalid)');
    expect(await refused(await github('first', 'no JSON'), 'no JSON')).toContain('(payload-invalid)');
    // signed by one secret, sent to triggers of another kind
    expect(await refused(await github('first', text), text, 'webhook')).toContain('(signature-invalid)');
    expect(await refused(await github('first', text), text, 'huggingface')).toContain('(signature-invalid)');
  });

  it('says that a signed delivery is old, whichever secret is tried next', async () => {
    const sent = new Date(NOW - 600_000);
    const headers = new Headers({
      'webhook-id': 'm',
      'webhook-timestamp': String(sent.getTime() / 1000),
      'webhook-signature': new Webhook(SECRETS.CI!).sign('m', sent, '{}'),
    });
    const both = [...triggers, hook('webhook', { secret: 'OTHER' })];
    const secrets = (name: string): string => (name === 'OTHER' ? btoa('other') : secretOf(name));
    await expect(acceptDelivery(both, 'webhook', headers, utf8.encode('{}'), secrets, NOW)).rejects.toThrow(
      '600 s old',
    );
  });

  it('recognises a replay of Hugging Face by its body', async () => {
    const headers = new Headers({ 'X-Webhook-Secret': 'first' });
    const delivery = await acceptDelivery(
      [hook('huggingface', { secret: 'ONE' })],
      'huggingface',
      headers,
      utf8.encode(text),
      secretOf,
      NOW,
    );
    expect(delivery.id).toBe(await sha256Hex(text));
  });
});

describe('uploadsFor', () => {
  // the example of Cloudflare's documentation, with a key of ours
  const MESSAGE = {
    account: '3f4b7e3dcab231cbfdaa90a6a28bd548',
    action: 'CopyObject',
    bucket: 'my-bucket',
    object: { key: 'candidates/net.onnx', size: 65536, eTag: 'c846ff7a18f28c2e262116d6e8719ef0' },
    eventTime: '2024-05-24T19:36:44.379Z',
    copySource: { bucket: 'my-bucket', object: 'my-original-object' },
  };
  const upload = { kind: 'upload', prefix: 'candidates/', network: 'candidate' } as const;
  const PIPELINES = [
    { name: 'nightly', triggers: [hook('webhook'), upload] },
    { name: 'other', triggers: [{ ...upload, prefix: 'others/' }] },
    { name: 'all', triggers: [{ ...upload, prefix: 'c', network: 'b' }] },
  ];
  const withKey = (key: string): unknown => ({ ...MESSAGE, object: { ...MESSAGE.object, key } });

  it.each(['PutObject', 'CopyObject', 'CompleteMultipartUpload'])(
    'finds the triggers of every pipeline for %s',
    (action) => {
      const rest = {
        key: 'candidates/net.onnx',
        sizeBytes: 65536,
        eTag: 'c846ff7a18f28c2e262116d6e8719ef0',
        id: '2024-05-24T19:36:44.379Z c846ff7a18f28c2e262116d6e8719ef0 candidates/net.onnx',
      };
      expect(uploadsFor({ ...MESSAGE, action }, PIPELINES)).toEqual([
        { pipeline: 'nightly', trigger: upload, index: 1, ...rest },
        { pipeline: 'all', trigger: { ...upload, prefix: 'c', network: 'b' }, index: 0, ...rest },
      ]);
    },
  );

  it('has nothing to do for deletions, which have neither size nor eTag', () => {
    for (const action of ['DeleteObject', 'LifecycleDeletion']) {
      expect(uploadsFor({ ...MESSAGE, action, object: { key: 'candidates/net.onnx' } }, PIPELINES)).toEqual([]);
    }
  });

  it.each(['candidates/', 'candidates/../inputs/x', 'candidates/..', 'inputs/net.onnx', 'Candidates/net.onnx'])(
    'has nothing to do for the key %j',
    (key) => {
      expect(uploadsFor(withKey(key), PIPELINES)).toEqual([]);
    },
  );

  it.each([
    null,
    'x',
    {},
    { action: 'PutObject' },
    { ...MESSAGE, object: null },
    { ...MESSAGE, eventTime: 1 },
    { ...MESSAGE, object: { key: 'candidates/x' } },
  ])('refuses %j', (message) => {
    expect(() => uploadsFor(message, PIPELINES)).toThrow('(payload-invalid)');
  });
});

describe('dueBetween', () => {
  const MONDAY = Date.UTC(2026, 10, 23, 6, 0, 0);
  const MINUTE = 60_000;

  it('holds a time at the end of the interval and not at its beginning', () => {
    expect(dueBetween('0 6 * * 1', MONDAY - MINUTE, MONDAY)).toEqual([MONDAY]);
    expect(dueBetween('0 6 * * 1', MONDAY - 1, MONDAY)).toEqual([MONDAY]);
    expect(dueBetween('0 6 * * 1', MONDAY, MONDAY + MINUTE)).toEqual([]);
    expect(dueBetween('0 6 * * 1', MONDAY - MINUTE, MONDAY - 1)).toEqual([]);
    expect(dueBetween('0 6 * * 1', MONDAY, MONDAY)).toEqual([]);
  });

  it('gives the last time alone to whoever slept', () => {
    expect(dueBetween('0 6 * * 1', MONDAY - 30 * 86_400_000, MONDAY + 5 * 86_400_000)).toEqual([MONDAY]);
    expect(dueBetween('*/5 * * * *', MONDAY, MONDAY + 33 * MINUTE)).toEqual([MONDAY + 30 * MINUTE]);
  });

  it('finds each time once, however the ticks fall', () => {
    for (const step of [MINUTE, 59_999, 60_001, 7_777]) {
      const found: number[] = [];
      for (let at = MONDAY - 1234; at < MONDAY + 3_600_000; at += step)
        found.push(...dueBetween('*/10 * * * *', at, at + step));
      expect(found.slice(0, 6), String(step)).toEqual([0, 1, 2, 3, 4, 5].map((i) => MONDAY + i * 10 * MINUTE));
    }
  });

  it('reckons in UTC whatever the time zone, and knows days that never come', () => {
    const zone = process.env.TZ;
    process.env.TZ = 'America/New_York';
    try {
      expect(dueBetween('0 6 * * 1', MONDAY - 1, MONDAY)).toEqual([MONDAY]);
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
    expect(dueBetween('0 0 30 2 *', 0, MONDAY)).toEqual([]);
    expect(dueBetween('0 0 29 2 *', 0, MONDAY)).toEqual([Date.UTC(2024, 1, 29)]);
  });
});
