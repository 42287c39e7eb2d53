/** What plans are made from in tests: a pipeline of a few networks and two layers, inspected and with data. */
import { parseDefinition } from '../../../src/definition/definition.ts';
import type { ModelInspection, TapInspection } from '../../../src/inspect/inspect.ts';
import { makePlan } from '../../../src/plan/plan.ts';
import type { Plan, PlanInputs, Task, TaskKind } from '../../../src/plan/plan.ts';

export const MIB = 2 ** 20;

/** A pipeline of these networks and the layers `early` and `late`; `more` is added to the file. */
export function definitionText(more = '', networks: readonly string[] = ['a', 'b']): string {
  return `name: t
networks: { ${networks.map((name) => `${name}: { model: ${name}.onnx }`).join(', ')} }
layers: { early: e, late: l }
probe: { data: x.npy }
${more}`;
}

/** Weights and work of each tap alone; a tap of `shapes` each, batch of 2 first. */
export function inspection(
  name: string,
  change: Partial<ModelInspection> = {},
  shapes: readonly number[][] = [
    [2, 4, 8, 8],
    [2, 6],
  ],
  weightsBytes: readonly number[] = [60_000, 40_000],
): ModelInspection {
  const taps = shapes.map((shape, at): TapInspection => {
    const valueName = 'el'[at] ?? `v${at}`;
    return { asked: valueName, valueName, nodeName: '', op: 'Relu', shape };
  });
  const weights = weightsBytes.reduce((sum, bytes) => sum + bytes, 0);
  return {
    sha256: name.repeat(64).slice(0, 64),
    sizeBytes: weights,
    opset: 13,
    producer: '',
    input: { name: 'x', dims: ['batch', 1, 8, 8], batch: null },
    rowShape: [1, 8, 8],
    rows: 2,
    externalData: [],
    weightsBytes: weights,
    parts: weightsBytes.map((bytes, tap) => ({
      taps: [tap],
      weightsBytes: bytes,
      packedBytes: bytes,
      flops: 1_000_000,
    })),
    peakActivationBytes: 10_000,
    workspaceBytes: 5_000,
    taps,
    leftOut: [],
    ...change,
  };
}

/** Inputs of a plan; networks in the models' order, named by the first letter of their hash. */
export function inputs(more = '', change: Partial<PlanInputs> = {}): PlanInputs {
  const models = change.models ?? [inspection('a'), inspection('b')];
  const names = models.map((_, index) => 'abcdefgh'[index]!);
  const { definition, where } = parseDefinition(definitionText(more, names), 't.yaml');
  return {
    definition,
    where,
    definitionSha256: 'd'.repeat(64),
    models,
    externalData: models.map(() => []),
    data: {
      sha256: 'f'.repeat(64),
      chunksSha256: 'c'.repeat(64),
      sizeBytes: 64_128,
      dtype: 'uint8',
      rowShape: [8, 8],
      offset: 128,
    },
    dataRows: 3000,
    code: {
      isolate: { activate: 'code 1', reduce: 'code 2' },
      native: { activate: 'code 3', reduce: 'code 4' },
      inspect: 'code 5',
    },
    compute: 'isolate',
    versions: { isolate: 'onnxruntime-web 1.30.0', native: 'onnxruntime-node 1.30.0' },
    ...change,
  };
}

export const planOf = (more = '', change: Partial<PlanInputs> = {}): Promise<Plan> => makePlan(inputs(more, change));

/** The tasks of one kind. */
export function tasksOf<K extends TaskKind>(plan: Plan, kind: K): Extract<Task, { kind: K }>[] {
  return plan.tasks.filter((task): task is Extract<Task, { kind: K }> => task.kind === kind);
}
