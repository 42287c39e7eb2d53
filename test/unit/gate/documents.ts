/** Small results for the tests of the gate. */
import { resultsSchema, RESULTS_SCHEMA, type LayerResult, type Results } from '../../../src/report/results.ts';

const HASH = '0'.repeat(64);

/** A layer with every stage; mean_r 0.31, share_equal null, r2_held_out 0.61 at alpha 0.03 and null at 0.3. */
export function layerResult(layer: string, changes: Partial<LayerResult> = {}): LayerResult {
  const fit = { r2_fit: 0.7, mean_nonzero: 4, max_kkt: 1e-9 };
  const path = [
    { alpha: 0.03, r2_held_out: 0.61, ...fit },
    { alpha: 0.3, r2_held_out: null, ...fit },
  ];
  return {
    layer,
    tensor_a: '/x',
    tensor_b: '/x',
    units: [4, 5],
    images: 1000,
    positions: 1,
    samples: 1000,
    dead_a: [],
    dead_b: [],
    match: { mean_r: 0.31, semi_mean_r_a: 0.4, semi_mean_r_b: 0.5, share_equal: null },
    predict: { rows_fit: 800, rows_held_out: 200, targets: { a_to_b: 5, b_to_a: 4 }, a_to_b: path, b_to_a: path },
    cluster: null,
    ...changes,
  };
}

/** Results of some pairs, by folder `<a>-<b>` and layers. */
export function resultsOf(pairs: Record<string, LayerResult[]>, digest = HASH): Results {
  return resultsSchema.parse({
    schema: RESULTS_SCHEMA,
    convergent: '0.1.0',
    inputs: { definition: HASH, data: HASH, models: {} },
    provider: 'isolate',
    groups: 20,
    digest,
    warnings: [],
    pairs: Object.entries(pairs).map(([folder, layers]) => {
      const [a, b] = folder.split('-');
      return { a, b, layers };
    }),
  });
}

/** A layer whose mean_r is `meanR`. */
export function matched(layer: string, meanR: number): LayerResult {
  return layerResult(layer, { match: { mean_r: meanR, semi_mean_r_a: 0, semi_mean_r_b: 0, share_equal: null } });
}
