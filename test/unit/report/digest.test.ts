import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { digestOf } from '../../../src/report/digest.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

it('is the SHA-256 of the lines of all arrays and tables, in byte order of their paths', async () => {
  const [x, y, z, Z] = ['x', 'y', 'z', 'Z'].map(sha256) as [string, string, string, string];
  const files = [
    { path: 'a-b/conv/mean_a.npy', sha256: x },
    { path: 'results.json', sha256: y },
    { path: 'a-b/conv-2/mean_a.npy', sha256: y },
    { path: 'a-b/conv.npz', sha256: z },
    { path: 'report.html', sha256: z },
    { path: 'a-b/Conv/clusters.csv', sha256: Z },
  ];
  const lines = [
    `${Z}  a-b/Conv/clusters.csv`,
    `${y}  a-b/conv-2/mean_a.npy`,
    `${z}  a-b/conv.npz`,
    `${x}  a-b/conv/mean_a.npy`,
  ];
  const expected = sha256(lines.map((line) => `${line}\n`).join(''));
  expect(await digestOf(files)).toBe(expected);
  expect(await digestOf(files.toReversed())).toBe(expected);
});

it('of no files is the SHA-256 of nothing', async () => {
  expect(await digestOf([])).toBe(sha256(''));
});
