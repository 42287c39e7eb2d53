import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { pipelineText, refusal } from './pipelines.ts';

const parse = (text: string) => parseDefinition(text, 'p.yaml').definition;

const FULL = `# yaml-language-server: $schema=pipeline.schema.json
name: fashion-mnist
networks:                       # two or more
  seed1: { model: fashion-mnist/seed1.onnx }
  seed2: { model: fashion-mnist/seed2.onnx, layout: nhwc, mean: 0, std: [0.5] }
layers:
  conv1: /conv1/relu
  conv2: { seed1: /conv2/relu, seed2: /other/relu }
  mixer: { tensor: /mix/out, units: 1 }
  each:
    seed2: { tensor: /y, units: 2 }
    seed1: /x
probe:
  data: fashion-mnist/test-images.npy
  layout: nhw
  scale: 255
  mean: [0.286]
  std: [0.353]
  rows: 10000
positions: { sample: 16 }
shard: { rows: 500, batch: 50 }
match: false
predict: { alphas: [0.3, 0.1], holdout: 0 }
cluster: { k: 4, threshold: 0 }
seed: 7
`;

describe('parseDefinition(text, file) reads the whole file', () => {
  it('keeps every written value', () => {
    expect(parse(FULL)).toStrictEqual({
      name: 'fashion-mnist',
      networks: [
        {
          name: 'seed1',
          model: 'fashion-mnist/seed1.onnx',
          layout: 'nchw',
          scale: [255],
          mean: [0.286],
          std: [0.353],
        },
        { name: 'seed2', model: 'fashion-mnist/seed2.onnx', layout: 'nhwc', scale: [255], mean: [0], std: [0.5] },
      ],
      layers: [
        { name: 'conv1', taps: [{ tensor: '/conv1/relu' }, { tensor: '/conv1/relu' }] },
        { name: 'conv2', taps: [{ tensor: '/conv2/relu' }, { tensor: '/other/relu' }] },
        {
          name: 'mixer',
          taps: [
            { tensor: '/mix/out', units: 1 },
            { tensor: '/mix/out', units: 1 },
          ],
        },
        { name: 'each', taps: [{ tensor: '/x' }, { tensor: '/y', units: 2 }] },
      ],
      probe: { data: 'fashion-mnist/test-images.npy', layout: 'nhw', rows: 10000 },
      positions: { sample: 16 },
      shard: { rows: 500, batch: 50 },
      match: false,
      predict: { alphas: [0.3, 0.1], holdout: 0 },
      cluster: { k: 4, threshold: 0 },
      seed: 7,
    });
  });

  it('fills in every default', () => {
    expect(parse(pipelineText())).toStrictEqual({
      name: 'tiny',
      networks: [
        { name: 'seed1', model: 'a.onnx', layout: 'nchw', scale: [1], mean: [0], std: [1] },
        { name: 'seed2', model: 'b.onnx', layout: 'nchw', scale: [1], mean: [0], std: [1] },
      ],
      layers: [{ name: 'conv1', taps: [{ tensor: '/conv1/relu' }, { tensor: '/conv1/relu' }] }],
      probe: { data: 'images.npy' },
      positions: 'all',
      shard: {},
      match: true,
      predict: { alphas: [0.3, 0.1, 0.03, 0.01, 0.003], holdout: 0.2 },
      cluster: { k: 16, threshold: 0.2 },
      seed: 1,
    });
  });

  it('takes true for the defaults, false for off, and fills what a mapping leaves out', () => {
    const stages = (text: string) => {
      const { predict, cluster } = parse(pipelineText({ stages: text }));
      return { predict, cluster };
    };
    const defaults = stages('');
    expect(stages('predict: true\ncluster: true')).toEqual(defaults);
    expect(stages('predict: {}\ncluster: {}')).toEqual(defaults);
    expect(stages('predict: false\ncluster: false')).toEqual({ predict: false, cluster: false });
    expect(stages('predict: { holdout: 0.5 }').predict).toEqual({
      alphas: [0.3, 0.1, 0.03, 0.01, 0.003],
      holdout: 0.5,
    });
    expect(stages('predict: { alphas: [2] }').predict).toEqual({ alphas: [2], holdout: 0.2 });
    expect(stages('predict: { targets: all }').predict).toHaveProperty('targets', 'all');
    expect(stages('predict: { targets: 7 }').predict).toHaveProperty('targets', 7);
    expect(defaults.predict).not.toHaveProperty('targets');
    expect(stages('cluster: { k: 2 }').cluster).toEqual({ k: 2, threshold: 0.2 });
    expect(stages('cluster: { threshold: 0.5 }').cluster).toEqual({ k: 16, threshold: 0.5 });
  });

  it('names a provider only where the file does', () => {
    expect(parse(pipelineText())).not.toHaveProperty('compute');
    expect(parse(pipelineText({ more: 'compute: native' }))).toHaveProperty('compute', 'native');
    expect(parse(pipelineText({ more: 'compute: isolate' }))).toHaveProperty('compute', 'isolate');
  });

  it('gives each definition defaults of its own', () => {
    const first = parse(pipelineText()).predict;
    if (first) first.alphas.length = 0;
    expect(parse(pipelineText()).predict).toHaveProperty('alphas.length', 5);
  });

  it('lets a network override scale, mean and std of the probe one by one', () => {
    const networks =
      'networks: { a: { model: a, std: [1, 2, 3] }, b: { model: b, scale: [-1, 4, 5] }, c: { model: c } }';
    const probe = 'probe: { data: d, scale: 2, mean: [4, 5, 6], std: 7 }';
    const resolved = parse(pipelineText({ networks, probe })).networks;
    expect(resolved.map(({ scale, mean, std }) => ({ scale, mean, std }))).toEqual([
      { scale: [2], mean: [4, 5, 6], std: [1, 2, 3] },
      { scale: [-1, 4, 5], mean: [4, 5, 6], std: [7] },
      { scale: [2], mean: [4, 5, 6], std: [7] },
    ]);
  });

  it('keeps the file’s order where names look like numbers', () => {
    const networks = 'networks: { b: { model: b }, 2: { model: x }, "10": { model: y }, 1: { model: z } }';
    const layers = 'layers: { z: t, 3: t, 1: { 1: z, 10: y, 2: x, b: b }, 0: t }';
    const definition = parse(pipelineText({ networks, layers }));
    expect(definition.networks.map(({ name, model }) => [name, model])).toEqual([
      ['b', 'b'],
      ['2', 'x'],
      ['10', 'y'],
      ['1', 'z'],
    ]);
    expect(definition.layers.map(({ name }) => name)).toEqual(['z', '3', '1', '0']);
    expect(definition.layers[2]?.taps.map(({ tensor }) => tensor)).toEqual(['b', 'x', 'y', 'z']);
  });

  it('takes keys as they are written, whatever YAML makes of them', () => {
    const names = ['1', '007', '1.0', '0x10', '1e3', 'true', 'null', 'Null_', 'no', '__proto__', '__proto___'];
    names.push('constructor', 'toString', 'hasOwnProperty', '2015-01-01');
    const networks = 'networks:\n' + names.map((name) => `  ${name}: { model: m/${name} }`).join('\n');
    const layers = 'layers:\n  l:\n' + names.map((name) => `    ${name}: t/${name}`).join('\n') + '\n  __proto__: t';
    const definition = parse(pipelineText({ networks, layers }));
    expect(definition.networks.map(({ name, model }) => [name, model])).toEqual(names.map((n) => [n, `m/${n}`]));
    expect(definition.layers[0]?.taps).toEqual(names.map((name) => ({ tensor: `t/${name}` })));
    expect(definition.layers[1]?.name).toBe('__proto__');
    expect(Object.prototype).not.toHaveProperty('model');
  });

  it('expands aliases', () => {
    const networks = 'networks: { a: &net { model: a, scale: 255 }, b: *net }';
    expect(parse(pipelineText({ networks })).networks[1]).toMatchObject({ name: 'b', model: 'a', scale: [255] });
  });

  it('takes numbers in every notation of YAML 1.2', () => {
    const { probe, networks, seed } = parse(
      pipelineText({ probe: 'probe: { data: d, rows: 1e3, scale: 0xff, mean: -.5, std: 1e-2 }', seed: 'seed: -0' }),
    );
    expect(probe.rows).toBe(1000);
    expect(networks[0]).toMatchObject({ scale: [255], mean: [-0.5], std: [0.01] });
    expect(seed).toBe(0); // Object.is: not −0
  });

  it('reads CRLF, a byte order mark, comments and a document end alike', () => {
    const text = pipelineText();
    const expected = parse(text);
    const variants = [text.replaceAll('\n', '\r\n'), `\uFEFF${text}`, `# c\n\n---\n${text}...\n# end\n`];
    for (const variant of variants) expect(parse(variant)).toEqual(expected);
  });

  it('keeps YAML 1.2 when the file says 1.1', () => {
    const definition = parse(
      `%YAML 1.1\n---\n${pipelineText({ networks: 'networks: { yes: { model: no }, on: { model: off } }' })}`,
    );
    expect(definition.networks.map(({ name, model }) => [name, model])).toEqual([
      ['yes', 'no'],
      ['on', 'off'],
    ]);
  });
});

