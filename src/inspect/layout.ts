/**
 * How a row of the probe data becomes a row of a model's input: which axes go where, and which of
 * them holds the channels that mean and std belong to. Decides from shapes alone; moves no data.
 */
import type { DataLayout } from '../definition/definition.ts';
import { PipelineError } from '../errors.ts';
import type { Dim } from '../onnx/value.ts';

/** One way to read a data row as a model row. */
export interface RowReading {
  layout: DataLayout;
  /** The data row's axes in the order in which the model's row takes them, so that transposing by it is all there is to do. */
  axes: number[];
  /** The model's row; may have an axis of length 1 that the data lacks, or join axes of the data. */
  shape: number[];
  /** Axis of `shape` that holds the channels; null: one channel. */
  channelAxis: number | null;
  channels: number;
}

type NetworkLayout = 'nchw' | 'nhwc';
type Reading = Omit<RowReading, 'channels'>;

/**
 * Reads rows of shape `dataRow` as rows of an input with the axes `modelRow` (batch left out).
 * Without `dataLayout`: as they are where that is the model's input, else the one layout that fits.
 * @throws data-mismatch where none fits, or more than one does
 */
export function readRows(
  dataRow: readonly number[],
  dataLayout: DataLayout | undefined,
  modelRow: readonly Dim[],
  networkLayout: NetworkLayout,
): RowReading {
  const fitting = (layout: DataLayout) => {
    const reading = readAs(layout, dataRow, modelRow.length, networkLayout);
    return reading && fits(reading.shape, modelRow) ? [reading] : [];
  };
  if (dataLayout !== undefined) {
    const [reading] = fitting(dataLayout);
    if (!reading) throw mismatch(dataRow, modelRow, `read as ${dataLayout}`);
    return withChannels(reading);
  }

  const [asIs] = fitting('as-is');
  if (asIs && modelRow.every((dim) => typeof dim === 'number')) return withChannels(asIs);

  // free axes fit anything, so equal shapes prove nothing: every layout is a candidate
  const readings: Reading[] = [];
  for (const reading of (['as-is', 'nhw', 'nhwc', 'nchw'] as const).flatMap(fitting)) {
    if (!readings.some((other) => sameReading(other, reading))) readings.push(reading);
  }
  const [only] = readings;
  if (!only) throw mismatch(dataRow, modelRow, 'in any layout');
  if (readings.length > 1) {
    const each = readings
      .map((reading) => `${nameOf(reading, networkLayout)} → [${reading.shape.join(', ')}]`)
      .join('; ');
    throw new PipelineError(
      'data-mismatch',
      `rows of [${dataRow.join(', ')}] can be read in more than one way: ${each}`,
      {
        hint: 'say which with probe.layout',
      },
    );
  }
  return withChannels(only);
}

// the model row that a data row in this layout gives; null where the ranks don't allow it
function readAs(
  layout: DataLayout,
  dataRow: readonly number[],
  modelRank: number,
  networkLayout: NetworkLayout,
): Reading | null {
  const image = modelRank === 3;
  if (layout === 'as-is') {
    if (dataRow.length !== modelRank) return null;
    const axes = dataRow.map((_, axis) => axis);
    return { layout, axes, shape: [...dataRow], channelAxis: image ? (networkLayout === 'nchw' ? 0 : 2) : null };
  }

  if (layout === 'nhw') {
    const [height, width] = dataRow;
    if (dataRow.length !== 2 || height === undefined || width === undefined) return null;
    const axes = [0, 1];
    if (modelRank === 2) return { layout, axes, shape: [height, width], channelAxis: null };
    if (modelRank === 1) return { layout, axes, shape: [height * width], channelAxis: null };
    if (!image) return null;
    if (networkLayout === 'nchw') return { layout, axes, shape: [1, height, width], channelAxis: 0 };
    return { layout, axes, shape: [height, width, 1], channelAxis: 2 };
  }

  if (dataRow.length !== 3 || !image) return null;
  const axes = layout === networkLayout ? [0, 1, 2] : networkLayout === 'nchw' ? [2, 0, 1] : [1, 2, 0];
  return { layout, axes, shape: axes.map((axis) => dataRow[axis]!), channelAxis: networkLayout === 'nchw' ? 0 : 2 };
}

function fits(row: readonly number[], modelRow: readonly Dim[]): boolean {
  return row.length === modelRow.length && row.every((length, axis) => fitsAxis(length, modelRow[axis]));
}

/** Whether an axis of this length can stand where the model has `dim`. */
export function fitsAxis(length: number, dim: Dim | undefined): boolean {
  return typeof dim !== 'number' || dim === length;
}

function sameReading(a: Reading, b: Reading): boolean {
  return a.axes.join() === b.axes.join() && a.shape.join() === b.shape.join();
}

function withChannels(reading: Reading): RowReading {
  return { ...reading, channels: reading.channelAxis === null ? 1 : reading.shape[reading.channelAxis]! };
}

// image data that fits as it is has the network's own layout
function nameOf(reading: Reading, networkLayout: NetworkLayout): string {
  return reading.layout === 'as-is' && reading.channelAxis !== null ? networkLayout : reading.layout;
}

function mismatch(dataRow: readonly number[], modelRow: readonly Dim[], how: string): PipelineError {
  const expected = modelRow.map((dim) => (typeof dim === 'number' ? dim : (dim ?? '?'))).join(', ');
  const found = `[${dataRow.join(', ')}]`;
  return new PipelineError('data-mismatch', `expected rows of [${expected}], the model's input; found ${found} ${how}`);
}
