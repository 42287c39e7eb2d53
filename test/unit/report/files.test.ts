import { describe, expect, it } from 'vitest';
import { wholeBlock } from '../../../src/reduce/block.ts';
import type { BlockSource } from '../../../src/reduce/block.ts';
import type { UnitStats } from '../../../src/reduce/correlation.ts';
import type { LayerDocuments } from '../../../src/report/entry.ts';
import { layerFiles } from '../../../src/report/files.ts';
import type { OutputFile, WrittenFile } from '../../../src/report/files.ts';
import { demoPlan } from './demo.ts';

const plan = demoPlan({ networks: ['w', 'x', 'y'], layers: [{ name: 'conv', units: [4, 2, 3] }] });
/** x with y: networks 1 and 2. */
const PAIR = 2;

// two units against three: unit 1 of a is dead, unit 2 of b isn't scored
const stats = (dead: number[]): UnitStats => ({
  mean: new Float64Array(dead.length),
  std: new Float64Array(dead.length),
  dead: Uint8Array.from(dead),
  varianceLost: new Uint8Array(dead.length),
  meanShift: new Float64Array(dead.length),
  fitConstant: Uint8Array.from(dead),
  heldOut: null,
});
const block = (rows: number, columns: number): BlockSource =>
  wholeBlock(new Float64Array(rows * columns), rows, columns);
const documents: LayerDocuments = {
  counts: { rows: 100, samples: 400, fitRows: 80, fitSamples: 320, heldOutRows: 20, heldOutSamples: 80 },
  a: stats([0, 1]),
  b: stats([0, 0, 0]),
  blocks: { withinA: block(2, 2), between: block(2, 3), withinB: block(3, 3) },
  tasks: { withinA: 11, between: 12, withinB: 13, aToB: 14, bToA: 15 },
  matching: {
    semiA: { partner: Int32Array.of(0, 0), r: Float64Array.of(0.5, 0) },
    semiB: { partner: Int32Array.of(0, 0, 1), r: Float64Array.of(0.5, 0.25, 0) },
    pairsA: Int32Array.of(0, 1),
    pairsB: Int32Array.of(1, 0),
    r: Float64Array.of(0.25, 0),
    dualA: new Float64Array(2),
    dualB: new Float64Array(3),
  },
  aToB: {
    alphas: Float64Array.of(1e-7, 0.1),
    sources: 2,
    targets: 3,
    chosen: Uint8Array.of(1, 1, 1),
    scored: Uint8Array.of(1, 1, 0),
    predictors: Uint8Array.of(1, 0),
    r2Fit: Float64Array.of(0.75, 0.25, 0, 0.5, 0, 0),
    r2HeldOut: Float64Array.of(0.5, -0.5, 0, 0.25, -0.25, 0),
    nonzero: Int32Array.of(1, 1, 0, 1, 0, 0),
    kkt: Float64Array.of(1e-16, 2e-16, 9, 3e-16, 0, 9),
  },
  bToA: {
    alphas: Float64Array.of(0.1),
    sources: 3,
    targets: 2,
    chosen: Uint8Array.of(1, 0),
    scored: Uint8Array.of(1, 0),
    predictors: Uint8Array.of(1, 1, 1),
    r2Fit: Float64Array.of(0.5, 0),
    r2HeldOut: null,
    nonzero: Int32Array.of(2, 0),
    kkt: Float64Array.of(0, 0),
  },
  clustering: {
    k: 2,
    threshold: 0.2,
    labels: Int32Array.of(0, -1, 0, 0, 1),
    isolated: 1,
    components: 1,
    eigenvalues: Float64Array.of(0, 1),
    summaries: [
      { cluster: 0, unitsA: 1, unitsB: 2, meanRBetween: 0.375, meanRWithinA: null, meanRWithinB: 0.75 },
      { cluster: 1, unitsA: 0, unitsB: 1, meanRBetween: null, meanRWithinA: null, meanRWithinB: null },
    ],
  },
};

const filesOf = (own: LayerDocuments): Map<string, OutputFile> =>
  new Map(Array.from(layerFiles(plan, PAIR, 0, own), (file) => [file.path, file]));
const written = filesOf(documents);
const table = (name: string): string =>
  new TextDecoder().decode((written.get(`x-y/conv/${name}`) as WrittenFile).bytes);

