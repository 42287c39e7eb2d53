/** Wrong input: a clear error that names place and remedy, exit 2, nothing half-written. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/numeric/npy.ts';
import { ISOLATE, NATIVE, NATIVE_VERSION, pipelineText, PIPELINES, ROOT, run, temporaryFolder } from './command.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const IMAGES = `${PIPELINES}/fashion-mnist/test-images.npy`;
const SEED1 = `${PIPELINES}/fashion-mnist/seed1.onnx`;
const model = (name: string): string => join(ROOT, 'test/reference/models', `${name}.onnx`);
const shipped = (change: (text: string) => string = (text) => text): string =>
  pipelineText('fashion-mnist.yaml', change);
const small = (text: string): string => text.replace('rows: 10000', 'rows: 40');

/** Writes a file of the test folder and gives its path. */
function put(name: string, content: string | Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

/** A .npy with any header, as no tool of ours writes it. */
function oddNpy(header: string, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = header.padEnd(117, ' ') + '\n';
  return Uint8Array.from([
    0x93,
    ...Buffer.from('NUMPY'),
    1,
    0,
    text.length & 255,
    text.length >> 8,
    ...Buffer.from(text),
    ...body,
  ]);
}

const floats = (count: number, value: (i: number) => number = (i) => Math.sin(i)): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => value(i));
const floatImages = (rows: number, change: (data: Float32Array) => void = () => undefined): Uint8Array => {
  const data = floats(rows * 784);
  change(data);
  return writeNpy(data, [rows, 28, 28]);
};
const onFloats = (data: string) => (text: string) =>
  text.replace(IMAGES, data).replace('scale: 255', 'scale: 1').replace('rows: 10000', 'rows: 40');

/** name → [pipeline text, error code, what the message must say]. */
const CASES: Record<string, () => [text: string, code: string, says: RegExp]> = {
  'malformed YAML': () => [
    shipped((text) => text.replace('networks:', 'networks: [')),
    'definition-invalid',
    /:\d+:\d+/,
  ],
  'an unknown key': () => [shipped((text) => text.replace('probe:', 'prob:')), 'definition-invalid', /probe/],
  'a duplicate key': () => [shipped((text) => `${text}\nname: again\n`), 'definition-invalid', /name/],
  'a missing model': () => [
    shipped((text) => text.replace('seed2.onnx', 'seed9.onnx')),
    'file-missing',
    /seed9\.onnx[\s\S]*networks\.seed2\.model/,
  ],
  'missing data': () => [shipped((text) => text.replace('test-images', 'images')), 'file-missing', /probe\.data/],
  'a model that is no ONNX': () => [
    shipped((text) => text.replace(SEED1, put('text.onnx', 'I am a text, not a network. '.repeat(40)))),
    'model-invalid',
    /networks\.seed1\.model/,
  ],
  'a model cut short': () => [
    shipped((text) => text.replace(SEED1, put('short.onnx', readFileSync(SEED1).subarray(0, 300_000)))),
    'model-invalid',
    /networks\.seed1\.model/,
  ],
  'an empty model': () => [shipped((text) => text.replace(SEED1, put('empty.onnx', ''))), 'model-invalid', /empty/],
  'a tap that names no tensor': () => [
    shipped((text) => text.replace('/conv4/relu', '/conv4/rleu')),
    'tap-unknown',
    /\/conv4\/relu/,
  ],
  'taps with different positions': () => [
    shipped((text) => text.replace('conv1: /conv1/relu', 'conv1: { seed1: /conv1/relu, seed2: /conv2/relu }')),
    'positions-differ',
    /28 × 28[\s\S]*14 × 14/,
  ],
  'data whose shape does not fit': () => [
    shipped((text) =>
      text
        .replace(IMAGES, put('tall.npy', writeNpy(new Uint8Array(5 * 30 * 28), [5, 30, 28])))
        .replace('rows: 10000', 'rows: 5'),
    ),
    'data-mismatch',
    /30, 28/,
  ],
  'a .npy cut short': () => [
    shipped((text) => text.replace(IMAGES, put('cut.npy', readFileSync(IMAGES).subarray(0, 1000)))),
    'data-invalid',
    /7840128[\s\S]*1000|1000[\s\S]*7840128/,
  ],
  'a .npy in Fortran order': () => [
    shipped((text) =>
      text.replace(
        IMAGES,
        put(
          'fortran.npy',
          oddNpy("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 28, 28), }", new Uint8Array(784)),
        ),
      ),
    ),
    'data-invalid',
    /Fortran/i,
  ],
  'a big-endian .npy': () => [
    shipped((text) =>
      text.replace(
        IMAGES,
        put(
          'big.npy',
          oddNpy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 28, 28), }", new Uint8Array(3136)),
        ),
      ),
    ),
    'data-invalid',
    />f4|big-endian/,
  ],
  'a .npy of objects': () => [
    shipped((text) =>
      text.replace(
        IMAGES,
        put('objects.npy', oddNpy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(50))),
      ),
    ),
    'data-invalid',
    /object/i,
  ],
  'a .npy of float64': () => [
    shipped((text) => text.replace(IMAGES, put('double.npy', writeNpy(new Float64Array(784), [1, 28, 28])))),
    'data-invalid',
    /float32/,
  ],
  'data that is no .npy': () => [
    shipped((text) => text.replace(IMAGES, put('text.npy', 'row,row,row\n1,2,3\n'))),
    'data-invalid',
    /npy/i,
  ],
  'NaN in data': () => [
    shipped(
      onFloats(
        put(
          'nan.npy',
          floatImages(40, (data) => (data[17 * 784 + 5] = NaN)),
        ),
      ),
    ),
    'not-finite',
    /NaN in row 17/,
  ],
  'infinity in activations': () => [
    shipped(
      onFloats(
        put(
          'huge.npy',
          floatImages(40, (data) => data.fill(3e38, 23 * 784, 24 * 784)),
        ),
      ),
    ),
    'not-finite',
    /layer conv1 of seed1, row 23/,
  ],
  'more rows than there are': () => [
    shipped((text) => text.replace('rows: 10000', 'rows: 10001')),
    'data-mismatch',
    /10000[\s\S]*10001[\s\S]*probe\.rows/,
  ],
  'a name that is none': () => [
    shipped((text) => text.replace('name: fashion-mnist', 'name: ../escape')),
    'definition-invalid',
    /name/,
  ],
  'a model with two inputs': () => [
    shipped((text) => text.replace(SEED1, model('two_inputs'))),
    'model-unsupported',
    /image[\s\S]*mask/,
  ],
  'a model with an int64 input': () => [
    shipped((text) => text.replace(SEED1, model('int_input'))),
    'model-unsupported',
    /ids/,
  ],
  'mean for three channels of one': () => [
    shipped((text) => text.replace('mean: [0.286]', 'mean: [0.1, 0.2, 0.3]').replace('std: [0.353]', 'std: [1, 1, 1]')),
    'data-mismatch',
    /mean[\s\S]*3/,
  ],
};

