import { describe, expect, it } from 'vitest';
import { pipelineText, refusal, unmark } from './pipelines.ts';

// each text has a mark ▸ before the character that its error must point at
type Case = [marked: string, key: string | undefined, message: string, hint?: string];

function check(section: string, [marked, key, message, hint]: Case) {
  const { text, line, column } = unmark(pipelineText({ [section]: marked }));
  const error = refusal(text);
  expect(error.code).toBe('definition-invalid');
  expect(error.place).toEqual({ file: 'p.yaml', line, column, ...(key === undefined ? {} : { key }) });
  expect(error.plainMessage.replace(/ \(and \d+ more problems? in this file\)$/, '')).toBe(message);
  expect(error.hint).toMatch(/\S/);
  if (hint !== undefined) expect(error.hint).toBe(hint);
}

const NAME = '1 to 64 letters, digits, "_", "-" or ".", not beginning with "-" or "."';

describe('name', () => {
  it.each<Case>([
    ['name: ▸a b', 'name', `expected name to be ${NAME}; found "a b"`],
    ['name: ▸.a', 'name', `expected name to be ${NAME}; found ".a"`],
    ['name: ▸ünet', 'name', `expected name to be ${NAME}; found "ünet"`],
    ['name: ▸""', 'name', `expected name to be ${NAME}; found ""`],
    ['name: ▸2015', 'name', `expected name to be ${NAME}; found 2015`, 'Put it in quotes: "2015".'],
    ['▸name:', 'name', `expected name to be ${NAME}; found nothing`],
    [`name: ▸${'x'.repeat(65)}`, 'name', `expected name to be ${NAME}; found "${'x'.repeat(63)}…"`],
    ['▸name: [a]', 'name', `expected name to be ${NAME}; found a list of 1`],
  ])('%j', (...row) => check('name', row));
});

