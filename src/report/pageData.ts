/** What the page is made of, and the data that all its sections share. */
import type { Plan } from '../plan/plan.ts';
import type { RunCosts } from './costs.ts';
import type { LayerDrawing, PageData, SortedCurve } from './embedded.ts';
import type { Results } from './results.ts';
import type { Warning } from './warnings.ts';

/** What the page is made of. */
export interface PageContent {
  plan: Plan;
  results: Results;
  warnings: readonly Warning[];
  /** By pair, then layer; null for pairs the page has no section for, which are the last ones. */
  drawings: readonly (LayerDrawing | null)[];
  /** What the run took; null where nobody measured. */
  costs: RunCosts | null;
}

/** What is embedded as `page-data`. */
export function pageData({ plan, results, drawings }: PageContent): PageData {
  const { predict } = plan.definition;
  const layers = plan.layers.map((layer) => layer.name);
  const shown = Math.min(plan.pairs.length, drawings.filter((drawing) => drawing !== null).length / layers.length);
  const entries = results.pairs.slice(0, shown).map((pair) => pair.layers);
  const scored = predict !== false && predict.holdout > 0 ? 'r2_held_out' : 'r2_fit';
  return {
    layers,
    pairs: results.pairs.slice(0, shown).map(({ a, b }, pair) => ({ a, b, folder: plan.pairs[pair]!.folder })),
    seed: plan.definition.seed,
    alphas: predict === false ? [] : predict.alphas.toSorted((x, y) => x - y),
    scored,
    matched: entries.map((own) => own.map(({ match }) => match?.mean_r ?? null)),
    aToB: entries.map((own) => own.map(({ predict: told }) => told?.a_to_b.map((row) => row[scored]) ?? [])),
    bToA: entries.map((own) => own.map(({ predict: told }) => told?.b_to_a.map((row) => row[scored]) ?? [])),
    shared: entries.map((own) =>
      own.map(({ cluster }) => {
        const both = cluster?.clusters.filter((row) => row.units_a > 0 && row.units_b > 0).length;
        return cluster && { shared: both ?? 0, all: cluster.clusters.length };
      }),
    ),
    means: layers.map((_, layer) => {
      const byNetwork = new Map<number, SortedCurve>();
      for (const [pair, { a, b }] of plan.pairs.slice(0, shown).entries()) {
        const drawing = drawings[pair * layers.length + layer]!;
        byNetwork.set(a, drawing.meansA).set(b, drawing.meansB);
      }
      return [...byNetwork].map(([network, curve]) => ({ network: plan.networks[network]!.name, curve }));
    }),
  };
}
