/**
 * The one session interface over ONNX Runtime, and its implementation over the API that the
 * runtime's packages share (wasm.ts picks one). Tensors are plain: float32 data and dims. Every fault
 * of the runtime leaves here as a PipelineError with the runtime's own text.
 */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import { PipelineError, type ErrorCode } from '../errors.ts';

/** Row-major float32 values; `data.length` is the product of `dims`. */
export interface FloatTensor {
  data: Float32Array;
  dims: number[];
}

/** ONNX Runtime in this process or isolate. */
export interface OnnxRuntime {
  /** Name and version of the package; part of every task key. */
  version: string;
  /** Loads a model; `model` may be dropped afterwards. `optimise: false` runs the graph node by node as written. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<OnnxSession>;
  /** Bytes of memory the runtime holds now, 0 where that can't be known. In wasm it never shrinks. */
  heapBytes(): number;
}

export interface SessionOptions {
  /** Graph optimisation; default true. */
  optimise?: boolean;
}

export interface OnnxSession {
  inputNames: readonly string[];
  outputNames: readonly string[];
  /** The element type of each output as the runtime inferred it (`float32`, `int64`, …), `not a tensor` for the rest. */
  outputTypes: Readonly<Record<string, string>>;
  /**
   * Computes `outputs` (default: all) from `feeds`; the caller owns what comes back. A runtime that can writes to
   * `into`, tensors of the outputs' shapes, and gives these; others leave them alone.
   * @throws data-mismatch where a feed doesn't fit the model; tap-unsupported where an output isn't float32
   */
  run(
    feeds: Record<string, FloatTensor>,
    outputs?: readonly string[],
    into?: Readonly<Record<string, FloatTensor>>,
  ): Promise<Record<string, FloatTensor>>;
  release(): Promise<void>;
}

/** What a runtime brings to {@link runtimeOver}: the API's two constructors and facts about the package. */
export interface RuntimeParts {
  InferenceSession: Pick<InferenceSessionFactory, 'create'>;
  Tensor: TensorConstructor;
  version: string;
  heapBytes: () => number;
  /** Whether outputs can be written to tensors that are given. */
  writesInto: boolean;
  sessionOptions?: InferenceSession.SessionOptions;
}

/** A runtime over the shared ONNX Runtime API. */
export function runtimeOver(parts: RuntimeParts): OnnxRuntime {
  return {
    version: parts.version,
    heapBytes: parts.heapBytes,
    async createSession(model, options = {}) {
      const sessionOptions: InferenceSession.SessionOptions = {
        logSeverityLevel: 3,
        ...parts.sessionOptions,
        graphOptimizationLevel: options.optimise === false ? 'disabled' : 'all',
      };
      try {
        return wrapSession(await parts.InferenceSession.create(model, sessionOptions), parts);
      } catch (thrown) {
        throw runtimeError(thrown, 'load');
      }
    },
  };
}

function wrapSession(session: InferenceSession, { Tensor, writesInto }: RuntimeParts): OnnxSession {
  const outputTypes = Object.fromEntries(
    session.outputMetadata.map((output) => [output.name, output.isTensor ? output.type : 'not a tensor']),
  );
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    outputTypes,
    async run(feeds, outputs = session.outputNames, into = {}) {
      for (const name of outputs) {
        const type = outputTypes[name];
        if (type !== 'float32') {
          const found = type ?? 'no such output';
          throw new PipelineError('tap-unsupported', `tensor ${name}: expected float32; found ${found}`);
        }
      }
      let results: InferenceSession.ReturnType;
      const tensorsOf = (values: Readonly<Record<string, FloatTensor>>): InferenceSession.FeedsType =>
        Object.fromEntries(
          Object.entries(values).map(([name, { data, dims }]) => [name, new Tensor('float32', data, dims)]),
        );
      const given = writesInto && outputs.every((name) => fitsInto(session, name, into[name]));
      try {
        const fetches = given ? tensorsOf(Object.fromEntries(outputs.map((name) => [name, into[name]!]))) : outputs;
        results = await session.run(tensorsOf(feeds), fetches, { logSeverityLevel: 4 });
      } catch (thrown) {
        throw runtimeError(thrown, 'run');
      }
      if (given) return Object.fromEntries(outputs.map((name) => [name, into[name]!]));
      return Object.fromEntries(
        outputs.map((name) => {
          const result = results[name]!;
          return [name, { data: result.data as Float32Array, dims: [...result.dims] }];
        }),
      );
    },
    release: () => session.release(),
  };
}

// a graph may note a stale shape of an output; then the runtime refuses a tensor of the true one, though it makes it
function fitsInto({ outputMetadata }: InferenceSession, name: string, given: FloatTensor | undefined): boolean {
  const noted = outputMetadata.find((output) => output.name === name);
  if (!given || !noted?.isTensor || noted.shape.length !== given.dims.length) return false;
  return noted.shape.every((size, axis) => typeof size === 'string' || size < 0 || size === given.dims[axis]);
}

// the runtime has no error classes that survive wasm: its text decides
const FAULTS: { when: 'load' | 'run'; text: RegExp; code: ErrorCode; saying: string }[] = [
  {
    when: 'load',
    text: /not.?implemented|find an implementation|no op registered|is not a registered function|opset \d+ is under development|unsupported model ir/i,
    code: 'model-unsupported',
    saying: 'ONNX Runtime does not support this model',
  },
  { when: 'load', text: /(?:)/, code: 'model-invalid', saying: 'ONNX Runtime refused the model' },
  {
    when: 'run',
    text: /invalid dimensions|invalid rank|unexpected input data type/i,
    code: 'data-mismatch',
    saying: 'the input does not fit the model',
  },
  { when: 'run', text: /(?:)/, code: 'internal', saying: 'ONNX Runtime failed while running the model' },
];
const OUT_OF_MEMORY = /bad_alloc|out of memory|failed to allocate|allocation failed|cannot enlarge memory/i;

function runtimeError(thrown: unknown, when: 'load' | 'run'): PipelineError {
  if (thrown instanceof PipelineError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (OUT_OF_MEMORY.test(text)) {
    return new PipelineError('plan-too-large', `ONNX Runtime ran out of memory (${when}): ${text}`, {
      hint: 'use a smaller shard.batch',
      cause: thrown,
    });
  }
  const fault = FAULTS.find((entry) => entry.when === when && entry.text.test(text))!;
  return new PipelineError(fault.code, `${fault.saying}: ${text}`, { cause: thrown });
}
