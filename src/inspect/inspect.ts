/**
 * Inspect stage. Takes a model's bytes; gives what the plan needs to know of it: its input, the taps
 * with shapes *measured* by running it on rows of zeros, and the memory and work it takes. Guarantees:
 * every tap is float32, depends on the input, and has the batch, and nothing else that grows with it,
 * as its first axis. Results are plain data, to be kept by model hash and input shape.
 */
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { externalFiles, inlineExternal, openExternal, type ReadExternal } from '../onnx/external.ts';
import { networkInput, parseModel, type OnnxModel } from '../onnx/model.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import { allTaps, pruneModel, resolveTap, type Tap } from '../onnx/tap.ts';
import type { Dim, ValueInfo } from '../onnx/value.ts';
import { fitsAxis } from './layout.ts';
import { measure, tapFaults } from './measure.ts';
import { peakBytes } from './peak.ts';
import { hasDefaultUnitAxis } from './units.ts';
import { weightsBytes, workParts, workspaceBytes, type DimsOf, type WorkPart } from './work.ts';

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
  /** Locations of the files beside the model that the taps need, relative to its folder, sorted; see `externalFiles`. */
  externalData: string[];
  /** Weights of the network cut down to its taps. */
  weightsBytes: number;
  /** The same weights, and the work for one row, by the taps that need them; empty where no taps were asked for. */
  parts: WorkPart[];
  /** Values held at once while computing the taps, per row; see `peakBytes`. */
  peakActivationBytes: number;
  /** The largest work buffer of a convolution while computing the taps, per row; see `workspaceBytes`. */
  workspaceBytes: number;
  taps: TapInspection[];
  /** Where no taps were asked for: the values that can't be taps. */
  leftOut: LeftOut[];
}

export interface InspectOptions {
  /** One row of the input, batch left out; needed where the file leaves more than the batch free. */
  inputShape?: readonly number[];
  /** Value or node names; absent: every value that can be a tap. */
  taps?: readonly string[];
  /** Opens the files that weights lie in, where they lie beside the model; absent: such a model is refused. */
  external?: ReadExternal;
  /** SHA-256 of the model's bytes, where the caller has it. */
  sha256?: string;
}

/**
 * Inspects a network.
 * @throws model-invalid, model-unsupported, tap-unknown, tap-unsupported, data-mismatch where `inputShape` doesn't fit,
 *   file-missing where weights lie in other files and `external` is absent, and what that throws
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
  const rowCounts: [number, ...number[]] = batch === null ? [2, 3] : [batch];
  const read = options.external ?? noFiles;
  const write = (part: OnnxModel) => inlineExternal(part, read);
  // measuring leaves large weights out, running doesn't
  if (asked) await openExternal(pruned, read);
  const measured = await measure(pruned, runtime, write, input.name, rowShape, rowCounts);
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
  const weights = new Map(planned.initializers.map((initializer) => [initializer.name, initializer.dims]));
  weights.set(input.name, [rows, ...rowShape]);
  const dimsOf: DimsOf = (value) => shapes.get(value) ?? weights.get(value) ?? null;
  return {
    sha256: options.sha256 ?? (await sha256Hex(bytes)),
    sizeBytes: bytes.length,
    opset: model.opset,
    producer: model.producer,
    input: { name: input.name, dims: input.dims ?? [null, ...rowShape.map(() => null)], batch },
    rowShape,
    rows,
    externalData: externalFiles(planned),
    weightsBytes: weightsBytes(planned),
    // for all values of a large graph they would take its square
    parts: asked
      ? workParts(
          planned,
          taps.map((tap) => tap.valueName),
          dimsOf,
          rows,
        )
      : [],
    peakActivationBytes: Math.ceil(peakBytes(planned, inputBytes, shapes, measured.types) / rows),
    workspaceBytes: workspaceBytes(planned, dimsOf),
    taps,
    leftOut,
  };
}

function valueNames(taps: readonly Tap[]): string[] {
  return [...new Set(taps.map((tap) => tap.valueName))];
}

function noFiles(location: string): Promise<never> {
  const error = new PipelineError(
    'file-missing',
    `expected the model's weights in ${location}; found only the model file`,
    {
      hint: 'keep the file at that path beside the model, or save the model with its weights inside',
    },
  );
  return Promise.reject(error);
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
