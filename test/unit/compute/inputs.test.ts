import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openInputs, type OpenInputs } from '../../../src/compute/inputs.ts';
import type { TaskPart } from '../../../src/compute/parts.ts';
import { failure, scratchFolder, sha256Of } from './fixtures.ts';

const { folder, remove } = scratchFolder();
afterAll(remove);

const SPOOL = Uint8Array.from({ length: 40 }, (_, i) => i);
const PARTS: TaskPart[] = [
  { kind: 'rows', start: 4, end: 8, bytes: 8 },
  {
    kind: 'object',
    task: 2,
    size: 100,
    ranges: [
      [0, 4],
      [90, 95],
      [95, 100],
    ],
  },
  { kind: 'rows', start: 8, end: 10, bytes: 4 },
  { kind: 'object', task: 7, size: 14, ranges: [[0, 14]] },
];
const FILE = sha256Of('a file');
const PROBE = sha256Of('probe data');
/** Rows of two bytes behind three of a header. */
const DATA = { sha256: PROBE, dtype: 'uint8' as const, rowShape: [2], offset: 3 };
const KEY = sha256Of('a key');

let inputs: OpenInputs;
async function opened(parts = PARTS, files = [FILE]): Promise<OpenInputs> {
  writeFileSync(join(folder, 'spool'), SPOOL);
  writeFileSync(join(folder, FILE), 'a file');
  writeFileSync(join(folder, PROBE), SPOOL);
  writeFileSync(join(folder, KEY), SPOOL);
  const places = { filesFolder: folder, files, madeFolder: folder, spoolPath: join(folder, 'spool'), parts };
  inputs = await openInputs(places, DATA);
  return inputs;
}
afterEach(() => inputs.close());

const bytes = (start: number, end: number): number[] => [...SPOOL.subarray(start, end)];

describe('rows([start, end))', () => {
  test.each([
    ['a whole part', 4, 8, bytes(0, 8)],
    ['within a part', 5, 7, bytes(2, 6)],
    ['over two parts', 7, 9, [...bytes(6, 8), ...bytes(22, 24)]],
    ['all', 4, 10, [...bytes(0, 8), ...bytes(22, 26)]],
    ['none', 5, 5, []],
  ])('%s', async (_, start, end, expected) => {
    expect([...(await (await opened()).rows([start, end]))]).toEqual(expected);
  });

  test('come from the file of the probe data where that was sent', async () => {
    await opened([], [FILE, PROBE]);
    const read = [...(await inputs.rows([0, 2])), ...(await inputs.rows([7, 8]))];
    expect(read).toEqual([...bytes(3, 7), ...bytes(17, 19)]);
    await failure('internal', () => inputs.rows([18, 20]));
  });

  test.each([
    [3, 5, 3],
    [9, 11, 10],
    [20, 21, 20],
  ])('[%i, %i) names the row that was not sent', async (start, end, row) => {
    await opened();
    expect((await failure('internal', () => inputs.rows([start, end]))).message).toContain(`row ${row}`);
  });
});

test('rows of unequal sizes are not taken for each other', async () => {
  await opened([
    { kind: 'rows', start: 0, end: 2, bytes: 8 },
    { kind: 'rows', start: 2, end: 4, bytes: 4 },
  ]);
  expect([...(await inputs.rows([2, 4]))]).toEqual(bytes(8, 12));
  await failure('internal', () => inputs.rows([1, 3]));
});

describe('object(task)', () => {
  test('reads within the ranges that were sent, joined where they touch', async () => {
    const source = await (await opened()).object(2);
    expect(source.size).toBe(100);
    expect([...(await source.read(1, 3))]).toEqual(bytes(9, 11));
    expect([...(await source.read(92, 98))]).toEqual(bytes(14, 20));
    const whole = await inputs.object(7);
    expect([...(await whole.read(0, 14))]).toEqual(bytes(26, 40));
  });

  test.each([
    [3, 5],
    [89, 91],
    [4, 4.5],
    [95, 101],
    [-1, 2],
  ])('refuses bytes [%d, %d), which were not sent', async (start, end) => {
    const source = await (await opened()).object(2);
    await failure('internal', () => source.read(start, end));
  });

  test('reads an object that the server made, whole or in part', async () => {
    const source = await (await opened([...PARTS, { kind: 'made', task: 5, key: KEY }])).object(5);
    expect(source.size).toBe(40);
    expect([...(await source.read(38, 40))]).toEqual(bytes(38, 40));
  });

  test('refuses the object of a task that was not sent', async () => {
    await opened();
    expect((await failure('internal', () => inputs.object(3))).message).toContain('task 3');
  });
});

describe('file(sha256)', () => {
  test('reads by range', async () => {
    const source = await (await opened()).file(FILE);
    expect(source.size).toBe(6);
    expect(Buffer.from(await source.read(2, 6)).toString()).toBe('file');
    await failure('internal', () => source.read(2, 7));
  });

  test('refuses what the task did not name, be it there or not', async () => {
    await opened();
    await failure('internal', () => inputs.file(sha256Of('another')));
    await failure('internal', () => inputs.file('../spool'));
  });
});

test('a spool that ends early is damaged, not zeros', async () => {
  await opened([{ kind: 'rows', start: 0, end: 1, bytes: 50 }]);
  expect((await failure('input-damaged', () => inputs.rows([0, 1]))).message).toMatch(/50 bytes; found 40/);
});
