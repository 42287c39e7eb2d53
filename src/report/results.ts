/**
 * results.json: what a run found, in numbers. One zod schema, from which results.schema.json is generated;
 * people and programs rely on it, so extend it, don't break it. Not applicable is null.
 */
import { z } from 'zod';

/** Name and version of the format, the `schema` field of every results.json. */
export const RESULTS_SCHEMA = 'convergent-results/1';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
const unit = z.int().min(0);
const r = z.number().min(-1).max(1);
const says = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description });

const match = z.strictObject({
  mean_r: says(r, 'Mean r of the one-to-one matching, over min(p, q) pairs.'),
  semi_mean_r_a: says(r, 'Mean over units of a of r with the best unit of b.'),
  semi_mean_r_b: says(r, 'Mean over units of b of r with the best unit of a.'),
  share_equal: says(
    z.number().min(0).max(1).nullable(),
    'Among matched pairs whose unit of a is live, the share whose r is the highest of its row; null if none.',
  ),
});

const alpha = z.strictObject({
  alpha: says(z.number().gt(0), 'L1 penalty.'),
  r2_fit: says(z.number().nullable(), 'Mean R² over targets, on the rows fitted on; null without a target.'),
  r2_held_out: says(z.number().nullable(), 'Mean R² over targets, on the rows held out; null if none are.'),
  mean_nonzero: says(z.number().min(0).nullable(), 'Mean number of units a prediction uses; null without a target.'),
  max_kkt: says(z.number().min(0).nullable(), 'Largest violation of the optimality conditions; null without a target.'),
});

const targets = z.strictObject({
  a_to_b: says(count, 'Units of b predicted: all of them, or a sample drawn by the seed.'),
  b_to_a: says(count, 'Units of a predicted.'),
});

const predict = z.strictObject({
  rows_fit: says(count, 'Images the predictions are fitted on.'),
  rows_held_out: says(count, 'Images they are scored on.'),
  targets: says(targets, 'How many units were to be predicted.'),
  a_to_b: says(z.array(alpha), 'Units of b predicted from units of a, by rising alpha.'),
  b_to_a: says(z.array(alpha), 'Units of a predicted from units of b, by rising alpha.'),
});

const cluster = z.strictObject({
  cluster: says(count, 'Clusters are numbered by falling size.'),
  units_a: count,
  units_b: count,
  mean_r_between: says(r.nullable(), 'Mean r over pairs of a unit of a and one of b; null without a pair.'),
  mean_r_within_a: r.nullable(),
  mean_r_within_b: r.nullable(),
});

const clustering = z.strictObject({
  k: says(count, 'Clusters made, which can be fewer than asked for.'),
  threshold: says(z.number().min(0).lt(1), 'Only correlations above it are edges.'),
  isolated: says(count, 'Live units without an edge, in no cluster.'),
  clusters: z.array(cluster),
});

const layer = z.strictObject({
  layer: z.string(),
  tensor_a: says(z.string(), 'The ONNX value read in network a.'),
  tensor_b: z.string(),
  units: says(z.tuple([count, count]), 'Units of a and of b.'),
  images: says(count, 'Rows of the probe data.'),
  positions: says(count, 'Positions used of each image.'),
  samples: says(count, 'images × positions.'),
  dead_a: says(z.array(unit), 'Units of a that are constant over all samples.'),
  dead_b: z.array(unit),
  match: says(match.nullable(), 'One-to-one; null where the stage is off.'),
  predict: says(predict.nullable(), 'One-to-few; null where the stage is off.'),
  cluster: says(clustering.nullable(), 'Many-to-many; null where the stage is off.'),
});

const pair = z.strictObject({
  a: says(z.string(), 'Name of the first network of the pair.'),
  b: z.string(),
  layers: z.array(layer),
});

/** The whole file. */
export const resultsSchema = z
  .strictObject({
    schema: z.literal(RESULTS_SCHEMA),
    convergent: says(z.string(), 'Version of Convergent.'),
    inputs: z.strictObject({
      definition: says(sha256, "SHA-256 of the pipeline file's bytes."),
      data: says(sha256, 'SHA-256 of the probe data.'),
      models: says(z.record(z.string(), sha256), 'SHA-256 of each ONNX file, by network.'),
    }),
    provider: says(z.string(), 'Who ran the networks, with its version; one provider and version promise one digest.'),
    groups: says(count, 'Image groups.'),
    digest: says(sha256, 'SHA-256 over the sorted lines `<sha256>  <path>` of all .npy, .npz and .csv files.'),
    warnings: z.array(z.string()),
    pairs: z.array(pair),
  })
  .meta({ title: 'Convergent results' });

export type AlphaResult = z.infer<typeof alpha>;
export type MatchResult = z.infer<typeof match>;
export type PredictResult = z.infer<typeof predict>;
export type ClusterResult = z.infer<typeof cluster>;
export type ClusteringResult = z.infer<typeof clustering>;
export type LayerResult = z.infer<typeof layer>;
export type PairResult = z.infer<typeof pair>;
export type Results = z.infer<typeof resultsSchema>;

/** The JSON Schema of results.json, kept in the repository beside this file (draft 7). */
export function resultsJsonSchema(): unknown {
  return z.toJSONSchema(resultsSchema, { target: 'draft-7' });
}
