/**
 * A plan and its documents, made up for tests of the report: correlations of random ReLU features that
 * the networks share in part, and alignments that are plausible but not optimal.
 */
import type { Definition } from '../../../src/definition/definition.ts';
import { pairsOf } from '../../../src/definition/names.ts';
import { unitOffsets } from '../../../src/plan/layers.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import type { Clustering } from '../../../src/reduce/cluster/cluster.ts';
import { readBlock, wholeBlock } from '../../../src/reduce/block.ts';
import type { BlockSource } from '../../../src/reduce/block.ts';
import type { SampleCounts, UnitStats } from '../../../src/reduce/correlation.ts';
import type { Matching, SemiMatching } from '../../../src/reduce/match/match.ts';
import type { PredictionScores } from '../../../src/reduce/objects.ts';
import type { LayerDocuments } from '../../../src/report/entry.ts';

export interface DemoLayer {
  name: string;
  /** One width per network. */
  units: number[];
  positionShape?: number[];
  /** Dead units per network. */
  dead?: number[][];
  /** How much of a unit's activation the networks share, 0 … 1. */
  shared?: number;
}

export interface Demo {
  networks: string[];
  layers: DemoLayer[];
  rows?: number;
  match?: boolean;
  predict?: Definition['predict'];
  cluster?: Definition['cluster'];
}

const hash = (digit: string): string => digit.repeat(64);
const SAMPLES = 300;

export function demoPlan(demo: Demo): Plan {
  const { networks, layers, rows = 10_000, match = true } = demo;
  const { predict = { alphas: [0.3, 0.1, 0.03, 0.01, 0.003], holdout: 0.2 }, cluster = { k: 8, threshold: 0.2 } } =
    demo;
  const preprocessing = { layout: 'nchw' as const, scale: [255], mean: [0.286], std: [0.353] };
  const definition: Definition = {
    name: 'demo',
    networks: networks.map((name) => ({ name, model: `${name}.onnx`, ...preprocessing })),
    layers: layers.map(({ name }) => ({ name, taps: networks.map(() => ({ tensor: `/${name}/relu` })) })),
    probe: { data: 'images.npy' },
    positions: 'all',
    shard: {},
    match,
    predict,
    cluster,
    seed: 1,
  };
  const groups = Math.min(20, rows);
  return {
    format: 2,
    definition,
    definitionSha256: hash('d'),
    providers: [{ name: 'isolate', version: 'onnxruntime-web 1.30.0' }],
    code: {
      isolate: { activate: hash('a'), reduce: hash('c') },
      native: { activate: hash('a'), reduce: hash('c') },
      inspect: hash('i'),
    },
    data: {
      sha256: hash('e'),
      chunksSha256: hash('f'),
      sizeBytes: 784 * rows,
      dtype: 'uint8',
      rowShape: [28, 28],
      offset: 128,
    },
    rows,
    networks: networks.map((name, i) => ({
      name,
      modelSha256: hash(String(i)),
      externalData: [],
      preprocessing: {} as never,
    })),
    layers: layers.map(({ name, units, positionShape = [] }) => ({
      name,
      positionShape,
      positions: positionShape.reduce((product, size) => product * size, 1),
      sampled: null,
      taps: units.map((count) => ({
        tensor: `/${name}/relu`,
        valueName: `/${name}/relu_out`,
        rank: 4,
        unitAxis: 1,
        units: count,
      })),
    })),
    pairs: pairsOf(definition),
    groups: { count: groups, blockRows: Math.max(1, Math.min(50, Math.floor(rows / groups))) },
    fitGroups:
      predict !== false && predict.holdout > 0 ? Math.max(1, Math.round(groups * (1 - predict.holdout))) : groups,
    sets: [],
    tasks: [],
  };
}

/** Correlations of all units of a pair at a layer, in memory. */
interface Joint {
  unitsA: number;
  unitsB: number;
  /** [n × n], a's units first. */
  r: Float64Array;
  mean: Float64Array;
  std: Float64Array;
  dead: Uint8Array;
  heldOut: boolean;
}

