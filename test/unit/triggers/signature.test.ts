/** Deliveries signed by @octokit/webhooks-methods and standardwebhooks, and what one change of them does. */
import { sign as signGithub } from '@octokit/webhooks-methods';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { HookTrigger } from '../../../src/definition/service.ts';
import { sha256Hex } from '../../../src/numeric/hash.ts';
import { signStandard, verifyDelivery } from '../../../src/triggers/signature.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const utf8 = new TextEncoder();
const BODY = '{"action":"published","release":{"tag_name":"v1 – é"}}';
const WRONG = '(signature-invalid) expected a delivery signed with the secret; found no such signature';
const STANDARD_SECRET = `whsec_${btoa('0123456789abcdef0123456789abcdef')}`;

interface Signed {
  kind: HookTrigger['kind'];
  secret: string;
  headers: Record<string, string>;
}

const SIGNED: Record<string, () => Promise<Signed>> = {
  github: async () => ({
    kind: 'github',
    secret: "It's a secret",
    headers: {
      'X-GitHub-Event': 'release',
      'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'X-Hub-Signature-256': await signGithub("It's a secret", BODY),
    },
  }),
  huggingface: async () => ({
    kind: 'huggingface',
    secret: 'hf-secret-of-acme',
    headers: { 'X-Webhook-Secret': 'hf-secret-of-acme' },
  }),
  webhook: async () => ({
    kind: 'webhook',
    secret: STANDARD_SECRET,
    headers: {
      'webhook-id': 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W',
      'webhook-timestamp': String(NOW / 1000),
      'webhook-signature': new Webhook(STANDARD_SECRET).sign('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', new Date(NOW), BODY),
    },
  }),
};

const verify = ({ kind, secret, headers }: Signed, body: string | Uint8Array = BODY, now = NOW): Promise<string> =>
  verifyDelivery(kind, new Headers(headers), typeof body === 'string' ? utf8.encode(body) : body, secret, now).then(
    ({ id }) => id,
    (error: Error) => error.message,
  );

describe.each(Object.keys(SIGNED))('a delivery of %s', (kind) => {
  it('holds as it was sent, and has the same id when it is sent again', async () => {
    const signed = await SIGNED[kind]!();
    const id = {
      github: '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      huggingface: await sha256Hex(BODY),
      webhook: 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W',
    }[kind];
    expect(await verify(signed)).toBe(id);
    expect(await verify(signed)).toBe(id);
  });

  it('is refused with another secret, by the same message as without a signature', async () => {
    const signed = await SIGNED[kind]!();
    const last = signed.secret.at(-3) === 'A' ? 'B' : 'A';
    expect(await verify({ ...signed, secret: `${signed.secret.slice(0, -3)}${last}${signed.secret.slice(-2)}` })).toBe(
      WRONG,
    );
    expect(await verify({ ...signed, headers: {} })).toBe(WRONG);
  });

  it('is refused without any one of its headers, or with it empty', async () => {
    const signed = await SIGNED[kind]!();
    for (const name of Object.keys(signed.headers)) {
      if (name === 'X-GitHub-Event') continue;
      const { [name]: _, ...others } = signed.headers;
      expect(await verify({ ...signed, headers: others }), name).toBe(WRONG);
      expect(await verify({ ...signed, headers: { ...others, [name]: '' } }), name).toBe(WRONG);
    }
  });

  it('is refused with an empty secret, as a fault of the service', async () => {
    expect(await verify({ ...(await SIGNED[kind]!()), secret: '' })).toContain('(secret-missing)');
  });
});

