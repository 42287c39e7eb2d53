/**
 * Inputs that come over HTTP: whole, or in parts that can be resumed. An input is there once the list of its chunks'
 * hashes stands beside it, which is written here, after the whole was read back and had the hash it is named by;
 * nobody takes an input without it.
 */
import { PipelineError } from '../errors.ts';
import { toHex } from '../numeric/hash.ts';
import type { Upload } from '../service/documents.ts';
import type { Env } from './env.ts';
import { CHUNK_BYTES, UPLOAD_PART_BYTES } from './limits.ts';
import { registryOf } from './registry.ts';
import { chunksKey, inputKey } from './store.ts';

/** How far an input is; null: nothing is known of it. */
export async function uploadOf(env: Env, sha256: string): Promise<Upload | null> {
  const stored = await completeBytes(env, sha256);
  if (stored !== null) return stateOf(sha256, stored, true);
  const upload = await registryOf(env).uploadOf(sha256);
  return (
    upload &&
    stateOf(
      sha256,
      upload.bytes,
      false,
      upload.parts.map(({ part }) => part),
    )
  );
}

/** Stores an input that comes whole, unless it is there. @throws PipelineError `payload-invalid` where its hash is another */
export async function putWhole(env: Env, sha256: string, body: ReadableStream): Promise<Upload> {
  const stored = await completeBytes(env, sha256);
  if (stored !== null) {
    await body.cancel();
    return stateOf(sha256, stored, true);
  }
  try {
    await env.BUCKET.put(inputKey(sha256), body, { sha256 });
  } catch (error) {
    if (/checksum|did not match/i.test(String(error))) throw wrongHash(sha256);
    throw lengthOr(error);
  }
  return stateOf(sha256, await readBack(env.BUCKET, sha256), true);
}

/** Begins an upload in parts, or gives the one under way. */
export async function beginUpload(env: Env, sha256: string, bytes: number): Promise<Upload> {
  const stored = await completeBytes(env, sha256);
  if (stored !== null) return stateOf(sha256, stored, true);
  const registry = registryOf(env);
  const before = await registry.uploadOf(sha256);
  // a content has one size: who told another was wrong
  if (before && before.bytes !== bytes) await abandon(env, sha256, before.upload);
  const { uploadId } = await env.BUCKET.createMultipartUpload(inputKey(sha256));
  const upload = await registry.beginUpload(sha256, bytes, uploadId);
  if (upload.upload !== uploadId) await env.BUCKET.resumeMultipartUpload(inputKey(sha256), uploadId).abort();
  return stateOf(
    sha256,
    upload.bytes,
    false,
    upload.parts.map(({ part }) => part),
  );
}

/** Stores one part, from 1; again is harmless. @throws PipelineError `not-found`, `usage`, `conflict` */
export async function putPart(
  env: Env,
  sha256: string,
  part: number,
  body: ReadableStream,
  bytes: number,
): Promise<Upload> {
  const registry = registryOf(env);
  const upload = await registry.uploadOf(sha256);
  if (!upload) {
    await body.cancel();
    const stored = await completeBytes(env, sha256);
    if (stored !== null) return stateOf(sha256, stored, true);
    throw new PipelineError('not-found', 'expected an upload that was begun; found none', {
      hint: 'begin it with POST /uploads/{sha256}',
    });
  }
  const expected = Math.min(UPLOAD_PART_BYTES, upload.bytes - (part - 1) * UPLOAD_PART_BYTES);
  if (bytes !== expected) {
    await body.cancel();
    const found = `part ${part} of ${bytes} bytes`;
    throw expected > 0
      ? new PipelineError('usage', `expected ${expected} bytes; found ${found}`)
      : new PipelineError('usage', `expected at most ${partsOf(upload.bytes)} parts; found ${found}`);
  }
  try {
    const { etag } = await env.BUCKET.resumeMultipartUpload(inputKey(sha256), upload.upload).uploadPart(part, body);
    await registry.addPart(sha256, { part, etag });
  } catch (error) {
    throw await lostOr(env, sha256, error);
  }
  return (await uploadOf(env, sha256))!;
}

/**
 * Joins the parts and reads the whole back.
 * @throws PipelineError `not-found`; `conflict` while parts are missing; `payload-invalid` where its hash is another:
 *   then nothing of it is kept
 */
