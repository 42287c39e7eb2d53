/** Notices as a real server receives them; signatures verified by standardwebhooks. */
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import type { Notice } from '../../../src/definition/service.ts';
import { PipelineError } from '../../../src/errors.ts';
import { noticeText, sendNotice } from '../../../src/runtime/notify.ts';
import type { NoticeMessage } from '../../../src/runtime/notify.ts';
import { answer, redirectTo, startUpstream } from '../triggers/upstream.ts';
import type { Upstream } from '../triggers/upstream.ts';

const SECRET = `whsec_${btoa('0123456789abcdef01234567')}`;
const env = {
  CONVERGENT_SECRETS: 'NOTIFY_SECRET@hooks.acme.com@169.254.169.254, GITHUB_TOKEN@api.github.com',
  NOTIFY_SECRET: SECRET,
  GITHUB_TOKEN: 'ghp_hunter2',
};
const HOOK = 'https://hooks.acme.com/convergent';
const webhook: Notice = { kind: 'webhook', url: HOOK, secret: 'NOTIFY_SECRET' };
const status: Notice = { kind: 'github-status', token: 'GITHUB_TOKEN' };
const SHA = '6113728f27ae82c7b1a177c8d03f9e96e0adf246';
const STATUSES = `https://api.github.com/repos/acme/net/statuses/${SHA}`;
const RULE = 'conv4 ref-candidate: expected match.mean_r ≥ 0.35; found 0.31, 0.04 below';
const failedGate = {
  passed: false,
  rules: [
    { text: 'conv1 ref-candidate: match.mean_r 0.61 ≥ 0.35', passed: true },
    { text: RULE, passed: false },
  ],
};
const message = (rest: Partial<NoticeMessage> = {}): NoticeMessage => ({
  run: 'run-1',
  pipeline: 'nightly',
  state: 'done',
  gate: failedGate,
  url: 'https://convergent.acme.com/runs/run-1',
  digest: 'ab'.repeat(32),
  error: null,
  commit: { repository: 'acme/net', sha: SHA },
  ...rest,
});
const now = Date.now();

let upstream: Upstream;
afterEach(() => upstream.close());

const send = (notice: Notice, rest: Partial<NoticeMessage> = {}, at = now): Promise<void> =>
  sendNotice(notice, message(rest), env, upstream.fetch, at);