export function demoDocuments(demo: Demo, plan: Plan, pair: number, layer: number): LayerDocuments {
  const { a, b } = plan.pairs[pair]!;
  const all = features(demo.layers[layer]!, layer);
  const offsets = unitOffsets(plan.layers[layer]!);
  const own = (net: number): Float64Array[] => all.slice(offsets[net], offsets[net + 1]);
  const joint = correlate(own(a), own(b), plan.fitGroups < plan.groups.count);
  const { match, predict, cluster } = plan.definition;
  const { unitsA: p, r } = joint;
  const n = p + joint.unitsB;
  const block = ([top, bottom]: [number, number], [left, right]: [number, number]): BlockSource => {
    const values = new Float64Array((bottom - top) * (right - left));
    for (let i = top; i < bottom; i++) values.set(r.subarray(i * n + left, i * n + right), (i - top) * (right - left));
    return wholeBlock(values, bottom - top, right - left);
  };
  return {
    counts: countsOf(plan, layer),
    a: statsOf(joint, 0, p),
    b: statsOf(joint, p, n),
    blocks: { withinA: block([0, p], [0, p]), between: block([0, p], [p, n]), withinB: block([p, n], [p, n]) },
    matching: match ? matchGreedily(joint) : null,
    aToB: predict === false ? null : predictLoosely(joint, predict.alphas, false),
    bToA: predict === false ? null : predictLoosely(joint, predict.alphas, true),
    clustering: cluster === false ? null : clusterByLeader(joint, cluster.k, cluster.threshold),
    tasks: {
      withinA: 1,
      between: 2,
      withinB: 3,
      aToB: predict === false ? null : 4,
      bToA: predict === false ? null : 5,
    },
  };
}

/** The joint r of a pair's units [n × n], a's first, from its blocks. */
export async function jointOf({ blocks }: LayerDocuments): Promise<Float64Array> {
  const { rows: p, columns: q } = blocks.between;
  const n = p + q;
  const r = new Float64Array(n * n);
  const [a, between, b] = [
    await readBlock(blocks.withinA),
    await readBlock(blocks.between),
    await readBlock(blocks.withinB),
  ];
  for (let i = 0; i < p; i++) {
    r.set(a.subarray(i * p, (i + 1) * p), i * n);
    r.set(between.subarray(i * q, (i + 1) * q), i * n + p);
    for (let j = 0; j < q; j++) r[(p + j) * n + i] = between[i * q + j]!;
  }
  for (let j = 0; j < q; j++) r.set(b.subarray(j * q, (j + 1) * q), (p + j) * n + p);
  return r;
}

function countsOf(plan: Plan, layer: number): SampleCounts {
  const { positions } = plan.layers[layer]!;
  const { rows } = plan;
  const fitRows = Math.round((rows * plan.fitGroups) / plan.groups.count);
  const heldOutRows = rows - fitRows;
  const [samples, fitSamples, heldOutSamples] = [rows, fitRows, heldOutRows].map((count) => count * positions);
  return { rows, samples: samples!, fitRows, fitSamples: fitSamples!, heldOutRows, heldOutSamples: heldOutSamples! };
}

function statsOf({ mean, std, dead, heldOut }: Joint, start: number, end: number): UnitStats {
  const units = end - start;
  const own = dead.slice(start, end);
  const scored = { sum: new Float64Array(units), square: new Float64Array(units), constant: own };
  return {
    mean: mean.slice(start, end),
    std: std.slice(start, end),
    dead: own,
    varianceLost: new Uint8Array(units),
    meanShift: new Float64Array(units),
    fitConstant: own.slice(),
    heldOut: heldOut ? scored : null,
  };
}

