/**
 * The data embedded in the page: written by the report stage, read by the page's script. Both sides import
 * this file, so it names neither the plan nor the DOM.
 */

/** What all sections share, in the block `page-data`. */
export interface PageData {
  layers: string[];
  /** Pairs with sections on the page. */
  pairs: { a: string; b: string; folder: string }[];
  /** Of everything drawn at random. */
  seed: number;
  /** Rising; empty where prediction is off. */
  alphas: number[];
  /** Which R² is told: on the rows held out, or on those fitted where none are. */
  scored: 'r2_held_out' | 'r2_fit';
  /** [pair][layer] mean matched r. */
  matched: (number | null)[][];
  /** [pair][layer][alpha] R² of each direction. */
  aToB: (number | null)[][][];
  bToA: (number | null)[][][];
  /** [pair][layer] clusters with units of both networks, and all clusters. */
  shared: ({ shared: number; all: number } | null)[][];
  /** [layer] mean activations of each network's units, falling. */
  means: { network: string; curve: SortedCurve }[][];
}

/** One value per unit, falling; of many units only those at {@link curveRank}. */
export interface SortedCurve {
  /** Units. */
  count: number;
  values: number[];
}

/** What the page draws of one pair at one layer, in the block of its section; stages that are off are null. */
export interface LayerDrawing {
  unitsA: number;
  unitsB: number;
  /** {@link packUnits} of a by falling matched r, and their partners, the unmatched at the end; r of the matched. */
  matched: { rows: string; columns: string; r: SortedCurve } | null;
  /** r with the best unit of the other network, falling. */
  semiA: SortedCurve | null;
  semiB: SortedCurve | null;
  /** {@link packUnits} of both networks (b's from unitsA on) by cluster, those in none last; and units of each cluster. */
  clusterOrder: string | null;
  clusterSizes: number[] | null;
  /** Mean activations, falling. */
  meansA: SortedCurve;
  meansB: SortedCurve;
  /** Per alpha R² of the targets, falling; held out where something is. */
  r2: { aToB: SortedCurve[]; bToA: SortedCurve[] } | null;
  /** Upper triangle with diagonal of r of all units, row by row, {@link packR}; null where averaged. */
  exact: string | null;
  averaged: { before: PackedGrid; after: PackedGrid | null; clustered: PackedGrid | null } | null;
}

/** A picture of r: each pixel is the mean over a block of units, see {@link binStart}. */
export interface PackedGrid {
  height: number;
  width: number;
  /** Row-major, {@link packR}. */
  values: string;
}

const SCALE = 32_767;
/** Bytes turned to characters at a time, below the limit of arguments. */
const CHARACTERS_AT_ONCE = 0x6000;

/** Numbers in [−1, 1] as base64 of little-endian int16, 1/32767 apart. */
export function packR(values: Float64Array): string {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  for (const [i, value] of values.entries()) view.setInt16(i * 2, Math.round(value * SCALE), true);
  return base64(view);
}

/** What {@link packR} packed. */
export function unpackR(text: string): Float32Array {
  const view = bytesOf(text);
  return Float32Array.from({ length: view.byteLength / 2 }, (_, i) => view.getInt16(i * 2, true) / SCALE);
}

/** Units below 65,536 as base64 of little-endian uint16: half of what they take as digits. */
export function packUnits(units: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(units.length * 2));
  for (const [i, unit] of units.entries()) view.setUint16(i * 2, unit, true);
  return base64(view);
}

/** What {@link packUnits} packed. */
export function unpackUnits(text: string): number[] {
  const view = bytesOf(text);
  return Array.from({ length: view.byteLength / 2 }, (_, i) => view.getUint16(i * 2, true));
}

/** The place among `count` sorted units, from 0, of point `point` of the `points` kept: first and last are among them. */
export function curveRank(point: number, points: number, count: number): number {
  return points === count ? point : Math.round((point * (count - 1)) / (points - 1));
}

function base64(view: DataView<ArrayBuffer>): string {
  const bytes = new Uint8Array(view.buffer);
  let text = '';
  for (let at = 0; at < bytes.length; at += CHARACTERS_AT_ONCE) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_AT_ONCE));
  }
  return btoa(text);
}

function bytesOf(text: string): DataView {
  return new DataView(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);
}

/** The first of `count` units that pixel `pixel` of `pixels` stands for; the next pixel's first ends it. */
export function binStart(pixel: number, pixels: number, count: number): number {
  return Math.floor((pixel * count) / pixels);
}

/** Block of the section of one pair at one layer. */
export function drawingId(pair: number, layer: number): string {
  return `drawing-${pair}-${layer}`;
}

/** Index of the alpha that is shown until the reader picks another: the middle one. */
export function middleAlpha({ alphas }: Pick<PageData, 'alphas'>): number {
  return Math.floor((alphas.length - 1) / 2);
}
