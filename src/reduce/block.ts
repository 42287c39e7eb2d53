/**
 * A matrix that is read front to back, a few whole rows at a time, so that memory holds no more than those:
 * how the blocks of a wide layer's correlations reach whoever needs them once.
 */

/** Whole rows of a matrix, from row `first` on. */
export interface RowChunk {
  first: number;
  /** [count × columns], row-major; valid until the next chunk is asked for. */
  values: Float64Array;
}

export interface BlockSource {
  rows: number;
  columns: number;
  /** All rows in order; may be called again for another pass. @throws object-damaged at the end of a pass, at the latest */
  chunks(): AsyncIterable<RowChunk>;
}

/** A matrix in memory, [rows × columns] row-major, as one chunk. */
export function wholeBlock(values: Float64Array, rows: number, columns: number): BlockSource {
  return {
    rows,
    columns,
    async *chunks() {
      yield { first: 0, values };
    },
  };
}

/** All of a block in one array, [rows × columns]: `whole`, where it is given. */
export async function readBlock(
  block: BlockSource,
  whole = new Float64Array(block.rows * block.columns),
): Promise<Float64Array> {
  for await (const { first, values } of block.chunks()) whole.set(values, first * block.columns);
  return whole;
}
