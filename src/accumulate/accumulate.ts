/**
 * Accumulate stage. Takes the taps of one task, batch by batch; gives its Partial (or, for the pilot,
 * the provisional means). The products run in ONNX Runtime, in a moment graph of our own, so that only
 * C × C numbers leave the runtime; across batches they are added in float64.
 */
import { activateShard } from '../activate/activate.ts';
import type { OpenNetworks, ProbeSource, TapBatch } from '../activate/activate.ts';
import { PipelineError } from '../errors.ts';
import { writeNpz } from '../numeric/npz.ts';
import { triangleIndex } from '../numeric/triangle.ts';
import { momentModel, momentNames } from '../onnx/moments.ts';
import type { FloatTensor, OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { positionCount, unitOffsets } from '../plan/layers.ts';
import type { Plan, Task } from '../plan/plan.ts';
import { emptyMoments, partialMembers } from './partial.ts';
import type { LayerMoments } from './partial.ts';
import { meansMembers } from './pilot.ts';
import type { ProvisionalMeans } from './pilot.ts';

export type ActivationTask = Extract<Task, { kind: 'pilot' | 'activate' }>;

/** The moment graph of a plan as a session: taps of all networks in, joint moments of every layer out. */
export function openMoments(
  plan: Plan,
  runtime: OnnxRuntime,
  means: readonly Float32Array[] | null,
): Promise<OnnxSession> {
  return runtime.createSession(
    momentModel({
      layers: plan.layers.map((layer, index) => ({
        taps: layer.taps,
        positions: positionCount(layer),
        ...(layer.sampled ? { sampledPositions: layer.sampled } : {}),
        means: means ? means[index]! : new Float32Array(unitOffsets(layer).at(-1)!),
      })),
    }),
  );
}

/** Runs the pilot task with a moment session of zero means; gives the .npz of provisional means. */
export async function runPilotTask(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  moments: OnnxSession,
  source: ProbeSource,
): Promise<Uint8Array> {
  const layers = await sumMoments(plan, task, networks, moments, source);
  const means = layers.map(({ moments: sums, samples, min }) => {
    // Σ x is the last column of the triangle
    const units = min.length;
    return Float32Array.from({ length: units }, (_, i) => sums[triangleIndex(units + 1, i, units)]! / samples);
  });
  return writeNpz(meansMembers(means));
}

/** Runs an activation task with a moment session that subtracts `means`; gives the .npz of its Partial. */
export async function runActivationTask(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  moments: OnnxSession,
  means: ProvisionalMeans,
  source: ProbeSource,
): Promise<Uint8Array> {
  const layers = await sumMoments(plan, task, networks, moments, source);
  const rows = task.ranges.reduce((total, [start, end]) => total + end - start, 0);
  return writeNpz(partialMembers({ rows, meansHash: means.hash, layers: new Map(layers.entries()) }));
}

async function sumMoments(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  moments: OnnxSession,
  source: ProbeSource,
): Promise<LayerMoments[]> {
  const sums = plan.layers.map((layer) => emptyMoments(unitOffsets(layer).at(-1)!));
  for await (const batch of activateShard(plan, task.ranges, networks, source)) {
    const feeds: Record<string, FloatTensor> = {};
    for (const [layer, taps] of batch.taps.entries()) {
      for (const [network, tap] of taps.entries()) feeds[momentNames.tap(layer, network)] = tap;
    }
    const outputs = await moments.run(feeds);
    for (const [layer, into] of sums.entries()) {
      const joint = outputs[momentNames.moments(layer)]!.data;
      const min = outputs[momentNames.min(layer)]!.data;
      const max = outputs[momentNames.max(layer)]!.data;
      requireFinite(plan, layer, batch, joint);
      addBatch(into, joint, min, max, batch.rows.length * plan.layers[layer]!.positions);
    }
  }
  return sums;
}

// adds the upper triangle of a float32 [(C+1) × (C+1)] product to the float64 sums
function addBatch(
  into: LayerMoments,
  joint: Float32Array,
  min: Float32Array,
  max: Float32Array,
  samples: number,
): void {
  const units = min.length;
  into.samples += samples;
  let at = 0;
  for (let i = 0; i <= units; i++) {
    const row = i * (units + 1);
    for (let j = i; j <= units; j++) into.moments[at++]! += joint[row + j]!;
  }
  for (let i = 0; i < units; i++) {
    into.min[i] = Math.min(into.min[i]!, min[i]!);
    into.max[i] = Math.max(into.max[i]!, max[i]!);
  }
}

// a NaN or an infinity anywhere in a unit reaches its own sum of squares; the taps then tell where it came from
function requireFinite(plan: Plan, layer: number, batch: TapBatch, joint: Float32Array): void {
  const size = Math.sqrt(joint.length);
  let finite = true;
  for (let i = 0; i < size; i++) finite &&= Number.isFinite(joint[i * size + i]);
  if (finite) return;
  const name = plan.layers[layer]!.name;
  for (const [network, tap] of batch.taps[layer]!.entries()) {
    const at = tap.data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    const row = batch.rows[Math.floor(at / (tap.data.length / tap.dims[0]!))];
    throw new PipelineError(
      'not-finite',
      `expected finite activations; found ${tap.data[at]} at layer ${name} of ${plan.networks[network]!.name}, row ${row}`,
      {
        hint: 'check the preprocessing (scale, mean, std) and the model; rows count from 0',
      },
    );
  }
  throw new PipelineError(
    'not-finite',
    `expected sums of squares that float32 can hold; found activations too large at layer ${name}, rows ${batch.rows[0]} to ${batch.rows.at(-1)}`,
    {
      hint: 'tap a tensor with smaller activations',
    },
  );
}
