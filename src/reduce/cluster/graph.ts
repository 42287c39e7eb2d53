/**
 * The graph of a clustering: units joined where they correlate above the threshold. Vertices are the live
 * units with an edge. Made in one pass over the blocks of the joint correlation matrix, a few rows at a time:
 * memory is the graph's, 12 bytes per edge, each edge once.
 */
import { PipelineError } from '../../errors.ts';
import type { BlockSource, RowChunk } from '../block.ts';

/** Signed Pearson r of one pair at one layer, all finite; the within-blocks are symmetric. */
export interface JointBlocks {
  /** [unitsA × unitsA] */
  within_a: BlockSource;
  /** [unitsA × unitsB] */
  between: BlockSource;
  /** [unitsB × unitsB] */
  within_b: BlockSource;
}

/** Edges of some vertices in a row, v, to vertices w > v. */
export interface EdgeBlock {
  /** The first of those vertices. */
  first: number;
  /** Edges of vertex first + i stand at start[i] … start[i + 1] − 1. */
  start: Int32Array;
  /** The other end of each, rising for each vertex. */
  neighbour: Int32Array;
  /** W_vw / √(d_v d_w), d = row sums of W. */
  weight: Float64Array;
}

export interface Graph {
  /** [vertices] unit of each vertex, rising. */
  units: Int32Array;
  /** Live units without an edge. */
  isolated: number;
  /** Every edge once; a vertex may have edges in several blocks. */
  edges: EdgeBlock[];
  /** [vertices] row sums of W, > 0. */
  degree: Float64Array;
  /** [vertices] connected component, numbered by first vertex. */
  component: Int32Array;
  components: number;
}

/**
 * W_ij = r_ij where r_ij > threshold, i ≠ j, over live units: a's first, then b's. Reads each block once; of those
 * within a network what is right of the diagonal. The same whatever the chunks. O(n²).
 *
 * @param dead [unitsA + unitsB]
 * @param threshold ≥ 0, so that every edge has a positive weight.
 * @throws internal where a block doesn't fit or isn't finite.
 */
export async function thresholdGraph(blocks: JointBlocks, dead: Uint8Array, threshold: number): Promise<Graph> {
  const n = dead.length;
  const unitsA = blocks.within_a.rows;
  const degreeOfUnit = new Float64Array(n);
  const edgesOfUnit = new Int32Array(n);
  const edges: EdgeBlock[] = [];
  // one block after another, so that sums of degrees have one order
  for (const [block, firstRow, firstColumn] of [
    [blocks.within_a, 0, 0],
    [blocks.between, 0, unitsA],
    [blocks.within_b, unitsA, unitsA],
  ] as const) {
    for await (const chunk of rowsOf(block)) {
      const found = edgesOf(chunk, block.columns, firstRow, firstColumn, dead, threshold);
      for (let i = 0; i + 1 < found.start.length; i++) {
        const unit = found.first + i;
        for (let e = found.start[i]!; e < found.start[i + 1]!; e++) {
          const other = found.neighbour[e]!;
          degreeOfUnit[unit]! += found.weight[e]!;
          degreeOfUnit[other]! += found.weight[e]!;
          edgesOfUnit[unit]!++;
          edgesOfUnit[other]!++;
        }
      }
      edges.push(found);
    }
  }

  // from units to vertices, from r to weights
  const units = Int32Array.from(edgesOfUnit.keys()).filter((unit) => edgesOfUnit[unit]! > 0);
  const vertexOf = new Int32Array(n).fill(-1);
  units.forEach((unit, vertex) => (vertexOf[unit] = vertex));
  const degree = Float64Array.from(units, (unit) => degreeOfUnit[unit]!);
  const scale = degree.map((d) => 1 / Math.sqrt(d));
  for (const block of edges) renumber(block, vertexOf, scale);

  let isolated = 0;
  for (let i = 0; i < n; i++) if (dead[i] === 0 && edgesOfUnit[i] === 0) isolated++;
  const connected = edges.filter(({ neighbour }) => neighbour.length > 0);
  return { units, isolated, edges: connected, degree, ...findComponents(connected, units.length) };
}

