/**
 * The pipeline file as people write it: one zod schema that validates it and from which
 * pipelines/pipeline.schema.json is generated. What it says of the service stands in serviceSchema.ts,
 * rules that span several keys in rules.ts.
 */
import { z } from 'zod';
import { mapping, plainText, says, whole } from './elements.ts';
import { NAME_PATTERN, NAME_RULE, RESERVED_NETWORK_NAMES } from './names.ts';
import { addressKeys, serviceKeys } from './serviceSchema.ts';

/** Defaults of the definition, echoed into every Definition. */
export const DEFAULTS = {
  alphas: [0.3, 0.1, 0.03, 0.01, 0.003],
  holdout: 0.2,
  k: 16,
  threshold: 0.2,
  seed: 1,
};

/** Our own bound: 256 networks are 32,640 pairs. */
export const MAX_NETWORKS = 256;

// one number, or a list with one per channel
function perChannel(number: z.ZodType<number, number>, words: string, example: string) {
  const list = z.array(number, says(`${words}, or a list with one per channel`, example)).min(1);
  return z.union([number, list], says(`${words}, or a list with one per channel`, example));
}

const nonZero = (example: string) => {
  const text = says('a number other than 0', example);
  return z
    .number(text)
    .refine((value) => value !== 0, text)
    .meta({ not: { const: 0 } });
};

// how probe rows become a network's input; the network's own keys win over the probe's
const preprocessing = (fallback: { scale: string; mean: string; std: string }) => ({
  scale: perChannel(nonZero('scale: 255'), 'a number other than 0', 'scale: 255')
    .optional()
    .meta({ description: `Divides the data: (x / scale − mean) / std. ${fallback.scale}` }),
  mean: perChannel(z.number(says('a number', 'mean: 0.286')), 'a number', 'mean: [0.485, 0.456, 0.406]')
    .optional()
    .meta({ description: `Subtracted after scaling: (x / scale − mean) / std. ${fallback.mean}` }),
  std: perChannel(z.number(says('a number > 0', 'std: 0.353')).gt(0), 'a number > 0', 'std: [0.229, 0.224, 0.225]')
    .optional()
    .meta({ description: `Divides at last: (x / scale − mean) / std. ${fallback.std}` }),
});

const name = z.string().regex(NAME_PATTERN, `expected ${NAME_RULE}`);

const networkName = name
  .refine((key) => !RESERVED_NETWORK_NAMES.includes(key), 'expected a name other than tensor and units, which are keys')
  .meta({ not: { enum: [...RESERVED_NETWORK_NAMES] } });

const network = mapping(
  {
    model: plainText('the path of an ONNX file', 'model: seed1.onnx').meta({
      description: 'Path of the ONNX file, relative to this file, or an https address at one of its hosts.',
    }),
    layout: z
      .enum(['nchw', 'nhwc'], says('nchw or nhwc', 'layout: nhwc'))
      .default('nchw')
      .meta({ description: "Axis order of the model's rank-4 input." }),
    ...preprocessing({ scale: "Default: the probe's.", mean: "Default: the probe's.", std: "Default: the probe's." }),
    ...addressKeys,
  },
  'a mapping with model',
  'seed1: { model: seed1.onnx }',
);

const TENSOR = 'an ONNX value name, or the name of the node that makes it';

const tensor = plainText(TENSOR, 'tensor: /conv1/relu').meta({ description: `Tensor to read: ${TENSOR}.` });

const tap = mapping(
  {
    tensor,
    units: whole(1, 'units: 1')
      .optional()
      .meta({ description: 'Unit axis, counted from 0, where 0 is the batch. Default by rank: 4 → 1, 3 → 2, 2 → 1.' }),
  },
  'a mapping with tensor',
  '{ tensor: /mix/out, units: 1 }',
);

const layer = z
  .union(
    [
      tensor,
      tap,
      z.record(
        networkName,
        z.union([tensor, tap], says('a tensor name or { tensor, units }', 'seed1: /conv2/relu')),
        says('a mapping by network', '{ seed1: /conv2/relu, seed2: /other/relu }'),
      ),
    ],
    says('a tensor name, { tensor, units }, or a mapping by network', 'conv1: /conv1/relu'),
  )
  .meta({ description: 'A tensor name, { tensor, units }, or either of them for every network.' });

const NETWORKS = says(
  `a mapping of 2 to ${MAX_NETWORKS} networks`,
  'networks: { seed1: { model: seed1.onnx }, seed2: { model: seed2.onnx } }',
);

const LAYERS = says('a mapping of one or more layers to tensors', 'layers: { conv1: /conv1/relu }');

const alpha = z.number(says('a number > 0', 'alphas: [0.1, 0.01]')).gt(0);

const alphas = z
  .array(alpha, says('a list of one or more numbers > 0', 'alphas: [0.1, 0.01]'))
  .min(1)
  .check((list) => {
    const seen = new Set<number>();
    for (const [index, value] of list.value.entries()) {
      if (!seen.has(value)) {
        seen.add(value);
        continue;
      }
      const message = says('a number that is not in the list already', 'alphas: [0.1, 0.01]').error;
      list.issues.push({ code: 'custom', message, path: [index], input: value });
    }
  })
  .meta({ uniqueItems: true });

