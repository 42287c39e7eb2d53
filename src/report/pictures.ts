/**
 * The matrices of r as the page draws them, from blocks that are read once, a few rows at a time, and never held:
 * every r of a narrow layer, means over blocks of units of a wide one.
 */
import { PipelineError } from '../errors.ts';
import { triangleIndex, triangleLength } from '../numeric/triangle.ts';
import type { BlockSource } from '../reduce/block.ts';
import type { LayerDocuments } from './entry.ts';
import { binStart, packR } from './embedded.ts';
import type { PackedGrid } from './embedded.ts';

type Blocks = LayerDocuments['blocks'];

/** Units of a and of b in the order shown. */
export interface UnitOrders {
  rows: number[];
  columns: number[];
}

/** The orders a layer is drawn in: by match, and joint units (b's from p on) by cluster; null: not drawn. */
export interface DrawnOrders {
  matched: UnitOrders | null;
  clustered: readonly number[] | null;
}

/** Upper triangle with diagonal of the joint r, row by row, packed; O(n²) memory, for narrow layers. */
export async function exactTriangle(blocks: Blocks): Promise<string> {
  const [p, q] = sizesOf(blocks);
  const values = new Float64Array(triangleLength(p + q));
  await eachRow(blocks.withinA, (i, row) => values.set(row.subarray(i), triangleIndex(p + q, i, i)));
  await eachRow(blocks.between, (i, row) => values.set(row, triangleIndex(p + q, i, p)));
  await eachRow(blocks.withinB, (i, row) => values.set(row.subarray(i), triangleIndex(p + q, p + i, p + i)));
  return packR(values);
}

/**
 * Means over blocks of units, at most `side` pixels wide and high: in the networks' own orders, by match, by cluster.
 * The within-blocks are read only where clusters are drawn. O(n²) time, O(side²) memory.
 */
export async function averagedGrids(
  blocks: Blocks,
  orders: DrawnOrders,
  side: number,
): Promise<{ before: PackedGrid; after: PackedGrid | null; clustered: PackedGrid | null }> {
  const [p, q] = sizesOf(blocks);
  const before = gridOf(axisOf([...Array(p).keys()], side), axisOf([...Array(q).keys()], side));
  const { matched } = orders;
  const after = matched && gridOf(axisOf(matched.rows, side), axisOf(matched.columns, side));
  const joint = orders.clustered && axisOf(orders.clustered, side);
  const [jointA, jointB] = joint ? [part(joint, 0, p), part(joint, p, p + q)] : [null, null];
  // units of a against units of b; what stands across the diagonal is the same, turned
  const across = jointA && jointB && gridOf(jointA, jointB);
  const clustered = joint && gridOf(joint, joint);

  const between = [before, after, across].filter((grid) => grid !== null);
  await eachRow(blocks.between, (i, row) => {
    for (const grid of between) addRow(grid, grid.rows.of[i]!, grid.columns.of, row);
  });
  if (clustered) {
    await eachRow(blocks.withinA, (i, row) => addRow(clustered, jointA!.of[i]!, jointA!.of, row));
    await eachRow(blocks.withinB, (i, row) => addRow(clustered, jointB!.of[i]!, jointB!.of, row));
    const { pixels } = clustered.rows;
    for (let y = 0; y < pixels; y++) {
      for (let x = 0; x < pixels; x++) {
        clustered.sums[y * pixels + x]! += across!.sums[y * pixels + x]! + across!.sums[x * pixels + y]!;
      }
    }
  }
  return { before: packed(before), after: after && packed(after), clustered: clustered && packed(clustered) };
}

/** One side of a grid: the pixel of each unit, and how many units each pixel stands for. */
interface Axis {
  pixels: number;
  of: Uint16Array;
  counts: number[];
}

interface Grid {
  rows: Axis;
  columns: Axis;
  /** [rows.pixels × columns.pixels] Σ r. */
  sums: Float64Array;
}

function axisOf(order: readonly number[], side: number): Axis {
  const pixels = Math.min(side, order.length);
  const of = new Uint16Array(order.length);
  const counts = Array.from({ length: pixels }, (_, pixel) => {
    const [start, end] = [binStart(pixel, pixels, order.length), binStart(pixel + 1, pixels, order.length)];
    for (let at = start; at < end; at++) of[order[at]!] = pixel;
    return end - start;
  });
  return { pixels, of, counts };
}

function part(axis: Axis, start: number, end: number): Axis {
  return { ...axis, of: axis.of.subarray(start, end) };
}

function gridOf(rows: Axis, columns: Axis): Grid {
  return { rows, columns, sums: new Float64Array(rows.pixels * columns.pixels) };
}

function addRow({ sums, columns }: Grid, pixel: number, of: Uint16Array, row: Float64Array): void {
  const start = pixel * columns.pixels;
  for (let j = 0; j < row.length; j++) sums[start + of[j]!]! += row[j]!;
}

function packed({ rows, columns, sums }: Grid): PackedGrid {
  const { pixels: width } = columns;
  const means = sums.map((sum, cell) => sum / (rows.counts[Math.floor(cell / width)]! * columns.counts[cell % width]!));
  return { height: rows.pixels, width, values: packR(means) };
}

async function eachRow(block: BlockSource, take: (index: number, row: Float64Array) => void): Promise<void> {
  const { columns } = block;
  for await (const { first, values } of block.chunks()) {
    for (let row = 0; (row + 1) * columns <= values.length; row++) {
      take(first + row, values.subarray(row * columns, (row + 1) * columns));
    }
  }
}

function sizesOf({ withinA, between, withinB }: Blocks): [p: number, q: number] {
  const { rows: p, columns: q } = between;
  const found = [withinA.rows, withinA.columns, withinB.rows, withinB.columns];
  if (found.join() !== [p, p, q, q].join()) {
    throw new PipelineError('internal', `expected blocks ${p}², ${p} × ${q} and ${q}²; found ${found.join(', ')}`);
  }
  return [p, q];
}
