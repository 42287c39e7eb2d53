/** Downloads in a real workerd with a real bucket; every host is a server of ours. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Log, LogLevel, Miniflare, Response as MiniflareResponse } from 'miniflare';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AddressRules } from '../../src/definition/service.ts';
import type { ErrorRecord } from '../../src/errors.ts';
import { PART_BYTES, WHOLE_PARTS } from '../../src/runtime/limits.ts';
import { COMPATIBILITY_DATE } from '../../src/runtime/names.ts';
import { answer, redirectTo, startUpstream } from '../unit/triggers/upstream.ts';
import type { Upstream } from '../unit/triggers/upstream.ts';

interface Outcome {
  result: { sha256: string; bytes: number } | { error: ErrorRecord };
  calls: string[];
}

const HOST = 'https://models.acme.com';
const RULES: AddressRules = { hosts: ['models.acme.com', 'huggingface'], maxBytes: 2 ** 30 };
const OTHER = 'ab'.repeat(32);

// bytes of which no two parts are equal
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = length + 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const SMALL = pattern(100_000);
const EXACT = pattern(PART_BYTES * WHOLE_PARTS);
const LARGE = pattern(PART_BYTES * (WHOLE_PARTS + 1) + 12_345);
const NO_REMAINDER = pattern(PART_BYTES * (WHOLE_PARTS + 2));

let upstream: Upstream;
let miniflare: Miniflare;
beforeAll(async () => {
  upstream = await startUpstream({
    [`${HOST}/empty`]: answer(''),
    [`${HOST}/small`]: answer(SMALL),
    [`${HOST}/unsaid`]: (response) => response.writeHead(200).end(SMALL),
    [`${HOST}/exact`]: answer(EXACT),
    [`${HOST}/large`]: answer(LARGE),
    [`${HOST}/large-unsaid`]: (response) => response.writeHead(200).end(LARGE),
    [`${HOST}/even`]: answer(NO_REMAINDER),
    [`${HOST}/broken`]: (response) => {
      response.writeHead(200, { 'content-length': String(LARGE.length) });
      response.write(LARGE.subarray(0, LARGE.length - 1000), () => response.destroy());
    },
    [`${HOST}/evil`]: redirectTo('https://evil.com/x?sig=hunter2'),
    [`${HOST}/missing`]: answer('no', {}, 404),
    'https://huggingface.co/acme/net/resolve/main/net.onnx': redirectTo('https://us.aws.cdn.hf.co/net?sig=hunter2'),
    'https://us.aws.cdn.hf.co/net': answer(SMALL),
  });
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, 'download-worker.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2023',
    write: false,
  });
  miniflare = new Miniflare({
    modules: true,
    script: bundle.outputFiles[0]!.text,
    compatibilityDate: COMPATIBILITY_DATE,
    r2Buckets: ['BUCKET'],
    log: new Log(LogLevel.NONE),
    outboundService: async (request: { url: string; headers: Iterable<[string, string]> }) => {
      const found = await upstream.fetch(request.url, {
        redirect: 'manual',
        headers: Object.fromEntries([...request.headers].filter(([name]) => name !== 'host')),
      });
      return new MiniflareResponse(found.body as never, { status: found.status, headers: [...found.headers] });
    },
  });
  await miniflare.ready;
});
afterAll(async () => {
  await miniflare.dispose();
  await upstream.close();
});

beforeEach(async () => {
  upstream.seen.length = 0;
  const bucket = await miniflare.getR2Bucket('BUCKET');
  for (const { key } of (await bucket.list()).objects) await bucket.delete(key);
});

async function download(path: string, rules: Partial<AddressRules> = {}): Promise<Outcome> {
  const url = path.startsWith('https:') ? path : `${HOST}/${path}`;
  const response = await miniflare.dispatchFetch('http://localhost/', {
    method: 'POST',
    body: JSON.stringify({ url, rules: { ...RULES, ...rules } }),
  });
  return (await response.json()) as Outcome;
}
const keys = async (): Promise<string[]> =>
  (await (await miniflare.getR2Bucket('BUCKET')).list()).objects.map(({ key }) => key);
async function stored(sha256: string): Promise<Uint8Array> {
  const found = await (await miniflare.getR2Bucket('BUCKET')).get(`inputs/${sha256}`);
  return new Uint8Array(await found!.arrayBuffer());
}

describe('downloadModel', () => {
  it.each([
    ['empty', new Uint8Array(0)],
    ['small', SMALL],
    ['unsaid', SMALL],
    ['exact', EXACT],
    ['large', LARGE],
    ['large-unsaid', LARGE],
    ['even', NO_REMAINDER],
  ])('stores %s under its hash, pinned and unpinned, and nothing else', async (path, bytes) => {
    const sha256 = sha256Of(bytes);
    for (const rules of [{}, { sha256 }]) {
      const { result } = await download(path, rules);
      expect(result).toEqual({ sha256, bytes: bytes.length });
      expect(await keys()).toEqual([`inputs/${sha256}`]);
      expect(sha256Of(await stored(sha256))).toBe(sha256);
      await (await miniflare.getR2Bucket('BUCKET')).delete(`inputs/${sha256}`);
    }
  });

  it('writes a short file once', async () => {
    const { calls } = await download('exact');
    expect(calls).toEqual([`put inputs/${sha256Of(EXACT)}`]);
  });

  it('writes a long file in parts straight to its pinned key', async () => {
    const sha256 = sha256Of(LARGE);
    const { calls } = await download('large', { sha256 });
    expect(calls).toEqual([
      `head inputs/${sha256}`,
      `createMultipartUpload inputs/${sha256}`,
      ...Array.from({ length: WHOLE_PARTS + 2 }, () => 'uploadPart'),
      'complete',
    ]);
  });

  it('copies a long file whose hash nobody knew, and deletes the first', async () => {
    const { calls } = await download('large');
    const incoming = /^createMultipartUpload (incoming\/[0-9a-f-]{36})$/.exec(calls[0]!)![1]!;
    expect(calls.slice(-4)).toEqual([
      'complete',
      `get ${incoming}`,
      `put inputs/${sha256Of(LARGE)}`,
      `delete ${incoming}`,
    ]);
  });

  it('does not open the address of a pinned file that is there', async () => {
    const sha256 = sha256Of(SMALL);
    await download('small');
    upstream.seen.length = 0;
    expect((await download('small', { sha256 })).result).toEqual({ sha256, bytes: SMALL.length });
    expect(upstream.seen).toEqual([]);
  });

  it.each(['small', 'large'])('gives the same for %s a second time, unpinned', async (path) => {
    const first = await download(path);
    expect((await download(path)).result).toEqual(first.result);
    expect(await keys()).toHaveLength(1);
  });

  it.each(['small', 'large', 'even'])(
    'stores nothing of %s where the hash is another than the pinned one',
    async (path) => {
      const { result, calls } = await download(path, { sha256: OTHER });
      const found = sha256Of({ small: SMALL, large: LARGE, even: NO_REMAINDER }[path]!);
      expect(result).toMatchObject({
        error: { code: 'address-refused', message: `expected a file with SHA-256 ${OTHER}; found ${found}` },
      });
      expect(await keys()).toEqual([]);
      expect(calls).not.toContain('complete');
      if (path !== 'small') expect(calls.at(-1)).toBe('abort');
    },
  );

  it.each([{}, { sha256: OTHER }])('aborts the upload where the download breaks off, with %j', async (rules) => {
    const { result, calls } = await download('broken', rules);
    expect(result).toMatchObject({ error: { code: 'download-failed' } });
    expect(calls.at(-1)).toBe('abort');
    expect(await keys()).toEqual([]);
  });

  it('stops a long file at the bound', async () => {
    for (const path of ['large', 'large-unsaid']) {
      const { result, calls } = await download(path, { maxBytes: LARGE.length - 1 });
      expect(result).toMatchObject({ error: { code: 'too-large' } });
      // with a length, before anything is written
      expect(calls.filter((call) => call === 'uploadPart').length > 0).toBe(path === 'large-unsaid');
      expect(calls).not.toContain('complete');
      expect(await keys()).toEqual([]);
    }
    expect((await download('large-unsaid', { maxBytes: LARGE.length })).result).toHaveProperty('sha256');
  });

  it('follows the redirects of the Hub, and of nobody else', async () => {
    const { result } = await download('https://huggingface.co/acme/net/resolve/main/net.onnx');
    expect(result).toEqual({ sha256: sha256Of(SMALL), bytes: SMALL.length });
    for (const [path, code] of [
      ['evil', 'address-refused'],
      ['missing', 'address-refused'],
      ['https://evil.com/x', 'address-refused'],
      ['https://127.0.0.1/x', 'address-refused'],
    ] as const) {
      const outcome = await download(path);
      expect(outcome.result).toMatchObject({ error: { code } });
      expect(JSON.stringify(outcome)).not.toContain('hunter2');
    }
  });

  it('has one file after ten downloads at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => download(i % 2 ? 'small' : 'large')));
    expect(new Set(outcomes.map(({ result }) => JSON.stringify(result))).size).toBe(2);
    expect((await keys()).toSorted()).toEqual([`inputs/${sha256Of(LARGE)}`, `inputs/${sha256Of(SMALL)}`].toSorted());
  });
});
