/**
 * The report into the bucket, a pair and layer at a time, then the whole. Written anew by every attempt from the
 * verified reductions, so that nothing stale or damaged is ever handed out.
 */
import { blockName } from '../accumulate/moments.ts';
import { toHex } from '../numeric/hash.ts';
import { openNpz } from '../numeric/npz.ts';
import type { NpzObject } from '../numeric/npz.ts';
import type { NpyArray } from '../numeric/npy.ts';
import type { Plan, Task, TaskKind } from '../plan/plan.ts';
import { setOf } from '../plan/tasks.ts';
import type { BlockSource } from '../reduce/block.ts';
import {
  clusteringFrom,
  countsFrom,
  matchingFrom,
  predictionFrom,
  predictionMemberNames,
  statsFrom,
  statsMemberNames,
} from '../reduce/objects.ts';
import { blockTask } from '../reduce/needs.ts';
import { blockSource } from '../reduce/reduce.ts';
import pageScript from '../../dist/page.iife';
import pageStyle from '../report/page/page.css';
import type { RunCosts } from '../report/costs.ts';
import type { OutputFile, StoredFile } from '../report/files.ts';
import type { LayerSummary } from '../report/report.ts';
import { reportLayer, reportRun } from '../report/report.ts';
import { inParallel } from './requests.ts';
import { putManifest, putTogether } from './resultFiles.ts';
import type { PlacedFile } from './resultFiles.ts';
import { objectSource } from './store.ts';

declare const CONVERGENT_VERSION: string;

/** Bytes of files that are held and written together: an isolate has room for few. A larger file has its own object. */
const TOGETHER_BYTES = 4 * 2 ** 20;

/** What one pair and layer wrote; small enough for a step's result. */
export interface LayerManifest {
  files: PlacedFile[];
  /** Key of the layer's summary in the bucket. */
  summary: string;
}

/** Key of the summary of one pair at one layer, which is there before the result is. */
export const summaryKey = (planHash: string, pair: number, layer: number): string =>
  `report/${planHash}.${pair}.${layer}.json`;

/** Writes the files of one pair at one layer: tables made here, matrices copied out of the objects that hold them. */
export async function writeLayerReport(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  pair: number,
  layer: number,
): Promise<LayerManifest> {
  const { a, b } = plan.pairs[pair]!;
  const { taps } = plan.layers[layer]!;
  const heldOut = plan.fitGroups < plan.groups.count;
  const index = (kind: TaskKind, direction?: 'aToB' | 'bToA'): number | null => {
    const found = plan.tasks.findIndex((candidate) => isFor(candidate, kind, pair, layer, direction));
    return found < 0 ? null : found;
  };
  const objects = new Map<number, Promise<NpzObject>>();
  const open = (task: number): Promise<NpzObject> => {
    const planned = plan.tasks[task]!;
    const opened = objects.get(task) ?? objectSource(bucket, planned).then((source) => openNpz(source, planned.id));
    objects.set(task, opened);
    return opened;
  };
  const read = async <T>(
    task: number | null,
    from: (members: Record<string, NpyArray>) => T,
    names?: string[],
  ): Promise<T | null> => (task === null ? null : from(await (await open(task)).read(names)));

  const correlations = plan.tasks.flatMap((task, at) =>
    task.kind === 'correlate' && task.layer === layer && task.set === setOf(plan, layer, pair) ? [at] : [],
  );
  const [withinA, between, withinB] = [
    blockTask(plan, correlations, a, a),
    blockTask(plan, correlations, a, b),
    blockTask(plan, correlations, b, b),
  ];
  const block = async (task: number, i: number, j: number): Promise<BlockSource> =>
    blockSource(await open(task), `r_${blockName(i, j)}`, taps[i]!.units, taps[j]!.units);
  const names = [...new Set([...statsMemberNames(a, heldOut), ...statsMemberNames(b, heldOut)])];
  const stats = await (await open(between)).read(names);
  const tasks = { withinA, between, withinB, aToB: index('predict', 'aToB'), bToA: index('predict', 'bToA') };
  const { files, summary } = await reportLayer(plan, pair, layer, {
    counts: countsFrom(stats),
    a: statsFrom(stats, a, taps[a]!.units),
    b: statsFrom(stats, b, taps[b]!.units),
    blocks: {
      withinA: await block(withinA, a, a),
      between: await block(between, a, b),
      withinB: await block(withinB, b, b),
    },
    matching: await read(index('match'), matchingFrom),
    aToB: await read(tasks.aToB, predictionFrom, predictionMemberNames(heldOut)),
    bToA: await read(tasks.bToA, predictionFrom, predictionMemberNames(heldOut)),
    clustering: await read(index('cluster'), clusteringFrom),
    tasks,
  });
  const key = summaryKey(planHash, pair, layer);
  await bucket.put(key, JSON.stringify(summary));
  const prefix = `report/${planHash}/${pair}.${layer}.`;
  const placed: PlacedFile[] = [];
  let [written, together, bytes]: [number, OutputFile[], number] = [0, [], 0];
  const store = async (): Promise<void> => {
    const contents = await inParallel(together, async (file) => ({
      path: file.path,
      bytes: 'bytes' in file ? file.bytes : await memberBytes(await open(file.member.task), file),
    }));
    placed.push(...(await putTogether(bucket, `${prefix}${written++}`, contents)));
    [together, bytes] = [[], 0];
  };
  for (const file of files) {
    const own = 'bytes' in file ? file.bytes.length : sizeOf(await open(file.member.task), file);
    if (!('bytes' in file) && own > TOGETHER_BYTES) {
      placed.push(await copyMember(bucket, `${prefix}${written++}`, await open(file.member.task), file));
      continue;
    }
    if (bytes + own > TOGETHER_BYTES) await store();
    together.push(file);
    bytes += own;
  }
  if (together.length > 0) await store();
  return { files: placed, summary: key };
}

