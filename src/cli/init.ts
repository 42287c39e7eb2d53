/** `convergent init`: writes a pipeline file with the taps that two models have in common. */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { PipelineError } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import type { Command } from './command.ts';
import { describeTap, inspectFile } from './layers.ts';

/** Layers worth comparing at first sight: after the nonlinearity, and the network's products where there is none. */
const PREFERRED_OPS = [
  'Relu',
  'LeakyRelu',
  'Gelu',
  'Sigmoid',
  'Tanh',
  'Clip',
  'HardSwish',
  'Elu',
  'PRelu',
  'Softplus',
  'Mish',
];
const PRODUCT_OPS = ['Conv', 'Gemm', 'MatMul'];
const LAST_OPS = ['Gemm', 'MatMul'];

export const initCommand: Command = {
  name: 'init',
  usage: 'init <a.onnx> <b.onnx> --data <x.npy> [--out <pipeline.yaml>] [--json]',
  summary: 'writes a pipeline file with the layers both models have',
  details: [
    '  --data <x.npy>         the probe data, rows first',
    '  --out <pipeline.yaml>  file to write (default pipeline.yaml); never overwritten',
  ],
  operands: 2,
  options: { data: { type: 'string' }, out: { type: 'string' } },
  run: async ({ positionals, options }) => {
    const data = options.data as string | undefined;
    const out = (options.out as string | undefined) ?? 'pipeline.yaml';
    if (data === undefined)
      throw new PipelineError('usage', 'expected --data <x.npy>; found none', {
        hint: `usage: convergent ${initCommand.usage}`,
      });
    if (existsSync(out))
      throw new PipelineError('out-refused', `expected ${out} not to exist; found it`, {
        hint: 'choose another file with --out',
      });
    if (!existsSync(dirname(resolve(out)))) {
      throw new PipelineError('out-refused', `expected a folder to write ${out} into; found none`, {
        hint: 'make the folder first, or choose another file with --out',
      });
    }
    const [a, b] = positionals as [string, string];
    const layers = commonLayers(await inspectFile(a, data), await inspectFile(b, data));
    if (layers.length === 0) {
      throw new PipelineError(
        'positions-differ',
        `expected layers with equal names and positions in ${a} and ${b}; found none`,
        {
          hint: 'list them with convergent layers, and write the pipeline by hand, one tensor for each network',
        },
      );
    }
    const folder = dirname(resolve(out));
    const names = networkNames(a, b);
    const text = pipelineText(
      basename(out, extname(out)),
      names,
      [a, b].map((path) => relative(folder, resolve(path))),
      layers,
      relative(folder, resolve(data)),
    );
    writeFileSync(out, text, { flag: 'wx' });
    return {
      text: `wrote ${out}: ${layers.length} layers; next: convergent run ${out}`,
      json: { file: out, networks: names, layers: layers.map((layer) => layer.tensor) },
    };
  },
};

interface CommonLayer {
  name: string;
  tensor: string;
}

// taps that both have under one name with the same positions, after nonlinearities where there are any
function commonLayers(a: ModelInspection, b: ModelInspection): CommonLayer[] {
  const inB = new Map(b.taps.map((tap) => [describeTap(tap).name, describeTap(tap)]));
  const both = a.taps.map(describeTap).filter((tap) => inB.get(tap.name)?.positions.join() === tap.positions.join());
  const preferred = both.filter((tap) => PREFERRED_OPS.includes(tap.op));
  const products = both.filter((tap) => PRODUCT_OPS.includes(tap.op));
  const last = both.findLast((tap) => LAST_OPS.includes(tap.op));
  let chosen = preferred.length > 0 ? preferred : products.length > 0 ? products : both;
  if (preferred.length > 0 && last && both.indexOf(last) > both.indexOf(preferred.at(-1)!))
    chosen = [...preferred, last];
  const used = new Set<string>();
  return chosen.map((tap) => ({ name: uniqueName(tap.name, used), tensor: tap.name }));
}

// `/layer1/0/relu` → `layer1.0.relu`; unique without regard to case
function uniqueName(tensor: string, used: Set<string>): string {
  const plain =
    tensor
      .replace(/^[^A-Za-z0-9_]+/, '')
      .replace(/[^A-Za-z0-9_.-]+/g, '.')
      .slice(0, 60) || 'layer';
  let name = plain;
  for (let n = 2; used.has(name.toLowerCase()); n++) name = `${plain}-${n}`;
  used.add(name.toLowerCase());
  return name;
}

function networkNames(a: string, b: string): [string, string] {
  const used = new Set(['tensor', 'units']);
  const name = (path: string): string => uniqueName(basename(path, extname(path)), used);
  return [name(a), name(b)];
}

function pipelineText(
  name: string,
  networks: readonly string[],
  models: readonly string[],
  layers: readonly CommonLayer[],
  data: string,
): string {
  const document = {
    name: uniqueName(name, new Set()),
    networks: Object.fromEntries(networks.map((network, index) => [network, { model: models[index] }])),
    layers: Object.fromEntries(layers.map((layer) => [layer.name, layer.tensor])),
    probe: { data },
  };
  const comment =
    '# The networks may want scaled data: add scale, mean and std below probe, (x / scale - mean) / std.\n';
  return comment + stringify(document);
}
