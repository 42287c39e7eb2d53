/**
 * From taps to samples: copies one layer's activations unit by unit into a buffer [(C + 1) × capacity], shifted by the
 * provisional means, with a row of ones below, and hands it on whenever it is full, so that a product has a long inner
 * dimension however few positions a layer has. Keeps each unit's smallest and largest activation. One pass over the
 * values, in a kernel of our own (samples.wat): scalar JavaScript took three to five times as long, ONNX operators
 * (Transpose, Sub, Concat, Pad, ReduceMin, ReduceMax) nine times.
 */
import type { TapBatch } from '../activate/activate.ts';
import { PipelineError } from '../errors.ts';
import type { FloatTensor } from '../onnx/session.ts';
import type { PlannedLayer } from '../plan/layers.ts';
import { SLAB_VALUES } from '../plan/work.ts';
import type { SampleMemory } from './sampleMemory.ts';
import type { LayerUnits } from './moments.ts';

/** Float32 values of a cache line. */
const LINE_VALUES = 16;

/** Takes samples [(C + 1) × k], the last row ones; they are used before it returns. */
export type TakeSamples = (y: Float32Array, k: number) => Promise<void>;

export class LayerSamples {
  readonly #layer: PlannedLayer;
  readonly #units: LayerUnits;
  readonly #layouts: readonly TapLayout[];
  readonly #capacity: number;
  readonly #take: TakeSamples;
  readonly #memory: SampleMemory;
  // addresses: [(C + 1) × capacity], and of the units' means, minima and maxima [C]
  readonly #buffer: number;
  readonly #means: number;
  readonly #min: number;
  readonly #max: number;
  #filled = 0;
  // which row of the probe data samples from `first` on are of
  #origins: { first: number; row: number }[] = [];