/** Writes results.json, the page, and the list of all files; gives the digest. */
export async function writeRunReport(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  manifests: readonly LayerManifest[],
  costs: RunCosts | null,
): Promise<string> {
  const summaries = await inParallel(manifests, async ({ summary }) =>
    (await bucket.get(summary))!.json<LayerSummary>(),
  );
  const ofLayers = manifests.flatMap((manifest) => manifest.files);
  const { files, digest } = await reportRun(
    plan,
    CONVERGENT_VERSION,
    summaries,
    ofLayers,
    { script: pageScript, style: pageStyle },
    costs,
  );
  const own = await putTogether(bucket, `report/${planHash}/run`, files);
  await putManifest(bucket, planHash, { digest, files: [...ofLayers, ...own] });
  return digest;
}

function sizeOf(object: NpzObject, { member }: StoredFile): number {
  const { start, end } = object.range(member.name);
  return end - start;
}

async function memberBytes(object: NpzObject, { member }: StoredFile): Promise<Uint8Array> {
  const { start, end } = object.range(member.name);
  const bytes = new Uint8Array(end - start);
  let at = 0;
  for await (const chunk of object.bytes(member.name)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return member.part === 'npy' ? bytes : bytes.subarray(await object.payloadOffset(member.name));
}

// a member out of its object, in pieces: nobody holds the whole
async function copyMember(
  bucket: R2Bucket,
  key: string,
  object: NpzObject,
  { path, member }: StoredFile,
): Promise<PlacedFile> {
  const { start, end } = object.range(member.name);
  const skip = member.part === 'npy' ? 0 : await object.payloadOffset(member.name);
  const length = end - start - skip;
  const digest = new crypto.DigestStream('SHA-256');
  const hashing = digest.getWriter();
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  const copying = (async () => {
    let left = skip;
    for await (const chunk of object.bytes(member.name)) {
      const piece = chunk.subarray(Math.min(left, chunk.length));
      left -= chunk.length - piece.length;
      if (piece.length === 0) continue;
      await hashing.write(piece);
      await writer.write(piece);
    }
    await hashing.close();
    await writer.close();
  })().catch(async (error: unknown) => {
    // the put fails with the copy
    await writer.abort(error).catch(() => undefined);
    throw error;
  });
  await Promise.all([
    copying,
    bucket.put(key, readable).catch(async (error: unknown) => {
      await copying;
      throw error;
    }),
  ]);
  return { path, sha256: toHex(new Uint8Array(await digest.digest)), bytes: length, object: key, offset: 0 };
}

function isFor(
  task: Task,
  kind: TaskKind,
  pair: number,
  layer: number,
  direction: 'aToB' | 'bToA' | undefined,
): boolean {
  return (
    task.kind === kind &&
    'pair' in task &&
    task.pair === pair &&
    task.layer === layer &&
    (!('direction' in task) || task.direction === direction)
  );
}
