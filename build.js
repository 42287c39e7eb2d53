// Builds dist/: the command line (cli.js), the compute server (compute.js, child.js), the Worker (worker.js), their wasm
// (ONNX Runtime's, and kernels of our own), and the scripts of the report's page and of the service's pages.
// Each kind of task has its own code hash, taken from its own minified bundle, so that a change of the
// page or of the command line leaves every stored task valid.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import wabt from 'wabt';

const ROOT = import.meta.dirname;
const WASM = 'ort-wasm-simd-threaded.wasm';
const wasmPath = createRequire(import.meta.url).resolve(`onnxruntime-web/${WASM}`);

const NODE_ENTRIES = {
  'src/cli/main.ts': 'cli.js',
  'src/compute/main.ts': 'compute.js',
  'src/compute/child.ts': 'child.js',
};

// the scripts of pages are built first, and become texts in the Worker
const PAGE_SCRIPTS = {
  'src/report/page/page.ts': 'dist/page.iife',
  'src/service/pages/browser/script.ts': 'dist/service.iife',
};

/** The kernels: what copies activations into samples, and what computes with rows of matrices. */
const KERNELS = { samples: 'src/accumulate/samples.wat', rows: 'src/numeric/rows.wat' };

/** What a Worker imports as compiled modules, since it may not compile any. */
export const wasmBesideBundle = {
  name: 'wasm-beside-the-bundle',
  setup: (bundle) => {
    bundle.onResolve({ filter: /\.wasm$/ }, () => ({ path: `./${WASM}`, external: true }));
    bundle.onResolve({ filter: /\.wat$/ }, ({ path }) => ({
      path: `./${basename(path, '.wat')}.wasm`,
      external: true,
    }));
  },
};
const workerOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'browser', 'import'],
  external: ['cloudflare:*', 'node:*'],
  loader: { '.css': 'text', '.iife': 'text' },
  plugins: [wasmBesideBundle],
  logLevel: 'warning',
};

/**
 * The bytes of a kernel's module.
 * @param {keyof typeof KERNELS} name
 */
export async function assembleKernel(name) {
  const assembler = await wabt();
  // a copy: it reads all of a view's buffer
  const text = new Uint8Array(readFileSync(join(ROOT, KERNELS[name])));
  const parsed = assembler.parseWat(KERNELS[name], text, { simd: true, bulk_memory: true });
  try {
    return new Uint8Array(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}

/**
 * Builds everything into `out`, with `workerEntry` as the Worker: tests put a Worker of their own around ours.
 * @param {string} out folder, absolute
 * @param {string} workerEntry file, absolute
 * @param {Record<string, string>} workerDefine constants of the Worker, as source text
 */
export async function buildInto(out, workerEntry = join(ROOT, 'src/worker.ts'), workerDefine = {}) {
  mkdirSync(out, { recursive: true });
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  // the runtime's options count as code; its own version stands in the key beside the hash
  const isolate = [await bundleOf('src/onnx/wasm.ts'), readFileSync(wasmPath)];
  const native = [await bundleOf('src/compute/native.ts')];
  const samples = await assembleKernel('samples');
  const rows = await assembleKernel('rows');
  const activate = [await bundleOf('src/accumulate/accumulate.ts'), samples];
  const reduce = [await bundleOf('src/reduce/reduce.ts'), rows];
  const codeHashes = {
    isolate: { activate: hashOf(...activate, ...isolate), reduce: hashOf(...reduce, ...isolate) },
    native: { activate: hashOf(...activate, ...native), reduce: hashOf(...reduce, ...native) },
    inspect: hashOf(await bundleOf('src/inspect/inspect.ts'), ...isolate, ...native),
  };
  const define = { CODE_HASHES: JSON.stringify(codeHashes), CONVERGENT_VERSION: JSON.stringify(version) };
  const scripts = [];
  for (const [entry, file] of Object.entries(PAGE_SCRIPTS)) {
    const script = await build({
      absWorkingDir: ROOT,
      metafile: true,
      entryPoints: [entry],
      outfile: join(ROOT, file),
      bundle: true,
      minify: true,
      format: 'iife',
      target: 'es2022',
      legalComments: 'none',
      logLevel: 'warning',
    });
    scripts.push(script);
  }
  const worker = await build({
    ...workerOptions,
    metafile: true,
    entryPoints: [workerEntry],
    outfile: join(out, 'worker.js'),
    define: { ...define, ...workerDefine },
  });
  copyFileSync(wasmPath, join(out, WASM));
  writeFileSync(join(out, 'samples.wasm'), samples);
  writeFileSync(join(out, 'rows.wasm'), rows);
  // what runs under Node: the command line, the compute server, and its child processes
  for (const [entry, file] of Object.entries(NODE_ENTRIES)) {
    await build({
      absWorkingDir: ROOT,
      entryPoints: [entry],
      outfile: join(out, file),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      packages: 'external',
      define,
      logLevel: 'warning',
    });
  }
  writeFileSync(join(out, 'LICENSES.txt'), licencesOf([...scripts, worker]));
  writeFileSync(join(out, 'code-hashes.json'), `${JSON.stringify(codeHashes, null, 2)}\n`);
}

// the licences of all packages that were bundled; the command line loads its packages, so they carry their own
function licencesOf(builds) {
  const files = builds.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = files.flatMap((file) => /(?:.*\/)?node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(file) ?? []);
  const folders = [...new Set(packages.filter((path) => path.includes('node_modules/')))].sort((a, b) =>
    a < b ? -1 : 1,
  );
  const texts = folders.map((folder) => {
    const path = join(ROOT, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(path, file), 'utf8').trim() : ''}\n`;
  });
  return `This folder holds code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

// the code that a file reaches, minified: what the bytes of a kind of task depend on, and nothing else
async function bundleOf(entry) {
  const options = { ...workerOptions, entryPoints: [entry], write: false, minify: true, legalComments: 'none' };
  const { outputFiles } = await build({ ...options, external: [...options.external, 'onnxruntime-node'] });
  return outputFiles[0].contents;
}

function hashOf(...contents) {
  const hash = createHash('sha256');
  for (const content of contents) hash.update(content);
  return hash.digest('hex');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await buildInto(join(ROOT, 'dist'));