// by network and tap: these are found out where networks are inspected
const INSPECTED = Object.keys(CASES).filter((name) => /\bmodel\b|\btap/.test(name));
const RUNS = [
  ...Object.keys(CASES).map((name) => [name, 'in the Worker', ISOLATE] as const),
  ...(NATIVE_VERSION === null ? [] : INSPECTED.map((name) => [name, 'natively', NATIVE] as const)),
];

describe.each(RUNS)('%s, %s', (name, _, compute) => {
  it('is exit 2 with a clear error, and leaves nothing', async () => {
    const [text, code, says] = CASES[name]!();
    const file = put(`${name.replaceAll(/\W+/g, '-')}.yaml`, text);
    const out = join(folder.path, 'out');
    const ended = await run(['run', file, '--state', join(folder.path, 'state'), '--out', out, '--json', ...compute]);
    expect(ended.code, ended.stdout + ended.stderr).toBe(2);
    const document = JSON.parse(ended.stdout) as { error: { code: string } };
    expect(document.error.code).toBe(code);
    // people read the same on stderr: place, and what to do
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).not.toMatch(/\n\s+at .*\.[jt]s:\d+/);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(folder.path).filter((entry) => entry.startsWith('.out'))).toEqual([]);
  });
});

describe('folders', () => {
  it('an output folder that is not ours is refused and stays as it is', async () => {
    const out = join(folder.path, 'thesis');
    mkdirSync(out);
    writeFileSync(join(out, 'chapter1.txt'), 'years of work');
    const file = put('valid.yaml', shipped(small));
    const ended = await run(['run', file, '--state', join(folder.path, 'state'), '--out', out, '--json', ...ISOLATE]);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'out-refused' } });
    expect(readdirSync(out)).toEqual(['chapter1.txt']);
  });

  it('an output folder of ours with a file of the user’s is refused too, and the file stays', async () => {
    const out = join(folder.path, 'ours');
    const file = put('valid.yaml', shipped(small));
    const args = ['run', file, '--state', join(folder.path, 'state'), '--out', out, ...ISOLATE];
    expect((await run(args)).code).toBe(0);
    // ours alone is replaced
    expect((await run(args)).code).toBe(0);
    writeFileSync(join(out, 'seed1-seed2/notes.txt'), 'an insight');
    const ended = await run(args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('seed1-seed2/notes.txt');
    expect(readFileSync(join(out, 'seed1-seed2/notes.txt'), 'utf8')).toBe('an insight');
  });

  it('a state folder that is a file is refused', async () => {
    const file = put('valid.yaml', shipped(small));
    const ended = await run(['run', file, '--state', put('state-file', 'x'), '--out', join(folder.path, 'never')]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('--state');
  });
});

describe('the command line', () => {
  it.each([
    [['rnu', 'x.yaml'], /did you mean run/],
    [['run'], /usage: convergent run/],
    [['run', 'a.yaml', '--ouput', 'x'], /--ouput/],
    [['run', 'absent.yaml'], /absent\.yaml/],
    [['init', SEED1, SEED1], /--data/],
  ])('%j: exit 2', async (args, says) => {
    const ended = await run(args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
    expect(ended.stdout).toBe('');
  });

  it('--help and --version are exit 0, on stdout', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['run', 'plan', 'validate', 'layers', 'init']) {
      expect(help.stdout).toContain(`convergent ${command} `);
      expect((await run([command, '--help'])).stdout).toContain(`convergent ${command} `);
    }
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('init never overwrites', async () => {
    const file = put('mine.yaml', 'mine');
    const ended = await run(['init', SEED1, SEED1, '--data', IMAGES, '--out', file]);
    expect(ended.code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});
