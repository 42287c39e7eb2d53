/**
 * The moment graph: a small ONNX model of our own that takes the taps of all networks and returns,
 * per layer, the joint second moments of their units about provisional means, with minima and maxima.
 * Per layer, units of all networks in order, C in total, S samples (rows × positions):
 *   X [C × S]   Y = X − mean   Z = Y over a row of ones   moments = Z Zᵀ [(C+1) × (C+1)]
 * so the last row and column hold the sums of Y and, in the corner, S. All float32; the caller adds
 * them up in float64 and keeps S ≤ 65,536 a run. Opset 13, whose operators every runtime has.
 */
import { PipelineError } from '../errors.ts';
import { constantField, FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from './build.ts';

/** One network's tap at a layer, batch axis first. */
export interface MomentTap {
  rank: number;
  unitAxis: number;
  units: number;
}

/** One layer of all networks. */
export interface MomentLayer {
  /** In the networks' order; their units are concatenated. */
  taps: readonly MomentTap[];
  /** Positions per row: the product of the axes that are neither batch nor unit. */
  positions: number;
  /** Row-major indices of the positions to use, rising; absent: all. */
  sampledPositions?: readonly number[] | Int32Array;
  /** [C], subtracted before the product. */
  means: Float32Array;
}

const OPSET = 13;
const IR_VERSION = 7;

/** Names of a layer's values in the moment graph, layers and networks counted from 0. */
export const momentNames = {
  tap: (layer: number, network: number) => `tap_${layer}_${network}`,
  /** [(C+1) × (C+1)] */
  moments: (layer: number) => `moments_${layer}`,
  /** [C], of X, not of Y. */
  min: (layer: number) => `min_${layer}`,
  max: (layer: number) => `max_${layer}`,
};

/** The file of the moment graph. The number of rows is free, and may differ between layers. */
export function momentModel(description: { layers: readonly MomentLayer[] }): Uint8Array {
  return modelFrom(OPSET, IR_VERSION, 'moments', description.layers.flatMap(layerFields));
}

function layerFields(layer: MomentLayer, l: number): Uint8Array[] {
  checkLayer(layer, l);
  const units = layer.taps.reduce((sum, tap) => sum + tap.units, 0);
  const local = (name: string) => `${name}_${l}`;
  const sampled = layer.sampledPositions;
  return [
    // X: all units as rows, all samples as columns
    ...layer.taps.flatMap((tap, n) => tapFields(tap, layer, l, n)),
    ...(sampled ? [constantField(local('positions'), [sampled.length], BigInt64Array.from(sampled, BigInt))] : []),
    nodeField(
      'Concat',
      layer.taps.map((_, n) => `samples_${l}_${n}`),
      local('x'),
      { axis: 0 },
    ),

    nodeField('ReduceMin', [local('x')], momentNames.min(l), { axes: [1], keepdims: 0 }),
    nodeField('ReduceMax', [local('x')], momentNames.max(l), { axes: [1], keepdims: 0 }),

    // Y, then one row of ones below it
    constantField(local('mean'), [units, 1], layer.means),
    nodeField('Sub', [local('x'), local('mean')], local('y')),
    constantField(local('one_row_below'), [4], BigInt64Array.of(0n, 0n, 1n, 0n)),
    constantField(local('one'), [], Float32Array.of(1)),
    nodeField('Pad', [local('y'), local('one_row_below'), local('one')], local('z')),

    nodeField('Gemm', [local('z'), local('z')], momentNames.moments(l), { transB: 1 }),
    valueField(OUTPUT, momentNames.moments(l), FLOAT32, [units + 1, units + 1]),
    valueField(OUTPUT, momentNames.min(l), FLOAT32, [units]),
    valueField(OUTPUT, momentNames.max(l), FLOAT32, [units]),
  ];
}

// one tap [batch, …] as samples_<l>_<n> [units × samples]
function tapFields(tap: MomentTap, layer: MomentLayer, l: number, n: number): Uint8Array[] {
  const local = (name: string) => `${name}_${l}_${n}`;
  const dims = Array.from({ length: tap.rank }, (_, axis) => {
    if (axis === 0) return `rows_${l}`;
    return axis === tap.unitAxis ? tap.units : null;
  });
  const fields = [valueField(INPUT, momentNames.tap(l, n), FLOAT32, dims)];
  let value = momentNames.tap(l, n);

  // the units between position axes: bring them to axis 1, so that positions lie side by side
  const unitsLast = tap.unitAxis === tap.rank - 1 && tap.rank > 2;
  if (tap.unitAxis !== 1 && !unitsLast) {
    const rest = dims.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== tap.unitAxis);
    fields.push(nodeField('Transpose', [value], local('unit_first'), { perm: [0, tap.unitAxis, ...rest] }));
    value = local('unit_first');
  }

  // [rows, units, positions], or [rows, positions, units] as it lies; 0 keeps the rows
  const flat = unitsLast ? [0, layer.positions, tap.units] : [0, tap.units, layer.positions];
  fields.push(constantField(local('flat_shape'), [3], BigInt64Array.from(flat, BigInt)));
  fields.push(nodeField('Reshape', [value, local('flat_shape')], local('flat')));
  value = local('flat');
  if (layer.sampledPositions) {
    fields.push(nodeField('Gather', [value, `positions_${l}`], local('sampled'), { axis: unitsLast ? 1 : 2 }));
    value = local('sampled');
  }

  fields.push(
    nodeField('Transpose', [value], local('by_unit'), { perm: unitsLast ? [2, 0, 1] : [1, 0, 2] }),
    constantField(local('samples_shape'), [2], BigInt64Array.of(BigInt(tap.units), -1n)),
    nodeField('Reshape', [local('by_unit'), local('samples_shape')], local('samples')),
  );
  return fields;
}

// whoever plans the layers has checked them against the networks; a slip here would give wrong sums silently
function checkLayer(layer: MomentLayer, l: number): void {
  const fail = (expected: string, found: unknown) => {
    throw new PipelineError('internal', `moment graph, layer ${l}: expected ${expected}; found ${String(found)}`);
  };
  const units = layer.taps.reduce((sum, tap) => sum + tap.units, 0);
  if (layer.taps.length === 0) fail('at least one tap', 0);
  if (layer.means.length !== units) fail(`${units} means`, layer.means.length);
  for (const tap of layer.taps) {
    if (!(tap.unitAxis >= 1 && tap.unitAxis < tap.rank)) fail(`a unit axis below rank ${tap.rank}`, tap.unitAxis);
    if (tap.rank === 2 && layer.positions !== 1) fail('one position at rank 2', layer.positions);
  }
  const sampled = Array.from(layer.sampledPositions ?? []);
  if (layer.sampledPositions && sampled.length === 0) fail('at least one position', 0);
  sampled.forEach((position, i) => {
    const lowest = i === 0 ? 0 : sampled[i - 1]! + 1;
    if (!(position >= lowest && position < layer.positions)) {
      fail(`rising positions below ${layer.positions}`, sampled.join(', '));
    }
  });
}
