import { describe, expect, test } from 'vitest';
import { partBytes } from '../../../src/compute/parts.ts';
import { LENGTH_BYTES, readTaskHeader, writeTaskHeader } from '../../../src/compute/request.ts';
import type { TaskHeader } from '../../../src/compute/request.ts';
import { failure, sha256Of } from './fixtures.ts';

const HEADER: TaskHeader = {
  planHash: sha256Of('plan'),
  task: 3,
  files: [sha256Of('a'), sha256Of('b')],
  parts: [
    { kind: 'rows', start: 0, end: 5, bytes: 50 },
    {
      kind: 'object',
      task: 0,
      size: 100,
      ranges: [
        [0, 10],
        [90, 100],
      ],
    },
  ],
};

test('readTaskHeader gives what writeTaskHeader was given', () => {
  const bytes = writeTaskHeader(HEADER);
  expect(new DataView(bytes.buffer).getUint32(0, true)).toBe(bytes.length - LENGTH_BYTES);
  expect(readTaskHeader(bytes.subarray(LENGTH_BYTES))).toEqual(HEADER);
});

test('partBytes(part) is what follows for it', () => {
  expect(HEADER.parts.map(partBytes)).toEqual([50, 20]);
});

describe('readTaskHeader refuses', () => {
  const [rows, object] = HEADER.parts as [object, object];
  const BAD: [string, unknown, RegExp][] = [
    ['no object', 7, /its root/],
    ['a path for a hash', { ...HEADER, planHash: '../../etc/passwd' }, /planHash/],
    ['a hash in capitals', { ...HEADER, files: ['A'.repeat(64)] }, /files\.0/],
    ['a negative task', { ...HEADER, task: -1 }, /task/],
    ['a task between two', { ...HEADER, task: 0.5 }, /task/],
    ['an unknown key', { ...HEADER, path: '/tmp' }, /path/],
    ['an unknown part', { ...HEADER, parts: [{ kind: 'code' }] }, /parts\.0/],
    ['rows that end before they start', { ...HEADER, parts: [{ ...rows, start: 6 }] }, /parts\.0.*whole rows/],
    ['no rows', { ...HEADER, parts: [{ ...rows, start: 5 }] }, /parts\.0.*whole rows/],
    ['parts of rows', { ...HEADER, parts: [{ ...rows, bytes: 51 }] }, /parts\.0.*whole rows/],
    ['ranges beyond the object', { ...HEADER, parts: [{ ...object, size: 99 }] }, /parts\.0.*within the object/],
    ['ranges backwards', { ...HEADER, parts: [{ ...object, ranges: [[3, 2]] }] }, /ranges\.0/],
    ['numbers without end', { ...HEADER, parts: [{ ...object, size: 1e300 }] }, /parts\.0/],
  ];
  test.each(BAD)('%s', async (_, value, message) => {
    const json = new TextEncoder().encode(JSON.stringify(value));
    const error = await failure('usage', async () => Promise.resolve(readTaskHeader(json)));
    expect(error.message).toMatch(message);
  });

  test('what is no JSON, or no text', async () => {
    await failure('usage', async () => Promise.resolve(readTaskHeader(new TextEncoder().encode('{'))));
    await failure('usage', async () => Promise.resolve(readTaskHeader(Uint8Array.of(0xff, 0xfe))));
  });
});
