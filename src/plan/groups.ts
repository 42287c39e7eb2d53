/**
 * Image groups: which rows belong together, for cross-validation and error bars. Groups belong to the
 * rows, never to shards, so neither shard size nor machine changes them (contract.md, "image groups").
 */

/** Rows [start, end) of the probe data. */
export type RowRange = readonly [start: number, end: number];

export interface ImageGroups {
  /** G = min(20, rows). */
  count: number;
  /** B = max(1, min(50, ⌊rows/G⌋)) consecutive rows form a block; block k is in group k mod G. */
  blockRows: number;
}

/** Most image groups there are; enough for a jackknife, few enough to keep one moment matrix each. */
const MAX_GROUPS = 20;
const MAX_BLOCK_ROWS = 50;

/** The image groups of the first `rows` ≥ 1 rows. */
export function imageGroups(rows: number): ImageGroups {
  const count = Math.min(MAX_GROUPS, rows);
  return { count, blockRows: Math.max(1, Math.min(MAX_BLOCK_ROWS, Math.floor(rows / count))) };
}

/**
 * The row ranges of each task of one group, in row order: a task takes up to
 * max(1, ⌊shardRows/B⌋) blocks, or part of one block where shardRows < B.
 */
export function groupShards(groups: ImageGroups, rows: number, group: number, shardRows: number): RowRange[][] {
  const { count, blockRows } = groups;
  const pieceRows = Math.min(blockRows, shardRows);
  const piecesPerShard = Math.max(1, Math.floor(shardRows / blockRows));
  const pieces: RowRange[] = [];
  for (let start = group * blockRows; start < rows; start += count * blockRows) {
    const end = Math.min(rows, start + blockRows);
    for (let at = start; at < end; at += pieceRows) pieces.push([at, Math.min(end, at + pieceRows)]);
  }
  const shards: RowRange[][] = [];
  for (let i = 0; i < pieces.length; i += piecesPerShard) shards.push(pieces.slice(i, i + piecesPerShard));
  return shards;
}

/** How many of `groups` the sparse prediction is fitted on; the groups after those are scored (contract.md, "holdout h"). */
export function fitGroups(groups: number, holdout: number): number {
  if (holdout === 0) return groups;
  return groups - Math.min(groups - 1, Math.max(1, Math.floor(holdout * groups + 0.5)));
}