// ReLU of latent causes, each shared by all networks to the layer's degree, in an order of the network's own
function features({ units, dead, shared = 0.7 }: DemoLayer, layer: number): Float64Array[] {
  const random = generator(layer + 1);
  const widest = Math.max(...units);
  const causes = Array.from({ length: widest }, () => Float64Array.from({ length: SAMPLES }, () => normal(random)));
  const broad = Array.from({ length: Math.ceil(widest / 6) }, () =>
    Float64Array.from({ length: SAMPLES }, () => normal(random)),
  );
  return units.flatMap((count, net) => {
    const order = shuffled(widest, random);
    return Array.from({ length: count }, (_, unit) => {
      const cause = causes[order[unit]!]!;
      const group = broad[order[unit]! % broad.length]!;
      const share = shared * (0.4 + 0.6 * random());
      const gain = 0.05 * 40 ** random();
      if (dead?.[net]?.includes(unit)) return new Float64Array(SAMPLES);
      return cause.map((value, i) => {
        const mixed = share * value + 0.6 * group[i]! + (1 - share) * normal(random) - 0.3;
        return gain * Math.max(0, mixed);
      });
    });
  });
}

function correlate(unitsOfA: Float64Array[], unitsOfB: Float64Array[], heldOut: boolean): Joint {
  const joint = [...unitsOfA, ...unitsOfB];
  const n = joint.length;
  const mean = Float64Array.from(joint, (x) => x.reduce((sum, value) => sum + value, 0) / SAMPLES);
  const std = Float64Array.from(joint, (x, i) =>
    Math.sqrt(x.reduce((sum, value) => sum + (value - mean[i]!) ** 2, 0) / SAMPLES),
  );
  const z = joint.map((x, i) => x.map((value) => (std[i] === 0 ? 0 : (value - mean[i]!) / std[i]!)));
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let sum = 0;
      for (let s = 0; s < SAMPLES; s++) sum += z[i]![s]! * z[j]![s]!;
      const value = i === j && std[i]! > 0 ? 1 : Math.max(-1, Math.min(1, sum / SAMPLES));
      r[i * n + j] = value;
      r[j * n + i] = value;
    }
  }
  const dead = Uint8Array.from(std, (value) => (value === 0 ? 1 : 0));
  return { unitsA: unitsOfA.length, unitsB: unitsOfB.length, r, mean, std, dead, heldOut };
}

function matchGreedily({ unitsA, unitsB, r }: Joint): Matching {
  const n = unitsA + unitsB;
  const at = (i: number, j: number): number => r[i * n + unitsA + j]!;
  const best = (count: number, others: number, value: (i: number, j: number) => number): SemiMatching => {
    const partner = Int32Array.from({ length: count }, (_, i) => {
      let top = 0;
      for (let j = 1; j < others; j++) if (value(i, j) > value(i, top)) top = j;
      return top;
    });
    return { partner, r: Float64Array.from(partner, (j, i) => value(i, j)) };
  };
  const cells = Array.from({ length: unitsA * unitsB }, (_, cell) => cell).sort(
    (x, y) => at(Math.floor(y / unitsB), y % unitsB) - at(Math.floor(x / unitsB), x % unitsB),
  );
  const partner = new Map<number, number>();
  const taken = new Set<number>();
  for (const cell of cells) {
    const [i, j] = [Math.floor(cell / unitsB), cell % unitsB];
    if (partner.has(i) || taken.has(j)) continue;
    partner.set(i, j);
    taken.add(j);
  }
  const pairsA = Int32Array.from(partner.keys()).sort();
  const pairsB = pairsA.map((i) => partner.get(i)!);
  return {
    semiA: best(unitsA, unitsB, at),
    semiB: best(unitsB, unitsA, (j, i) => at(i, j)),
    pairsA,
    pairsB,
    r: Float64Array.from(pairsA, (i, index) => at(i, pairsB[index]!)),
    dualA: new Float64Array(unitsA),
    dualB: new Float64Array(unitsB),
  };
}

