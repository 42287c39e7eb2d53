/** Networks by https address, as `run` and `plan` use them: a file in the state folder, under its hash. */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressRules } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { boundedBody, openAddress } from '../triggers/address.ts';
import { hashFile } from '../compute/files.ts';
import { transferText } from './progress.ts';

/** Waits before the tries after the first. */
const WAITS_MS = [1_000, 4_000];

export interface Downloading {
  /** Where downloads are kept. */
  folder: string;
  fetch: typeof globalThis.fetch;
  /** Hears how far it is. */
  show: (text: string) => void;
}

/**
 * The path of what stands at `url`. A pinned file that was downloaded before, and is whole, is not asked for again;
 * an address without a pin is, because what stands there may have changed.
 * @throws PipelineError `address-refused` also for a hash that isn't the pinned one; `too-large`; `download-failed`
 */
export async function downloadModel(url: string, rules: AddressRules, downloading: Downloading): Promise<string> {
  const { folder } = downloading;
  mkdirSync(folder, { recursive: true });
  const known = rules.sha256 === undefined ? null : join(folder, rules.sha256);
  if (known !== null && existsSync(known) && (await hashFile(known)).sha256 === rules.sha256) return known;
  for (let tries = 0; ; tries++) {
    try {
      return await download(url, rules, downloading);
    } catch (error) {
      const waitMs = WAITS_MS[tries];
      if (fromUnknown(error).code !== 'download-failed' || waitMs === undefined) throw error;
      await sleep(waitMs);
    }
  }
}

async function download(url: string, rules: AddressRules, { folder, fetch, show }: Downloading): Promise<string> {
  const response = await openAddress(url, rules, fetch);
  const total = Number(response.headers.get('content-length') ?? 0);
  const partial = join(folder, `partial-${process.pid}`);
  const hash = createHash('sha256');
  const begun = performance.now();
  let bytes = 0;
  async function* hashed(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const piece of body) {
      hash.update(piece);
      bytes += piece.length;
      const seconds = (performance.now() - begun) / 1000;
      show(transferText(`downloading ${new URL(url).hostname}:`, bytes, Math.max(total, bytes), seconds));
      yield piece;
    }
  }
  try {
    await pipeline(Readable.from(hashed(boundedBody(response, rules))), createWriteStream(partial));
    const sha256 = hash.digest('hex');
    if (rules.sha256 !== undefined && sha256 !== rules.sha256) {
      throw new PipelineError('address-refused', `expected a file with SHA-256 ${rules.sha256}; found ${sha256}`, {
        hint: 'If the file is meant to have changed, change `sha256` of the network.',
      });
    }
    const path = join(folder, sha256);
    renameSync(partial, path);
    return path;
  } finally {
    rmSync(partial, { force: true });
  }
}
