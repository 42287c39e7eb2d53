import { describe, expect, it } from 'vitest';
import { layerEntry } from '../../../src/report/entry.ts';
import { pairTable } from '../../../src/service/pages/reportSoFar.ts';
import { demoDocuments, demoPlan } from '../report/demo.ts';
import type { Demo } from '../report/demo.ts';

const demo: Demo = {
  networks: ['one', 'two', 'three'],
  layers: [
    { name: 'conv<1>', units: [6, 8, 5], positionShape: [4, 4] },
    { name: 'fc', units: [10, 10, 10] },
  ],
};

describe('pairTable', () => {
  const plan = demoPlan(demo);
  const pair = 1;
  const entry = layerEntry(plan, pair, 0, demoDocuments(demo, plan, pair, 0));

  it('shows the numbers that results.json will have, each with its place there', async () => {
    const text = String(await pairTable(plan, pair, [{ layer: 0, entry }], 'still to come'));
    const shown = Array.from(text.matchAll(/data-path="pairs\.1\.layers\.0\.([^"]+)"\s+data-value="([^"]*)"/g));
    expect(shown.map(([, path]) => path)).toEqual(expect.arrayContaining(['match.mean_r', 'units.0', 'cluster.k']));
    expect(shown.filter(([, path]) => path!.endsWith('r2_held_out'))).toHaveLength(2);
    for (const [, path, value] of shown) {
      const found = path!.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], entry);
      expect(value === '' ? null : Number(value)).toBe(found);
    }
    expect(text).toContain('conv&lt;1&gt;');
  });

  it('says what is missing', async () => {
    const rows = [
      { layer: 0, entry },
      { layer: 1, entry: null },
    ];
    const text = String(await pairTable(plan, pair, rows, 'still to come'));
    expect(text.match(/still to come/g)).toHaveLength(1);
    expect(text).not.toContain('pairs.1.layers.1');
  });
});
