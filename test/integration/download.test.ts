/** Downloads in a real workerd with a real bucket; every host is a server of ours. */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Log, LogLevel, Miniflare } from 'miniflare';
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

// without a length
const inTwo =
  (bytes: Uint8Array) =>
  (response: ServerResponse): void => {
    response.writeHead(200).write(bytes.subarray(0, 1000));
    response.end(bytes.subarray(1000));
  };

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
    [`${HOST}/unsaid`]: inTwo(SMALL),
    [`${HOST}/exact`]: answer(EXACT),
    [`${HOST}/large`]: answer(LARGE),
    [`${HOST}/even-unsaid`]: inTwo(NO_REMAINDER),
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
    outboundService: { external: { address: upstream.address, http: {} } },
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
  const response = await miniflare.dispatchFetch(`http://localhost/inputs/${sha256}`);
  return new Uint8Array(await response.arrayBuffer());
}

describe('downloadModel', () => {
  it.each([
    ['empty', new Uint8Array(0)],
    ['small', SMALL],
    ['unsaid', SMALL],
    ['exact', EXACT],
  ])('writes the short file %s once, pinned and unpinned', async (path, bytes) => {
    const sha256 = sha256Of(bytes);
    for (const rules of [{}, { sha256 }]) {
      const { result, calls } = await download(path, rules);
      expect(result).toEqual({ sha256, bytes: bytes.length });
      expect(calls.filter((call) => !call.startsWith('head'))).toEqual([`put inputs/${sha256}`]);
      expect(await keys()).toEqual([`inputs/${sha256}`]);
      expect(sha256Of(await stored(sha256))).toBe(sha256);
      await (await miniflare.getR2Bucket('BUCKET')).delete(`inputs/${sha256}`);
    }
  });

  it.each([
    ['large', LARGE],
    ['even', NO_REMAINDER],
  ])('writes the long file %s in parts straight to its pinned key', async (path, bytes) => {
    const sha256 = sha256Of(bytes);
    const { result, calls } = await download(path, { sha256 });
    expect(result).toEqual({ sha256, bytes: bytes.length });
    expect(calls).toEqual([
      `head inputs/${sha256}`,
      `createMultipartUpload inputs/${sha256}`,
      ...Array.from({ length: WHOLE_PARTS + 2 }, () => 'uploadPart'),
      'complete',
    ]);
    expect(await keys()).toEqual([`inputs/${sha256}`]);
    expect(sha256Of(await stored(sha256))).toBe(sha256);
  });

  it('copies a long file whose hash nobody knew, and deletes the first', async () => {
    const sha256 = sha256Of(LARGE);
    const { result, calls } = await download('large');
    expect(result).toEqual({ sha256, bytes: LARGE.length });
    const incoming = /^createMultipartUpload (incoming\/[0-9a-f-]{36})$/.exec(calls[0]!)![1]!;
    expect(calls.slice(-4)).toEqual(['complete', `get ${incoming}`, `put inputs/${sha256}`, `delete ${incoming}`]);
    expect(await keys()).toEqual([`inputs/${sha256}`]);
    expect(sha256Of(await stored(sha256))).toBe(sha256);
  });

  it('does not open the address of a pinned file that is there', async () => {
    const sha256 = sha256Of(SMALL);
    await download('small');
    upstream.seen.length = 0;
    expect((await download('small', { sha256 })).result).toEqual({ sha256, bytes: SMALL.length });
    expect(upstream.seen).toEqual([]);
  });

  it('gives the same a second time, unpinned', async () => {
    const first = await download('small');
    expect((await download('small')).result).toEqual(first.result);
    expect(await keys()).toHaveLength(1);
  });

  it.each(['small', 'large'])('stores nothing of %s where the hash is another than the pinned one', async (path) => {
    const { result, calls } = await download(path, { sha256: OTHER });
    const found = sha256Of(path === 'small' ? SMALL : LARGE);
    expect(result).toMatchObject({
      error: { code: 'address-refused', message: `expected a file with SHA-256 ${OTHER}; found ${found}` },
    });
    expect(await keys()).toEqual([]);
    expect(calls).not.toContain('complete');
    if (path !== 'small') expect(calls.at(-1)).toBe('abort');
  });

  it.each([{}, { sha256: OTHER }])('aborts the upload where the download breaks off, with %j', async (rules) => {
    const { result, calls } = await download('broken', rules);
    expect(result).toMatchObject({ error: { code: 'download-failed' } });
    expect(calls.at(-1)).toBe('abort');
    expect(await keys()).toEqual([]);
  });

  it('stops a long file at the bound', async () => {
    for (const path of ['even', 'even-unsaid']) {
      const { result, calls } = await download(path, { maxBytes: NO_REMAINDER.length - 1 });
      expect(result).toMatchObject({ error: { code: 'too-large' } });
      // with a length, before anything is written
      expect(calls.filter((call) => call === 'uploadPart').length > 0).toBe(path === 'even-unsaid');
      expect(calls).not.toContain('complete');
      expect(await keys()).toEqual([]);
    }
    expect((await download('even-unsaid', { maxBytes: NO_REMAINDER.length })).result).toHaveProperty('sha256');
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

  it('has one of each file after ten downloads at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => download(i < 2 ? 'large' : 'small')));
    expect(new Set(outcomes.map(({ result }) => JSON.stringify(result))).size).toBe(2);
    expect((await keys()).toSorted()).toEqual([`inputs/${sha256Of(LARGE)}`, `inputs/${sha256Of(SMALL)}`].toSorted());
  });
});
