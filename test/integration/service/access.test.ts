/** Who may do what, over HTTP in real workerd: tokens, scopes, public pipelines, sessions, other sites' requests, rates. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildInto } from '../../../build.js';
import type { PipelineRecord, Problem, RunList, RunRecord, TokenRecord } from '../../../src/service/documents.ts';
import { ROOT, temporaryFolder } from '../command.ts';
import { smallPipeline, startService } from '../service.ts';
import type { Ask, Service } from '../service.ts';

const build = temporaryFolder();
let service: Service;
let openRun: RunRecord;
let closedRun: RunRecord;

beforeAll(async () => {
  await buildInto(build.path, join(ROOT, 'test/integration/session-worker.ts'));
  service = await startService(build.path);
  await service.put('closed');
  await service.put('open', (text) => `${text}\npublic: true\n`);
  closedRun = await service.json('POST', '/runs', { body: { pipeline: 'closed' } });
  openRun = await service.json('POST', '/runs', { body: { pipeline: 'open' } });
});
afterAll(async () => {
  await service.close();
  build.remove();
});

const status = async (method: string, path: string, request?: Ask) => (await service.ask(method, path, request)).status;

describe('tokens', () => {
  it('are made once, listed without their secret, and revoked', async () => {
    const { token, secret } = await service.token('read');
    expect(secret).toMatch(/^cvg_[A-Za-z0-9_-]{43}$/);
    expect(token).toMatchObject({ name: 'read token', scope: 'read', used: null });
    const list = await (await service.ask('GET', '/tokens')).text();
    expect((JSON.parse(list) as { tokens: TokenRecord[] }).tokens).toContainEqual(token);
    expect(list).not.toContain(secret);
    const read = await service.ask('GET', '/runs', { token: secret });
    expect([read.status, read.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await status('DELETE', `/tokens/${token.id}`)).toBe(204);
    expect(await status('GET', '/runs', { token: secret })).toBe(401);
    expect(await status('DELETE', `/tokens/${token.id}`)).toBe(404);
  });

  it('that are wrong, missing or oddly sent are refused alike', async () => {
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `Bearer cvg_${'a'.repeat(43)}` },
      { authorization: 'Basic YTpi' },
      { authorization: service.engine.token },
      { authorization: `Bearer ${service.engine.token} x` },
      { authorization: `Bearer ${service.engine.token.slice(0, -1)}` },
    ]) {
      const answer = await service.ask('GET', '/runs', { token: null, headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="convergent"');
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  it('do what their scope says', async () => {
    const [read, run, admin] = await Promise.all(
      (['read', 'run', 'admin'] as const).map(async (scope) => (await service.token(scope)).secret),
    );
    const put = { body: { text: smallPipeline('closed'), files: {} } };
    const unknown = '/runs/20260101T000000-00000000';
    for (const [method, path, request, least] of [
      ['GET', '/pipelines', {}, 'read'],
      ['GET', '/pipelines/closed', {}, 'read'],
      ['PUT', '/pipelines/closed', put, 'admin'],
      ['DELETE', '/pipelines/unknown', {}, 'admin'],
      ['GET', '/runs', {}, 'read'],
      ['GET', unknown, {}, 'read'],
      ['GET', `${unknown}/tasks`, {}, 'read'],
      ['GET', `${unknown}/log`, {}, 'read'],
      ['GET', `${unknown}/events`, {}, 'read'],
      ['GET', `${unknown}/artifacts`, {}, 'read'],
      ['GET', `${unknown}/artifacts/results.json`, {}, 'read'],
      ['POST', '/runs', { body: { pipeline: 'unknown' } }, 'run'],
      ['POST', `${unknown}/cancel`, {}, 'run'],
      ['POST', `${unknown}/retry`, {}, 'run'],
      ['GET', `/uploads/${'c'.repeat(64)}`, {}, 'run'],
      ['GET', '/tokens', {}, 'admin'],
      ['POST', '/tokens', { body: {} }, 'admin'],
      ['DELETE', '/tokens/0000000000000000', {}, 'admin'],
    ] as const) {
      const order = ['read', 'run', 'admin'];
      const place = `${method} ${path}`;
      for (const [scope, token] of [
        ['read', read],
        ['run', run],
        ['admin', admin],
      ] as const) {
        const got = await status(method, path, { ...request, token: token! });
        if (order.indexOf(scope) < order.indexOf(least)) expect(got, `${place} by ${scope}`).toBe(403);
        else expect([200, 202, 204, 400, 404, 422], `${place} by ${scope}`).toContain(got);
      }
      expect(await status(method, path, { ...request, token: null }), place).toBe(401);
    }
  });
});

describe('whoever has no token', () => {
  it('cannot tell what is private from what is not there', async () => {
    const answer = async (path: string) => {
      const response = await service.ask('GET', path, { token: null });
      return [
        response.status,
        await response.text(),
        JSON.stringify([...response.headers].filter(([name]) => name !== 'date')),
      ];
    };
    const unknown = await answer('/runs/20260101T000000-00000000');
    expect(unknown[0]).toBe(401);
    expect(await answer(`/runs/${closedRun.id}`)).toEqual(unknown);
    expect(await answer(`/runs/${closedRun.id}/artifacts/results.json`)).toEqual(unknown);
    expect(await answer('/pipelines/closed')).toEqual(await answer('/pipelines/unknown'));
    expect(await answer('/runs?pipeline=closed')).toEqual(await answer('/runs?pipeline=unknown'));
  });

  it('is shown the way in where a browser asks for a page', async () => {
    const answer = await service.ask('GET', `/runs/${closedRun.id}/artifacts/report.html?x=1`, {
      token: null,
      headers: { accept: 'text/html,*/*' },
    });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe(
      `/sign-in?next=${encodeURIComponent(`/runs/${closedRun.id}/artifacts/report.html?x=1`)}`,
    );
  });
});

