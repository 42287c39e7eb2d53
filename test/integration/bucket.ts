/** The bucket of a state folder, opened on a copy, or in place once nobody else uses it. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { readNpz } from '../../src/numeric/npz.ts';
import { objectKey } from '../../src/plan/plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { BUCKET } from '../../src/runtime/names.ts';

export interface OpenBucket {
  get(key: string): Promise<Uint8Array | null>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Opens the bucket of `state` itself. */
export async function openBucket(state: string): Promise<OpenBucket> {
  const miniflare = new Miniflare({
    modules: true,
    script: 'export default { fetch: () => new Response() }',
    compatibilityDate: '2026-07-01',
    name: 'convergent',
    r2Buckets: { BUCKET },
    defaultPersistRoot: join(state, 'worker'),
    log: new Log(LogLevel.NONE),
  });
  const bucket = await miniflare.getR2Bucket('BUCKET');
  return {
    get: async (key) => {
      const found = await bucket.get(key);
      return found && new Uint8Array(await found.arrayBuffer());
    },
    put: async (key, bytes) => {
      await bucket.put(key, bytes);
    },
    close: () => miniflare.dispose(),
  };
}

/** Which tasks of `plan` have a whole object in `state`, by index; looks at a copy, so that nothing is disturbed. */
export async function validObjects(state: string, plan: Plan, scratch: string): Promise<number[]> {
  cpSync(join(state, 'worker'), join(scratch, 'worker'), { recursive: true });
  const bucket = await openBucket(scratch);
  const valid: number[] = [];
  for (const [index, task] of plan.tasks.entries()) {
    const bytes = await bucket.get(objectKey(task));
    if (bytes === null) continue;
    const whole = await readNpz(bytes).then(
      () => true,
      () => false,
    );
    if (whole) valid.push(index);
  }
  await bucket.close();
  rmSync(scratch, { recursive: true, force: true });
  return valid;
}
