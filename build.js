// Builds dist/: the command line (cli.js), the Worker (worker.js and its wasm) and the report's page script.
// Each kind of task has its own code hash, taken from its own minified bundle, so that a change of the
// page or of the command line leaves every stored task valid.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

process.chdir(new URL('.', import.meta.url).pathname);
mkdirSync('dist', { recursive: true });
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const WASM = 'ort-wasm-simd-threaded.wasm';
const wasmPath = createRequire(import.meta.url).resolve(`onnxruntime-web/${WASM}`);

const external = {
  name: 'wasm-beside-the-bundle',
  setup: (bundle) => bundle.onResolve({ filter: /\.wasm$/ }, () => ({ path: `./${WASM}`, external: true })),
};
const workerOptions = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'browser', 'import'],
  external: ['cloudflare:*', 'node:*'],
  loader: { '.css': 'text', '.txt': 'text' },
  plugins: [external],
  logLevel: 'warning',
};

// what a task's bytes depend on, and nothing else
async function codeHash(entry, ...files) {
  const { outputFiles } = await build({ ...workerOptions, entryPoints: [entry], write: false, minify: true, legalComments: 'none' });
  const hash = createHash('sha256').update(outputFiles[0].contents);
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}
const codeHashes = {
  activate: await codeHash('src/accumulate/accumulate.ts', wasmPath),
  reduce: await codeHash('src/reduce/reduce.ts'),
};
const define = { CODE_HASHES: JSON.stringify(codeHashes), CONVERGENT_VERSION: JSON.stringify(version) };

await build({
  entryPoints: ['src/report/page/page.ts'],
  outfile: 'dist/page.js.txt',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
});
await build({ ...workerOptions, entryPoints: ['src/worker.ts'], outfile: 'dist/worker.js', define });
copyFileSync(wasmPath, `dist/${WASM}`);
await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli.js',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  packages: 'external',
  define,
  logLevel: 'warning',
});
writeFileSync('dist/code-hashes.json', `${JSON.stringify(codeHashes, null, 2)}\n`);
