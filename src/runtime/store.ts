/**
 * The bucket as the stages see it: task objects, plans, inputs, report files. R2 is the truth; every key is
 * a content hash, puts are create-only, and whatever is read is verified. A damaged object is deleted by
 * its reader, so that the next look finds it absent.
 */
import { fromUnknown, PipelineError } from '../errors.ts';
import { canonicalJson, sha256Hex, toHex } from '../numeric/hash.ts';
import { openNpz } from '../numeric/npz.ts';
import { bufferSource } from '../numeric/range.ts';
import type { RangeSource } from '../numeric/range.ts';
import type { RowRange } from '../plan/groups.ts';
import { objectKey } from '../plan/plan.ts';
import type { Plan, PlannedData, Task } from '../plan/plan.ts';
import { bytesOfRow } from '../plan/work.ts';
import { CHUNK_BYTES, TAIL_BYTES } from './limits.ts';

export const planObjectKey = (hash: string): string => `plan/${hash}.json`;
export const inputKey = (sha256: string): string => `inputs/${sha256}`;
export const chunksKey = (sha256: string): string => `inputs/${sha256}.chunks`;

// plans are immutable: keep the one in use
let cachedPlan: { hash: string; plan: Plan } | undefined;
// and the chunk hashes of the data that its tasks read, by their own hash
let cachedHashes: { sha256: string; hashes: Uint8Array } | undefined;

/** Stores a plan and gives its content hash. */
export async function putPlan(bucket: R2Bucket, plan: Plan): Promise<string> {
  const text = canonicalJson(plan);
  const hash = await sha256Hex(text);
  await createOnly(bucket, planObjectKey(hash), new TextEncoder().encode(text));
  return hash;
}

/** @throws PipelineError `object-missing` or `object-damaged` */
export async function getPlan(bucket: R2Bucket, hash: string): Promise<Plan> {
  if (cachedPlan?.hash === hash) return cachedPlan.plan;
  const bytes = await getVerified(bucket, planObjectKey(hash), hash);
  const plan = JSON.parse(new TextDecoder().decode(bytes)) as Plan;
  cachedPlan = { hash, plan };
  return plan;
}

/** Is the task's object there? Says nothing about its content. */
export async function hasObject(bucket: R2Bucket, task: Task): Promise<boolean> {
  return (await bucket.head(objectKey(task))) !== null;
}

/** The object of a task by range, unverified: its reader checks the members it takes. @throws PipelineError `object-missing` */
export async function objectSource(bucket: R2Bucket, task: Task): Promise<RangeSource> {
  return rangeSource(bucket, objectKey(task));
}

/** Stores a task's object unless somebody was first, which is success: equal keys mean equal bytes. */
export async function putObject(
  bucket: R2Bucket,
  task: Task,
  object: Uint8Array | ReadableStream<Uint8Array>,
): Promise<void> {
  await createOnly(bucket, objectKey(task), object);
}

/** Reads a task's object, verifies it a member at a time, and deletes it where it is damaged. True where it is there and valid. */
export async function verifyObject(bucket: R2Bucket, task: Task): Promise<boolean> {
  try {
    const object = await openNpz(await objectSource(bucket, task), task.id);
    for (const name of object.names) await object.verify(name);
    return true;
  } catch (error) {
    const { code } = fromUnknown(error);
    if (code === 'object-missing') return false;
    if (code !== 'object-damaged') throw error;
    await bucket.delete(objectKey(task));
    return false;
  }
}

/** Who wants a file: the plan knows its size and the hash of its chunk list where it is read by range. */
export interface StoredFile {
  sha256: string;
  sizeBytes: number;
  /** SHA-256 of the list of its chunks' SHA-256 hashes. */
  chunksSha256: string;
}

/** A file of the plan's inputs: an ONNX file whole and verified, external data by range. */
export async function inputSource(bucket: R2Bucket, plan: Plan, sha256: string): Promise<RangeSource> {
  const external = plan.networks.flatMap((network) => network.externalData).find((file) => file.sha256 === sha256);
  return external
    ? verifiedSource(bucket, external)
    : bufferSource(await getVerified(bucket, inputKey(sha256), sha256));
}

