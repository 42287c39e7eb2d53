/**
 * Inspect stage. Takes a model's bytes; gives what the plan needs to know of it: its input, the taps
 * with shapes *measured* by running it on rows of zeros, and the memory it takes. Guarantees: every
 * tap is float32, depends on the input, and has the batch, and nothing else that grows with it, as
 * its first axis. Results are plain data, to be kept by model hash and input shape.
 */
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { networkInput, parseModel, type OnnxModel } from '../onnx/model.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { allTaps, pruneModel, resolveTap, type Tap } from '../onnx/tap.ts';
import type { Dim, ValueInfo } from '../onnx/value.ts';
import { fitsAxis } from './layout.ts';
import { measure, tapFaults } from './measure.ts';
import { peakBytes } from './peak.ts';
import { hasDefaultUnitAxis } from './units.ts';

/** A tap with the shape it has on the rows it was measured with, batch first. */
export interface TapInspection extends Tap {
  shape: number[];
}

/** A value that can't be a tap, and why. */
export interface LeftOut extends Tap {
  reason: string;
}

export interface ModelInspection {
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
  sizeBytes: number;
  opset: number;
  producer: string;
  /** The one input as the file states it (free axes null or named); `batch` is the fixed batch, null where it is free. */
  input: { name: string; dims: Dim[]; batch: number | null };
  /** One row of the input as measured, batch left out. */
  rowShape: number[];
  /** Rows the shapes were measured with. */
  rows: number;
  /** Weights of the network cut down to its taps. */
  weightsBytes: number;
  /** Values held at once while computing the taps, per row; see `peakBytes`. */
  peakActivationBytes: number;
  taps: TapInspection[];
  /** Where no taps were asked for: the values that can't be taps. */
  leftOut: LeftOut[];
}

export interface InspectOptions {
  /** One row of the input, batch left out; needed where the file leaves more than the batch free. */
  inputShape?: readonly number[];
  /** Value or node names; absent: every value that can be a tap. */
  taps?: readonly string[];
}

/**
 * Inspects a network.
 * @throws model-invalid, model-unsupported, tap-unknown, tap-unsupported, and data-mismatch where `inputShape` doesn't fit
 */
export async function inspectModel(
  bytes: Uint8Array,
  runtime: OnnxRuntime,
  options: InspectOptions = {},
): Promise<ModelInspection> {
  const model = parseModel(bytes);
  const input = networkInput(model);
  const batch = typeof input.dims?.[0] === 'number' ? input.dims[0] : null;
  const rowShape = rowShapeOf(input, options.inputShape);
  const asked = options.taps?.map((name) => resolveTap(model, name));
  const candidates = asked ?? allTaps(model);
  const pruned = pruneModel(model, valueNames(candidates));

  // two numbers of rows tell the batch from an axis that happens to be as long
  const measured = await measure(pruned, runtime, input.name, rowShape, batch === null ? [2, 3] : [batch]);
  const { rows, shapes } = measured.runs[0];
  const faultOf = tapFaults(pruned, input.name, measured);
  const taps: TapInspection[] = [];
  const leftOut: LeftOut[] = [];
  for (const tap of candidates) {
    const shape = shapes.get(tap.valueName) ?? [];
    const fault = faultOf(tap.valueName);
    if (asked) {
      if (fault !== null) throw tapFault(tap, fault);
      taps.push({ ...tap, shape });
    } else if (fault === null && hasDefaultUnitAxis(shape.length)) taps.push({ ...tap, shape });
    else leftOut.push({ ...tap, reason: fault ?? `rank ${shape.length}, which has no default unit axis` });
  }

  // while computing what can be tapped, of which the rest is no output
  const planned = asked ? pruned : pruneModel(model, valueNames(taps));
  const inputBytes = rowShape.reduce((product, dim) => product * dim, rows * 4);
  return {
    sha256: await sha256Hex(bytes),
    sizeBytes: bytes.length,
    opset: model.opset,
    producer: model.producer,
    input: { name: input.name, dims: input.dims ?? [null, ...rowShape.map(() => null)], batch },
    rowShape,
    rows,
    weightsBytes: weightsBytes(planned),
    peakActivationBytes: Math.ceil(peakBytes(planned, inputBytes, shapes, measured.types) / rows),
    taps,
    leftOut,
  };
}

function valueNames(taps: readonly Tap[]): string[] {
  return [...new Set(taps.map((tap) => tap.valueName))];
}

function weightsBytes(model: OnnxModel): number {
  const stored = model.initializers.reduce((sum, initializer) => sum + initializer.sizeBytes, 0);
  return model.nodes.reduce((sum, node) => sum + node.tensorBytes, stored);
}

// the input's axes after the batch, free ones taken from `given`
function rowShapeOf(input: ValueInfo, given: readonly number[] | undefined): number[] {
  const stated = input.dims?.slice(1);
  const text = `[${stated?.map((dim) => dim ?? '?').join(', ') ?? 'unknown'}]`;
  const fault = (message: string, hint?: string) =>
    new PipelineError('data-mismatch', `input ${input.name}: ${message}`, { hint });

  if (given === undefined) {
    if (stated && stated.every((dim) => typeof dim === 'number')) return stated;
    const hint = 'give the probe data: the shape of its rows fixes these axes';
    throw fault(`expected the shape of a row; found free axes ${text}`, hint);
  }
  const fits = !stated || (stated.length === given.length && stated.every((dim, i) => fitsAxis(given[i]!, dim)));
  if (!fits) throw fault(`expected rows of ${text}; found [${given.join(', ')}]`);
  return [...given];
}

function tapFault(tap: Tap, fault: string): PipelineError {
  const value = tap.valueName === tap.asked ? '' : ` (value ${tap.valueName})`;
  const expected = 'float32 [batch, …] of rank 2 or more';
  return new PipelineError('tap-unsupported', `${tap.asked}${value}: expected ${expected}; found ${fault}`);
}