  /**
   * @param means float32 [C]
   * @param capacity samples that are handed on at a time, at most SLAB_VALUES; the last may be fewer
   * @param memory where they stand; nothing more may be allocated in it while samples are taken
   */
  constructor(
    layer: PlannedLayer,
    units: LayerUnits,
    means: Float32Array,
    capacity: number,
    memory: SampleMemory,
    take: TakeSamples,
  ) {
    const total = units.offsets.at(-1)!;
    this.#layer = layer;
    this.#units = units;
    this.#layouts = units.networks.map((network) => tapLayout(layer, network));
    this.#capacity = capacity;
    this.#take = take;
    this.#memory = memory;
    this.#buffer = memory.allocate((total + 1) * capacity);
    [this.#means, this.#min, this.#max] = [memory.allocate(total), memory.allocate(total), memory.allocate(total)];
    memory.floats(this.#means, total).set(means);
    memory.floats(this.#min, total).fill(Infinity);
    memory.floats(this.#max, total).fill(-Infinity);
  }

  /** The least and the greatest activation by unit of all networks: unshifted, float32 [C]. The caller owns them. */
  extremes(): { min: Float32Array; max: Float32Array } {
    const total = this.#units.offsets.at(-1)!;
    return { min: this.#memory.floats(this.#min, total).slice(), max: this.#memory.floats(this.#max, total).slice() };
  }

  /** Takes all samples of a batch; `taps` by network of the layer's units. */
  async append({ rows }: Pick<TapBatch, 'rows'>, taps: readonly FloatTensor[]): Promise<void> {
    const { positions } = this.#layer;
    const count = rows.length * positions;
    for (let from = 0; from < count;) {
      const to = Math.min(count, from + this.#capacity - this.#filled);
      for (let row = Math.floor(from / positions); row * positions < to; row++) {
        this.#origins.push({ first: this.#filled + Math.max(0, row * positions - from), row: rows[row]! });
      }
      for (const [at, tap] of taps.entries()) this.#copy(at, tap.data, from, to);
      this.#filled += to - from;
      from = to;
      if (this.#filled === this.#capacity) await this.#handOn();
    }
  }

  /** Hands on what is left. */
  async end(): Promise<void> {
    const filled = this.#filled;
    if (filled === 0) return;
    const total = this.#units.offsets.at(-1)!;
    const buffer = this.#memory.floats(this.#buffer, total * this.#capacity);
    // rows closed up, front to back, so that none is overwritten before it is moved
    for (let unit = 1; unit < total; unit++) {
      buffer.copyWithin(unit * filled, unit * this.#capacity, unit * this.#capacity + filled);
    }
    await this.#handOn();
  }

  /**
   * Refuses samples that were handed on with a NaN or an infinity among them; to be called within `take`.
   * @throws not-finite with the network and row
   */
  requireFinite(y: Float32Array, k: number, networks: readonly { name: string }[]): void {
    let at = 0;
    while (at < y.length && Number.isFinite(y[at])) at++;
    if (at === y.length) return;
    const unit = Math.floor(at / k);
    const own = this.#units.offsets.findLastIndex((offset) => offset <= unit);
    const { row } = this.#origins.findLast(({ first }) => first <= at - unit * k)!;
    throw new PipelineError(
      'not-finite',
      `expected finite activations; found ${y[at]} at layer ${this.#layer.name} of ${networks[this.#units.networks[own]!]!.name}, row ${row}`,
      { hint: 'check the preprocessing (scale, mean, std) and the model; rows count from 0' },
    );
  }

  async #handOn(): Promise<void> {
    const [k, total] = [this.#filled, this.#units.offsets.at(-1)!];
    this.#filled = 0;
    const y = this.#memory.floats(this.#buffer, (total + 1) * k);
    y.fill(1, total * k);
    await this.#take(y, k);
    this.#origins = [];
  }

  // samples [from, to) of a batch of one network, to the buffer's free columns: by way of a slab, as many whole blocks
  // as it holds, or as many units of one
  #copy(at: number, data: Float32Array, from: number, to: number): void {
    const { kernel, slab } = this.#memory;
    const { units, run, picked, blockValues } = this.#layouts[at]!;
    const into = this.#memory.floats(slab, SLAB_VALUES);
    const rowBytes = 4 * this.#capacity;
    const firstUnit = this.#units.offsets[at]!;
    for (let sample = from; sample < to;) {
      const block = Math.floor(sample / run);
      const first = sample - block * run;
      const count = Math.min(to - sample, run - first);
      const blocks = picked === null && count === run ? this.#wholeBlocks(at, sample - from, to - from) : 0;
      const column = this.#buffer + 4 * (this.#filled + sample - from);
      const placesOf = (unit: number): [number, number, number, number, number] => [
        column + unit * rowBytes,
        rowBytes,
        this.#means + 4 * unit,
        this.#min + 4 * unit,
        this.#max + 4 * unit,
      ];
      if (blocks > 0) {
        into.set(data.subarray(block * blockValues, (block + blocks) * blockValues));
        if (run === 1) kernel.copyTransposed(slab, blocks, units, ...placesOf(firstUnit));
        else kernel.copyRuns(slab, blocks, units, run, ...placesOf(firstUnit));
        sample += blocks * run;
        continue;
      }
      const atOnce = Math.floor(SLAB_VALUES / count);
      for (let unit = 0; unit < units; unit += atOnce) {
        const own = Math.min(atOnce, units - unit);
        gather(data, this.#layouts[at]!, block, unit, own, first, count, into);
        kernel.copyRuns(slab, 1, own, count, ...placesOf(firstUnit + unit));
      }
      sample += count;
    }
  }

  // blocks that a slab holds, of samples [done, count); single samples end where a cache line of the buffer does
  #wholeBlocks(at: number, done: number, count: number): number {
    const { run, blockValues } = this.#layouts[at]!;
    const most = Math.floor(SLAB_VALUES / blockValues);
    const left = Math.floor((count - done) / run);
    if (left <= most || run > 1 || most < LINE_VALUES) return Math.min(left, most);
    return most - ((this.#filled + done + most) % LINE_VALUES);
  }
}

/** How the samples of one network's tap stand in it, whose axes are [row, …, unit, …]: in blocks, one after another. */
interface TapLayout {
  units: number;
  /** Samples of a block. */
  run: number;
  blockValues: number;
  /** Distance of neighbouring units. */
  unitStride: number;
  /** Offset of each sample in a block; null: they are a block [units × run]. */
  picked: Int32Array | null;
}

function tapLayout(layer: PlannedLayer, network: number): TapLayout {
  const { unitAxis, units } = layer.taps[network]!;
  const length = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
  const outer = length(layer.positionShape.slice(0, unitAxis - 1));
  const inner = length(layer.positionShape.slice(unitAxis - 1));
  if (layer.sampled === null) return { units, run: inner, blockValues: units * inner, unitStride: inner, picked: null };
  const picked = Int32Array.from(layer.sampled, (position) => {
    const before = Math.floor(position / inner);
    return before * units * inner + (position - before * inner);
  });
  return { units, run: picked.length, blockValues: units * outer * inner, unitStride: inner, picked };
}

// samples [first, first + count) of a block, of some units, to [units × count]
function gather(
  data: Float32Array,
  { picked, blockValues, unitStride }: TapLayout,
  block: number,
  firstUnit: number,
  units: number,
  first: number,
  count: number,
  into: Float32Array,
): void {
  const start = block * blockValues + firstUnit * unitStride;
  if (picked === null && count === unitStride) {
    into.set(data.subarray(start, start + units * count));
    return;
  }
  for (let unit = 0; unit < units; unit++) {
    const own = start + unit * unitStride;
    if (picked === null) into.set(data.subarray(own + first, own + first + count), unit * count);
    else for (let i = 0; i < count; i++) into[unit * count + i] = data[own + picked[first + i]!]!;
  }
}
