/**
 * What the page draws of one pair at one layer: plain JSON data, made where the whole matrices are at
 * hand and read by the page's script. Figures for the eye only: rounded, and averaged down where a matrix
 * has more units than a screen has pixels for. Exact numbers stand in the files.
 */
import type { Plan } from '../plan/plan.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { Matching } from '../reduce/match/match.ts';
import type { LayerDocuments } from './entry.ts';
import { binStart, packR } from './embedded.ts';
import type { LayerDrawing, PackedGrid } from './embedded.ts';

/** Bytes of base64 all matrices of one page may take together; a browser still opens it at once. */
const PAGE_BYTES = 12 * 2 ** 20;
/** Base64 bytes of one packed r: two bytes in four characters for three. */
const BYTES_PER_R = 8 / 3;
/** Units of both networks up to which every r is kept. */
const EXACT_UNITS = 512;
/** Sides of an averaged matrix, in pixels; fewer where a page has many of them. */
const MOST_PIXELS = 384;
const FEWEST_PIXELS = 64;
/** Pictures of an averaged section: before, after, by cluster. */
const GRIDS = 3;
/** Sections of pairs and layers on one page; a page with more of them isn't read. */
const MOST_SECTIONS = 400;

/** How many pairs have their sections on the page, the first ones; results.json has all. */
export function pairsDrawn(plan: Plan): number {
  return Math.min(plan.pairs.length, Math.max(1, Math.floor(MOST_SECTIONS / plan.layers.length)));
}

/** The drawing of one pair at one layer; cost O(n²). */
export function layerDrawing(plan: Plan, documents: LayerDocuments): LayerDrawing {
  const { correlation, matching, aToB, bToA, clustering } = documents;
  const { unitsA, unitsB, r, mean } = correlation;
  const n = unitsA + unitsB;
  const all = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i);
  const matched = matching && matchedOrder(matching, unitsA, unitsB);
  const clusterOrder = clustering && orderByCluster(clustering);
  const drawing = {
    unitsA,
    unitsB,
    matched,
    semiA: matching && falling(matching.semiA.r, 4),
    semiB: matching && falling(matching.semiB.r, 4),
    clusterOrder,
    labels: clustering && [...clustering.labels],
    meansA: falling(mean.subarray(0, unitsA), 5),
    meansB: falling(mean.subarray(unitsA), 5),
    r2: aToB && bToA && { aToB: unitScores(aToB), bToA: unitScores(bToA) },
  };

  // every r where they fit, else means over blocks in each order that is shown
  const values = PAGE_BYTES / BYTES_PER_R / (pairsDrawn(plan) * plan.layers.length);
  if (n <= EXACT_UNITS && (n * (n + 1)) / 2 <= values) return { ...drawing, exact: packTriangle(r, n), averaged: null };
  const side = Math.max(FEWEST_PIXELS, Math.min(MOST_PIXELS, Math.floor(Math.sqrt(values / GRIDS))));
  const grid = (rows: number[], columns: number[]): PackedGrid => average(r, n, rows, columns, side);
  const [a, b] = [all(0, unitsA), all(unitsA, unitsB)];
  const averaged = {
    before: grid(a, b),
    after:
      matched &&
      grid(
        matched.rows,
        matched.columns.map((unit) => unitsA + unit),
      ),
    clustered: clusterOrder && grid(clusterOrder, clusterOrder),
  };
  return { ...drawing, exact: null, averaged };
}

// matched units by falling r, partners at the same place, then the unmatched of the wider network
function matchedOrder({ pairsA, pairsB, r }: Matching, unitsA: number, unitsB: number): LayerDrawing['matched'] {
  const order = Array.from(r.keys()).sort((x, y) => r[y]! - r[x]! || x - y);
  const rows = order.map((i) => pairsA[i]!);
  const columns = order.map((i) => pairsB[i]!);
  return { rows: withRest(rows, unitsA), columns: withRest(columns, unitsB), r: order.map((i) => round(r[i]!, 4)) };
}

function withRest(first: number[], count: number): number[] {
  const seen = new Set(first);
  const rest = Array.from({ length: count }, (_, i) => i).filter((i) => !seen.has(i));
  return [...first, ...rest];
}

// clusters by number, a's units before b's; those in no cluster last
function orderByCluster({ labels, k }: Clustering): number[] {
  const place = (unit: number): number => (labels[unit]! < 0 ? k : labels[unit]!);
  return Array.from(labels.keys()).sort((x, y) => place(x) - place(y) || x - y);
}

// per alpha the scored targets' R² by falling value, held out where something is
function unitScores(prediction: NonNullable<LayerDocuments['aToB']>): number[][] {
  const { alphas, targets, scored, r2Fit, r2HeldOut } = prediction;
  const r2 = r2HeldOut ?? r2Fit;
  return Array.from(alphas, (_, row) => {
    const own = r2.subarray(row * targets, (row + 1) * targets).filter((__, unit) => scored[unit] === 1);
    return falling(own, 4);
  });
}

function packTriangle(r: Float64Array, n: number): string {
  const values = new Float64Array((n * (n + 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) values[at++] = r[i * n + j]!;
  return packR(values);
}

function average(r: Float64Array, n: number, rows: number[], columns: number[], side: number): PackedGrid {
  const height = Math.min(side, rows.length);
  const width = Math.min(side, columns.length);
  const values = new Float64Array(height * width);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [binStart(y, height, rows.length), binStart(y + 1, height, rows.length)];
    for (let x = 0; x < width; x++) {
      const [left, right] = [binStart(x, width, columns.length), binStart(x + 1, width, columns.length)];
      let sum = 0;
      for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) sum += r[rows[i]! * n + columns[j]!]!;
      values[y * width + x] = sum / ((bottom - top) * (right - left));
    }
  }
  return { height, width, values: packR(values) };
}

function falling(values: Float64Array, digits: number): number[] {
  return Array.from(
    values.toSorted((x, y) => y - x),
    (value) => round(value, digits),
  );
}

const round = (value: number, digits: number): number => Number(value.toPrecision(digits));