describe.each(['github', 'webhook'])('the signature of %s', (kind) => {
  it('covers every bit of the body, and its length', async () => {
    const signed = await SIGNED[kind]!();
    const bytes = utf8.encode(BODY);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(await verify(signed, changed), `bit ${bit}`).toBe(WRONG);
    }
    for (const other of [BODY.slice(1), BODY.slice(0, -1), `${BODY} `, `${BODY}\n`, '']) {
      expect(await verify(signed, other)).toBe(WRONG);
    }
  });

  it('is refused with any character of it changed', async () => {
    const signed = await SIGNED[kind]!();
    const name = kind === 'github' ? 'X-Hub-Signature-256' : 'webhook-signature';
    const text = signed.headers[name]!;
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === '1' ? '2' : '1';
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(await verify({ ...signed, headers: { ...signed.headers, [name]: changed } }), changed).toBe(WRONG);
    }
    for (const changed of [
      text.slice(0, -1),
      text.slice(text.length / 2),
      text.toUpperCase(),
      'sha256=',
      'v1,',
      'v1',
    ]) {
      expect(await verify({ ...signed, headers: { ...signed.headers, [name]: changed } }), changed).toBe(WRONG);
    }
  });

  it('agrees with the library on any body and secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.uint8Array({ minLength: 1, maxLength: 80 }),
        async (body, key) => {
          const secret = btoa(String.fromCharCode(...key));
          const signed: Signed =
            kind === 'github'
              ? {
                  kind: 'github',
                  secret,
                  headers: {
                    'x-github-delivery': 'd',
                    'x-hub-signature-256': await signGithub(secret, body === '' ? ' ' : body),
                  },
                }
              : {
                  kind: 'webhook',
                  secret: key.length % 2 ? secret : `whsec_${secret}`,
                  headers: {
                    'webhook-id': 'd',
                    'webhook-timestamp': String(NOW / 1000),
                    'webhook-signature': new Webhook(secret).sign('d', new Date(NOW), body === '' ? ' ' : body),
                  },
                };
          expect(await verify(signed, body === '' ? ' ' : body)).toBe('d');
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('GitHub', () => {
  it('is not taken by the old SHA-1 header', async () => {
    const { headers, ...signed } = await SIGNED.github!();
    const { 'X-Hub-Signature-256': signature, ...others } = headers;
    expect(await verify({ ...signed, headers: { ...others, 'X-Hub-Signature': signature! } })).toBe(WRONG);
  });

  it('has an id fit for a key', async () => {
    const signed = await SIGNED.github!();
    for (const id of ['a b', 'é', 'x'.repeat(257)]) {
      expect(await verify({ ...signed, headers: { ...signed.headers, 'X-GitHub-Delivery': id } })).toBe(WRONG);
    }
  });
});

describe('Hugging Face', () => {
  it('is refused with the beginning of the secret, more than it, or another case', async () => {
    const signed = await SIGNED.huggingface!();
    for (const given of ['hf-secret-of-acm', 'hf-secret-of-acmee', 'HF-secret-of-acme', 'hf']) {
      expect(await verify({ ...signed, headers: { 'X-Webhook-Secret': given } })).toBe(WRONG);
    }
  });

  it('has another id for another body', async () => {
    const signed = await SIGNED.huggingface!();
    expect(await verify(signed, `${BODY} `)).toBe(await sha256Hex(`${BODY} `));
    expect(await verify(signed, `${BODY} `)).not.toBe(await verify(signed));
  });
});

describe('Standard Webhooks', () => {
  it('keeps the window of five minutes, old and ahead, with a message of its own', async () => {
    const signed = await SIGNED.webhook!();
    const at = (seconds: number): Promise<string> => verify(signed, BODY, NOW + seconds * 1000);
    for (const seconds of [-300, -1, 0, 1, 300]) expect(await at(seconds)).toBe('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W');
    expect(await at(301)).toBe('(signature-invalid) expected a timestamp within 5 minutes of now; found one 301 s old');
    expect(await at(-301)).toContain('found one 301 s ahead');
    expect(await at(86_400)).toContain('found one 86400 s old');
  });

  it('tells nobody without the secret about the window', async () => {
    const signed = await SIGNED.webhook!();
    expect(await verify(signed, `${BODY} `, NOW + 1e9)).toBe(WRONG);
  });

  it('signs the id and the timestamp too', async () => {
    const signed = await SIGNED.webhook!();
    for (const [name, value] of [
      ['webhook-id', 'msg_other'],
      ['webhook-timestamp', String(NOW / 1000 + 1)],
      ['webhook-timestamp', `${NOW / 1000}.0`],
      ['webhook-timestamp', `0${NOW / 1000}`],
      ['webhook-timestamp', '-1'],
      ['webhook-timestamp', '1e9'],
    ] as const) {
      expect(await verify({ ...signed, headers: { ...signed.headers, [name]: value } }), value).toBe(WRONG);
    }
  });

  it('takes any one of several signatures, and only those of version v1', async () => {
    const signed = await SIGNED.webhook!();
    const right = signed.headers['webhook-signature']!;
    const other = new Webhook(btoa('another key')).sign('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', new Date(NOW), BODY);
    const withSignature = (value: string): Promise<string> =>
      verify({ ...signed, headers: { ...signed.headers, 'webhook-signature': value } });
    expect(await withSignature(`${other} ${right}`)).toBe('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W');
    expect(await withSignature(`${right} v1a,hnO3f9T8Ytu9 ${other}`)).toBe('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W');
    expect(await withSignature(`v1a,${right.slice(3)}`)).toBe(WRONG);
    expect(await withSignature(`v2,${right.slice(3)} ${other}`)).toBe(WRONG);
    expect(await withSignature(right.slice(3))).toBe(WRONG);
  });

  it('needs a secret in base64', async () => {
    const message = await verify({ ...(await SIGNED.webhook!()), secret: 'whsec_not*base64' });
    expect(message).toContain('(secret-missing)');
    expect(message).not.toContain('not*base64');
  });

  it('is signed so that the library verifies it', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    const signature = await signStandard(STANDARD_SECRET, 'msg_1', seconds, utf8.encode(BODY));
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(seconds), 'webhook-signature': signature };
    expect(new Webhook(STANDARD_SECRET).verify(BODY, headers)).toEqual(JSON.parse(BODY));
    expect(() => new Webhook(STANDARD_SECRET).verify(`${BODY} `, headers)).toThrow();
  });
});