describe('networks', () => {
  const TWO = 'expected networks to be a mapping of 2 to 256 networks';
  it.each<Case>([
    ['▸networks:', 'networks', `${TWO}; found nothing`],
    ['▸networks: {}', 'networks', `${TWO}; found an empty mapping`],
    ['▸networks:\n  - a.onnx\n  - b.onnx', 'networks', `${TWO}; found a list of 2`],
    ['▸networks: { a: { model: x } }', 'networks', `${TWO}; found a mapping of 1`],
    [
      'networks: { a: { model: x }, b: ▸b.onnx }',
      'networks.b',
      'expected networks.b to be a mapping with model; found "b.onnx"',
      'Write it like this: `seed1: { model: seed1.onnx }`',
    ],
    [
      'networks: { a: { model: x }, ▸b: {} }',
      'networks.b.model',
      'expected networks.b.model, the path of an ONNX file; found no such key',
      'Add `model: seed1.onnx`.',
    ],
    [
      'networks: { a: { model: x }, b: { ▸modle: y, model: y } }',
      'networks.b.modle',
      'expected model, layout, scale, mean, std, hosts, sha256 or max_bytes in networks.b; found "modle"; did you mean "model"?',
      'Rename it to "model", or remove it.',
    ],
    [
      'networks: { a: { model: x }, b: { model: y, ▸path: z } }',
      'networks.b.path',
      'expected model, layout, scale, mean, std, hosts, sha256 or max_bytes in networks.b; found "path"',
      'Remove "path".',
    ],
    [
      'networks: { a: { model: x }, b: { model: y, ▸name: z } }', // the letters of mean, but no slip of it
      'networks.b.name',
      'expected model, layout, scale, mean, std, hosts, sha256 or max_bytes in networks.b; found "name"',
    ],
    [
      'networks: { a: { model: ▸12 }, b: { model: y } }',
      'networks.a.model',
      'expected networks.a.model to be the path of an ONNX file; found 12',
      'Put it in quotes: "12".',
    ],
    [
      'networks: { a: { model: ▸" " }, b: { model: y } }',
      'networks.a.model',
      'expected networks.a.model to be the path of an ONNX file; found " "',
    ],
    [
      'networks: { a: { model: ▸"x\\0y" }, b: { model: y } }',
      'networks.a.model',
      'expected networks.a.model to be the path of an ONNX file; found "x\\u0000y"',
    ],
    [
      'networks: { a: { model: x, layout: ▸nhw }, b: { model: y } }',
      'networks.a.layout',
      'expected networks.a.layout to be nchw or nhwc; found "nhw"; did you mean "nhwc" or "nchw"?',
    ],
    [
      'networks: { a: { model: x, layout: ▸as-is }, b: { model: y } }',
      'networks.a.layout',
      'expected networks.a.layout to be nchw or nhwc; found "as-is"',
    ],
    [
      'networks: { a: { model: x }, ▸tensor: { model: y } }',
      'networks.tensor',
      'expected a name other than tensor and units, which are keys; found "tensor"',
    ],
    [
      'networks: { a: { model: x }, b: { model: y }, ▸units: { model: y } }',
      'networks.units',
      'expected a name other than tensor and units, which are keys; found "units"',
    ],
    ['networks: { a: { model: x }, ▸-b: { model: y } }', 'networks.-b', `expected ${NAME}; found "-b"`],
    ['networks: { a: { model: x }, ▸"b/c": { model: y } }', 'networks."b/c"', `expected ${NAME}; found "b/c"`],
    ['networks: { a: { model: x }, ▸~: { model: y } }', 'networks."~"', `expected ${NAME}; found "~"`],
    [
      'networks:\n  seed1: { model: x }\n  ▸Seed1: { model: y }',
      'networks.Seed1',
      'expected names that differ by more than case; found "seed1" and "Seed1"',
    ],
    [
      'networks: { a: { model: x }, 1: { model: y }, ▸"1": { model: y } }',
      'networks.1',
      'expected each key once; found "1" a second time',
    ],
    [
      'networks: { a: { model: x }, b-c: { model: x }, A-b: { model: x }, ▸c: { model: x } }',
      'networks.c',
      'expected an output folder of its own for every pair; found "A-b-c" for both "a" with "b-c" and "A-b" with "c"',
      'Rename one of these networks.',
    ],
  ])('%j', (...row) => check('networks', row));

  it('two networks of different case in one pair still share no folder with another pair', () => {
    const fine = 'networks: { a: { model: x }, b-a: { model: x }, a-b: { model: x } }'; // a-b-a, a-a-b, b-a-a-b
    expect(() => refusal(pipelineText({ networks: fine }))).toThrow('accepted');
  });

  it('257 networks', () => {
    const entries = Array.from({ length: 257 }, (_, i) => `n${i}: { model: m }`).join(', ');
    check('networks', [`▸networks: { ${entries} }`, 'networks', `${TWO}; found a mapping of 257`]);
  });
});