const failure = async (sending: Promise<void>): Promise<PipelineError> => {
  const error: unknown = await sending.then(
    () => expect.fail('expected a failure'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PipelineError);
  expect(JSON.stringify(error)).not.toMatch(/hunter2|whsec_|0123456789abcdef|inner/);
  return error as PipelineError;
};

describe('a webhook', () => {
  it('is signed, and says which figure failed and by how much', async () => {
    upstream = await startUpstream({ [HOOK]: answer('', {}, 204) });
    await send(webhook);
    const [{ method, headers, body }] = upstream.seen as [Upstream['seen'][0]];
    expect(method).toBe('POST');
    expect(headers['content-type']).toBe('application/json');
    expect(headers).not.toHaveProperty('authorization');
    const signed = headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(body, signed)).toEqual({
      type: 'run.done',
      timestamp: new Date(now).toISOString(),
      data: {
        run: 'run-1',
        pipeline: 'nightly',
        state: 'done',
        text: `1 of 2 rules failed: ${RULE}`,
        url: 'https://convergent.acme.com/runs/run-1',
        digest: 'ab'.repeat(32),
        gate: failedGate,
        error: null,
      },
    });
    expect(() => new Webhook(SECRET).verify(body.replace('0.31', '0.41'), signed)).toThrow();
    expect(() => new Webhook(btoa('another')).verify(body, signed)).toThrow();
  });

  it('has one id for one end of one run, so that a second attempt is recognised', async () => {
    upstream = await startUpstream({ [HOOK]: answer('') });
    const id = async (rest: Partial<NoticeMessage>, notice = webhook): Promise<unknown> => {
      await send(notice, rest, now + upstream.seen.length * 1000);
      return upstream.seen.at(-1)!.headers['webhook-id'];
    };
    const first = await id({});
    expect(first).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(await id({})).toBe(first);
    expect(upstream.seen[1]!.headers['webhook-timestamp']).not.toBe(upstream.seen[0]!.headers['webhook-timestamp']);
    const others = [
      await id({ run: 'run-2' }),
      await id({ state: 'failed', digest: null }),
      await id({ state: 'cancelled', digest: null }),
      await id({}, { kind: 'webhook', url: `${HOOK}?b`, secret: 'NOTIFY_SECRET' }),
    ];
    expect(new Set([first, ...others]).size).toBe(5);
  });

  it('hears of ends alone', async () => {
    upstream = await startUpstream({ [HOOK]: answer('') });
    await send(webhook, { state: 'started' });
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    [400, 'forbidden'],
    [401, 'forbidden'],
    [404, 'forbidden'],
    [410, 'forbidden'],
    [422, 'forbidden'],
    [408, 'download-failed'],
    [425, 'download-failed'],
    [500, 'download-failed'],
    [503, 'download-failed'],
    [429, 'rate-limited'],
  ] as const)('is answered with status %i: %s', async (code, expected) => {
    upstream = await startUpstream({ [HOOK]: answer('inner text of the receiver', {}, code) });
    const error = await failure(send(webhook));
    expect([error.code, error.retryable]).toEqual([expected, expected !== 'forbidden']);
    expect(error.plainMessage).toBe(`expected hooks.acme.com to take the notice; found status ${code}`);
  });

  it('follows no redirect', async () => {
    upstream = await startUpstream({ [HOOK]: redirectTo('https://hooks.acme.com/other', 307) });
    const error = await failure(send(webhook));
    expect([error.code, error.hint]).toEqual(['forbidden', expect.stringContaining('Redirects are not followed')]);
    expect(upstream.seen).toHaveLength(1);
  });

  it('can be tried again where nobody answers', async () => {
    upstream = await startUpstream({ [HOOK]: (response) => response.destroy() });
    expect((await failure(send(webhook))).retryable).toBe(true);
  });

  it('waits for an answer as long as its signal says', async () => {
    upstream = await startUpstream({});
    const timedOut: typeof fetch = (_, init) => {
      expect(init!.signal!.aborted).toBe(false);
      return Promise.reject(new DOMException('inner', 'TimeoutError'));
    };
    const error = await failure(sendNotice(webhook, message(), env, timedOut, now));
    expect([error.plainMessage, error.retryable]).toEqual([
      'expected an answer of hooks.acme.com in 10 s; found none',
      true,
    ]);
  });

  it.each([
    ['http://hooks.acme.com/x', 'address-refused'],
    ['https://169.254.169.254/x', 'address-refused'],
    ['https://u:p@hooks.acme.com/x', 'address-refused'],
    ['https://hooks.acme.com:8443/x', 'address-refused'],
    ['https://evil.com/x', 'forbidden'],
    ['https://api.github.com/x', 'forbidden'],
  ] as const)('does not go to %s', async (url, code) => {
    upstream = await startUpstream({});
    expect((await failure(send({ kind: 'webhook', url, secret: 'NOTIFY_SECRET' }))).code).toBe(code);
    expect(upstream.seen).toEqual([]);
  });

  it('needs its secret', async () => {
    upstream = await startUpstream({});
    expect((await failure(send({ kind: 'webhook', url: HOOK, secret: 'OTHER' }))).code).toBe('secret-missing');
  });
});

