/** Uploads over HTTP, whole and in parts, in real workerd. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Upload } from '../../../src/service/documents.ts';
import { sha256, startService, unending } from '../service.ts';
import type { Service } from '../service.ts';

const PART = 16 * 2 ** 20;

let service: Service;
let token: string;

beforeAll(async () => {
  service = await startService();
  ({ secret: token } = await service.token('run'));
});
afterAll(() => service.close());

const ask = (method: string, path: string, body?: unknown) =>
  service.ask(method, `/uploads/${path}`, { token, ...(body !== undefined && { body }) });
const upload = async (method: string, path: string, body?: unknown): Promise<Upload> => {
  const answer = await ask(method, path, body);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text) as Upload;
};
// what the engine has beside an input
const chunksOf = async (hash: string): Promise<number | null> =>
  (await service.engine.json<{ bytes: number | null }>(`/inputs/${hash}.chunks`)).bytes;

describe('an upload', () => {
  it('comes whole, with the hashes of its chunks beside', async () => {
    for (const length of [0, 1, 65_536, 150_000]) {
      const content = randomBytes(length);
      const hash = sha256(content);
      expect((await ask('GET', hash)).status).toBe(404);
      const stored = { sha256: hash, bytes: length, complete: true, parts: [], partBytes: PART };
      expect(await upload('PUT', hash, content)).toEqual(stored);
      expect(await upload('GET', hash)).toEqual(stored);
      expect((await ask('HEAD', hash)).status).toBe(200);
      expect(await chunksOf(hash)).toBe(Math.ceil(length / 65_536) * 32);
      // again is at once
      expect(await upload('PUT', hash, content)).toEqual(stored);
      if (length > 0) expect(await upload('POST', hash, { bytes: length })).toEqual(stored);
    }
  });

  it('with another hash is refused and not kept', async () => {
    const content = randomBytes(1000);
    const hash = sha256(content);
    content[500]! ^= 1;
    const answer = await ask('PUT', hash, content);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: 'payload-invalid' });
    expect((await ask('GET', hash)).status).toBe(404);
  });

  it('is bounded, and says its length', async () => {
    const hash = 'a'.repeat(64);
    const sent = (path: string, headers: Record<string, string>) =>
      service.ask('PUT', `/uploads/${path}`, { token, body: unending(1000), headers });
    const whole = await sent(hash, { 'content-length': String(64 * 2 ** 20 + 1) });
    expect([whole.status, ((await whole.json()) as { code: string }).code]).toEqual([413, 'too-large']);
    expect((await sent(`${hash}/parts/1`, { 'content-length': String(PART + 1) })).status).toBe(413);
    expect((await sent(hash, {})).status).toBe(400);
    for (const bytes of [0, -1, 1.5, 8 * 2 ** 30 + 1, '5'])
      expect((await ask('POST', hash, { bytes })).status, String(bytes)).toBe(400);
    expect((await ask('GET', hash)).status).toBe(404);
  });

  it('has the name of a hash', async () => {
    for (const name of ['..%2F..%2Fplan', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}.chunks`])
      expect((await ask('GET', name)).status, name).toBe(400);
    // the list of chunks is nobody's to send
    expect((await ask('PUT', `${'a'.repeat(64)}/chunks`, new Uint8Array(32))).status).toBe(404);
  });

  it('needs a token of scope run', async () => {
    const { secret } = await service.token('read');
    for (const [method, path] of [
      ['GET', ''],
      ['PUT', ''],
      ['POST', ''],
      ['PUT', '/parts/1'],
      ['POST', '/complete'],
    ] as const) {
      const address = `/uploads/${'a'.repeat(64)}${path}`;
      expect((await service.ask(method, address, { token: null })).status, address).toBe(401);
      expect((await service.ask(method, address, { token: secret })).status, address).toBe(403);
    }
  });
});

describe('an upload in parts', () => {
  const content = Buffer.concat([Buffer.alloc(PART, 'one'), Buffer.alloc(PART, 'two'), Buffer.alloc(12_345, 'three')]);
  const hash = sha256(content);
  const parts = [content.subarray(0, PART), content.subarray(PART, 2 * PART), content.subarray(2 * PART)];

  it('is resumed where it was left, in any order, and has the hash of the whole', async () => {
    const begun = { sha256: hash, bytes: content.length, complete: false, parts: [], partBytes: PART };
    expect(await upload('POST', hash, { bytes: content.length })).toEqual(begun);
    expect(await upload('PUT', `${hash}/parts/3`, parts[2])).toEqual({ ...begun, parts: [3] });
    const early = await ask('POST', `${hash}/complete`);
    expect(early.status).toBe(409);

    // whoever comes back hears what is there
    expect(await upload('POST', hash, { bytes: content.length })).toEqual({ ...begun, parts: [3] });
    await upload('PUT', `${hash}/parts/1`, parts[0]);
    // nothing can be read before all of it is there
    expect(await upload('GET', hash)).toEqual({ ...begun, parts: [1, 3] });
    expect(await chunksOf(hash)).toBeNull();
    await upload('PUT', `${hash}/parts/2`, parts[1]);
    await upload('PUT', `${hash}/parts/2`, parts[1]);

    const stored = { ...begun, complete: true };
    expect(await upload('POST', `${hash}/complete`)).toEqual(stored);
    expect(await upload('GET', hash)).toEqual(stored);
    expect(await upload('POST', `${hash}/complete`)).toEqual(stored);
    expect(await upload('PUT', `${hash}/parts/1`, parts[0])).toEqual(stored);
    expect(await chunksOf(hash)).toBe(Math.ceil(content.length / 65_536) * 32);
  });

  it('with another hash leaves nothing', async () => {
    const other = createHash('sha256').update('something else').digest('hex');
    await upload('POST', other, { bytes: content.length });
    for (const [index, part] of parts.entries()) await upload('PUT', `${other}/parts/${index + 1}`, part);
    const answer = await ask('POST', `${other}/complete`);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([422, 'payload-invalid']);
    expect((await ask('GET', other)).status).toBe(404);
    expect(await chunksOf(other)).toBeNull();
    expect((await service.engine.json<{ bytes: number | null }>(`/inputs/${other}`)).bytes).toBeNull();
  });

  it('takes parts of their size and number only', async () => {
    const other = 'b'.repeat(64);
    expect((await ask('PUT', `${other}/parts/1`, parts[2])).status).toBe(404);
    expect((await ask('POST', `${other}/complete`)).status).toBe(404);
    await upload('POST', other, { bytes: content.length });
    for (const [part, body] of [
      [1, parts[2]!],
      [3, parts[2]!.subarray(1)],
      [4, parts[2]!],
      [0, parts[2]!],
      [10_001, parts[2]!],
    ] as const)
      expect((await ask('PUT', `${other}/parts/${part}`, body)).status, String(part)).toBe(400);
    expect((await upload('GET', other)).parts).toEqual([]);
    // another size is another upload
    expect((await upload('POST', other, { bytes: 5 })).bytes).toBe(5);
  });
});