describe('layers', () => {
  const TAP = 'a tensor name, { tensor, units }, or a mapping by network';
  it.each<Case>([
    [
      '▸layers: {}',
      'layers',
      'expected layers to be a mapping of one or more layers to tensors; found an empty mapping',
    ],
    ['layers: { ▸c: }', 'layers.c', `expected layers.c to be ${TAP}; found nothing`],
    ['layers: { c: ▸123 }', 'layers.c', `expected layers.c to be ${TAP}; found 123`, 'Put it in quotes: "123".'],
    ['layers: { ▸c: [x] }', 'layers.c', `expected layers.c to be ${TAP}; found a list of 1`],
    ['layers: { ▸"a b": x }', 'layers."a b"', `expected ${NAME}; found "a b"`],
    ['layers: { c: x, ▸C: x }', 'layers.C', 'expected names that differ by more than case; found "c" and "C"'],
    ['layers: { c: x, ▸c: x }', 'layers.c', 'expected each key once; found "c" a second time'],
    [
      'layers: { ▸c: {} }',
      'layers.c',
      'expected a tensor for every network in layers.c; found none for seed1 and seed2',
    ],
    [
      'layers: { ▸c: { seed2: x } }',
      'layers.c',
      'expected a tensor for every network in layers.c; found none for seed1',
      'Add `seed1: <tensor>`.',
    ],
    [
      'layers: { c: { seed1: x, seed2: x, ▸sede1: y } }',
      'layers.c.sede1',
      'expected seed1 or seed2 in layers.c; found "sede1"; did you mean "seed1" or "seed2"?',
      'Rename it to "seed1".',
    ],
    [
      'layers: { c: { ▸tensr: x } }',
      'layers.c.tensr',
      'expected seed1 or seed2 in layers.c; found "tensr"; did you mean "tensor"?',
    ],
    [
      'layers: { c: { tensor: x, ▸seed1: y } }',
      'layers.c.seed1',
      'expected tensor or units in layers.c; found "seed1"',
      'Remove "seed1".',
    ],
    [
      'layers: { ▸c: { units: 1 } }',
      'layers.c.tensor',
      'expected layers.c.tensor, an ONNX value name, or the name of the node that makes it; found no such key',
    ],
    [
      'layers: { c: { tensor: x, units: ▸0 } }',
      'layers.c.units',
      'expected layers.c.units to be a whole number ≥ 1; found 0',
    ],
    [
      'layers: { c: { tensor: x, units: ▸"1" } }',
      'layers.c.units',
      'expected layers.c.units to be a whole number ≥ 1; found "1"',
      'Remove the quotes.',
    ],
    [
      'layers: { c: { seed1: x, seed2: { tensor: x, units: ▸1.5 } } }',
      'layers.c.seed2.units',
      'expected layers.c.seed2.units to be a whole number ≥ 1; found 1.5',
    ],
    [
      'layers: { c: { seed1: x, seed2: ▸7 } }',
      'layers.c.seed2',
      'expected layers.c.seed2 to be a tensor name or { tensor, units }; found 7',
      'Put it in quotes: "7".',
    ],
    [
      'layers: { c: { seed1: x, seed2: { ▸tensors: x } } }',
      'layers.c.seed2.tensors',
      'expected tensor or units in layers.c.seed2; found "tensors"; did you mean "tensor"?',
    ],
  ])('%j', (...row) => check('layers', row));
});

describe('probe', () => {
  const SCALE = 'a number other than 0, or a list with one per channel';
  it.each<Case>([
    ['probe: ▸images.npy', 'probe', 'expected probe to be a mapping with data; found "images.npy"'],
    [
      '▸probe: { rows: 5 }',
      'probe.data',
      'expected probe.data, the path of a .npy file; found no such key',
      'Add `data: test-images.npy`.',
    ],
    ['probe: { data: ▸true }', 'probe.data', 'expected probe.data to be the path of a .npy file; found true'],
    [
      'probe: { data: d, layout: ▸nwh }',
      'probe.layout',
      'expected probe.layout to be nhw, nhwc, nchw or as-is; found "nwh"; did you mean "nhw", "nhwc" or "nchw"?',
    ],
    ['probe: { data: d, rows: ▸0 }', 'probe.rows', 'expected probe.rows to be a whole number ≥ 1; found 0'],
    ['probe: { data: d, rows: ▸all }', 'probe.rows', 'expected probe.rows to be a whole number ≥ 1; found "all"'],
    [
      'probe: { data: d, rows: ▸1e20 }',
      'probe.rows',
      'expected probe.rows to be a whole number ≥ 1; found 1e20 (not exact above 2^53)',
    ],
    ['probe: { data: d, scale: ▸0 }', 'probe.scale', 'expected probe.scale to be a number other than 0; found 0'],
    ['probe: { data: d, scale: ▸.inf }', 'probe.scale', `expected probe.scale to be ${SCALE}; found .inf`],
    ['probe: { data: d, scale: ▸1e999 }', 'probe.scale', `expected probe.scale to be ${SCALE}; found 1e999`],
    [
      'probe: { data: d, scale: ▸"255" }',
      'probe.scale',
      `expected probe.scale to be ${SCALE}; found "255"`,
      'Remove the quotes.',
    ],
    ['probe: { data: d, ▸scale: [] }', 'probe.scale', `expected probe.scale to be ${SCALE}; found an empty list`],
    ['probe: { data: d, mean: [0.1, ▸.nan] }', 'probe.mean[1]', 'expected probe.mean[1] to be a number; found .nan'],
    [
      'probe: { data: d, mean: [0.1, ▸x] }',
      'probe.mean[1]',
      'expected probe.mean[1] to be a number; found "x"',
      'Write it like this: `mean: 0.286`',
    ],
    ['probe: { data: d, std: ▸-1 }', 'probe.std', 'expected probe.std to be a number > 0; found -1'],
    ['probe: { data: d, std: [1, ▸0] }', 'probe.std[1]', 'expected probe.std[1] to be a number > 0; found 0'],
    [
      'probe: { data: d, mean: [1, 2, 3], ▸std: [1, 2] }',
      'probe.std',
      'expected probe.std to have as many values as probe.mean; found 2 and 3',
    ],
    [
      'probe:\n  data: d\n  ▸normalize: true',
      'probe.normalize',
      'expected data, layout, scale, mean, std or rows in probe; found "normalize"',
    ],
  ])('%j', (...row) => check('probe', row));

  it('channel counts that a network’s own key makes disagree', () => {
    const networks = 'networks: { a: { model: x }, b: { model: y, ▸scale: [1, 2] } }';
    const { text, line, column } = unmark(pipelineText({ networks, probe: 'probe: { data: d, mean: [1, 2, 3] }' }));
    const error = refusal(text);
    expect(error.place).toEqual({ file: 'p.yaml', line, column, key: 'networks.b.scale' });
    expect(error.plainMessage).toBe('expected networks.b.scale to have as many values as probe.mean; found 2 and 3');
  });
});

