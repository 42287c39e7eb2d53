/**
 * Report stage. Takes the documents of reduce, one pair and layer at a time; gives the files of the result:
 * matrices, tables, results.json and the page. Guarantees: names, columns, shapes and numbers of contract.md,
 * "Outputs"; the same documents give the same bytes. Runs anywhere: no Node, no DOM.
 */
import type { Plan } from '../plan/plan.ts';
import type { RunCosts } from './costs.ts';
import { digestOf } from './digest.ts';
import type { HashedFile } from './digest.ts';
import { layerDrawing, pairsDrawn } from './drawing.ts';
import { layerEntry } from './entry.ts';
import type { LayerDocuments } from './entry.ts';
import { layerFiles } from './files.ts';
import type { OutputFile, WrittenFile } from './files.ts';
import type { LayerDrawing } from './embedded.ts';
import { pageBytes } from './page.ts';
import type { PageAssets } from './page.ts';
import { RESULTS_SCHEMA } from './results.ts';
import type { LayerResult, Results } from './results.ts';
import { layerWarnings, runWarnings } from './warnings.ts';
import type { Warning } from './warnings.ts';

export type { OutputFile, WrittenFile } from './files.ts';

/** The summary of a result, among its files. */
export const RESULTS_FILE = 'results.json';

/** What the end of the report needs of one pair at one layer; plain JSON data. */
export interface LayerSummary {
  pair: number;
  layer: number;
  /** Its entry of results.json. */
  entry: LayerResult;
  warnings: Warning[];
  /** Null beyond the pairs a page can show. */
  drawing: LayerDrawing | null;
}

/**
 * The files of one pair at one layer, made one by one while they are read, and its summary. Each block is read once at
 * most, chunk by chunk, and never held: memory is three pictures of at most 384 × 384 float64 beside a chunk.
 * @throws PipelineError `object-damaged` from the blocks' reader
 */
export async function reportLayer(
  plan: Plan,
  pair: number,
  layer: number,
  documents: LayerDocuments,
): Promise<{ files: Iterable<OutputFile>; summary: LayerSummary }> {
  const summary = {
    pair,
    layer,
    entry: layerEntry(plan, pair, layer, documents),
    warnings: layerWarnings(plan, pair, layer, documents),
    drawing: pair < pairsDrawn(plan) ? await layerDrawing(plan, documents) : null,
  };
  return { files: layerFiles(plan, pair, layer, documents), summary };
}

/**
 * results.json and report.html, and the digest of the run.
 *
 * @param convergent version of Convergent
 * @param summaries of all pairs and layers: first pair first, its layers in the file's order
 * @param files all files of {@link reportLayer}, in any order
 * @param costs shown at the end of the page alone; null: no such section
 */
export async function reportRun(
  plan: Plan,
  convergent: string,
  summaries: readonly LayerSummary[],
  files: readonly HashedFile[],
  assets: PageAssets,
  costs: RunCosts | null,
): Promise<{ files: WrittenFile[]; digest: string }> {
  const warnings = uniqueWarnings([...runWarnings(plan), ...summaries.flatMap((summary) => summary.warnings)]);
  const digest = await digestOf(files);
  const layers = plan.layers.length;
  const results: Results = {
    schema: RESULTS_SCHEMA,
    convergent,
    inputs: {
      definition: plan.definitionSha256,
      data: plan.data.sha256,
      models: Object.fromEntries(plan.networks.map((network) => [network.name, network.modelSha256])),
    },
    provider: plan.providers.map(({ name, version }) => `${name} ${version}`).join(' + '),
    groups: plan.groups.count,
    digest,
    warnings: warnings.map((warning) => warning.text),
    pairs: plan.pairs.map(({ a, b }, pair) => ({
      a: plan.networks[a]!.name,
      b: plan.networks[b]!.name,
      layers: summaries.slice(pair * layers, (pair + 1) * layers).map((summary) => summary.entry),
    })),
  };
  const json = new TextEncoder().encode(`${JSON.stringify(results, null, 2)}\n`);
  const drawings = summaries.map((summary) => summary.drawing);
  const page = await pageBytes({ plan, results, warnings, drawings, costs }, assets);
  return {
    files: [
      { path: RESULTS_FILE, bytes: json },
      { path: 'report.html', bytes: page },
    ],
    digest,
  };
}

// what concerns one network is found by each of its pairs, in the same words
function uniqueWarnings(warnings: readonly Warning[]): Warning[] {
  return [...new Map(warnings.map((warning) => [warning.text, warning])).values()];
}