/** The chunks of a block, checked. @throws internal where rows are missing, or a value isn't finite */
export async function* rowsOf(block: BlockSource): AsyncGenerator<RowChunk> {
  const { rows, columns } = block;
  let next = 0;
  for await (const chunk of block.chunks()) {
    const count = columns === 0 ? rows - next : chunk.values.length / columns;
    if (chunk.first !== next || !Number.isInteger(count)) {
      throw new PipelineError('internal', `expected whole rows of correlations from ${next}; found ${chunk.first}`);
    }
    for (let i = 0; i < count; i++) {
      // a sum that isn't finite has a term that isn't; correlations are too small to overflow it
      let sum = 0;
      for (let at = i * columns; at < (i + 1) * columns; at++) sum += chunk.values[at]!;
      if (Number.isFinite(sum)) continue;
      throw new PipelineError('internal', `expected finite correlations; found another value in row ${next + i}`);
    }
    next += count;
    yield chunk;
  }
  if (next !== rows) throw new PipelineError('internal', `expected ${rows} rows of correlations; found ${next}`);
}

// the edges of a chunk's rows, by unit and with r as weight; two passes, so that buffers are no larger than they must be
function edgesOf(
  { first, values }: RowChunk,
  columns: number,
  firstRow: number,
  firstColumn: number,
  dead: Uint8Array,
  threshold: number,
): EdgeBlock {
  const rows = columns === 0 ? 0 : values.length / columns;
  const unit = firstRow + first;
  const start = new Int32Array(rows + 1);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    if (dead[unit + i] === 0) {
      for (let j = Math.max(0, unit + i + 1 - firstColumn); j < columns; j++) {
        if (values[i * columns + j]! > threshold && dead[firstColumn + j] === 0) count++;
      }
    }
    start[i + 1] = count;
  }
  const neighbour = new Int32Array(count);
  const weight = new Float64Array(count);
  for (let i = 0, e = 0; i < rows; i++) {
    if (start[i + 1] === start[i]) continue;
    for (let j = Math.max(0, unit + i + 1 - firstColumn); j < columns; j++) {
      const r = values[i * columns + j]!;
      if (!(r > threshold && dead[firstColumn + j] === 0)) continue;
      neighbour[e] = firstColumn + j;
      weight[e++] = r;
    }
  }
  return { first: unit, start, neighbour, weight };
}

// in place: units that are no vertex have no edge, so that leaving them out leaves the edges where they are
function renumber(block: EdgeBlock, vertexOf: Int32Array, scale: Float64Array): void {
  const { start, neighbour, weight } = block;
  let first = -1;
  let kept = 0;
  for (let i = 0; i + 1 < start.length; i++) {
    const v = vertexOf[block.first + i]!;
    if (v < 0) continue;
    if (first < 0) first = v;
    const end = start[i + 1]!;
    for (let e = start[kept]!; e < end; e++) {
      const w = vertexOf[neighbour[e]!]!;
      neighbour[e] = w;
      weight[e] = weight[e]! * scale[v]! * scale[w]!;
    }
    start[++kept] = end;
  }
  block.first = Math.max(0, first);
  block.start = start.subarray(0, kept + 1);
}

// union-find (Tarjan 1975) with the lowest vertex as root and paths halved
function findComponents(edges: readonly EdgeBlock[], vertices: number): { component: Int32Array; components: number } {
  const above = Int32Array.from({ length: vertices }, (_, v) => v);
  const rootOf = (vertex: number): number => {
    let v = vertex;
    while (above[v] !== v) v = above[v] = above[above[v]!]!;
    return v;
  };
  for (const { first, start, neighbour } of edges) {
    for (let i = 0; i + 1 < start.length; i++) {
      let root = rootOf(first + i);
      for (let e = start[i]!; e < start[i + 1]!; e++) {
        const other = rootOf(neighbour[e]!);
        if (other > root) above[other] = root;
        else if (other < root) {
          above[root] = other;
          root = other;
        }
      }
    }
  }
  const component = new Int32Array(vertices);
  let components = 0;
  for (let v = 0; v < vertices; v++) component[v] = above[v] === v ? components++ : component[rootOf(v)]!;
  return { component, components };
}