const predict = mapping(
  {
    alphas: alphas.default(DEFAULTS.alphas).meta({ description: 'L1 penalties, > 0 and distinct.' }),
    holdout: z
      .number(says('a number ≥ 0 and < 1', 'holdout: 0.2'))
      .min(0)
      .lt(1)
      .default(DEFAULTS.holdout)
      .meta({ description: 'Share of the image groups to score instead of fitting; 0: fit on everything.' }),
    targets: z
      .union([z.literal('all'), whole(1, 'targets: 512')], says('all or a whole number ≥ 1', 'targets: 512'))
      .optional()
      .meta({
        description:
          'Units to predict in each network: all, or a seeded sample. Default: all up to 1,024 units, else 512.',
      }),
  },
  'a mapping with alphas, holdout and targets',
  'predict: { alphas: [0.1, 0.01], holdout: 0.2 }',
);

const cluster = mapping(
  {
    k: whole(1, 'k: 16').default(DEFAULTS.k).meta({ description: 'Number of clusters.' }),
    threshold: z
      .number(says('a number ≥ 0 and < 1', 'threshold: 0.2'))
      .min(0)
      .lt(1)
      .default(DEFAULTS.threshold)
      .meta({ description: 'Only correlations above it are edges of the graph.' }),
  },
  'a mapping with k and threshold',
  'cluster: { k: 16, threshold: 0.2 }',
);

/** What the stage switches `true` and an absent key stand for. */
export const stageDefaults = () => ({ predict: predict.parse({}), cluster: cluster.parse({}) });

const probe = mapping(
  {
    data: plainText('the path of a .npy file', 'data: test-images.npy').meta({
      description: 'Path of the probe data, relative to this file: .npy, rows first, uint8 or float32.',
    }),
    layout: z.enum(['nhw', 'nhwc', 'nchw', 'as-is'], says('nhw, nhwc, nchw or as-is', 'layout: nhwc')).optional().meta({
      description: "The data's axes. Default: as-is when a row's shape is the model's input, else found from both.",
    }),
    ...preprocessing({ scale: 'Default 1.', mean: 'Default 0.', std: 'Default 1.' }),
    rows: whole(1, 'rows: 10000').optional().meta({ description: 'Use the first N rows. Default: all.' }),
  },
  'a mapping with data',
  'probe: { data: test-images.npy }',
);

const positions = z.union(
  [
    z.literal('all'),
    mapping(
      {
        sample: whole(1, 'positions: { sample: 16 }').meta({
          description: 'Positions per layer, the same for all images and networks; a layer with no more uses all.',
        }),
      },
      'a mapping with sample',
      'positions: { sample: 16 }',
    ),
  ],
  says('all or { sample: n }', 'positions: { sample: 16 }'),
);

const shard = mapping(
  {
    rows: whole(1, 'rows: 500').optional().meta({ description: 'Rows per task, at most.' }),
    batch: whole(1, 'batch: 50').optional().meta({ description: 'Rows per run of a network, at most.' }),
  },
  'a mapping with rows and batch',
  'shard: { rows: 500, batch: 50 }',
);

/** The whole file. */
export const pipelineSchema = mapping(
  {
    name: z
      .string(says(NAME_RULE, 'name: fashion-mnist'))
      .regex(NAME_PATTERN)
      .meta({ description: 'Name of the pipeline; results go to convergent-out/<name> by default.' }),
    networks: z
      .record(networkName, network, NETWORKS)
      .refine((networks) => Object.keys(networks).length >= 2 && Object.keys(networks).length <= MAX_NETWORKS, NETWORKS)
      .meta({
        description: 'Two or more networks by name; every pair is compared.',
        minProperties: 2,
        maxProperties: MAX_NETWORKS,
      }),
    layers: z
      .record(name, layer, LAYERS)
      .refine((layers) => Object.keys(layers).length >= 1, LAYERS)
      .meta({ description: 'Layers to compare: name → tensor.', minProperties: 1 }),
    probe: probe.meta({ description: 'What is shown to the networks.' }),
    positions: positions.default('all').meta({
      description: 'Positions of each image that count as samples: all, or { sample: n }, one seeded set per layer.',
    }),
    shard: shard.prefault({}).meta({ description: 'Upper bounds of the work per task; the plan chooses defaults.' }),
    compute: z.enum(['isolate', 'native'], says('isolate or native', 'compute: native')).optional().meta({
      description: 'Who runs the networks: ONNX Runtime in the Worker, or natively. Default: natively where it loads.',
    }),
    match: z.boolean(says('true or false', 'match: false')).default(true).meta({
      description: 'One-to-one: matching of units.',
    }),
    predict: z
      .union(
        [z.boolean(), predict],
        says('false or a mapping with alphas, holdout and targets', 'predict: { holdout: 0.2 }'),
      )
      .default(true)
      .meta({ description: 'One-to-many: sparse prediction. false switches it off.' }),
    cluster: z
      .union([z.boolean(), cluster], says('false or a mapping with k and threshold', 'cluster: { k: 16 }'))
      .default(true)
      .meta({ description: 'Many-to-many: spectral clustering. false switches it off.' }),
    seed: whole(0, 'seed: 1').default(DEFAULTS.seed).meta({ description: 'Seeds k-means and sampled positions.' }),
    ...serviceKeys,
  },
  'a mapping with name, networks, layers and probe',
  'name: my-pipeline',
).meta({ title: 'Convergent pipeline' });

/** A validated file with its defaults, still shaped as it is written. */
export type PipelineFile = z.output<typeof pipelineSchema>;

/** The JSON Schema of the file as people write it (draft 7, which editors know best). */
export function definitionJsonSchema(): unknown {
  return z.toJSONSchema(pipelineSchema, { target: 'draft-7', io: 'input' });
}
