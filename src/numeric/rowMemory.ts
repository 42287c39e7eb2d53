/**
 * A memory of float64 matrices and vectors, and the kernel that computes in it (rows.wat): each owner of a matrix that is
 * read again and again has one. It never shrinks. The shell loads the compiled kernel.
 */
import { PipelineError } from '../errors.ts';

/** What rows.wat exports; addresses in bytes, all else in values. */
interface Kernel {
  addRows(to: number, n: number, matrix: number, coefficients: number, sign: number): void;
  sweep(n: number, gram: number, gradient: number, weights: number, held: number, alpha: number, least: number): number;
  solvePanel(size: number, factor: number, panel: number, products: number): void;
  copyColumn(size: number, column: number, row: number): void;
  solveLower(size: number, factor: number, x: number): number;
  solve(size: number, factor: number, x: number): void;
  removeRow(k: number, size: number, factor: number, cosine: number, sine: number): void;
}

const PAGE_BYTES = 65_536;
/** Arrays start where vectors and cache lines do. */
const ALIGNED_BYTES = 64;
/** What the kernel's loops may run over an array's end. */
const OVERRUN_BYTES = 64;
/** The kernel's own bytes stand before all arrays. */
const OWN_BYTES = 192;

export class RowMemory {
  readonly kernel: Kernel;
  /** Address behind the arrays: of a matrix that grows. */
  tail = OWN_BYTES;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  #lengths: readonly number[] = [];

  /** @param kernel rows.wat, compiled */
  constructor(kernel: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(kernel, { rows: { memory: this.#memory } });
    this.kernel = exports as unknown as Kernel;
  }

  /**
   * Arrays of such lengths, all 0, in place of those that there were. An array's address is its `byteOffset`.
   * @throws PipelineError `plan-too-large`
   */
  arrays<Lengths extends readonly number[]>(...lengths: Lengths): Arrays<Lengths> {
    this.#lengths = lengths;
    this.tail = lengths.reduce((address, length) => address + roomOf(length), OWN_BYTES);
    const [, ...views] = this.withTail<Lengths>(0);
    for (const view of views) view.fill(0);
    return views;
  }

  /**
   * Makes room for `length` values at `tail`, whatever they are, and keeps those that stood there. Gives them and, anew,
   * the arrays: earlier views are not to be used any more.
   * @throws PipelineError `plan-too-large`
   */
  withTail<Lengths extends readonly number[]>(length: number): [Float64Array<ArrayBuffer>, ...Arrays<Lengths>] {
    const bytes = this.tail + roomOf(length);
    const pages = Math.ceil((bytes - this.#memory.buffer.byteLength) / PAGE_BYTES);
    try {
      if (pages > 0) this.#memory.grow(pages);
    } catch (cause) {
      const found = `none beyond ${this.#memory.buffer.byteLength}`;
      throw new PipelineError('plan-too-large', `expected ${bytes} bytes of memory for matrices; found ${found}`, {
        hint: 'use layers of fewer units',
        cause,
      });
    }
    let address = OWN_BYTES;
    const arrays = this.#lengths.map((each) => {
      const view = new Float64Array(this.#memory.buffer, address, each);
      address += roomOf(each);
      return view;
    }) as Arrays<Lengths>;
    return [new Float64Array(this.#memory.buffer, this.tail, length), ...arrays];
  }
}

/** One array for each length. */
type Arrays<Lengths extends readonly number[]> = { [K in keyof Lengths]: Float64Array<ArrayBuffer> };

function roomOf(length: number): number {
  return Math.ceil((8 * length + OVERRUN_BYTES) / ALIGNED_BYTES) * ALIGNED_BYTES;
}
