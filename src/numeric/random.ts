/**
 * Seeded randomness: the same seed and purpose give the same draws on every machine. Generator:
 * xoroshiro128+ of pure-rand. Never use Math.random: results are promised to the byte.
 */
import { unsafeUniformIntDistribution, xoroshiro128plus } from 'pure-rand';
import type { RandomGenerator } from 'pure-rand';

/** A stream of draws. */
export interface Random {
  /** A double in [0, 1), a multiple of 2⁻⁵³. */
  uniform(): number;
  /** A whole number in [0, count), count ≥ 1. */
  below(count: number): number;
}

/** The stream of one purpose: streams of different labels are independent of each other. */
export function randomFrom(seed: number, label: string): Random {
  const generator: RandomGenerator = xoroshiro128plus(mix(seed, label));
  return {
    // 26 high bits and 27 low bits
    uniform: () =>
      (unsafeUniformIntDistribution(0, 2 ** 26 - 1, generator) * 2 ** 27 +
        unsafeUniformIntDistribution(0, 2 ** 27 - 1, generator)) /
      2 ** 53,
    below: (count) => unsafeUniformIntDistribution(0, count - 1, generator),
  };
}

/** `count` different whole numbers of [0, size), rising. Floyd's algorithm, O(count). */
export function drawSample(random: Random, size: number, count: number): number[] {
  const drawn = new Set<number>();
  for (let top = size - count; top < size; top++) {
    const candidate = random.below(top + 1);
    drawn.add(drawn.has(candidate) ? top : candidate);
  }
  return [...drawn].sort((a, b) => a - b);
}

// FNV-1a over the seed's two words and the label, then MurmurHash3's finaliser: the generator's first draws
// follow its seed bit by bit, so that hashes of like labels must not be alike
function mix(seed: number, label: string): number {
  let hash = 0x811c9dc5;
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32) | 0]) hash = Math.imul(hash ^ word, 0x01000193);
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