describe('a browser', () => {
  const origin = 'http://convergent';
  const page = { origin };
  const signIn = async (secret: string) => {
    const answer = await service.ask('POST', '/test/sign-in', { token: null, body: secret, headers: page });
    const cookie = answer.headers.get('set-cookie');
    return { token: (await answer.json()) as TokenRecord | null, cookie, header: cookie?.split(';')[0] ?? '' };
  };
  const by = (cookie: string, headers: Record<string, string> = {}) => ({
    token: null,
    headers: { cookie, ...headers },
  });

  it('signs in with a token, and out', async () => {
    const { secret } = await service.token('read');
    const { token, cookie, header } = await signIn(secret);
    expect(token).toMatchObject({ name: 'read token', scope: 'read' });
    expect(cookie).toMatch(/^convergent_session=[A-Za-z0-9_-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain(secret);
    expect(await status('GET', '/runs', by(header))).toBe(200);
    expect(await status('GET', '/tokens', by(header))).toBe(403);
    expect(await status('POST', '/test/sign-out', by(header, page))).toBe(204);
    expect(await status('GET', '/runs', by(header))).toBe(401);
    expect(await (await service.ask('GET', '/test/caller', by(header))).json()).toBeNull();
  });

  it('keeps its session to https where it is reached by https, also behind a proxy', async () => {
    const { secret } = await service.token('read');
    const cookieOf = async (at: Service, token: string, headers: Record<string, string>) =>
      (
        await at.ask('POST', '/test/sign-in', { token: null, body: token, headers: { ...page, ...headers } })
      ).headers.get('set-cookie');
    const SECURE = /; HttpOnly; Secure; SameSite=Lax$/;
    for (const proto of ['https', 'HTTPS', 'https, http'])
      expect(await cookieOf(service, secret, { 'x-forwarded-proto': proto }), proto).toMatch(SECURE);
    for (const proto of ['http', 'http, https', 'httpsx'])
      expect(await cookieOf(service, secret, { 'x-forwarded-proto': proto }), proto).not.toMatch(/secure/i);
    const signedIn = await cookieOf(service, secret, { 'x-forwarded-proto': 'https' });
    const out = by(signedIn!.split(';')[0]!, { ...page, 'x-forwarded-proto': 'https' });
    const signedOut = await service.ask('POST', '/test/sign-out', out);
    expect(signedOut.headers.get('set-cookie')).toMatch(/^convergent_session=; Max-Age=0; Path=\/; Secure$/);

    const proxied = await startService(build.path, { variables: { PUBLIC_URL: 'https://convergent.acme.com' } });
    try {
      expect(await cookieOf(proxied, proxied.engine.token, {})).toMatch(SECURE);
    } finally {
      await proxied.close();
    }
  });

  it('is signed out when its token is revoked', async () => {
    const { token, secret } = await service.token('run');
    const { header } = await signIn(secret);
    expect(await status('GET', '/runs', by(header))).toBe(200);
    await service.ask('DELETE', `/tokens/${token.id}`);
    expect(await status('GET', '/runs', by(header))).toBe(401);
  });

  it('does not sign in with what is no token', async () => {
    expect(await signIn('wrong')).toMatchObject({ token: null, cookie: null });
    expect(await status('GET', '/runs', by('convergent_session=wrong'))).toBe(401);
  });

  it('changes things from our own pages only', async () => {
    const { header } = await signIn(service.engine.token);
    const start = (headers: Record<string, string>) =>
      status('POST', '/runs', { ...by(header, headers), body: { pipeline: 'unknown' } });
    expect(await start(page)).toBe(404);
    expect(await start({ 'sec-fetch-site': 'same-origin' })).toBe(404);
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: 'https://convergent' },
      { origin: 'http://convergent.evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { ...page, 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      expect(await start(headers), JSON.stringify(headers)).toBe(403);
    // the same holds for every method that changes something
    for (const [method, path] of [
      ['PUT', '/pipelines/closed'],
      ['DELETE', '/pipelines/closed'],
      ['DELETE', '/tokens/0000000000000000'],
      ['PUT', `/uploads/${'d'.repeat(64)}`],
      ['POST', `/runs/${closedRun.id}/cancel`],
    ] as const)
      expect(await status(method, path, by(header)), path).toBe(403);
    // a token is no cookie: no other site can send it
    expect(
      await status('POST', '/runs', { body: { pipeline: 'unknown' }, headers: { origin: 'https://evil.example' } }),
    ).toBe(404);
  });

  it('has a run of its own named so', async () => {
    const { header } = await signIn(service.engine.token);
    const answer = await service.ask('POST', '/runs', { ...by(header, page), body: { pipeline: 'closed' } });
    expect(await answer.json()).toMatchObject({ trigger: { kind: 'page', by: 'this machine' } });
  });
});

describe('rates', () => {
  it('of failed attempts are bounded, and who has a token is not in the way', async () => {
    const wrong = { token: `cvg_${'b'.repeat(43)}`, headers: { 'cf-connecting-ip': '192.0.2.1' } };
    const answers = await Promise.all(Array.from({ length: 80 }, () => service.ask('GET', '/runs', wrong)));
    const refused = answers.filter((answer) => answer.status === 429);
    // 30 a minute, and a minute may end in between
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(30);
    expect(answers.length - refused.length).toBeLessThanOrEqual(60);
    expect(refused[0]!.headers.get('retry-after')).toBe('60');
    expect(((await refused[0]!.json()) as Problem).code).toBe('rate-limited');
    expect(await status('GET', '/runs', { headers: wrong.headers })).toBe(200);
    // another address is another caller
    expect(await status('GET', '/runs', { ...wrong, headers: { 'cf-connecting-ip': '192.0.2.2' } })).toBe(401);
  });
});

describe('starts of runs', () => {
  it('are bounded for each token, and hundreds at once are not too many', async () => {
    const [{ secret }, other] = await Promise.all([service.token('run'), service.token('run')]);
    const start = (token: string) => status('POST', '/runs', { token, body: { pipeline: 'unknown' } });
    const first = await Promise.all(Array.from({ length: 200 }, () => start(secret)));
    expect(new Set(first)).toEqual(new Set([404]));
    const all = [...first];
    // 600 a minute, and a minute may end in between
    for (let n = 0; n < 6; n++) all.push(...(await Promise.all(Array.from({ length: 200 }, () => start(secret)))));
    expect(all.filter((got) => got === 404).length).toBeGreaterThanOrEqual(600);
    expect(all).toContain(429);
    expect(await start(other.secret)).toBe(404);
  });
});

describe('what is public', () => {
  it('is read by anybody, and nothing else is', async () => {
    const record = await service.json<PipelineRecord>('GET', '/pipelines/open');
    expect(record.public).toBe(true);
    await service.ended(openRun.id);
    const anybody = { token: null };
    for (const path of ['', '/tasks', '/log', '/artifacts', '/artifacts/results.json'])
      expect(await status('GET', `/runs/${openRun.id}${path}`, anybody), path).toBe(200);
    expect(await status('GET', '/pipelines/open', anybody)).toBe(200);
    const { runs } = await service.json<RunList>('GET', '/runs?pipeline=open', anybody);
    expect(runs.map(({ id }) => id)).toEqual([openRun.id]);
    expect(await status('GET', '/runs', anybody)).toBe(401);
    expect(await status('POST', `/runs/${openRun.id}/cancel`, anybody)).toBe(401);
    expect(await status('POST', '/runs', { ...anybody, body: { pipeline: 'open' } })).toBe(401);
    // a wrong token is wrong here too
    expect(await status('GET', `/runs/${openRun.id}`, { token: 'wrong' })).toBe(401);
  });
});
