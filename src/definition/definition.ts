/**
 * Definition stage. Takes the YAML text of a pipeline file; gives a validated Definition with every
 * default filled in, and a way back from any key to its place in the file. Guarantees: whatever
 * follows needs no further check of the file's own keys and names. Reads no other file.
 */
import type { Place } from '../errors.ts';

/** One network: its model file and how probe rows become its input, `(x / scale − mean[c]) / std[c]`. */
export interface NetworkDefinition {
  name: string;
  /** Path of the ONNX file as written, relative to the pipeline file. */
  model: string;
  /** Axis order of the model's rank-4 input. */
  layout: 'nchw' | 'nhwc';
  /** One value, or one per channel. */
  scale: number[];
  mean: number[];
  std: number[];
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
  predict: false | { alphas: number[]; holdout: number };
  cluster: false | { k: number; threshold: number };
  seed: number;
}

/** A parsed pipeline file: the definition, and where in the file each of its keys stands. */
export interface ParsedDefinition {
  definition: Definition;
  /** The place of a key, for errors of later stages; the nearest enclosing key where the key itself is a default. */
  where(keyPath: readonly (string | number)[]): Place;
}