describe('layerFiles', () => {
  it('names all files of the contract', () => {
    const arrays = ['between', 'within_a', 'within_b', 'mean_a', 'std_a', 'mean_b', 'std_b'];
    const weights = ['weights_0.0000001', 'weights_0.1', 'weights_b_0.1'];
    const tables = ['semi_matching', 'semi_matching_b', 'matching', 'clusters', 'cluster_summary'];
    const predictions = ['prediction', 'prediction_b', 'prediction_units', 'prediction_units_b'];
    const names = [
      ...[...arrays, ...weights].map((name) => `${name}.npy`),
      ...[...tables, ...predictions].map((name) => `${name}.csv`),
    ];
    expect([...written.keys()].sort()).toEqual(names.map((name) => `x-y/conv/${name}`).sort());
  });

  it.each([
    ['between', 12, 'r_1_2'],
    ['within_a', 11, 'r_1_1'],
    ['within_b', 13, 'r_2_2'],
    ['mean_a', 12, 'mean_1'],
    ['std_a', 12, 'std_1'],
    ['mean_b', 12, 'mean_2'],
    ['std_b', 12, 'std_2'],
    ['weights_0.0000001', 14, 'weights_0'],
    ['weights_0.1', 14, 'weights_1'],
    ['weights_b_0.1', 15, 'weights_0'],
  ])('%s.npy is the member of a task', (name, task, member) => {
    const path = `x-y/conv/${name}.npy`;
    expect(written.get(path)).toEqual({ path, member: { task, name: member, part: 'npy' } });
  });

  it('weights of wide layers are compressed rows, the payload of their member', () => {
    const wide = { ...documents.aToB!, sources: 2049, predictors: new Uint8Array(2049).fill(1) };
    expect(filesOf({ ...documents, aToB: wide }).get('x-y/conv/weights_0.1.npz')).toEqual({
      path: 'x-y/conv/weights_0.1.npz',
      member: { task: 14, name: 'weights_1', part: 'payload' },
    });
  });

  it.each([
    ['semi_matching', 'unit_a,unit_b,r\n0,0,0.5\n1,0,0\n'],
    ['semi_matching_b', 'unit_b,unit_a,r\n0,0,0.5\n1,0,0.25\n2,1,0\n'],
    ['matching', 'unit_a,unit_b,r\n0,1,0.25\n1,0,0\n'],
    ['prediction', 'alpha,r2_fit,r2_held_out,mean_nonzero,max_kkt\n1e-7,0.5,0,1,2e-16\n0.1,0.25,0,0.5,3e-16\n'],
    ['prediction_b', 'alpha,r2_fit,r2_held_out,mean_nonzero,max_kkt\n0.1,0.5,,2,0\n'],
    [
      'prediction_units',
      'alpha,unit,r2_fit,r2_held_out,nonzero\n' +
        '1e-7,0,0.75,0.5,1\n1e-7,1,0.25,-0.5,1\n1e-7,2,,,\n0.1,0,0.5,0.25,1\n0.1,1,0,-0.25,0\n0.1,2,,,\n',
    ],
    // unit 1 wasn't chosen
    ['prediction_units_b', 'alpha,unit,r2_fit,r2_held_out,nonzero\n0.1,0,0.5,,2\n'],
    ['clusters', 'net,unit,cluster\na,0,0\na,1,-1\nb,0,0\nb,1,0\nb,2,1\n'],
    [
      'cluster_summary',
      'cluster,units_a,units_b,mean_r_between,mean_r_within_a,mean_r_within_b\n0,1,2,0.375,,0.75\n1,0,1,,,\n',
    ],
  ])('%s.csv', (name, expected) => {
    expect(table(`${name}.csv`)).toBe(expected);
  });

  it('of stages that are off writes nothing', () => {
    const names = [...filesOf({ ...documents, matching: null, aToB: null, bToA: null, clustering: null }).keys()];
    expect(names).toHaveLength(7);
    expect(names.every((name) => name.endsWith('.npy'))).toBe(true);
  });

  it('refuses a number that is none', () => {
    const matching = { ...documents.matching!, r: Float64Array.of(NaN, 0) };
    expect(() => filesOf({ ...documents, matching })).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});
