/** `convergent layers`: the values of a model that can be compared, with their measured shapes. */
import { besideModel, readInput } from '../compute/files.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { networkInput, parseModel } from '../onnx/model.ts';
import type { Dim } from '../onnx/value.ts';
import { inspectModel } from '../inspect/inspect.ts';
import type { ModelInspection, TapInspection } from '../inspect/inspect.ts';
import { readRows } from '../inspect/layout.ts';
import type { RowReading } from '../inspect/layout.ts';
import { unitsOf } from '../inspect/units.ts';
import { modelRow } from '../plan/layers.ts';
import type { Command } from './command.ts';
import { nodeRuntime } from './prepare.ts';
import { readProbeHeader } from './probe.ts';

export const layersCommand: Command = {
  name: 'layers',
  usage: 'layers <model.onnx> [--data <x.npy>] [--json]',
  summary: 'lists what can be tapped in a model, with measured shapes',
  details: ['  --data <x.npy>  rows that fix the axes the model leaves free'],
  operands: 1,
  options: { data: { type: 'string' } },
  run: async ({ positionals, options }) => {
    const inspection = await inspectFile(positionals[0]!, options.data as string | undefined);
    const taps = inspection.taps.map(describeTap);
    const width = (key: 'name' | 'tensor' | 'op'): number =>
      Math.max(key.length, ...taps.map((tap) => tap[key].length));
    const row = (name: string, op: string, tensor: string, units: string, positions: string): string =>
      `${name.padEnd(width('name'))}  ${op.padEnd(width('op'))}  ${tensor.padEnd(width('tensor'))}  ${units.padStart(6)}  ${positions}`;
    const text = [
      `${positionals[0]}: opset ${inspection.opset}, input ${inspection.input.name} [batch${inspection.input.batch === null ? '' : ` ${inspection.input.batch}`}, ${inspection.rowShape.join(', ')}]`,
      '',
      row('name', 'op', 'tensor', 'units', 'positions'),
      ...taps.map((tap) => row(tap.name, tap.op, tap.tensor, String(tap.units), tap.positions.join(' × ') || '1')),
      ...(inspection.leftOut.length > 0 ? ['', `${inspection.leftOut.length} values can't be tapped:`] : []),
      ...inspection.leftOut.map(({ valueName, op, reason }) => `  ${valueName} (${op}): ${reason}`),
    ].join('\n');
    return {
      text,
      json: {
        model: positionals[0],
        sha256: inspection.sha256,
        opset: inspection.opset,
        input: inspection.input,
        layers: taps,
        left_out: inspection.leftOut,
      },
    };
  },
};

/** Inspects every value of a model file; `dataPath` names rows that fix its free axes. */
export async function inspectFile(path: string, dataPath: string | undefined): Promise<ModelInspection> {
  const bytes = readInput(path, 'a model');
  const { dims } = networkInput(parseModel(bytes));
  const external = besideModel(path);
  if (dataPath === undefined) return inspectModel(bytes, await nodeRuntime(), { external });
  const { rowShape } = readProbeHeader(dataPath);
  const { shape } = rowsOf(rowShape, modelRow(dims, rowShape));
  return inspectModel(bytes, await nodeRuntime(), { inputShape: shape, external });
}

// these commands take no layout: where the shapes don't tell, only a pipeline file can
function rowsOf(rowShape: number[], inputRow: Dim[]): RowReading {
  try {
    return readRows(rowShape, undefined, inputRow, 'nchw');
  } catch (thrown) {
    const error = fromUnknown(thrown);
    throw new PipelineError(error.code, error.plainMessage, {
      hint: 'write a pipeline file with probe.layout, and see convergent plan',
      cause: thrown,
    });
  }
}

/** A tap as people name it: by its node where that has a name of its own, else by its tensor. */
export function describeTap(tap: TapInspection): {
  name: string;
  tensor: string;
  op: string;
  units: number;
  positions: number[];
} {
  const { units, positions } = unitsOf(tap.shape);
  return { name: tap.nodeName || tap.valueName, tensor: tap.valueName, op: tap.op, units, positions };
}
