import { describe, expect, it } from 'vitest';
import { readNpy } from '../../../src/numeric/npy.ts';
import type { LayerDocuments } from '../../../src/report/entry.ts';
import { layerFiles } from '../../../src/report/files.ts';

// two units against three: unit 1 of a is dead, unit 2 of b isn't scored
const r = Float64Array.from(
  [
    [1, 0, 0.5, 0.25, -0.5],
    [0, 0, 0, 0, 0],
    [0.5, 0, 1, 0.75, 0],
    [0.25, 0, 0.75, 1, 0],
    [-0.5, 0, 0, 0, 1],
  ].flat(),
);
const constant = Uint8Array.of(0, 1, 0, 0, 0);
const correlation: LayerDocuments['correlation'] = {
  unitsA: 2,
  unitsB: 3,
  rows: 100,
  samples: 400,
  mean: Float64Array.of(1, 2, 3, 4, 5),
  std: Float64Array.of(0.5, 0, 0.25, 1, 2),
  dead: constant,
  varianceLost: new Uint8Array(5),
  meanShift: new Float64Array(5),
  r,
  fit: { rows: 80, samples: 320, r, constant },
  heldOut: { rows: 20, samples: 80, sum: new Float64Array(5), second: r, constant },
};
const documents: LayerDocuments = {
  correlation,
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
    scored: Uint8Array.of(1, 1, 0),
    predictors: Uint8Array.of(1, 0),
    weights: Float64Array.of(0.5, 0, 0.25, 0, 0, 0, 0.4, 0, 0, 0, 0, 0),
    r2Fit: Float64Array.of(0.75, 0.25, 0, 0.5, 0, 0),
    r2HeldOut: Float64Array.of(0.5, -0.5, 0, 0.25, -0.25, 0),
    nonzero: Int32Array.of(1, 1, 0, 1, 0, 0),
    kkt: Float64Array.of(1e-16, 2e-16, 9, 3e-16, 0, 9),
  },
  bToA: {
    alphas: Float64Array.of(0.1),
    sources: 3,
    targets: 2,
    scored: Uint8Array.of(1, 0),
    predictors: Uint8Array.of(1, 1, 1),
    weights: Float64Array.of(0.4, 0, -0.4, 0, 0, 0),
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

const written = new Map(Array.from(layerFiles('x-y/conv', documents), ({ path, bytes }) => [path, bytes]));
const table = (name: string): string => new TextDecoder().decode(written.get(`x-y/conv/${name}`));

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
    ['between', [2, 3], [0.5, 0.25, -0.5, 0, 0, 0]],
    ['within_a', [2, 2], [1, 0, 0, 0]],
    ['within_b', [3, 3], [1, 0.75, 0, 0.75, 1, 0, 0, 0, 1]],
    ['mean_a', [2], [1, 2]],
    ['std_a', [2], [0.5, 0]],
    ['mean_b', [3], [3, 4, 5]],
    ['std_b', [3], [0.25, 1, 2]],
    ['weights_0.0000001', [3, 2], [0.5, 0, 0.25, 0, 0, 0]],
    ['weights_0.1', [3, 2], [0.4, 0, 0, 0, 0, 0]],
    ['weights_b_0.1', [2, 3], [0.4, 0, -0.4, 0, 0, 0]],
  ])('%s.npy is float64 %j', (name, shape, values) => {
    const array = readNpy(written.get(`x-y/conv/${name}.npy`)!);
    expect(array).toEqual({ dtype: 'float64', shape, data: Float64Array.from(values) });
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
    ['prediction_units_b', 'alpha,unit,r2_fit,r2_held_out,nonzero\n0.1,0,0.5,,2\n0.1,1,,,\n'],
    ['clusters', 'net,unit,cluster\na,0,0\na,1,-1\nb,0,0\nb,1,0\nb,2,1\n'],
    [
      'cluster_summary',
      'cluster,units_a,units_b,mean_r_between,mean_r_within_a,mean_r_within_b\n0,1,2,0.375,,0.75\n1,0,1,,,\n',
    ],
  ])('%s.csv', (name, expected) => {
    expect(table(`${name}.csv`)).toBe(expected);
  });

  it('of stages that are off writes nothing', () => {
    const off = { correlation, matching: null, aToB: null, bToA: null, clustering: null };
    const names = Array.from(layerFiles('x-y/conv', off), ({ path }) => path);
    expect(names).toHaveLength(7);
    expect(names.every((name) => name.endsWith('.npy'))).toBe(true);
  });

  it('refuses a number that is none', () => {
    const matching = { ...documents.matching!, r: Float64Array.of(NaN, 0) };
    expect(() => [...layerFiles('x-y/conv', { ...documents, matching })]).toThrow(
      expect.objectContaining({ code: 'internal' }),
    );
  });
});
