import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCache, type FileCache } from '../../../src/compute/cache.ts';
import { failure, scratchFolder, sha256Of } from './fixtures.ts';

const scratch = scratchFolder();
afterAll(scratch.remove);
let made = 0;
const newFolder = (): string => join(scratch.folder, `${++made}`);

const content = (letter: string, bytes = 100): Buffer => Buffer.alloc(bytes, letter);
const hash = (letter: string, bytes = 100): string => sha256Of(content(letter, bytes));

async function* inPieces(bytes: Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const put = (cache: FileCache, letter: string): Promise<void> =>
  cache.put(hash(letter), 100, inPieces(content(letter)));

const present = (cache: FileCache, ...letters: string[]): boolean[] => letters.map((letter) => cache.has(hash(letter)));

test('put(sha256, bytes, body) keeps a file whose hash is right', async () => {
  const cache = openCache(newFolder(), 1000);
  expect(cache.has(hash('a'))).toBe(false);
  await put(cache, 'a');
  expect(cache.has(hash('a'))).toBe(true);
  expect(readFileSync(join(cache.folder, hash('a')))).toEqual(content('a'));
  expect(cache.bytes()).toBe(100);
});

test('put refuses another hash and another length, and leaves nothing', async () => {
  const folder = newFolder();
  const cache = openCache(folder, 1000);
  await failure('input-damaged', () => cache.put(hash('a'), 100, inPieces(content('b'))));
  expect((await failure('usage', () => cache.put(hash('a'), 99, inPieces(content('a'))))).message).toMatch(/99.*more/);
  expect((await failure('usage', () => cache.put(hash('a'), 101, inPieces(content('a'))))).message).toMatch(/101.*100/);
  expect([readdirSync(join(folder, 'files')), readdirSync(join(folder, 'partial'))]).toEqual([[], []]);
  expect(cache.bytes()).toBe(0);
});

test('put of an empty file', async () => {
  const cache = openCache(newFolder(), 1000);
  await cache.put(hash('a', 0), 0, inPieces(content('a', 0)));
  expect(cache.has(hash('a', 0))).toBe(true);
});

test('two puts of one file at once are harmless', async () => {
  const cache = openCache(newFolder(), 1000);
  await Promise.all([put(cache, 'a'), put(cache, 'a')]);
  expect(cache.bytes()).toBe(100);
  expect(readFileSync(join(cache.folder, hash('a')))).toEqual(content('a'));
});

test('a sender that fails leaves nothing', async () => {
  const cache = openCache(newFolder(), 1000);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield content('a', 50);
    await Promise.reject(new Error('gone'));
  }
  await expect(cache.put(hash('a'), 100, failing())).rejects.toThrow('gone');
  expect([cache.has(hash('a')), cache.bytes()]).toEqual([false, 0]);
  await put(cache, 'a');
});

test('what was used longest ago goes first', async () => {
  const cache = openCache(newFolder(), 300);
  for (const letter of 'abc') await put(cache, letter);
  const { release } = await cache.hold([hash('a')]);
  release();
  await put(cache, 'd');
  expect(present(cache, 'a', 'b', 'c', 'd')).toEqual([true, false, true, true]);
  expect(existsSync(join(cache.folder, hash('b')))).toBe(false);
  expect(cache.bytes()).toBe(300);
});

test('what is held stays, and a file that finds no room is refused until it is released', async () => {
  const cache = openCache(newFolder(), 200);
  for (const letter of 'ab') await put(cache, letter);
  const a = await cache.hold([hash('a'), hash('a')]);
  await put(cache, 'c');
  expect(present(cache, 'a', 'b', 'c')).toEqual([true, false, true]);
  const c = await cache.hold([hash('c')]);
  const error = await failure('task-failed', () => put(cache, 'd'));
  expect(error.retryable).toBe(true);
  a.release();
  a.release();
  await put(cache, 'd');
  expect(present(cache, 'a', 'c', 'd')).toEqual([false, true, true]);
  c.release();
});

test('files on their way count', async () => {
  const cache = openCache(newFolder(), 150);
  const results = await Promise.allSettled([put(cache, 'a'), put(cache, 'b')]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
});

test('a file larger than the cache is refused for good', async () => {
  const cache = openCache(newFolder(), 99);
  expect((await failure('usage', () => put(cache, 'a'))).message).toMatch(/at most 99 bytes; found 100/);
});

test('hold(hashes) names what is missing and then holds nothing', async () => {
  const cache = openCache(newFolder(), 200);
  await put(cache, 'a');
  expect((await cache.hold([hash('a'), hash('x'), hash('x')])).missing).toEqual([hash('x')]);
  for (const letter of 'bc') await put(cache, letter);
  expect(cache.has(hash('a'))).toBe(false);
});

test('a restart keeps whole files in their order, and nothing half-written or strange', async () => {
  const folder = newFolder();
  const before = openCache(folder, 1000);
  for (const letter of 'abc') await put(before, letter);
  for (const [index, letter] of ['b', 'c', 'a'].entries()) utimesSync(join(before.folder, hash(letter)), index, index);
  writeFileSync(join(folder, 'partial', 'rest'), 'half');
  writeFileSync(join(before.folder, 'notes.txt'), 'not ours');

  const after = openCache(folder, 200);
  expect(present(after, 'a', 'b', 'c')).toEqual([true, false, true]);
  expect([after.bytes(), readdirSync(join(folder, 'partial'))]).toEqual([200, []]);
  expect((await after.hold([hash('a'), hash('c')])).missing).toEqual([]);
});

test('a file that was damaged between two processes is missing, and gone', async () => {
  const folder = newFolder();
  await put(openCache(folder, 1000), 'a');
  writeFileSync(join(folder, 'files', hash('a')), content('b'));
  const cache = openCache(folder, 1000);
  expect(cache.has(hash('a'))).toBe(true);
  expect((await cache.hold([hash('a')])).missing).toEqual([hash('a')]);
  expect([cache.has(hash('a')), cache.bytes()]).toEqual([false, 0]);
  await put(cache, 'a');
  expect((await cache.hold([hash('a')])).missing).toEqual([]);
});
