/** Real correlation matrices, from runs of drawn networks: made once, then kept beside the fixtures. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInside, runOurs } from '../ours.ts';
import type { RowContext } from '../row.ts';

const STAGES_OFF = 'match: false\npredict: false\ncluster: false\n';

const PIPELINES = {
  caffenet: {
    shape: 'caffenet',
    models: ['caffenet-1.onnx', 'caffenet-2.onnx'],
    layers: ['conv3', 'fc6'],
    probe:
      'data: pictures-227.npy, layout: nhwc, scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], rows: 256',
  },
  wide1024: {
    shape: 'wide',
    models: ['wide1024-1.onnx', 'wide1024-2.onnx'],
    layers: ['wide'],
    probe: 'data: train-images.npy, layout: nhw, scale: 255, mean: [0.286], std: [0.353], rows: 2000',
  },
} as const;

/** The folder of one layer's matrices: within_a.npy, between.npy, within_b.npy. */
export async function realMatrices(
  { fixtures, scratch, say }: RowContext,
  name: keyof typeof PIPELINES,
  layer: string,
): Promise<string> {
  const { shape, models, layers, probe } = PIPELINES[name];
  await fixtures.need(say, 'fashion', shape);
  const out = fixtures.path(`real-${name}`);
  if (!existsSync(out)) {
    say(`correlations of ${name}`);
    const networks = models.map((model, index) => `  seed${index + 1}: { model: ${model} }`);
    const taps = layers.map((each) => `  ${each}: ${each}`);
    const lines = [`name: real-${name}`, 'networks:', ...networks, 'layers:', ...taps, `probe: { ${probe} }`];
    const file = fixtures.path(`real-${name}.yaml`);
    writeFileSync(file, `${lines.join('\n')}\n${STAGES_OFF}`);
    const made = join(scratch, `real-${name}`);
    await runOurs(file, 'native', scratch, made);
    renameSync(made, out);
  }
  return join(out, 'seed1-seed2', layer);
}

/** A matrix of drawn.ts, made once. */
export async function drawn(
  { fixtures }: RowContext,
  files: readonly string[],
  command: string,
  ...args: readonly number[]
): Promise<string[]> {
  mkdirSync(fixtures.folder, { recursive: true });
  const paths = files.map((file) => fixtures.path(file));
  if (!paths.every((path) => existsSync(path))) {
    try {
      await runInside(command, ...args, ...paths);
    } catch (error) {
      for (const path of paths) rmSync(path, { force: true });
      throw error;
    }
  }
  return paths;
}
