/**
 * From taps to samples: copies one layer's activations unit by unit into a buffer [(C + 1) × capacity], shifted by the
 * provisional means, with a row of ones below, and hands it on whenever it is full, so that a product has a long inner
 * dimension however few positions a layer has. Keeps each unit's smallest and largest activation. One pass over the
 * values: the same in ONNX operators (Transpose, Sub, Concat, Pad, ReduceMin, ReduceMax) took three times as long.
 */
import type { TapBatch } from '../activate/activate.ts';
import { PipelineError } from '../errors.ts';
import type { FloatTensor } from '../onnx/session.ts';
import type { PlannedLayer } from '../plan/layers.ts';
import type { LayerUnits } from './moments.ts';

/** Units whose values are copied side by side where they lie next to each other: one cache line of float32. */
const UNITS_AT_ONCE = 16;

/** Takes samples [(C + 1) × k], the last row ones; they are used before it returns. */
export type TakeSamples = (y: Float32Array, k: number) => Promise<void>;

export class LayerSamples {
  readonly #layer: PlannedLayer;
  readonly #units: LayerUnits;
  readonly #means: Float32Array;
  readonly #readers: readonly TapReader[];
  readonly #capacity: number;
  readonly #take: TakeSamples;
  readonly #buffer: Float32Array<ArrayBuffer>;
  /** By unit of all networks: unshifted, float32 [C]. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  #filled = 0;
  // which row of the probe data samples from `first` on are of
  #origins: { first: number; row: number }[] = [];

  /**
   * @param means float32 [C]
   * @param capacity samples that are handed on at a time; the last may be fewer
   */
  constructor(layer: PlannedLayer, units: LayerUnits, means: Float32Array, capacity: number, take: TakeSamples) {
    const total = units.offsets.at(-1)!;
    this.#layer = layer;
    this.#units = units;
    this.#means = means;
    this.#readers = units.networks.map((network) => tapReader(layer, network));
    this.#capacity = capacity;
    this.#take = take;
    this.#buffer = new Float32Array((total + 1) * capacity);
    this.min = new Float32Array(total).fill(Infinity);
    this.max = new Float32Array(total).fill(-Infinity);
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
    // rows closed up, front to back, so that none is overwritten before it is moved
    for (let unit = 1; unit < this.#means.length; unit++) {
      this.#buffer.copyWithin(unit * filled, unit * this.#capacity, unit * this.#capacity + filled);
    }
    await this.#handOn();
  }

  /**
   * Refuses samples that were handed on with a NaN or an infinity among them; to be called within `take`.
   * @throws not-finite with the network and row
   */
  requireFinite(y: Float32Array, k: number, networks: readonly { name: string }[]): void {
    const at = y.findIndex((value) => !Number.isFinite(value));
    if (at < 0) return;
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
    const [k, units] = [this.#filled, this.#means.length];
    this.#filled = 0;
    this.#buffer.fill(1, units * k, (units + 1) * k);
    await this.#take(this.#buffer.subarray(0, (units + 1) * k), k);
    this.#origins = [];
  }

  // samples [from, to) of a batch of one network, to the buffer's free columns
  #copy(at: number, data: Float32Array, from: number, to: number): void {
    const { contiguous } = this.#readers[at]!;
    const [first, last] = [this.#units.offsets[at]!, this.#units.offsets[at + 1]!];
    for (let unit = first; unit < last; unit += contiguous ? 1 : UNITS_AT_ONCE) {
      if (contiguous) this.#copyUnit(at, data, unit, from, to);
      else this.#copyUnits(at, data, unit, Math.min(last, unit + UNITS_AT_ONCE), from, to);
    }
  }

  // positions lie side by side: run after run
  #copyUnit(at: number, data: Float32Array, unit: number, from: number, to: number): void {
    const { offsets, rowSize, unitStride } = this.#readers[at]!;
    const { positions } = this.#layer;
    const buffer = this.#buffer;
    const mean = this.#means[unit]!;
    const start = (unit - this.#units.offsets[at]!) * unitStride + offsets[0]!;
    let target = unit * this.#capacity + this.#filled;
    let low = this.min[unit]!;
    let high = this.max[unit]!;
    for (let sample = from; sample < to;) {
      const row = Math.floor(sample / positions);
      const position = sample - row * positions;
      const run = Math.min(to - sample, positions - position);
      const source = row * rowSize + start + position;
      const end = source + run;
      const shift = target - source;
      for (let i = source; i < end; i++) {
        const value = data[i]!;
        low = value < low ? value : low;
        high = value > high ? value : high;
        buffer[shift + i] = value - mean;
      }
      target += run;
      sample += run;
    }
    this.min[unit] = low;
    this.max[unit] = high;
  }

  // units lie side by side, or positions are picked: a few units of every sample
  #copyUnits(at: number, data: Float32Array, first: number, last: number, from: number, to: number): void {
    const { offsets, rowSize, unitStride } = this.#readers[at]!;
    const { positions } = this.#layer;
    const { min, max } = this;
    const means = this.#means;
    const buffer = this.#buffer;
    const capacity = this.#capacity;
    const start = (first - this.#units.offsets[at]!) * unitStride;
    let target = this.#filled;
    for (let sample = from; sample < to; sample++, target++) {
      const row = Math.floor(sample / positions);
      let source = row * rowSize + offsets[sample - row * positions]! + start;
      for (let unit = first; unit < last; unit++, source += unitStride) {
        const value = data[source]!;
        if (value < min[unit]!) min[unit] = value;
        if (value > max[unit]!) max[unit] = value;
        buffer[target + unit * capacity] = value - means[unit]!;
      }
    }
  }
}

/** Where a sample (row, position) of a unit stands in one network's tap, whose axes are [row, …, unit, …]. */
interface TapReader {
  /** Distance of neighbouring units, and of rows. */
  unitStride: number;
  rowSize: number;
  /** Offset of each position used, in order. */
  offsets: Int32Array;
  /** Whether the positions used lie side by side, and more than one. */
  contiguous: boolean;
}

function tapReader(layer: PlannedLayer, network: number): TapReader {
  const { unitAxis, units } = layer.taps[network]!;
  const length = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
  const outer = length(layer.positionShape.slice(0, unitAxis - 1));
  const inner = length(layer.positionShape.slice(unitAxis - 1));
  const used = layer.sampled ?? Array.from({ length: outer * inner }, (_, i) => i);
  const offsets = Int32Array.from(used, (position) => {
    const before = Math.floor(position / inner);
    return before * units * inner + (position - before * inner);
  });
  const contiguous = offsets.length > 1 && offsets.every((offset, i) => offset === offsets[0]! + i);
  return { unitStride: inner, rowSize: units * outer * inner, offsets, contiguous };
}
