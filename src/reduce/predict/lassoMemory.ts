/**
 * The memory of one sparse prediction at a time: its Gram matrix is read into it and stays there, beside the vectors that
 * the kernel (numeric/rows.wat) works on. The shell knows whether one serves all tasks or each has a new one.
 */
import { RowMemory } from '../../numeric/rowMemory.ts';

export class LassoMemory {
  /** [units × units], row-major. */
  gram = new Float64Array(0);
  /** All [units]. */
  weights = new Float64Array(0);
  held = new Float64Array(0);
  zero = new Float64Array(0);
  direction = new Float64Array(0);
  gradient = new Float64Array(0);
  rate = new Float64Array(0);
  /** That of all the above; then each of one owner alone. */
  readonly problem: RowMemory;
  readonly factor: RowMemory;
  readonly inverse: RowMemory;
  readonly outside: RowMemory;

  /** @param kernel rows.wat, compiled */
  constructor(kernel: WebAssembly.Module) {
    this.problem = new RowMemory(kernel);
    this.factor = new RowMemory(kernel);
    this.inverse = new RowMemory(kernel);
    this.outside = new RowMemory(kernel);
  }

  /**
   * Arrays for a prediction from so many units, in place of the last ones; gives `gram`, to be filled. The prediction
   * may be of fewer units, whose matrix then stands at the front.
   * @throws PipelineError `plan-too-large`
   */
  open(units: number): Float64Array<ArrayBuffer> {
    const n = units;
    [this.gram, this.weights, this.held, this.zero, this.direction, this.gradient, this.rate] = this.problem.arrays(
      n * n,
      n,
      n,
      n,
      n,
      n,
      n,
    );
    return this.gram;
  }
}
