/**
 * The files of a result in the bucket, below `report/<plan hash>/`: small ones together in an object, since a request
 * costs more than their bytes; a list says where each stands.
 */
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import type { WrittenFile } from '../report/report.ts';
import { RESULTS_FILE } from '../report/report.ts';
import type { Results } from '../report/results.ts';
import type { FileEntry } from './protocol.ts';
import { inParallel } from './requests.ts';

/** A file of a result in the bucket: `bytes` from `offset` on in an object that others may share. */
export interface PlacedFile extends FileEntry {
  object: string;
  offset: number;
}

/** All files of a result. */
export interface Manifest {
  digest: string;
  files: PlacedFile[];
}

const manifestKey = (planHash: string): string => `report/${planHash}.files.json`;

/** The files of a plan's result; null: there is none. */
export async function readManifest(bucket: R2Bucket, planHash: string): Promise<Manifest | null> {
  const list = await bucket.get(manifestKey(planHash));
  return list && (await list.json<Manifest>());
}

/** Bytes of a file of a result, from `offset` in it on; all of it without a range. @throws PipelineError `object-missing` */
export async function openFile(
  bucket: R2Bucket,
  { path, object, offset, bytes }: PlacedFile,
  range: { offset: number; length: number } = { offset: 0, length: bytes },
): Promise<R2ObjectBody> {
  const found = await bucket.get(object, { range: { offset: offset + range.offset, length: range.length } });
  if (!found) throw new PipelineError('object-missing', `expected ${path} in the bucket; found nothing`);
  return found;
}

/** What results.json of a plan says; null where there is none. */
export async function readResults(bucket: R2Bucket, planHash: string): Promise<Results | null> {
  const file = (await readManifest(bucket, planHash))?.files.find(({ path }) => path === RESULTS_FILE);
  return file ? (await openFile(bucket, file)).json<Results>() : null;
}

/** Several files of a result, one after another; those that follow each other in an object are read at once. */
export async function filesTogether(bucket: R2Bucket, files: readonly PlacedFile[]): Promise<Blob> {
  const runs: PlacedFile[] = [];
  for (const file of files) {
    const last = runs.at(-1);
    if (last?.object === file.object && last.offset + last.bytes === file.offset)
      runs[runs.length - 1] = { ...last, bytes: last.bytes + file.bytes };
    else runs.push(file);
  }
  return new Blob(await inParallel(runs, async (run) => (await openFile(bucket, run)).arrayBuffer()));
}

/** Writes files one after another into one object. */
export async function putTogether(
  bucket: R2Bucket,
  object: string,
  files: readonly WrittenFile[],
): Promise<PlacedFile[]> {
  const whole = new Uint8Array(files.reduce((sum, { bytes }) => sum + bytes.length, 0));
  const placed: PlacedFile[] = [];
  let offset = 0;
  for (const { path, bytes } of files) {
    whole.set(bytes, offset);
    placed.push({ path, sha256: await sha256Hex(bytes), bytes: bytes.length, object, offset });
    offset += bytes.length;
  }
  await bucket.put(object, whole);
  return placed;
}

/** Writes the list of all files of a result, which is there from then on. */
export async function putManifest(bucket: R2Bucket, planHash: string, manifest: Manifest): Promise<void> {
  await bucket.put(manifestKey(planHash), JSON.stringify(manifest));
}
