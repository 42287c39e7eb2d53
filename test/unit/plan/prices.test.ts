import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dollarsOf, PRICES, PRICES_READ, RESOURCES, usageOf } from '../../../src/plan/prices.ts';

describe('PRICES', () => {
  it.each(Object.entries(PRICES))('%s: an amount, its page and the month it was read', (_, price) => {
    expect(price.dollars).toBeGreaterThan(0);
    expect(price.per).toBeGreaterThan(0);
    expect(price.source).toMatch(/^https:\/\/developers\.cloudflare\.com\/.+\/pricing\/$/);
    expect(price.read).toMatch(/^20\d\d-(0[1-9]|1[0-2])$/);
    expect(price.read).toBe(PRICES_READ);
  });

  it('stand in one file: no other of the source names dollars of the platform', () => {
    const root = resolve(import.meta.dirname, '../../../src');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const naming = files.filter((file) => /dollars: [\d.]|\bprice\(/.test(readFileSync(join(root, file), 'utf8')));
    expect(naming).toEqual([join('plan', 'prices.ts')]);
  });
});

describe('dollarsOf(usage)', () => {
  it('is 0 for nothing', () => {
    expect(dollarsOf(usageOf())).toBe(0);
  });

  // the examples of Cloudflare's own pages, what is included taken off by hand
  it.each([
    ['15 million requests of 7 ms', { workerRequests: 5e6, workerCpuSeconds: 105_000 - 30_000 }, 1.5 + 1.5],
    ['a million messages a day', { queueOperations: 89e6 }, 35.6],
    ['290 million reads', { objectReads: 290e6 }, 104.4],
    ['a container with 1 vCPU busy for an hour', { containerCpuSeconds: 3600 }, 0.072],
    ['12 GiB for an hour', { containerGibSeconds: 12 * 3600 }, 0.108],
  ])('%s', (_, usage, dollars) => {
    expect(dollarsOf(usage)).toBeCloseTo(dollars, 10);
  });

  it('adds what each costs alone', () => {
    const one = Object.fromEntries(RESOURCES.map((resource, at) => [resource, 1000 * (at + 1)]));
    const each = RESOURCES.map((resource) => dollarsOf({ [resource]: one[resource] }));
    expect(each.every((dollars) => dollars > 0)).toBe(true);
    expect(dollarsOf(one)).toBeCloseTo(
      each.reduce((sum, dollars) => sum + dollars, 0),
      12,
    );
  });
});
