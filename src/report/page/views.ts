/** The matrices of one section as pixels: unpacked, in the order shown, with the units behind each pixel. No DOM. */
import { binStart, unpackR, unpackUnits } from '../embedded.ts';
import type { LayerDrawing, PackedGrid } from '../embedded.ts';

/** A matrix to draw; `rows` and `columns` are units, pixels stand for blocks of them, see {@link blockOf}. */
export interface MatrixView {
  height: number;
  width: number;
  /** [height × width] mean r of each block. */
  values: Float32Array;
  /** Units in the order shown; of the joint matrix b's count on from a's. */
  rows: number[];
  columns: number[];
  /** Whether pixels stand for more than one unit. */
  averaged: boolean;
}

export interface MatrixViews {
  before: MatrixView;
  after: MatrixView | null;
  clustered: MatrixView | null;
}

/** The views of a drawing; those of stages that are off are null. */
export function matrixViews(drawing: Omit<LayerDrawing, 'meansA' | 'meansB'>): MatrixViews {
  const { unitsA, unitsB, matched, exact, averaged: grids } = drawing;
  const clusterOrder = drawing.clusterOrder === null ? null : unpackUnits(drawing.clusterOrder);
  const n = unitsA + unitsB;
  const r = exact === null ? null : unpackR(exact);
  const at = (i: number, j: number): number => {
    const [low, high] = i < j ? [i, j] : [j, i];
    return r![low * n - (low * (low - 1)) / 2 + high - low]!;
  };
  const view = (
    rows: number[],
    columns: number[],
    shift: number,
    packed: PackedGrid | null | undefined,
  ): MatrixView => {
    if (packed) {
      const { height, width } = packed;
      const averaged = height < rows.length || width < columns.length;
      return { height, width, values: unpackR(packed.values), rows, columns, averaged };
    }
    const values = new Float32Array(rows.length * columns.length);
    let cell = 0;
    for (const row of rows) for (const column of columns) values[cell++] = at(row, shift + column);
    return { height: rows.length, width: columns.length, values, rows, columns, averaged: false };
  };
  const own = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  return {
    before: view(own(unitsA), own(unitsB), unitsA, grids?.before),
    after: matched && view(unpackUnits(matched.rows), unpackUnits(matched.columns), unitsA, grids?.after),
    clustered: clusterOrder && view(clusterOrder, clusterOrder, 0, grids?.clustered),
  };
}

/** The cluster of each joint unit, −1: in none; null where there are no clusters. */
export function clusterLabels(drawing: Pick<LayerDrawing, 'clusterOrder' | 'clusterSizes'>): Int32Array | null {
  const { clusterOrder, clusterSizes } = drawing;
  if (clusterOrder === null || clusterSizes === null) return null;
  const order = unpackUnits(clusterOrder);
  const labels = new Int32Array(order.length).fill(-1);
  let at = 0;
  for (const [cluster, size] of clusterSizes.entries()) {
    for (const unit of order.slice(at, at + size)) labels[unit] = cluster;
    at += size;
  }
  return labels;
}

/** The units behind pixel `pixel` of `pixels`. */
export function blockOf(order: readonly number[], pixel: number, pixels: number): number[] {
  return order.slice(binStart(pixel, pixels, order.length), binStart(pixel + 1, pixels, order.length));
}