describe('a commit status', () => {
  const statusOf = async (rest: Partial<NoticeMessage>): Promise<Record<string, string>> => {
    upstream = await startUpstream({ [STATUSES]: answer('{}', {}, 201) });
    await send(status, rest);
    return JSON.parse(upstream.seen[0]!.body) as Record<string, string>;
  };

  it('is what the API takes', async () => {
    expect(await statusOf({})).toEqual({
      state: 'failure',
      target_url: 'https://convergent.acme.com/runs/run-1',
      description: `1 of 2 rules failed: ${RULE}`,
      context: 'convergent/nightly',
    });
    const { method, url, headers } = upstream.seen[0]!;
    expect([method, url]).toEqual(['POST', STATUSES]);
    expect(headers).toMatchObject({
      authorization: 'Bearer ghp_hunter2',
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      'user-agent': 'convergent',
    });
  });

  it.each([
    [{ state: 'started', gate: null }, 'pending', 'The comparison is under way.'],
    [{ gate: null }, 'success', 'The run is done.'],
    [{ gate: { passed: true, rules: [{ text: '', passed: true }] } }, 'success', 'The gate passed: 1 rule.'],
    [{ state: 'cancelled', gate: null }, 'error', 'The run was cancelled.'],
    [
      { state: 'failed', gate: null, error: { code: 'model-invalid', message: 'expected an ONNX file; found HTML' } },
      'error',
      'The run failed: expected an ONNX file; found HTML',
    ],
    [{ state: 'failed', gate: null }, 'error', 'The run failed: no reason is known'],
  ] as [Partial<NoticeMessage>, string, string][])('of %j is %s', async (rest, state, description) => {
    expect(await statusOf(rest)).toMatchObject({ state, description });
  });

  it('keeps its description to 140 characters, and none cut in two', async () => {
    const error = { code: 'internal' as const, message: '😀'.repeat(200) };
    const { description } = await statusOf({ state: 'failed', gate: null, error });
    expect(Array.from(description!)).toHaveLength(140);
    expect(description).toBe(`The run failed: ${'😀'.repeat(123)}…`);
    expect(noticeText(message({ state: 'failed', error }))).not.toContain('…');
  });

  it('finds the commit of a tag', async () => {
    upstream = await startUpstream({
      'https://api.github.com/repos/acme/net/commits/tags/net%231/v1': answer(SHA),
      [STATUSES]: answer('{}', {}, 201),
    });
    await send(status, { commit: { repository: 'acme/net', ref: 'tags/net#1/v1' } });
    expect(upstream.seen.map(({ method }) => method)).toEqual(['GET', 'POST']);
    expect(upstream.seen[0]!.headers).toMatchObject({
      accept: 'application/vnd.github.sha',
      authorization: 'Bearer ghp_hunter2',
    });
  });

  it.each(['', 'main', '../../x', '{"sha":"inner"}'])('takes no %j for a commit', async (text) => {
    upstream = await startUpstream({ 'https://api.github.com/repos/acme/net/commits/tags/v1': answer(text) });
    await failure(send(status, { commit: { repository: 'acme/net', ref: 'tags/v1' } }));
    expect(upstream.seen).toHaveLength(1);
  });

  it('has nothing to say where no commit started the run', async () => {
    upstream = await startUpstream({});
    await send(status, { commit: null });
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    [403, {}, 'forbidden'],
    [403, { 'x-ratelimit-remaining': '0' }, 'rate-limited'],
    [403, { 'retry-after': '60' }, 'rate-limited'],
    [429, {}, 'rate-limited'],
    [404, {}, 'forbidden'],
    [422, {}, 'forbidden'],
    [502, {}, 'download-failed'],
  ] as const)('is answered with status %i %j: %s', async (code, headers, expected) => {
    upstream = await startUpstream({ [STATUSES]: answer('inner', headers, code) });
    expect((await failure(send(status))).code).toBe(expected);
  });

  it('needs a token bound to GitHub', async () => {
    upstream = await startUpstream({});
    expect((await failure(send({ kind: 'github-status', token: 'NOTIFY_SECRET' }))).code).toBe('forbidden');
    expect(upstream.seen).toEqual([]);
  });
});
