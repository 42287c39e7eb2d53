/**
 * Definition stage. Takes the YAML text of a pipeline file; gives a validated Definition with every
 * default filled in, and a way back from any key to its place in the file. Guarantees: whatever
 * follows needs no further check of the file's own keys and names. Reads no other file.
 */
import type { Place } from '../errors.ts';
import { explainIssue, plainData, safeKey } from './explain.ts';
import { keyPathText, problemsError, type KeyPath } from './problems.ts';
import { checkRules } from './rules.ts';
import { pipelineSchema, stageDefaults, type PipelineFile } from './schema.ts';
import type { AddressRules, ServiceDefinition } from './service.ts';
import { checkServiceRules } from './serviceRules.ts';
import { resolveAddress, resolveService } from './serviceSchema.ts';
import { child, find, readYaml, type Tree, type YamlFile } from './yaml.ts';

/** One network: its model file and how probe rows become its input, `(x / scale − mean[c]) / std[c]`. */
export interface NetworkDefinition {
  name: string;
  /** Path of the ONNX file as written, relative to the pipeline file; or its https address. */
  model: string;
  /** Axis order of the model's rank-4 input. */
  layout: 'nchw' | 'nhwc';
  /** One value, or one per channel. */
  scale: number[];
  mean: number[];
  std: number[];
  /** Where the model may come from, where `model` is or can become an https address. */
  address?: AddressRules;
}

/** Where one network's units of a layer are read. */
export interface TapDefinition {
  /** ONNX value name, or the name of the node that makes it. */
  tensor: string;
  /** Unit axis; absent: by rank (4 → 1, 3 → last, 2 → 1). */
  units?: number;
}

export interface LayerDefinition {
  name: string;
  /** One tap per network, in the networks' order. */
  taps: TapDefinition[];
}

export type DataLayout = 'nhw' | 'nhwc' | 'nchw' | 'as-is';

/** A pipeline, validated, defaults filled in, in the file's order. */
export interface Definition {
  name: string;
  networks: NetworkDefinition[];
  layers: LayerDefinition[];
  probe: { data: string; layout?: DataLayout; rows?: number };
  positions: 'all' | { sample: number };
  shard: { rows?: number; batch?: number };
  match: boolean;
  /** Who runs the tasks; absent: whoever can. */
  compute?: 'isolate' | 'native';
  /** `targets`: absent, all up to 1,024 units, else a seeded 512. */
  predict: false | { alphas: number[]; holdout: number; targets?: number | 'all' };
  cluster: false | { k: number; threshold: number };
  seed: number;
}

/** A parsed pipeline file: the definition, and where in the file each of its keys stands. */
export interface ParsedDefinition {
  definition: Definition;
  /** What the service does with it. */
  service: ServiceDefinition;
  /** The place of a key, for errors of later stages; the nearest enclosing key where the key itself is a default. */
  where: (keyPath: KeyPath) => Place;
}

/**
 * Parses the text of a pipeline file; `file` is only named in places. Numbers in a key path count
 * items of a list, or entries of a mapping in the file's order.
 * @throws PipelineError `definition-invalid` with the first problem in the file's order and the number of others.
 */
export function parseDefinition(text: string, file: string): ParsedDefinition {
  // a tree that keeps order and places
  const yaml = readYaml(text);
  const { root } = yaml;
  if (!root) throw problemsError(yaml.problems, yaml, file);

  // every problem, of keys and values and of rules across keys
  const checked = pipelineSchema.safeParse(plainData(root));
  const issues = checked.success ? [] : checked.error.issues;
  const problems = [
    ...yaml.problems,
    ...issues.flatMap((issue) => explainIssue(root, issue)),
    ...checkRules(root),
    ...checkServiceRules(root),
  ];
  if (!checked.success || problems.length > 0) throw problemsError(problems, yaml, file);

  return {
    definition: resolve(checked.data, root),
    service: resolveService(checked.data),
    where: (keyPath) => placeOf(keyPath, root, yaml, file),
  };
}

// defaults and overrides spelled out; order from the tree, because objects move keys that look like numbers
function resolve(written: PipelineFile, root: Tree): Definition {
  const { name, probe, positions, shard, compute, match, predict, cluster, seed } = written;
  const networks = keysOf(root, 'networks').map((key) => resolveNetwork(key, written));
  const layers = keysOf(root, 'layers').map((key) => resolveLayer(key, written, networks));
  const { data, layout, rows } = probe;
  const defaults = stageDefaults();
  return {
    name,
    networks,
    layers,
    probe: { data, ...(layout && { layout }), ...(rows && { rows }) },
    positions,
    shard: { ...(shard.rows && { rows: shard.rows }), ...(shard.batch && { batch: shard.batch }) },
    ...(compute && { compute }),
    match,
    predict: resolvePredict(predict === true ? defaults.predict : predict),
    cluster: cluster === true ? defaults.cluster : cluster,
    seed,
  };
}

function resolvePredict(predict: ReturnType<typeof stageDefaults>['predict'] | false): Definition['predict'] {
  if (predict === false) return false;
  const { alphas, holdout, targets } = predict;
  return { alphas, holdout, ...(targets !== undefined && { targets }) };
}

function resolveNetwork(name: string, { networks, probe }: PipelineFile): NetworkDefinition {
  const own = networks[safeKey(name)] as PipelineFile['networks'][string];
  const address = resolveAddress(own);
  return {
    name,
    model: own.model,
    layout: own.layout,
    scale: listOf(own.scale ?? probe.scale ?? 1),
    mean: listOf(own.mean ?? probe.mean ?? 0),
    std: listOf(own.std ?? probe.std ?? 1),
    ...(address && { address }),
  };
}

function resolveLayer(name: string, { layers }: PipelineFile, networks: NetworkDefinition[]): LayerDefinition {
  const written = layers[safeKey(name)] as PipelineFile['layers'][string];
  const byNetwork = typeof written === 'object' && !('tensor' in written) ? written : undefined;
  const taps = networks.map((network) => {
    const tap = (byNetwork ? byNetwork[safeKey(network.name)] : written) as string | WrittenTap;
    if (typeof tap === 'string') return { tensor: tap };
    return { tensor: tap.tensor, ...(tap.units && { units: tap.units }) };
  });
  return { name, taps };
}

type WrittenTap = { tensor: string; units?: number | undefined };

function keysOf(root: Tree, section: string): string[] {
  const mapping = child(root, section);
  return mapping?.kind === 'map' ? [...mapping.entries.keys()] : [];
}

function listOf(value: number | number[]): number[] {
  return typeof value === 'number' ? [value] : [...value];
}

// a network's missing scale, mean or std is the probe's
function placeOf(keyPath: KeyPath, root: Tree, yaml: YamlFile, file: string): Place {
  let reached = find(root, keyPath);
  const [section, , key = ''] = keyPath;
  if (reached.steps === 2 && section === 'networks' && ['scale', 'mean', 'std'].includes(String(key))) {
    const inherited = find(root, ['probe', ...keyPath.slice(2)]);
    if (inherited.steps > 1) reached = inherited;
  }
  const place = { file, ...yaml.position(reached.start) };
  return keyPath.length === 0 ? place : { ...place, key: keyPathText(keyPath) };
}