export async function completeUpload(env: Env, sha256: string): Promise<Upload> {
  const registry = registryOf(env);
  const upload = await registry.uploadOf(sha256);
  const stored = await completeBytes(env, sha256);
  if (stored !== null) {
    if (upload) await abandon(env, sha256, upload.upload);
    return stateOf(sha256, stored, true);
  }
  if (!upload) throw new PipelineError('not-found', 'expected an upload that was begun; found none');
  const [wanted, there] = [partsOf(upload.bytes), upload.parts.length];
  if (there !== wanted) throw new PipelineError('conflict', `expected ${wanted} parts; found ${there}`);
  try {
    await env.BUCKET.resumeMultipartUpload(inputKey(sha256), upload.upload).complete(
      upload.parts.map(({ part, etag }) => ({ partNumber: part, etag })),
    );
  } catch (error) {
    throw await lostOr(env, sha256, error);
  }
  await registry.endUpload(sha256);
  return stateOf(sha256, await readBack(env.BUCKET, sha256), true);
}

/** Size of an input that is there, whole and verified; null: it isn't. */
export async function completeBytes({ BUCKET }: Env, sha256: string): Promise<number | null> {
  const [input, chunks] = await Promise.all([BUCKET.head(inputKey(sha256)), BUCKET.head(chunksKey(sha256))]);
  return input && chunks ? input.size : null;
}

// the hash of the whole and of its chunks in one pass; memory grows by 32 bytes a chunk
async function readBack(bucket: R2Bucket, sha256: string): Promise<number> {
  const object = await bucket.get(inputKey(sha256));
  if (!object) throw new PipelineError('conflict', 'expected the upload in the bucket; found nothing');
  const digest = new crypto.DigestStream('SHA-256');
  const whole = digest.getWriter();
  const hashes = new Uint8Array(Math.ceil(object.size / CHUNK_BYTES) * 32);
  const chunk = new Uint8Array(CHUNK_BYTES);
  let [filled, count] = [0, 0];
  const endChunk = async (): Promise<void> => {
    hashes.set(new Uint8Array(await crypto.subtle.digest('SHA-256', chunk.subarray(0, filled))), 32 * count++);
    filled = 0;
  };
  for await (const piece of object.body as ReadableStream<Uint8Array>) {
    await whole.write(piece);
    for (let at = 0; at < piece.length;) {
      const taken = piece.subarray(at, at + CHUNK_BYTES - filled);
      chunk.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled === CHUNK_BYTES) await endChunk();
    }
  }
  if (filled > 0) await endChunk();
  await whole.close();
  if (toHex(new Uint8Array(await digest.digest)) !== sha256) {
    await bucket.delete(inputKey(sha256));
    throw wrongHash(sha256);
  }
  await bucket.put(chunksKey(sha256), hashes);
  return object.size;
}

async function abandon(env: Env, sha256: string, uploadId: string): Promise<void> {
  await env.BUCKET.resumeMultipartUpload(inputKey(sha256), uploadId)
    .abort()
    .catch(() => undefined);
  await registryOf(env).endUpload(sha256);
}

// the bucket forgets uploads that were left for a week
async function lostOr(env: Env, sha256: string, error: unknown): Promise<unknown> {
  if (!/multipart upload does not exist|NoSuchUpload/i.test(String(error))) return lengthOr(error);
  await registryOf(env).endUpload(sha256);
  return new PipelineError('conflict', 'expected an upload under way; found one that has ended', {
    hint: 'begin it again',
  });
}

// what a body says of itself must be so
function lengthOr(error: unknown): unknown {
  if (!/FixedLengthStream/i.test(String(error))) return error;
  return new PipelineError('usage', 'expected as many bytes as content-length says; found another number');
}

function wrongHash(sha256: string): PipelineError {
  return new PipelineError('payload-invalid', `expected bytes with SHA-256 ${sha256}; found others, and kept none`);
}

function stateOf(sha256: string, bytes: number, complete: boolean, parts: number[] = []): Upload {
  return { sha256, bytes, complete, parts, partBytes: UPLOAD_PART_BYTES };
}

function partsOf(bytes: number): number {
  return Math.ceil(bytes / UPLOAD_PART_BYTES);
}