/** Reads rows of probe data by range. */
export function rowReader(bucket: R2Bucket, data: PlannedData): (range: RowRange) => Promise<Uint8Array> {
  const source = verifiedSource(bucket, data);
  const rowBytes = bytesOfRow(data);
  return ([start, end]) => source.read(data.offset + start * rowBytes, data.offset + end * rowBytes);
}

/**
 * A stored input by range. What is read is verified chunk by chunk against the list of chunk hashes, whose own hash
 * stands in the plan.
 */
export function verifiedSource(bucket: R2Bucket, file: StoredFile): RangeSource {
  return {
    size: file.sizeBytes,
    async read(from, to) {
      const hashes = await hashesOf(bucket, file);
      const firstChunk = Math.floor(from / CHUNK_BYTES);
      const offset = firstChunk * CHUNK_BYTES;
      const length = Math.min(file.sizeBytes, Math.ceil(to / CHUNK_BYTES) * CHUNK_BYTES) - offset;
      const key = inputKey(file.sha256);
      const body = await bucket.get(key, { range: { offset, length } });
      if (body === null) throw missing(key);
      const bytes = new Uint8Array(await body.arrayBuffer());
      let valid = bytes.length === length;
      for (let at = 0, chunk = firstChunk; valid && at < length; at += CHUNK_BYTES, chunk++) {
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.subarray(at, at + CHUNK_BYTES)));
        valid = toHex(hash) === toHex(hashes.subarray(chunk * 32, chunk * 32 + 32));
      }
      if (!valid) await discard(bucket, key);
      return bytes.slice(from - offset, to - offset);
    },
  };
}

async function hashesOf(bucket: R2Bucket, { sha256, chunksSha256 }: StoredFile): Promise<Uint8Array> {
  if (cachedHashes?.sha256 === chunksSha256) return cachedHashes.hashes;
  const hashes = await getVerified(bucket, chunksKey(sha256), chunksSha256);
  cachedHashes = { sha256: chunksSha256, hashes };
  return hashes;
}

// any object of the bucket, as it is; its last bytes, which readers of an .npz begin with, come with its size: of most
// objects of reductions that is all
async function rangeSource(bucket: R2Bucket, key: string): Promise<RangeSource> {
  const end = await bucket.get(key, { range: { suffix: TAIL_BYTES } }).catch(async (error: unknown) => {
    // an empty object has no range
    if ((await bucket.head(key))?.size === 0) return undefined;
    throw error;
  });
  if (end === null) throw missing(key);
  const size = end?.size ?? 0;
  const tail = end ? new Uint8Array(await end.arrayBuffer()) : new Uint8Array(0);
  return {
    size,
    async read(start, end) {
      if (start >= size - tail.length) return tail.subarray(start - size + tail.length, end - size + tail.length);
      const body = await bucket.get(key, { range: { offset: start, length: end - start } });
      if (body === null) throw missing(key);
      return new Uint8Array(await body.arrayBuffer());
    },
  };
}

/** Puts an object unless the key is taken. */
export async function createOnly(
  bucket: R2Bucket,
  key: string,
  content: Uint8Array | ReadableStream<Uint8Array>,
): Promise<void> {
  await bucket.put(key, content, { onlyIf: { etagDoesNotMatch: '*' } });
}

/** An object of the bucket, whole and unverified. @throws PipelineError `object-missing` */
export async function getBytes(bucket: R2Bucket, key: string): Promise<Uint8Array> {
  const body = await bucket.get(key);
  if (body === null) throw missing(key);
  return new Uint8Array(await body.arrayBuffer());
}

/** An object whose SHA-256 is known, whole. @throws PipelineError `object-missing`, `input-damaged` */
export async function getVerified(bucket: R2Bucket, key: string, sha256: string): Promise<Uint8Array> {
  const bytes = await getBytes(bucket, key);
  if ((await sha256Hex(bytes)) !== sha256) await discard(bucket, key);
  return bytes;
}

function missing(key: string): PipelineError {
  return new PipelineError('object-missing', `expected ${key} in the bucket; found nothing`, {
    hint: 'run the same command again',
  });
}

// inputs can't be computed anew: the run fails, and the next one stores them again
async function discard(bucket: R2Bucket, key: string): Promise<never> {
  await bucket.delete(key);
  throw new PipelineError('input-damaged', `expected ${key} as it was stored; found other bytes, and deleted them`, {
    hint: 'run the same command again: it stores the input anew',
  });
}