describe('positions, shard, stages and seed', () => {
  it.each<Case>([
    ['positions: ▸some', 'positions', 'expected positions to be all or { sample: n }; found "some"'],
    ['positions: ▸16', 'positions', 'expected positions to be all or { sample: n }; found 16'],
    [
      'positions: { sample: ▸0 }',
      'positions.sample',
      'expected positions.sample to be a whole number ≥ 1; found 0',
      'Write it like this: `positions: { sample: 16 }`',
    ],
    ['▸positions: {}', 'positions.sample', 'expected positions.sample, a whole number ≥ 1; found no such key'],
    ['shard: ▸500', 'shard', 'expected shard to be a mapping with rows and batch; found 500'],
    ['▸shard:', 'shard', 'expected shard to be a mapping with rows and batch; found nothing'],
    ['shard: { rows: ▸-1 }', 'shard.rows', 'expected shard.rows to be a whole number ≥ 1; found -1'],
    ['shard: { batch: ▸1.5 }', 'shard.batch', 'expected shard.batch to be a whole number ≥ 1; found 1.5'],
    ['shard: { ▸size: 1 }', 'shard.size', 'expected rows or batch in shard; found "size"'],
    ['match: ▸yes', 'match', 'expected match to be true or false; found "yes"'],
    ['▸match: {}', 'match', 'expected match to be true or false; found an empty mapping'],
    [
      'predict: ▸off',
      'predict',
      'expected predict to be false or a mapping with alphas, holdout and targets; found "off"',
    ],
    [
      '▸predict:',
      'predict',
      'expected predict to be false or a mapping with alphas, holdout and targets; found nothing',
    ],
    [
      'predict: { alphas: ▸0.1 }',
      'predict.alphas',
      'expected predict.alphas to be a list of one or more numbers > 0; found 0.1',
    ],
    [
      'predict: { ▸alphas: [] }',
      'predict.alphas',
      'expected predict.alphas to be a list of one or more numbers > 0; found an empty list',
    ],
    ['predict: { alphas: [1, ▸0] }', 'predict.alphas[1]', 'expected predict.alphas[1] to be a number > 0; found 0'],
    [
      'predict: { alphas: [0.1, 1, ▸0.10] }',
      'predict.alphas[2]',
      'expected predict.alphas[2] to be a number that is not in the list already; found 0.10',
    ],
    ['predict: { holdout: ▸1 }', 'predict.holdout', 'expected predict.holdout to be a number ≥ 0 and < 1; found 1'],
    ['predict: { holdout: ▸-.1 }', 'predict.holdout', 'expected predict.holdout to be a number ≥ 0 and < 1; found -.1'],
    [
      'predict: { ▸alpha: [1] }',
      'predict.alpha',
      'expected alphas, holdout or targets in predict; found "alpha"; did you mean "alphas"?',
    ],
    // a number can only have been meant as one
    ['predict: { targets: ▸0 }', 'predict.targets', 'expected predict.targets to be a whole number ≥ 1; found 0'],
    [
      'predict: { targets: ▸1.5 }',
      'predict.targets',
      'expected predict.targets to be all or a whole number ≥ 1; found 1.5',
    ],
    [
      'predict: { targets: ▸some }',
      'predict.targets',
      'expected predict.targets to be all or a whole number ≥ 1; found "some"',
    ],
    [
      'predict: { ▸targets: [1] }',
      'predict.targets',
      'expected predict.targets to be all or a whole number ≥ 1; found a list of 1',
    ],
    [
      'predict: { ▸target: 5 }',
      'predict.target',
      'expected alphas, holdout or targets in predict; found "target"; did you mean "targets"?',
    ],
    ['compute: ▸auto', 'compute', 'expected compute to be isolate or native; found "auto"'],
    ['compute: ▸true', 'compute', 'expected compute to be isolate or native; found true'],
    ['▸compute:', 'compute', 'expected compute to be isolate or native; found nothing'],
    ['cluster: ▸16', 'cluster', 'expected cluster to be false or a mapping with k and threshold; found 16'],
    ['cluster: { k: ▸0 }', 'cluster.k', 'expected cluster.k to be a whole number ≥ 1; found 0'],
    [
      'cluster: { threshold: ▸1 }',
      'cluster.threshold',
      'expected cluster.threshold to be a number ≥ 0 and < 1; found 1',
    ],
    [
      'cluster: { ▸treshold: 0.1 }',
      'cluster.treshold',
      'expected k or threshold in cluster; found "treshold"; did you mean "threshold"?',
    ],
    ['seed: ▸-1', 'seed', 'expected seed to be a whole number ≥ 0; found -1'],
    ['seed: ▸1.5', 'seed', 'expected seed to be a whole number ≥ 0; found 1.5'],
    ['seed: ▸0x1p', 'seed', 'expected seed to be a whole number ≥ 0; found "0x1p"'],
  ])('%j', (...row) => check('more', row));
});

