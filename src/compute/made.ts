/**
 * Objects that this server's children made, by task key, for tasks that read them next: they needn't come back from the
 * bucket. Nothing relies on one being here, and none outlives the server: what it holds was made by its own code.
 * Bounded in size; what was used longest ago goes first, but never what a running task holds.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface MadeObjects {
  /** Where they stand, by key. */
  folder: string;
  /** Keeps the finished file at `path`, as it is, in place of what was there; nothing where that can't be done. */
  keep(key: string, path: string, sizeBytes: number): Promise<void>;
  /** Keeps objects in place until `release`, or says which aren't here and keeps none. */
  hold(keys: readonly string[]): { missing: string[]; release: () => void };
  /** Removes objects that a reader found damaged. */
  forget(keys: readonly string[]): Promise<void>;
}

/** An empty store in `folder`; what stood there is removed. `mostBytes` bounds the sum. */
export function openMade(folder: string, mostBytes: number): MadeObjects {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // a Map keeps its order: what was used longest ago stands first
  const entries = new Map<string, { sizeBytes: number; holders: number }>();
  let total = 0;

  const remove = async (key: string): Promise<void> => {
    total -= entries.get(key)?.sizeBytes ?? 0;
    entries.delete(key);
    await rm(join(folder, key), { force: true });
  };

  return {
    folder,

    async keep(key, path, sizeBytes) {
      if (entries.get(key)?.holders) return;
      await remove(key);
      for (const [oldest, { holders }] of entries) {
        if (total + sizeBytes <= mostBytes) break;
        if (holders === 0) await remove(oldest);
      }
      if (total + sizeBytes > mostBytes) return;
      // a file system without links keeps nothing; a second one at once finds the name taken
      const linked = await link(path, join(folder, key)).then(
        () => true,
        () => false,
      );
      if (!linked || entries.has(key)) return;
      entries.set(key, { sizeBytes, holders: 0 });
      total += sizeBytes;
    },

    hold(keys) {
      const missing = keys.filter((key) => !entries.has(key));
      if (missing.length > 0) return { missing, release: () => {} };
      const held = keys.map((key) => entries.get(key)!);
      for (const [at, key] of keys.entries()) {
        held[at]!.holders++;
        entries.delete(key);
        entries.set(key, held[at]!);
      }
      return {
        missing,
        release: () => {
          for (const entry of held.splice(0)) entry.holders--;
        },
      };
    },

    async forget(keys) {
      for (const key of keys) await remove(key);
    },
  };
}
