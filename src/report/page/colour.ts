/**
 * The one diverging scale of the page: r from −1 to 1 through the page's own background, so that what isn't
 * correlated disappears into it. Mixed in Oklab (Ottosson 2020, "A perceptual color space for image
 * processing"), so that equal steps of r look equal.
 */

type Triple = [number, number, number];

/** Stops of the scale in page.css, from −1 to 1. */
const STOPS = ['--r-lowest', '--r-low', '--paper', '--r-high', '--r-highest'];
/** Steps of the scale to each side of 0. */
const STEPS = 255;

/** The scale of the colour scheme in use: r to 0xAABBGGRR, as the pixels of a canvas are stored. */
export function readScale(): (r: number) => number {
  const style = getComputedStyle(document.documentElement);
  return scaleOf(STOPS.map((name) => style.getPropertyValue(name).trim()));
}

/** The scale through `stops`, written as #rrggbb, the first for −1 and the last for 1. */
export function scaleOf(stops: readonly string[]): (r: number) => number {
  const colours = stops.map(oklabOf);
  const table = Uint32Array.from({ length: 2 * STEPS + 1 }, (_, i) => pixelOf(mix(colours, i / (2 * STEPS))));
  return (r) => table[Math.round((Math.max(-1, Math.min(1, r)) + 1) * STEPS)]!;
}

function mix(stops: readonly Triple[], at: number): Triple {
  const place = at * (stops.length - 1);
  const left = Math.min(stops.length - 2, Math.floor(place));
  const share = place - left;
  return stops[left]!.map((value, i) => value + share * (stops[left + 1]![i]! - value)) as Triple;
}

// #rrggbb to Oklab
function oklabOf(hex: string): Triple {
  const [r, g, b] = [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255)) as Triple;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function pixelOf([lightness, a, b]: Triple): number {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

function byte(c: number): number {
  const encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.max(0, Math.min(1, encoded)));
}
