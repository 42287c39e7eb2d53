/**
 * Provisional means: the document of the pilot task, one mean per unit from the first rows. Every
 * other task subtracts these before it forms products, so that float32 products keep their digits
 * (methods: an offset of 3 standard deviations costs |Δr| 2e-5, of 30 already 3e-3).
 */
import { readNpz, takeMember } from '../numeric/npz.ts';
import type { NpyData } from '../numeric/npy.ts';
import { unitOffsets } from '../plan/layers.ts';
import type { Plan } from '../plan/plan.ts';

export interface ProvisionalMeans {
  /** [32] SHA-256 over the float32 bytes of all layers in order, little-endian. */
  hash: Uint8Array;
  /** By layer: float32 [units of all networks]. */
  byLayer: Float32Array[];
}

/** The members of the pilot's .npz. */
export function meansMembers(byLayer: readonly Float32Array[]): Record<string, { data: NpyData; shape: number[] }> {
  return Object.fromEntries(byLayer.map((means, layer) => [`means_${layer}`, { data: means, shape: [means.length] }]));
}

/** The provisional means from the pilot's object. @throws PipelineError `object-damaged` */
export async function meansFrom(object: Uint8Array, plan: Plan): Promise<ProvisionalMeans> {
  const members = await readNpz(object, undefined, 'pilot');
  const byLayer = plan.layers.map((layer, index) =>
    takeMember(members, `means_${index}`, 'float32', [unitOffsets(layer).at(-1)!]),
  );
  const bytes = new Uint8Array(byLayer.reduce((total, means) => total + means.byteLength, 0));
  let at = 0;
  for (const means of byLayer) {
    bytes.set(new Uint8Array(means.buffer, means.byteOffset, means.byteLength), at);
    at += means.byteLength;
  }
  return { hash: new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), byLayer };
}
