/**
 * Provisional means: the document of a pilot task, one mean per unit of its network from the first rows. Every
 * activation subtracts those of its networks before it forms products, so that float32 products keep their digits
 * (methods: an offset of 3 standard deviations costs |Δr| 2e-5, of 30 already 3e-3).
 */
import { takeMember } from '../numeric/npz.ts';
import type { NpzMembers, NpzObject } from '../numeric/npz.ts';
import type { NpyArray } from '../numeric/npy.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { pilotsAndPartials } from '../plan/plan.ts';
import type { Plan, Task } from '../plan/plan.ts';

export interface ProvisionalMeans {
  /** [32] SHA-256 over the float32 bytes of all layers and networks in order, little-endian. */
  hash: Uint8Array;
  /** By layer index, then index of network: float32 [units]. */
  byLayer: Map<number, Map<number, Float32Array>>;
}

const memberName = (layer: number, network: number): string => `means_${layer}_${network}`;

/** The members of a pilot's .npz. */
export function meansMembers(byLayer: ProvisionalMeans['byLayer']): NpzMembers {
  const members: NpzMembers = {};
  for (const [layer, networks] of byLayer) {
    for (const [network, means] of networks)
      members[memberName(layer, network)] = { data: means, shape: [means.length] };
  }
  return members;
}

/** The provisional means that a task needs, from the objects of its networks' pilots. @throws as {@link meansFrom} */
export async function readMeans(
  plan: Plan,
  task: Extract<Task, { kind: 'activate' | 'correlate' }>,
  object: (task: number) => Promise<NpzObject>,
): Promise<ProvisionalMeans> {
  const members: Record<string, NpyArray> = {};
  for (const pilot of pilotsAndPartials(plan, task).pilots) Object.assign(members, await (await object(pilot)).read());
  return meansFrom(members, plan, task.set);
}

/** The provisional means of a set, from the members of all its pilots' objects. @throws PipelineError `object-damaged` */
export async function meansFrom(
  members: Readonly<Record<string, NpyArray>>,
  plan: Plan,
  set: number,
): Promise<ProvisionalMeans> {
  const { layers, networks } = plan.sets[set]!;
  const byLayer: ProvisionalMeans['byLayer'] = new Map();
  const parts: Uint8Array[] = [];
  for (const layer of layers) {
    const own = new Map<number, Float32Array>();
    for (const network of networks) {
      const means = takeMember(members, memberName(layer, network), 'float32', [
        plan.layers[layer]!.taps[network]!.units,
      ]);
      own.set(network, means);
      parts.push(new Uint8Array(means.buffer, means.byteOffset, means.byteLength));
    }
    byLayer.set(layer, own);
  }
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const hex = await sha256Hex(bytes);
  return { hash: Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)), byLayer };
}