describe('where(keyPath) leads back to the file', () => {
  const { where } = parseDefinition(FULL, 'pipelines/p.yaml');
  const at = (path: (string | number)[]) => {
    const { line, column, key } = where(path);
    return `${line}:${column} ${key}`;
  };

  it('is the place of the key', () => {
    expect(where(['name'])).toEqual({ file: 'pipelines/p.yaml', line: 2, column: 1, key: 'name' });
    expect(at(['networks', 'seed1', 'model'])).toBe('4:12 networks.seed1.model');
    expect(at(['layers', 'conv1'])).toBe('7:3 layers.conv1');
    expect(at(['layers', 'conv2', 'seed2'])).toBe('8:32 layers.conv2.seed2');
    expect(at(['layers', 'each', 'seed2', 'units'])).toBe('11:26 layers.each.seed2.units');
    expect(at(['probe', 'data'])).toBe('14:3 probe.data');
  });

  it('is the item where a list has no key, and counts entries by number', () => {
    expect(at(['predict', 'alphas', 1])).toBe('23:26 predict.alphas[1]');
    expect(at(['layers', 3])).toBe('10:3 layers[3]');
  });

  it('is the nearest enclosing key where the key is a default', () => {
    expect(at(['layers', 'conv1', 'seed2'])).toBe('7:3 layers.conv1.seed2');
    expect(at(['networks', 'seed1', 'layout'])).toBe('4:3 networks.seed1.layout');
    const tiny = parseDefinition(pipelineText(), 'p.yaml');
    expect(tiny.where(['cluster', 'k'])).toEqual({ file: 'p.yaml', line: 1, column: 1, key: 'cluster.k' });
    expect(tiny.where([])).toEqual({ file: 'p.yaml', line: 1, column: 1 });
  });

  it('is the probe’s key for what a network takes from there', () => {
    expect(at(['networks', 'seed1', 'mean'])).toBe('17:3 networks.seed1.mean');
    expect(at(['networks', 'seed2', 'mean'])).toBe('5:59 networks.seed2.mean');
    expect(at(['networks', 'seed2', 'scale'])).toBe('16:3 networks.seed2.scale');
  });
});

