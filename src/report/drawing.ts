/**
 * What the page draws of one pair at one layer: plain JSON data, made from the documents of reduce and read
 * by the page's script. Figures for the eye only: rounded, and averaged down where a matrix
 * has more units than a screen has pixels for. Exact numbers stand in the files.
 */
import { PipelineError } from '../errors.ts';
import { triangleLength } from '../numeric/triangle.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { Matching } from '../reduce/match/match.ts';
import type { PredictionScores } from '../reduce/objects.ts';
import type { LayerDocuments } from './entry.ts';
import { curveRank, packUnits } from './embedded.ts';
import type { LayerDrawing, SortedCurve } from './embedded.ts';
import { averagedGrids, exactTriangle } from './pictures.ts';
import type { UnitOrders } from './pictures.ts';

/** Bytes all drawings of one page may take together, as JSON; a browser still opens it at once. */
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
/** Points of a curve, and of the same curve in all sections; fewer of each where there are many. */
const MOST_POINTS = 1024;
const FEWEST_POINTS = 64;
const CURVES_POINTS = 16_384;
/** What packUnits can number. */
const MOST_UNITS = 65_536;
/** Sections of pairs and layers on one page; a page with more of them isn't read. */
const MOST_SECTIONS = 400;

/** How many pairs have their sections on the page, the first ones; results.json has all. */
export function pairsDrawn(plan: Plan): number {
  return Math.min(plan.pairs.length, Math.max(1, Math.floor(MOST_SECTIONS / plan.layers.length)));
}

/**
 * The drawing of one pair at one layer. Reads each block once at most; O(n²) time.
 * @throws PipelineError `internal` where a layer has more units than a page can number
 */
export async function layerDrawing(plan: Plan, documents: LayerDocuments): Promise<LayerDrawing> {
  const { a, b, blocks, matching, aToB, bToA, clustering } = documents;
  const [unitsA, unitsB] = [a.mean.length, b.mean.length];
  const n = unitsA + unitsB;
  if (n > MOST_UNITS) throw new PipelineError('internal', `expected at most ${MOST_UNITS} units of a pair; found ${n}`);
  const sections = pairsDrawn(plan) * plan.layers.length;
  const points = Math.max(FEWEST_POINTS, Math.min(MOST_POINTS, Math.floor(CURVES_POINTS / sections)));
  const matched = matching && matchedOrder(matching, unitsA, unitsB);
  const clustered = clustering && orderByCluster(clustering);
  const drawing = {
    unitsA,
    unitsB,
    matched: matched && {
      rows: packUnits(matched.rows),
      columns: packUnits(matched.columns),
      r: falling(matching.r, 4, points),
    },
    semiA: matching && falling(matching.semiA.r, 4, points),
    semiB: matching && falling(matching.semiB.r, 4, points),
    clusterOrder: clustered && packUnits(clustered),
    clusterSizes: clustering && clustering.summaries.map((summary) => summary.unitsA + summary.unitsB),
    meansA: falling(a.mean, 5, points),
    meansB: falling(b.mean, 5, points),
    r2: aToB && bToA && { aToB: unitScores(aToB, points), bToA: unitScores(bToA, points) },
  };

  // every r where they fit, else means over blocks in each order that is shown
  const values = Math.max(0, PAGE_BYTES / sections - JSON.stringify(drawing).length) / BYTES_PER_R;
  if (n <= EXACT_UNITS && triangleLength(n) <= values) {
    return { ...drawing, exact: await exactTriangle(blocks), averaged: null };
  }
  const side = Math.max(FEWEST_PIXELS, Math.min(MOST_PIXELS, Math.floor(Math.sqrt(values / GRIDS))));
  return { ...drawing, exact: null, averaged: await averagedGrids(blocks, { matched, clustered }, side) };
}

// matched units by falling r, partners at the same place, then the unmatched of the wider network
function matchedOrder({ pairsA, pairsB, r }: Matching, unitsA: number, unitsB: number): UnitOrders {
  const order = Array.from(r.keys()).sort((x, y) => r[y]! - r[x]! || x - y);
  const rows = order.map((i) => pairsA[i]!);
  const columns = order.map((i) => pairsB[i]!);
  return { rows: withRest(rows, unitsA), columns: withRest(columns, unitsB) };
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
function unitScores(prediction: PredictionScores, points: number): SortedCurve[] {
  const { alphas, targets, scored, r2Fit, r2HeldOut } = prediction;
  const r2 = r2HeldOut ?? r2Fit;
  return Array.from(alphas, (_, row) => {
    const own = r2.subarray(row * targets, (row + 1) * targets).filter((__, unit) => scored[unit] === 1);
    return falling(own, 4, points);
  });
}

function falling(values: Float64Array, digits: number, most: number): SortedCurve {
  const { length: count } = values;
  const points = Math.min(count, most);
  const sorted = values.toSorted((x, y) => y - x);
  const round = (value: number): number => Number(value.toPrecision(digits));
  return {
    count,
    values: Array.from({ length: points }, (_, point) => round(sorted[curveRank(point, points, count)]!)),
  };
}
