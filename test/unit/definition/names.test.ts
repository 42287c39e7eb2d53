import { describe, expect, it } from 'vitest';
import { NAME_PATTERN, pairFolder, pairsOf } from '../../../src/definition/names.ts';

const networks = (names: string[]) => ({
  networks: names.map((name) => ({ name, model: 'm', layout: 'nchw' as const, scale: [1], mean: [0], std: [1] })),
});

describe('NAME_PATTERN', () => {
  it.each(['a', '_', '0', 'a.b-c_D', '1.', 'x'.repeat(64), '__proto__'])('accepts %j', (name) => {
    expect(name).toMatch(NAME_PATTERN);
  });
  it.each(['', '.', '..', '-a', '.a', 'a b', 'a/b', 'a\\b', 'ä', 'a\n', 'x'.repeat(65)])('refuses %j', (name) => {
    expect(name).not.toMatch(NAME_PATTERN);
  });
});

describe('pairsOf(definition) is every pair once, in the file’s order', () => {
  it('gives none for no network and for one', () => {
    expect(pairsOf(networks([]))).toEqual([]);
    expect(pairsOf(networks(['a']))).toEqual([]);
  });

  it('goes through the later networks for each network', () => {
    expect(pairsOf(networks(['z', 'a', 'm']))).toEqual([
      { a: 0, b: 1, folder: 'z-a' },
      { a: 0, b: 2, folder: 'z-m' },
      { a: 1, b: 2, folder: 'a-m' },
    ]);
  });

  it('gives n(n − 1)/2 pairs with a < b', () => {
    const pairs = pairsOf(networks(Array.from({ length: 20 }, (_, i) => `n${i}`)));
    expect(new Set(pairs.map(({ a, b }) => `${a},${b}`)).size).toBe(190);
    expect(pairs.every(({ a, b }) => a < b)).toBe(true);
  });
});

describe('pairFolder(a, b)', () => {
  it('joins the names as written', () => expect(pairFolder('Seed1', 's-2')).toBe('Seed1-s-2'));
});