describe('the whole file', () => {
  const ROOT = 'expected the file to be a mapping with name, networks, layers and probe';
  const KEYS =
    'expected name, networks, layers, probe, positions, shard, compute, match, predict, cluster, seed, public, triggers, gate or notify';
  it.each<Case>([
    ['▸', undefined, `${ROOT}; found nothing`],
    ['▸# only a comment\n', undefined, `${ROOT}; found nothing`],
    ['---\n▸- a\n- b\n', undefined, `${ROOT}; found a list of 2`],
    ['\n ▸hello\n', undefined, `${ROOT}; found "hello"`],
    ['▸42', undefined, `${ROOT}; found 42`],
    [`${pipelineText()}▸sed: 1`, 'sed', `${KEYS}; found "sed"; did you mean "seed"?`],
    [`${pipelineText()}▸Seed: 1`, 'Seed', `${KEYS}; found "Seed"; did you mean "seed"?`],
    [`${pipelineText()}▸__proto__: {}`, '__proto__', `${KEYS}; found "__proto__"`],
    [`${pipelineText()}▸constructor: {}`, 'constructor', `${KEYS}; found "constructor"`],
    [`${pipelineText()}▸<<: {}`, '"<<"', `${KEYS}; found "<<"`, 'Merge keys are not supported: write the keys out.'],
    [
      `▸${pipelineText({ probe: '' })}`,
      'probe',
      'expected probe, a mapping with data; found no such key',
      'Add `probe: { data: test-images.npy }`.',
    ],
  ])('%j', (marked, key, message, hint) => {
    const { text, line, column } = unmark(marked);
    const error = refusal(text);
    expect(error.place).toEqual({ file: 'p.yaml', line, column, ...(key === undefined ? {} : { key }) });
    expect(error.plainMessage).toBe(message);
    if (hint !== undefined) expect(error.hint).toBe(hint);
  });
});
