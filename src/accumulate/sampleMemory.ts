/**
 * The memory that samples of a task stand in, and the kernel that writes them (samples.wat). It never shrinks. The
 * shell loads the compiled kernel, and knows whether one memory serves all tasks or each has a new one.
 */
import { PipelineError } from '../errors.ts';
import { SLAB_VALUES } from '../plan/work.ts';

/** What samples.wat exports; addresses in bytes, sizes in values. */
interface Kernel {
  copyRuns(
    source: number,
    images: number,
    units: number,
    run: number,
    target: number,
    rowBytes: number,
    means: number,
    min: number,
    max: number,
  ): void;
  copyTransposed(
    source: number,
    samples: number,
    units: number,
    target: number,
    rowBytes: number,
    means: number,
    min: number,
    max: number,
  ): void;
}

const PAGE_BYTES = 65_536;
/** Places start where vectors and cache lines do. */
const ALIGNED_BYTES = 64;

export class SampleMemory {
  readonly kernel: Kernel;
  /** Address of SLAB_VALUES values: where a piece of a tap is put, small enough to stay in cache. */
  readonly slab: number;
  readonly #memory = new WebAssembly.Memory({ initial: 0 });
  #usedBytes = 0;

  /** @param kernel samples.wat, compiled */
  constructor(kernel: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(kernel, { samples: { memory: this.#memory } });
    this.kernel = exports as unknown as Kernel;
    this.slab = this.allocate(SLAB_VALUES);
  }

  /** Takes back all that was allocated, for the next task. */
  reset(): void {
    this.#usedBytes = this.slab + 4 * SLAB_VALUES;
  }

  /**
   * Room for `length` float32 values, whatever they are; gives its address. Ends the views that {@link floats} gave before.
   * @throws PipelineError `plan-too-large`
   */
  allocate(length: number): number {
    const address = this.#usedBytes;
    this.#usedBytes += Math.ceil((4 * length) / ALIGNED_BYTES) * ALIGNED_BYTES;
    const pages = Math.ceil((this.#usedBytes - this.#memory.buffer.byteLength) / PAGE_BYTES);
    try {
      if (pages > 0) this.#memory.grow(pages);
    } catch (cause) {
      const found = `none beyond ${this.#memory.buffer.byteLength}`;
      throw new PipelineError(
        'plan-too-large',
        `expected ${this.#usedBytes} bytes of memory for samples; found ${found}`,
        {
          hint: 'use fewer layers',
          cause,
        },
      );
    }
    return address;
  }

  /** A view of `length` values at `address`. */
  floats(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer, address, length);
  }
}