// each target from the sources that correlate above alpha, in the manner of a first LASSO step
function predictLoosely(
  { unitsA, unitsB, r, dead, heldOut }: Joint,
  asked: number[],
  reverse: boolean,
): PredictionScores {
  const n = unitsA + unitsB;
  const [sources, targets] = reverse ? [unitsB, unitsA] : [unitsA, unitsB];
  const [sourceStart, targetStart] = reverse ? [unitsA, 0] : [0, unitsA];
  const alphas = Float64Array.from(asked).sort();
  const live = (start: number, count: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, i) => 1 - dead[start + i]!);
  const scored = live(targetStart, targets);
  const size = alphas.length * targets;
  const prediction: PredictionScores = {
    alphas,
    sources,
    targets,
    chosen: new Uint8Array(targets).fill(1),
    scored,
    predictors: live(sourceStart, sources),
    r2Fit: new Float64Array(size),
    r2HeldOut: heldOut ? new Float64Array(size) : null,
    nonzero: new Int32Array(size),
    kkt: new Float64Array(size),
  };
  for (const [row, alpha] of alphas.entries()) {
    for (let target = 0; target < targets; target++) {
      if (scored[target] === 0) continue;
      const at = row * targets + target;
      let explained = 0;
      for (let source = 0; source < sources; source++) {
        const value = r[(sourceStart + source) * n + targetStart + target]!;
        if (Math.abs(value) <= alpha + 0.05) continue;
        prediction.nonzero[at]!++;
        explained += 0.5 * (value * value - alpha * alpha);
      }
      prediction.r2Fit[at] = 1 - Math.exp(-explained);
      if (prediction.r2HeldOut) prediction.r2HeldOut[at] = prediction.r2Fit[at]! - 0.002 * prediction.nonzero[at]!;
      prediction.kkt[at] = 1e-15 * (1 + ((at * 7) % 5));
    }
  }
  return prediction;
}

// every unit goes to the leader it correlates with most, where any is above the threshold
function clusterByLeader({ unitsA, unitsB, r, dead }: Joint, asked: number, threshold: number): Clustering {
  const n = unitsA + unitsB;
  const edges = Array.from(
    { length: n },
    (_, i) => r.subarray(i * n, i * n + n).filter((value, j) => j !== i && value > threshold).length,
  );
  const vertices = [...edges.keys()].filter((i) => edges[i]! > 0);
  const k = Math.min(asked, vertices.length);
  const leaders: number[] = [];
  for (const i of vertices) {
    if (leaders.length < k && leaders.every((leader) => r[i * n + leader]! < 0.35)) leaders.push(i);
  }
  for (const i of vertices) if (leaders.length < k && !leaders.includes(i)) leaders.push(i);
  const members = leaders.map((): number[] => []);
  for (const i of vertices) {
    const own = leaders.indexOf(i);
    const best = leaders.reduce((top, leader, c) => (r[i * n + leader]! > r[i * n + leaders[top]!]! ? c : top), 0);
    members[own < 0 ? best : own]!.push(i);
  }
  members.sort((x, y) => y.length - x.length || x[0]! - y[0]!);
  const labels = new Int32Array(n).fill(-1);
  const meanR = (left: number[], right: number[]): number | null => {
    const values = left.flatMap((i) => right.filter((j) => j !== i).map((j) => r[i * n + j]!));
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const summaries = members.map((units, cluster) => {
    for (const unit of units) labels[unit] = cluster;
    const ofA = units.filter((unit) => unit < unitsA);
    const ofB = units.filter((unit) => unit >= unitsA);
    return {
      cluster,
      unitsA: ofA.length,
      unitsB: ofB.length,
      meanRBetween: meanR(ofA, ofB),
      meanRWithinA: meanR(ofA, ofA),
      meanRWithinB: meanR(ofB, ofB),
    };
  });
  const isolated = edges.filter((count, i) => count === 0 && dead[i] === 0).length;
  return { k, threshold, labels, isolated, components: Math.min(k, 2), eigenvalues: new Float64Array(k), summaries };
}

// mulberry32
function generator(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
