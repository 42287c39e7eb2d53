/**
 * Shapes by experiment: runs a network on rows of zeros and reads the shape of every value, without
 * fetching or keeping the values. What a file states about shapes is never trusted.
 */
import { fromUnknown, PipelineError } from '../errors.ts';
import type { OnnxModel } from '../onnx/model.ts';
import type { FloatTensor, OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { addShapeOutputs, hollowWeights } from '../onnx/probe.ts';
import { allTaps, pruneModel } from '../onnx/tap.ts';

/** Shapes of the values on `rows` rows. */
export interface Run {
  rows: number;
  shapes: ReadonlyMap<string, number[]>;
}

/** What the runs showed. */
export interface Measured {
  runs: [Run, ...Run[]];
  /** Element types of the graph's outputs. */
  types: Readonly<Record<string, string>>;
}

type WriteModel = (model: OnnxModel) => Promise<Uint8Array>;

const MOST_INPUT_BYTES = 2 ** 30;
/** Weights from here on are left out: large enough to matter, too large to say anything about shapes. */
const HOLLOW_BYTES = 2 ** 18;

/**
 * Runs `pruned` once for each of `rowCounts` on inputs [rows, ...rowShape] of zeros; `write` gives a model's file.
 * Large weights are zeros too, and the file's own only where the network doesn't run like that.
 * @throws model-unsupported where the network doesn't run on that many rows; model-invalid; plan-too-large;
 *   what `write` throws
 */
export async function measure(
  pruned: OnnxModel,
  runtime: OnnxRuntime,
  write: WriteModel,
  inputName: string,
  rowShape: readonly number[],
  rowCounts: readonly [number, ...number[]],
): Promise<Measured> {
  const values = allTaps(pruned).map((tap) => tap.valueName);
  const measureWith = async (model: OnnxModel) => {
    const probe = await openProbe(model, values, runtime, write);
    return runProbe(probe, inputName, rowShape, rowCounts);
  };
  const hollow = hollowWeights(pruned, HOLLOW_BYTES);
  try {
    return await measureWith(hollow);
  } catch (thrown) {
    if (hollow === pruned || fromUnknown(thrown).code === 'plan-too-large') throw thrown;
    return measureWith(pruned);
  }
}

/** A session that also returns the shape of every tensor; the outputs that are shapes, by value name. */
interface Probe {
  session: OnnxSession;
  shapeOutputs: Map<string, string>;
}

async function runProbe(
  { session, shapeOutputs }: Probe,
  inputName: string,
  rowShape: readonly number[],
  rowCounts: readonly [number, ...number[]],
): Promise<Measured> {
  const runOn = async (rows: number): Promise<Run> => {
    // without a tensor among the values there is nothing to run for
    if (shapeOutputs.size === 0) return { rows, shapes: new Map() };
    const feeds = { [inputName]: zeros([rows, ...rowShape]) };
    const results = await session.run(feeds, [...shapeOutputs.values()]).catch((thrown) => {
      throw runFault(thrown, rows);
    });
    return { rows, shapes: new Map([...shapeOutputs].map(([value, output]) => [value, [...results[output]!.data]])) };
  };
  try {
    const [first, ...others] = rowCounts;
    const runs: Measured['runs'] = [await runOn(first)];
    for (const rows of others) runs.push(await runOn(rows));
    return { runs, types: session.outputTypes };
  } finally {
    await session.release();
  }
}

async function openProbe(
  model: OnnxModel,
  values: readonly string[],
  runtime: OnnxRuntime,
  write: WriteModel,
): Promise<Probe> {
  // nobody holds the file once the session has it
  const load = async (whole: OnnxModel) => runtime.createSession(await write(whole), { optimise: false });
  const open = async (names: readonly string[]) => {
    const probe = addShapeOutputs(model, names);
    const session = await load(probe.model);
    return { session, shapeOutputs: new Map(names.map((name, i) => [name, probe.outputs[i]!])) };
  };
  try {
    return await open(values);
  } catch (thrown) {
    // perhaps a sequence, which has no shape: let the runtime say which values are tensors
    const session = await load(pruneModel(model, values));
    const tensors = values.filter((name) => session.outputTypes[name] !== 'not a tensor');
    await session.release();
    if (tensors.length === values.length) throw thrown;
    return open(tensors);
  }
}

function zeros(dims: number[]): FloatTensor {
  const elements = dims.reduce((product, dim) => product * dim, 1);
  const shape = `[${dims.join(', ')}]`;
  if (elements === 0) throw new PipelineError('model-unsupported', `expected an input with values; found ${shape}`);
  if (elements * 4 > MOST_INPUT_BYTES) {
    throw new PipelineError('plan-too-large', `expected an input of at most ${MOST_INPUT_BYTES} bytes; found ${shape}`);
  }
  return { data: new Float32Array(elements), dims };
}

function runFault(thrown: unknown, rows: number): PipelineError {
  const error = fromUnknown(thrown);
  if (error.code !== 'internal') return error;
  return new PipelineError('model-unsupported', `the network fails on ${rows} rows of zeros: ${error.plainMessage}`, {
    hint: 'if it insists on another number of rows, export it with a free batch axis, or with the batch fixed at its input',
    cause: thrown,
  });
}

/**
 * Tells why a value of the measured model can't be a tap, in words that follow "found"; null where it can.
 */
export function tapFaults(model: OnnxModel, inputName: string, measured: Measured): (value: string) => string | null {
  // graph order is topological: one sweep finds what the input reaches
  const reached = new Set([inputName]);
  for (const node of model.nodes) {
    if ([...node.inputs, ...node.captures].some((name) => reached.has(name))) {
      for (const output of node.outputs) reached.add(output);
    }
  }
  return (value) => {
    const type = measured.types[value];
    if (type !== 'float32') return type ?? 'a value without a type';
    if (!reached.has(value)) return 'a value that does not depend on the input';
    const [first, ...others] = measured.runs;
    const shape = first.shapes.get(value) ?? [];
    const found = `[${shape.join(', ')}] for ${first.rows} rows`;
    if (shape.length < 2 || shape.includes(0) || shape[0] !== first.rows) return found;
    for (const { rows, shapes } of others) {
      const second = shapes.get(value) ?? [];
      if (second.join() !== [rows, ...shape.slice(1)].join()) return `${found}, [${second.join(', ')}] for ${rows}`;
    }
    return null;
  };
}
