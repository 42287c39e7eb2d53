/**
 * The product graph: a small ONNX model of our own, one Gemm that forms second moments out of samples. Everything
 * heavy that isn't a network's own forward runs through it, in whichever ONNX Runtime the task has. Opset 13, whose
 * operators every runtime has.
 */
import { FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from './build.ts';
import type { OnnxRuntime, OnnxSession } from './session.ts';

const OPSET = 13;
const IR_VERSION = 7;

/** Float32 products of samples. */
export interface ProductSession {
  /** A Bᵀ, [m × n] row-major, of `a` [m × k] and `b` [n × k]; both are only read. The caller owns the result. */
  timesTransposed(a: Float32Array, b: Float32Array, k: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** The file of the product graph: ab = a bᵀ, float32, all sizes free. */
export function productModel(): Uint8Array {
  return modelFrom(OPSET, IR_VERSION, 'product', [
    nodeField('Gemm', ['a', 'b'], 'ab', { transB: 1 }),
    valueField(INPUT, 'a', FLOAT32, ['m', 'k']),
    valueField(INPUT, 'b', FLOAT32, ['n', 'k']),
    valueField(OUTPUT, 'ab', FLOAT32, ['m', 'n']),
  ]);
}

/** Opens the product graph in `runtime`. */
export async function openProduct(runtime: OnnxRuntime): Promise<ProductSession> {
  const session: OnnxSession = await runtime.createSession(productModel());
  return {
    async timesTransposed(a, b, k) {
      const { ab } = await session.run({
        a: { data: a, dims: [a.length / k, k] },
        b: { data: b, dims: [b.length / k, k] },
      });
      return ab!.data;
    },
    release: () => session.release(),
  };
}
