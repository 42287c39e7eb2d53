/**
 * Files by SHA-256 on disk: models, their external data and plans, sent once and read by many tasks. Written beside
 * their place and renamed, so that a file is whole or absent; bounded in size, and what was used longest ago goes first,
 * but never what a running task holds. One server to a folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../errors.ts';

export interface FileCache {
  /** Where the files stand, by their hash. */
  folder: string;
  has(sha256: string): boolean;
  /**
   * Takes `sizeBytes` of `body` in. Two puts of one file at once are harmless.
   * @throws PipelineError `input-damaged`: another hash; `usage`: another length, or larger than the whole cache;
   * `task-failed`: no room beside the files in use
   */
  put(sha256: string, sizeBytes: number, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** Keeps files in place until `release`, or says which are missing and keeps none. */
  hold(sha256s: readonly string[]): Promise<{ missing: string[]; release: () => void }>;
  bytes(): number;
}

interface Entry {
  bytes: number;
  holders: number;
  /** Whether the content is what the name says; not known of files that an earlier process left. */
  whole: Promise<boolean> | undefined;
}

const NAME = /^[0-9a-f]{64}$/;

/** Opens the cache in `folder` with the files that are there; `mostBytes` bounds their sum. */
export function openCache(folder: string, mostBytes: number): FileCache {
  const files = join(folder, 'files');
  const partial = join(folder, 'partial');
  rmSync(partial, { recursive: true, force: true });
  for (const path of [files, partial]) mkdirSync(path, { recursive: true });

  // a Map keeps its order: what was used longest ago stands first
  const entries = new Map<string, Entry>();
  let total = 0;
  let coming = 0;
  const found = readdirSync(files)
    .filter((name) => NAME.test(name))
    .map((name) => ({ name, stat: statSync(join(files, name)) }))
    .sort((a, b) => a.stat.mtimeMs - b.stat.mtimeMs);
  for (const { name, stat } of found) {
    entries.set(name, { bytes: stat.size, holders: 0, whole: undefined });
    total += stat.size;
  }
  makeRoom(0);

  function makeRoom(bytes: number): boolean {
    for (const [sha256, entry] of entries) {
      if (total + coming + bytes <= mostBytes) break;
      if (entry.holders > 0) continue;
      forget(sha256);
      rmSync(join(files, sha256), { force: true });
    }
    return total + coming + bytes <= mostBytes;
  }

  function forget(sha256: string): void {
    const entry = entries.get(sha256);
    if (!entry) return;
    entries.delete(sha256);
    total -= entry.bytes;
  }

  // used just now, also for the process after this one
  async function touch(sha256: string, entry: Entry): Promise<void> {
    if (!entries.delete(sha256)) return;
    entries.set(sha256, entry);
    const now = new Date();
    await utimes(join(files, sha256), now, now).catch(() => {});
  }

  async function isWhole(sha256: string, entry: Entry): Promise<boolean> {
    entry.whole ??= hashFile(join(files, sha256)).then(
      (hash) => hash === sha256,
      () => false,
    );
    if (await entry.whole) return true;
    if (entries.get(sha256) === entry) {
      forget(sha256);
      await rm(join(files, sha256), { force: true });
    }
    return false;
  }

  return {
    folder: files,
    has: (sha256) => entries.has(sha256),
    bytes: () => total,

    async put(sha256, sizeBytes, body) {
      if (sizeBytes > mostBytes)
        throw new PipelineError('usage', `expected a file of at most ${mostBytes} bytes; found ${sizeBytes}`);
      if (!makeRoom(sizeBytes)) {
        throw new PipelineError('task-failed', `expected room for ${sizeBytes} bytes; found the cache in use`, {
          hint: 'send the file again later, or allow a larger cache',
        });
      }
      coming += sizeBytes;
      const path = join(partial, randomUUID());
      try {
        await writeVerified(path, sha256, sizeBytes, body);
        // somebody else may have been first; in one go, so that nothing comes between the file and its entry
        if (entries.has(sha256)) return;
        renameSync(path, join(files, sha256));
        entries.set(sha256, { bytes: sizeBytes, holders: 0, whole: Promise.resolve(true) });
        total += sizeBytes;
      } finally {
        coming -= sizeBytes;
        await rm(path, { force: true });
      }
    },

    async hold(sha256s) {
      const held: Entry[] = [];
      const missing: string[] = [];
      for (const sha256 of new Set(sha256s)) {
        const entry = entries.get(sha256);
        if (!entry) {
          missing.push(sha256);
          continue;
        }
        entry.holders++;
        if (await isWhole(sha256, entry)) {
          held.push(entry);
          await touch(sha256, entry);
        } else {
          entry.holders--;
          missing.push(sha256);
        }
      }
      const release = (): void => {
        for (const entry of held.splice(0)) entry.holders--;
      };
      if (missing.length > 0) release();
      return { missing, release };
    },
  };
}

async function writeVerified(
  path: string,
  sha256: string,
  sizeBytes: number,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  let found = 0;
  try {
    for await (const piece of body) {
      found += piece.length;
      if (found > sizeBytes) break;
      hash.update(piece);
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
  if (found !== sizeBytes)
    throw new PipelineError('usage', `expected ${sizeBytes} bytes; found ${found > sizeBytes ? 'more' : found}`);
  const digest = hash.digest('hex');
  if (digest !== sha256)
    throw new PipelineError('input-damaged', `expected a file with SHA-256 ${sha256}; found ${digest}`);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
