/**
 * Networks that return their input: a row of probe data holds the taps of all networks at all layers, so that a test
 * knows every activation. The plan is a real one, and so is everything between the sessions and the partial.
 */
import type { OpenNetworks, ProbeRows } from '../../../src/activate/activate.ts';
import { rowPreparer } from '../../../src/activate/prepare.ts';
import { parseDefinition } from '../../../src/definition/definition.ts';
import type { FloatTensor, OnnxSession } from '../../../src/onnx/session.ts';
import { makePlan } from '../../../src/plan/plan.ts';
import type { Plan, PlanInputs, Task, TaskKind } from '../../../src/plan/plan.ts';
import { inputs, inspection } from '../plan/inputs.ts';

/** A tap without its batch axis, and its unit axis counted with it. */
export interface TapShape {
  shape: number[];
  units: number;
}

export interface World {
  plan: Plan;
  networks: OpenNetworks;
  source: ProbeRows;
  /** Samples [rows × positions][units] of one network at one layer, in order of rows and positions used. */
  samples(layer: number, network: number, rows?: readonly number[]): number[][];
}

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

/**
 * A world whose layers have these taps, by layer and network.
 * @param value activation of a row at an index among all values of a row
 */
export async function makeWorld(
  layers: readonly (readonly TapShape[])[],
  rows: number,
  options: {
    more?: string;
    change?: Partial<PlanInputs>;
    fixedBatch?: number;
    value?: (row: number, index: number) => number;
  } = {},
): Promise<World> {
  const names = layers[0]!.map((_, network) => 'abcdefgh'[network]!);
  // where each tap stands in a row
  const starts: number[][] = [];
  let rowSize = 0;
  for (const taps of layers) {
    starts.push(
      taps.map((tap) => {
        const start = rowSize;
        rowSize += product(tap.shape);
        return start;
      }),
    );
  }
  const value = options.value ?? noise;
  const data = Float32Array.from({ length: rows * rowSize }, (_, i) => value(Math.floor(i / rowSize), i % rowSize));

  const batch = options.fixedBatch ?? null;
  const models = names.map((name, network) =>
    inspection(name, {
      input: { name: 'x', dims: [batch ?? 'batch', rowSize], batch },
      rowShape: [rowSize],
      taps: layers.map((taps, layer) => ({
        asked: `v${layer}`,
        valueName: `v${layer}`,
        nodeName: '',
        op: 'Relu',
        shape: [2, ...taps[network]!.shape],
      })),
    }),
  );
  const written = layers.map((taps, layer) => {
    const own = taps.map(({ units }, network) => `${names[network]}: { tensor: v${layer}, units: ${units} }`);
    return `l${layer}: { ${own.join(', ')} }`;
  });
  const text = [
    'name: t',
    `networks: { ${names.map((name) => `${name}: { model: ${name}.onnx }`).join(', ')} }`,
    `layers: { ${written.join(', ')} }`,
    'probe: { data: x.npy }',
    options.more ?? '',
  ].join('\n');
  const planInputs = inputs('', { models });
  const plan = await makePlan({
    ...planInputs,
    ...parseDefinition(text, 't.yaml'),
    data: { ...planInputs.data, dtype: 'float32', rowShape: [rowSize] },
    dataRows: rows,
    ...options.change,
  });

  const sessions = names.map((_, network): OnnxSession => {
    const outputNames = layers.map((__, layer) => `v${layer}`);
    return {
      inputNames: ['x'],
      outputNames,
      outputTypes: {},
      run: (feeds) => {
        const { data: values, dims } = feeds.x!;
        const outputs = outputNames.map((name, layer): [string, FloatTensor] => {
          const { shape } = layers[layer]![network]!;
          const size = product(shape);
          const tap = new Float32Array(dims[0]! * size);
          for (let row = 0; row < dims[0]!; row++) {
            const start = row * rowSize + starts[layer]![network]!;
            tap.set(values.subarray(start, start + size), row * size);
          }
          return [name, { data: tap, dims: [dims[0]!, ...shape] }];
        });
        return Promise.resolve(Object.fromEntries(outputs));
      },
      release: () => Promise.resolve(),
    };
  });

  return {
    plan,
    networks: {
      indices: names.map((_, network) => network),
      sessions,
      preparers: plan.networks.map(({ preprocessing }) => rowPreparer(plan.data, preprocessing)),
      outputs: names.map(() => undefined),
    },
    source: {
      rows: ([start, end]) => Promise.resolve(new Uint8Array(data.slice(start * rowSize, end * rowSize).buffer)),
    },
    samples(layer, network, of = Array.from({ length: rows }, (_, row) => row)) {
      const { shape, units } = layers[layer]![network]!;
      const axis = units - 1;
      const inner = product(shape.slice(axis + 1));
      const used = plan.layers[layer]!.sampled ?? Array.from({ length: product(shape) / shape[axis]! }, (_, p) => p);
      return of.flatMap((row) =>
        used.map((position) =>
          Array.from({ length: shape[axis]! }, (_, unit) => {
            const [before, after] = [Math.floor(position / inner), position % inner];
            const flat = (before * shape[axis]! + unit) * inner + after;
            return data[row * rowSize + starts[layer]![network]! + flat]!;
          }),
        ),
      );
    },
  };
}

/** One of the networks of a world. */
export function alone({ indices, sessions, preparers, outputs }: OpenNetworks, network: number): OpenNetworks {
  const pick = <T>(values: readonly T[]): T[] => values.filter((_, at) => indices[at] === network);
  return { indices: [network], sessions: pick(sessions), preparers: pick(preparers), outputs: pick(outputs) };
}

/** The tasks of one kind with their indices. */
export function tasksWithIndex<K extends TaskKind>(plan: Plan, kind: K): [number, Extract<Task, { kind: K }>][] {
  return [...plan.tasks.entries()].filter((entry): entry is [number, Extract<Task, { kind: K }>] => {
    return entry[1].kind === kind;
  });
}

/** The rows of an activation task, in its order. */
export function rowsIn({ ranges }: Extract<Task, { kind: 'activate' | 'pilot' }>): number[] {
  return ranges.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));
}

/** Seeded values about an offset of each index, with some common to all, so that units correlate. */
export function noise(row: number, index: number): number {
  return ((index * 7) % 5) + hashed(row * 100_003 + index) + 0.7 * ((index % 3) - 1) * hashed(row);
}

// in (−1, 1): integers hashed by multiplication and shifts
function hashed(key: number): number {
  let state = Math.imul(key ^ (key >>> 15), 0x2c1b3c6d);
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  return ((state ^ (state >>> 15)) >>> 0) / 2 ** 31 - 1;
}
