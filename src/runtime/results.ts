/**
 * Report files into the bucket, below `report/<plan hash>/`. Written anew by every attempt from the
 * verified reductions, so that nothing stale or damaged is ever handed out.
 */
import type { LayerSummary, OutputFile } from '../report/report.ts';
import { reportLayer, reportRun } from '../report/report.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { readNpz } from '../numeric/npz.ts';
import type { NpyArray } from '../numeric/npy.ts';
import type { Plan, Task, TaskKind } from '../plan/plan.ts';
import { clusteringFrom, correlationFrom, matchingFrom, predictionFrom } from '../reduce/objects.ts';
import pageScript from '../../dist/page.iife';
import pageStyle from '../report/page/page.css';
import type { FileEntry } from './protocol.ts';
import { getObject } from './store.ts';

declare const CONVERGENT_VERSION: string;

/** What one pair and layer wrote; small enough for a step's result. */
export interface LayerManifest {
  files: FileEntry[];
  /** Key of the layer's summary in the bucket. */
  summary: string;
}

export const resultPrefix = (planHash: string): string => `report/${planHash}/`;
/** Key of the list of all files of a result. */
export const manifestKey = (planHash: string): string => `report/${planHash}.files.json`;

/** Writes the files of one pair at one layer. */
export async function writeLayerReport(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  pair: number,
  layer: number,
): Promise<LayerManifest> {
  const members = async (kind: TaskKind, direction?: 'aToB' | 'bToA'): Promise<Record<string, NpyArray> | null> => {
    const task = plan.tasks.find((candidate) => isFor(candidate, kind, pair, layer, direction));
    return task ? readNpz(await getObject(bucket, task), undefined, task.id) : null;
  };
  const from = <T>(found: Record<string, NpyArray> | null, read: (members: Record<string, NpyArray>) => T): T | null =>
    found && read(found);
  const { files, summary } = reportLayer(plan, pair, layer, {
    correlation: from(await members('correlate'), correlationFrom)!,
    matching: from(await members('match'), matchingFrom),
    aToB: from(await members('predict', 'aToB'), predictionFrom),
    bToA: from(await members('predict', 'bToA'), predictionFrom),
    clustering: from(await members('cluster'), clusteringFrom),
  });
  const summaryKey = `report/${planHash}.${pair}.${layer}.json`;
  await bucket.put(summaryKey, JSON.stringify(summary));
  return { files: await putFiles(bucket, planHash, files), summary: summaryKey };
}

/** Writes results.json, the page, and the list of all files; gives the list's key and the digest. */
export async function writeRunReport(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  manifests: readonly LayerManifest[],
): Promise<{ result: string; digest: string }> {
  const summaries: LayerSummary[] = [];
  for (const { summary } of manifests) summaries.push(await (await bucket.get(summary))!.json<LayerSummary>());
  const written = manifests.flatMap((manifest) => manifest.files);
  const { files, digest } = await reportRun(plan, CONVERGENT_VERSION, summaries, written, {
    script: pageScript,
    style: pageStyle,
  });
  const all = [...written, ...(await putFiles(bucket, planHash, files))];
  const key = manifestKey(planHash);
  await bucket.put(key, JSON.stringify({ digest, files: all }));
  return { result: key, digest };
}

async function putFiles(bucket: R2Bucket, planHash: string, files: Iterable<OutputFile>): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  for (const { path, bytes } of files) {
    await bucket.put(resultPrefix(planHash) + path, bytes);
    entries.push({ path, sha256: await sha256Hex(bytes), bytes: bytes.length });
  }
  return entries;
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
