/**
 * A model by address into the bucket, as `inputs/<sha256>`, hashed on its way. Nothing appears under that key before
 * the hash is known and is the pinned one where one is. Memory is bounded whatever the size: a file up to
 * {@link WHOLE_PARTS} parts is held, a longer one goes up in parts; with a pinned hash straight to its key (only completed
 * if the hash holds), else to `incoming/<random>` and copied, as R2 renames nothing.
 */
import type { AddressRules } from '../definition/service.ts';
import { PipelineError } from '../errors.ts';
import { toHex } from '../numeric/hash.ts';
import { boundedBody, openAddress } from '../triggers/address.ts';
import { PART_BYTES, WHOLE_PARTS } from './limits.ts';
import { INCOMING } from './names.ts';
import { createOnly, inputKey } from './store.ts';

/**
 * Downloads what stands at `url`, unless the pinned file is there already.
 * @returns the file's SHA-256 in hex and its size
 * @throws PipelineError `address-refused` for addresses that `rules` don't allow and for a hash that isn't the pinned
 *   one; `too-large`; `download-failed` where trying again may help
 */
export async function downloadModel(
  bucket: R2Bucket,
  url: string,
  rules: AddressRules,
  fetch: typeof globalThis.fetch,
): Promise<{ sha256: string; bytes: number }> {
  const pinned = rules.sha256;
  const present = pinned === undefined ? null : await bucket.head(inputKey(pinned));
  if (pinned !== undefined && present !== null) return { sha256: pinned, bytes: present.size };

  const file = hashedParts(boundedBody(await openAddress(url, rules, fetch), rules));
  try {
    // short files are whole before anything is written
    const held: Uint8Array[] = [];
    while (held.length <= WHOLE_PARTS) {
      const { done, value } = await file.parts.next();
      if (done) {
        const hashed = await file.hashed();
        checkPin(rules.sha256, hashed.sha256);
        await createOnly(bucket, inputKey(hashed.sha256), fixedLength(held, hashed.bytes));
        return hashed;
      }
      held.push(value);
    }

    if (pinned !== undefined) return await uploadParts(bucket, inputKey(pinned), held, file, rules);
    const incoming = INCOMING + crypto.randomUUID();
    const hashed = await uploadParts(bucket, incoming, held, file, rules);
    try {
      const stored = await bucket.get(incoming);
      if (stored === null) throw new PipelineError('object-missing', `expected ${incoming}; found nothing`);
      await createOnly(bucket, inputKey(hashed.sha256), stored.body);
    } finally {
      await bucket.delete(incoming);
    }
    return hashed;
  } finally {
    await file.cancel();
  }
}

interface HashedParts {
  /** All of {@link PART_BYTES} but the last; no empty one. */
  parts: AsyncGenerator<Uint8Array, void>;
  /** Of all parts, once they are read. */
  hashed(): Promise<{ sha256: string; bytes: number }>;
  /** Lets the connection go; nothing happens after the last part. */
  cancel(): Promise<void>;
}

function hashedParts(body: ReadableStream<Uint8Array>): HashedParts {
  const digest = new crypto.DigestStream('SHA-256');
  const hashing = digest.getWriter();
  const reader = body.getReader();
  let bytes = 0;
  async function* read(): AsyncGenerator<Uint8Array, void> {
    let part = new Uint8Array(PART_BYTES);
    let filled = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      for (let at = 0; at < value.length;) {
        const piece = value.subarray(at, at + PART_BYTES - filled);
        part.set(piece, filled);
        at += piece.length;
        filled += piece.length;
        if (filled < PART_BYTES) continue;
        await hashing.write(part);
        yield part;
        part = new Uint8Array(PART_BYTES);
        filled = 0;
      }
    }
    if (filled === 0) return;
    const last = part.subarray(0, filled);
    await hashing.write(last);
    yield last;
  }
  return {
    parts: read(),
    async hashed() {
      await hashing.close();
      return { sha256: toHex(new Uint8Array(await digest.digest)), bytes };
    },
    async cancel() {
      await reader.cancel().catch(() => undefined);
    },
  };
}

// the parts held and those to come, at `key` only if the whole has the pinned hash
async function uploadParts(
  bucket: R2Bucket,
  key: string,
  held: Uint8Array[],
  file: HashedParts,
  rules: AddressRules,
): Promise<{ sha256: string; bytes: number }> {
  const upload = await bucket.createMultipartUpload(key);
  try {
    const uploaded: R2UploadedPart[] = [];
    const put = async (part: Uint8Array): Promise<void> => {
      uploaded.push(await upload.uploadPart(uploaded.length + 1, part));
    };
    for (let part = held.shift(); part !== undefined; part = held.shift()) await put(part);
    for await (const part of file.parts) await put(part);
    const hashed = await file.hashed();
    checkPin(rules.sha256, hashed.sha256);
    await upload.complete(uploaded);
    return hashed;
  } catch (error) {
    await upload.abort().catch(() => undefined);
    throw error;
  }
}

// R2 takes a stream only when its length is known
function fixedLength(parts: readonly Uint8Array[], bytes: number): ReadableStream<Uint8Array> {
  let next = 0;
  const pieces = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = parts[next++];
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });
  return pieces.pipeThrough(new FixedLengthStream(bytes));
}

/** @throws PipelineError `address-refused` where a hash is pinned and it isn't this one */
export function checkPin(pinned: string | undefined, sha256: string): void {
  if (pinned === undefined || pinned === sha256) return;
  throw new PipelineError('address-refused', `expected a file with SHA-256 ${pinned}; found ${sha256}`, {
    hint: 'The file is another one than the pipeline, or what started the run, pins.',
  });
}
