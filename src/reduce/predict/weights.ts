/**
 * Sparse weights of a prediction: one compressed matrix per α, so that memory follows the weights that aren't 0.
 * Part of predict; the report turns them into dense matrices, or into files for scipy.
 */
import type { NpyData } from '../../numeric/npy.ts';

/** Compressed rows (CSR) of a matrix [targets × sources], float64. */
export interface SparseWeights {
  /** [targets + 1] row t stands at indptr[t] … indptr[t + 1] − 1. */
  indptr: Int32Array;
  /** Source of each weight, rising in a row. */
  indices: Int32Array;
  /** Weights, none of them 0. */
  data: Float64Array;
}

/** Collects rows in order. Buffers double while they grow: 24 bytes per weight at most, and those copied. */
export class WeightsBuilder {
  private readonly indptr: Int32Array;
  private indices = new Int32Array(256);
  private data = new Float64Array(256);
  private rows = 0;
  private count = 0;

  constructor(targets: number) {
    this.indptr = new Int32Array(targets + 1);
  }

  /** A weight of the row under way; sources rise. */
  add(source: number, weight: number): void {
    if (this.count === this.data.length) {
      const indices = new Int32Array(2 * this.count);
      indices.set(this.indices);
      this.indices = indices;
      const data = new Float64Array(2 * this.count);
      data.set(this.data);
      this.data = data;
    }
    this.indices[this.count] = source;
    this.data[this.count++] = weight;
  }

  endRow(): void {
    this.indptr[++this.rows] = this.count;
  }

  /** The matrix; not to be added to any more. */
  finish(): SparseWeights {
    const weights = {
      indptr: this.indptr,
      indices: this.indices.slice(0, this.count),
      data: this.data.slice(0, this.count),
    };
    this.indices = new Int32Array(0);
    this.data = new Float64Array(0);
    return weights;
  }
}

/** The same weights with their zeros, [targets × sources] row-major. */
export function denseWeights({ indptr, indices, data }: SparseWeights, targets: number, sources: number): Float64Array {
  const dense = new Float64Array(targets * sources);
  for (let t = 0; t < targets; t++) {
    for (let e = indptr[t]!; e < indptr[t + 1]!; e++) dense[t * sources + indices[e]!] = data[e]!;
  }
  return dense;
}

/** A member of an .npz for scipy: an array, or where our dtypes don't reach, the bytes of its .npy file. */
export type ScipyMember = { data: NpyData; shape: number[] } | { npy: Uint8Array<ArrayBuffer> };

/**
 * The members of scipy.sparse.save_npz (scipy 1.10, sparse/_matrix_io.py): load_npz gives a csr_matrix
 * [targets × sources] of float64 from them. The arrays are those of `weights`, not copies.
 */
export function scipyCsr({ indptr, indices, data }: SparseWeights, targets: number, sources: number) {
  return {
    indices: { data: indices, shape: [indices.length] },
    indptr: { data: indptr, shape: [indptr.length] },
    format: { npy: formatNpy() },
    shape: { data: Int32Array.of(targets, sources), shape: [2] },
    data: { data, shape: [data.length] },
  } satisfies Record<string, ScipyMember>;
}

// b'csr' as a single value of dtype |S3: version 1.0, header filled up to 128 bytes as numpy does
function formatNpy(): Uint8Array<ArrayBuffer> {
  const header = "{'descr': '|S3', 'fortran_order': False, 'shape': (), }";
  const text = `\x93NUMPY\x01\x00\x76\x00${header.padEnd(117)}\ncsr`;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
