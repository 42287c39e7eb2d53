import { expect, it } from 'vitest';
import { scaleOf } from '../../../src/report/page/colour.ts';

const stops = ['#173a6e', '#86add3', '#fbfaf6', '#ee9a6c', '#84160f'];
const scale = scaleOf(stops);
/** #rrggbb of a pixel of a canvas. */
const hex = (pixel: number): string =>
  `#${[0, 8, 16].map((shift) => ((pixel >>> shift) & 255).toString(16).padStart(2, '0')).join('')}`;

it('goes through its stops; 0 is the paper', () => {
  expect([-1, 0, 1].map((r) => hex(scale(r)))).toEqual(['#173a6e', '#fbfaf6', '#84160f']);
});

it('is opaque, and the same beyond ±1', () => {
  for (const r of [-1, -0.3, 0, 0.7, 1]) expect(scale(r) >>> 24).toBe(255);
  expect(scale(1.5)).toBe(scale(1));
  expect(scale(-1.5)).toBe(scale(-1));
});

it('darkens from 0 to both sides without a turn', () => {
  const light = (r: number): number => [0, 8, 16].reduce((sum, shift) => sum + ((scale(r) >>> shift) & 255), 0);
  for (let r = 0; r < 1; r += 0.05) {
    expect(light(r + 0.05)).toBeLessThanOrEqual(light(r));
    expect(light(-r - 0.05)).toBeLessThanOrEqual(light(-r));
  }
});
