/** Files of a result over HTTP: ranges, conditions, types, and what a path may be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artifacts, RunRecord } from '../../../src/service/documents.ts';
import { sha256, startService } from '../service.ts';
import type { Service } from '../service.ts';

let service: Service;
let base: string;
let files: Artifacts['files'];

beforeAll(async () => {
  service = await startService();
  await service.put('small');
  const { id } = await service.json<RunRecord>('POST', '/runs', { body: { pipeline: 'small' } });
  expect((await service.ended(id)).error).toBeNull();
  base = `/runs/${id}/artifacts`;
  ({ files } = await service.json<Artifacts>('GET', base));
});
afterAll(() => service.close());

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  service.ask(method, `${base}/${path}`, { headers });

describe('artifacts', () => {
  it('are the bytes that the list says', async () => {
    for (const { path, sha256: hash, bytes } of files) {
      const answer = await get(path);
      const content = new Uint8Array(await answer.arrayBuffer());
      expect([content.length, sha256(content)], path).toEqual([bytes, hash]);
      expect(answer.headers.get('etag')).toBe(`"${hash}"`);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('have their types, and only the page and its data are shown in place', async () => {
    const typeOf = async (path: string) => {
      const { headers } = await get(path);
      return [headers.get('content-type'), headers.get('content-disposition')];
    };
    expect(await typeOf('results.json')).toEqual(['application/json', null]);
    expect(await typeOf('report.html')).toEqual(['text/html; charset=utf-8', null]);
    expect(await typeOf('seed1-seed2/fc/matching.csv')).toEqual(['text/csv; charset=utf-8', 'attachment']);
    expect(await typeOf('seed1-seed2/fc/between.npy')).toEqual(['application/octet-stream', 'attachment']);
  });

  it('come in a range', async () => {
    const path = 'seed1-seed2/fc/between.npy';
    const whole = new Uint8Array(await (await get(path)).arrayBuffer());
    const size = whole.length;
    for (const [range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=100-199', 100, 200],
      [`bytes=${size - 5}-`, size - 5, size],
      ['bytes=-7', size - 7, size],
      [`bytes=10-${size + 10}`, 10, size],
      [`bytes=-${size + 10}`, 0, size],
    ] as const) {
      const answer = await get(path, { range });
      expect(answer.status, range).toBe(206);
      expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${size}`);
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(whole.slice(from, to));
    }
    for (const range of [`bytes=${size}-`, 'bytes=-0', `bytes=${size + 1}-${size + 2}`]) {
      const answer = await get(path, { range });
      expect([answer.status, answer.headers.get('content-range')], range).toEqual([416, `bytes */${size}`]);
    }
    // several ranges, other units and nonsense are the whole
    for (const range of ['bytes=0-1,3-4', 'rows=0-1', 'bytes=-', 'bytes=5-2'])
      expect((await get(path, { range })).status, range).toBe(200);
    // a range of what it was before is none of what it is now
    expect((await get(path, { range: 'bytes=0-0', 'if-range': '"other"' })).status).toBe(200);
  });

  it('are not sent to whoever has them', async () => {
    const { path, sha256: hash } = files[0]!;
    for (const tag of [`"${hash}"`, `W/"${hash}"`, `"other", "${hash}"`, '*']) {
      const answer = await get(path, { 'if-none-match': tag });
      expect([answer.status, await answer.text()], tag).toEqual([304, '']);
    }
    expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('are described without being sent', async () => {
    const { path, bytes } = files[0]!;
    const answer = await get(path, {}, 'HEAD');
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    expect(answer.headers.get('content-length')).toBe(String(bytes));
  });

  it('are only those of the list', async () => {
    for (const path of [
      '../../../plan',
      '..%2F..%2Fpipelines',
      '%2e%2e/results.json',
      'seed1-seed2/../results.json%00',
      'seed1-seed2//fc/between.npy',
      '/results.json',
      'seed1-seed2',
      '.files.json',
    ]) {
      const answer = await get(path);
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });

  it('report.html may run its own script, and nothing of this service', async () => {
    const answer = await get('report.html');
    const policy = answer.headers.get('content-security-policy')!;
    const directives = new Map(policy.split('; ').map((text) => text.split(/ (.*)/) as [string, string]));
    expect(directives.get('sandbox')).toBe('allow-scripts allow-downloads');
    expect(directives.get('default-src')).toBe("'none'");
    expect(directives.has('connect-src')).toBe(false);
    expect(answer.headers.get('cross-origin-opener-policy')).toBe('unsafe-none');
    // its own policy is narrower still
    const own = /<meta[^>]*content-security-policy[^>]*>/i.exec(await answer.text())?.[0];
    expect(own).toContain('sha256-');
    const other = (await get('results.json')).headers.get('content-security-policy');
    expect(other).toContain("script-src 'self'");
    expect(other).not.toContain('sandbox');
  });
});
