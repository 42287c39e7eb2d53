/**
 * Networks and layers as planned: definition and inspection joined, checked against each other and
 * against the probe data. Later stages read shapes from here and nowhere else.
 */
import type { Definition } from '../definition/definition.ts';
import type { Place } from '../errors.ts';
import { PipelineError } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { readRows } from '../inspect/layout.ts';
import type { RowReading } from '../inspect/layout.ts';
import { unitsOf } from '../inspect/units.ts';
import type { Dim } from '../onnx/value.ts';
import type { PlannedData } from './plan.ts';

type Where = (keyPath: readonly (string | number)[]) => Place;

/** How probe rows become one network's input; part of the task key. */
export interface Preprocessing extends Omit<RowReading, 'layout'> {
  /** Name of the graph's input. */
  input: string;
  /** Rows the model insists on per run, or null. */
  fixedBatch: number | null;
  /** One value, or one per channel: float32 (x / scale − mean[c]) / std[c]. */
  scale: number[];
  mean: number[];
  std: number[];
}

/** A file of external data by content; `location` as the model names it. */
export interface ExternalData {
  location: string;
  sha256: string;
  /** SHA-256 of the list of its chunks' SHA-256 hashes, see runtime/store.ts. */
  chunksSha256: string;
  sizeBytes: number;
}

export interface PlannedNetwork {
  name: string;
  modelSha256: string;
  /** Files beside the model that hold weights its taps need; empty for most. */
  externalData: ExternalData[];
  preprocessing: Preprocessing;
}

/** Where one network's units of one layer come from. */
export interface PlannedTap {
  /** As asked for in the definition. */
  tensor: string;
  /** The ONNX value that is exposed. */
  valueName: string;
  rank: number;
  unitAxis: number;
  units: number;
}

/** The same layer in all networks; the units are concatenated in the networks' order. */
export interface PlannedLayer {
  name: string;
  /** Sizes of the axes left after batch and units, such as [height, width]; empty: one position. */
  positionShape: number[];
  /** Positions used per image: all, or as many as are sampled. */
  positions: number;
  /** Flat indices of the positions used, rising; null: all. */
  sampled: number[] | null;
  /** One per network. */
  taps: PlannedTap[];
}

/** First unit of each network among the concatenated units of a layer, and their total at the end. */
export function unitOffsets(layer: PlannedLayer): number[] {
  const offsets = [0];
  for (const tap of layer.taps) offsets.push(offsets.at(-1)! + tap.units);
  return offsets;
}

/** Positions a tap of the layer has, used or not. */
export function positionCount(layer: PlannedLayer): number {
  return layer.positionShape.reduce((product, size) => product * size, 1);
}

/** @throws PipelineError `data-mismatch` when the data's rows don't fit a model's input, or channels don't fit mean or std. */
export function planNetworks(
  definition: Definition,
  models: ModelInspection[],
  data: PlannedData,
  externalData: readonly ExternalData[][],
  where: Where,
): PlannedNetwork[] {
  return definition.networks.map((network, index) => {
    const model = models[index]!;
    const place = where(['networks', network.name]);
    const { layout: _, ...reading } = located(place, () =>
      readRows(data.rowShape, definition.probe.layout, modelRow(model.input.dims, data.rowShape), network.layout),
    );
    for (const key of ['scale', 'mean', 'std'] as const) {
      const count = network[key].length;
      if (count !== 1 && count !== reading.channels) {
        throw new PipelineError(
          'data-mismatch',
          `expected one value of ${key}, or one for each of the ${reading.channels} channels; found ${count}`,
          {
            place: where(['networks', network.name, key]),
          },
        );
      }
    }
    const { scale, mean, std } = network;
    const preprocessing = { ...reading, input: model.input.name, fixedBatch: model.input.batch, scale, mean, std };
    return { name: network.name, modelSha256: model.sha256, externalData: externalData[index]!, preprocessing };
  });
}

/** @throws PipelineError `positions-differ` when networks disagree on a layer's positions; `tap-unsupported`. */
export function planLayers(definition: Definition, models: ModelInspection[], where: Where): PlannedLayer[] {
  return definition.layers.map((layer, layerIndex) => {
    const place = where(['layers', layer.name]);
    const shapes = layer.taps.map((tap, network) => {
      const measured = models[network]!.taps[layerIndex]!;
      const units = located(place, () => unitsOf(measured.shape, tap.units));
      const planned = {
        tensor: tap.tensor,
        valueName: measured.valueName,
        rank: measured.shape.length,
        unitAxis: units.unitAxis,
        units: units.units,
      };
      return { planned, positionShape: units.positions };
    });
    const [first] = shapes;
    for (const [network, shape] of shapes.entries()) {
      if (shape.positionShape.join() === first!.positionShape.join()) continue;
      const told = (at: number): string =>
        `${definition.networks[at]!.name} has ${shapes[at]!.positionShape.join(' × ') || 'one'}`;
      throw new PipelineError(
        'positions-differ',
        `expected the same positions in all networks at layer ${layer.name}; found: ${told(0)}, ${told(network)}`,
        {
          place,
          hint: 'tap layers of equal spatial size or equal number of tokens; widths may differ',
        },
      );
    }
    const positionShape = first!.positionShape;
    const taps = shapes.map((shape) => shape.planned);
    const planned = { name: layer.name, positionShape, positions: 0, sampled: null, taps };
    return { ...planned, positions: positionCount(planned) };
  });
}

/** The axes of a model's input after the batch; an input without a stated shape takes rows as they are. */
export function modelRow(dims: Dim[] | null, dataRow: readonly number[]): Dim[] {
  return dims ? dims.slice(1) : [...dataRow];
}

/** Runs `act`; a fault of an inner stage is told with the place in the pipeline file it came from. */
export function located<T>(place: Place, act: () => T): T {
  const tell = (error: unknown): never => {
    if (!(error instanceof PipelineError) || error.place) throw error;
    throw new PipelineError(error.code, error.plainMessage, { place, hint: error.hint, cause: error });
  };
  try {
    const result = act();
    return result instanceof Promise ? (result.catch(tell) as T) : result;
  } catch (error) {
    return tell(error);
  }
}
