import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { openMade, type MadeObjects } from '../../../src/compute/made.ts';
import { scratchFolder } from './fixtures.ts';

const { folder, remove } = scratchFolder();
afterAll(remove);

const MOST_BYTES = 10;
const made = join(folder, 'made');
let objects: MadeObjects;

beforeEach(() => {
  rmSync(made, { recursive: true, force: true });
  objects = openMade(made, MOST_BYTES);
});

async function keep(key: string, content: string): Promise<void> {
  const path = join(folder, 'result');
  writeFileSync(path, content);
  await objects.keep(key, path, content.length);
  rmSync(path);
}

test('keeps a finished file after its name is gone', async () => {
  await keep('a', 'abc');
  expect(objects.hold(['a']).missing).toEqual([]);
  expect(readFileSync(join(made, 'a'), 'utf8')).toBe('abc');
});

test('holds all or none, and says which are missing', async () => {
  await keep('a', 'abcde');
  expect(objects.hold(['a', 'b', 'c']).missing).toEqual(['b', 'c']);
  // nobody holds it
  await keep('d', 'defghi');
  expect(readdirSync(made)).toEqual(['d']);
});

test('makes room by what was used longest ago, never by what is held', async () => {
  await keep('a', 'aaaa');
  await keep('b', 'bbbb');
  objects.hold(['a']).release();
  await keep('c', 'cccc');
  expect(readdirSync(made).toSorted()).toEqual(['a', 'c']);
  const held = objects.hold(['a', 'c']);
  await keep('d', 'dddd');
  expect(readdirSync(made).toSorted()).toEqual(['a', 'c']);
  held.release();
  await keep('d', 'dddd');
  expect(readdirSync(made).toSorted()).toEqual(['c', 'd']);
});

test('an object made again takes the place of the one before, unless that is held', async () => {
  await keep('a', 'before');
  await keep('a', 'after');
  expect(readFileSync(join(made, 'a'), 'utf8')).toBe('after');
  const { release } = objects.hold(['a']);
  await keep('a', 'later');
  expect(readFileSync(join(made, 'a'), 'utf8')).toBe('after');
  release();
  // the sum counts one of them: there is room for five more
  await keep('b', 'bbbbb');
  expect(readdirSync(made).toSorted()).toEqual(['a', 'b']);
});

test('one larger than all there may be, and one that is forgotten, are missing', async () => {
  await keep('a', 'a'.repeat(MOST_BYTES + 1));
  await keep('b', 'b');
  await objects.forget(['b', 'never kept']);
  expect(objects.hold(['a', 'b']).missing).toEqual(['a', 'b']);
  expect(readdirSync(made)).toEqual([]);
});

test('two at once of the same key are one', async () => {
  writeFileSync(join(folder, 'result'), 'abcde');
  await Promise.all([1, 2].map(() => objects.keep('a', join(folder, 'result'), 5)));
  await keep('b', 'bbbbb');
  expect(readdirSync(made).toSorted()).toEqual(['a', 'b']);
});

test('starts empty: what an earlier process left is removed', () => {
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, 'a'), 'left');
  expect(openMade(made, MOST_BYTES).hold(['a']).missing).toEqual(['a']);
  expect(readdirSync(made)).toEqual([]);
});
