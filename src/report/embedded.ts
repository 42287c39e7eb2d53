/**
 * The data embedded in the page: written by the report stage, read by the page's script. Both sides import
 * this file, so it names neither the plan nor the DOM.
 */

/** What all sections share, in the block `page-data`. */
export interface PageData {
  layers: string[];
  /** Pairs with sections on the page. */
  pairs: { a: string; b: string; folder: string }[];
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
  means: { network: string; values: number[] }[][];
}

/** What the page draws of one pair at one layer, in the block of its section; stages that are off are null. */
export interface LayerDrawing {
  unitsA: number;
  unitsB: number;
  /** Units of a by falling matched r, their partners, the unmatched at the end; r of the matched. */
  matched: { rows: number[]; columns: number[]; r: number[] } | null;
  /** r with the best unit of the other network, falling. */
  semiA: number[] | null;
  semiB: number[] | null;
  /** Units of both networks (b's from unitsA on), by cluster, and the cluster of each. */
  clusterOrder: number[] | null;
  labels: number[] | null;
  /** Mean activations, falling. */
  meansA: number[];
  meansB: number[];
  /** Per alpha R² of the targets, falling; held out where something is. */
  r2: { aToB: number[][]; bToA: number[][] } | null;
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
  const bytes = new Uint8Array(view.buffer);
  let text = '';
  for (let at = 0; at < bytes.length; at += CHARACTERS_AT_ONCE) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_AT_ONCE));
  }
  return btoa(text);
}

/** What {@link packR} packed. */
export function unpackR(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(i * 2, true) / SCALE);
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