describe('the contract’s rule that the first problem is told and the others are counted', () => {
  it('goes by the file’s order, whoever found the problem', () => {
    const text = pipelineText({
      networks: 'networks: { seed1: { model: a }, Seed1: { model: b, scale: 0 } }', // 2: same name, zero scale
      layers: 'layers: { "a b": t }', // 1
      probe: 'probe: { data: d, data: e, rows: 0 }', // 2: key twice, rows
    });
    const error = refusal(text);
    expect(error.place).toMatchObject({ line: 2, key: 'networks.Seed1' });
    expect(error.plainMessage).toContain('(and 4 more problems in this file)');
  });

  it('says nothing of others where there are none, and “problem” of one', () => {
    expect(refusal(pipelineText({ seed: 'seed: x' })).plainMessage).not.toContain('more problem');
    expect(refusal(pipelineText({ seed: 'seed: x\nmatch: 1' })).plainMessage).toContain('(and 1 more problem in');
  });

  it('puts a missing key after the misspelt one that stands for it', () => {
    const error = refusal(pipelineText({ probe: 'probe: { dtaa: d }' }));
    expect(error.place?.key).toBe('probe.dtaa');
    expect(error.plainMessage).toContain('did you mean "data"?');
    expect(error.hint).toBe('Rename it to "data", or remove it.');
  });
});
