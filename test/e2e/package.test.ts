/** What is published works where nothing else is: pack, install into an empty folder, run a small pipeline. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pipelineText, ROOT, temporaryFolder } from '../integration/command.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function npm(args: string[], cwd: string): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_config_onnxruntime_node_install: 'skip' },
  });
}

describe('the package', () => {
  it('installs from its tarball and runs', () => {
    const packed = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder.path], ROOT),
    ) as unknown;
    // npm 10 prints a list, later ones an object by name
    const [{ filename, files }] = Object.values(
      packed as Record<string, { filename: string; files: { path: string }[] }>,
    ) as [{ filename: string; files: { path: string }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'bin/convergent.js',
        'dist/cli.js',
        'dist/worker.js',
        'dist/ort-wasm-simd-threaded.wasm',
        'dist/samples.wasm',
        'dist/rows.wasm',
        'README.md',
        'LICENSE',
      ]),
    );
    expect(paths.filter((path) => /^(src|test|node_modules)\//.test(path))).toEqual([]);

    const home = join(folder.path, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'package.json'), '{ "private": true }');
    npm(['install', '--prefer-offline', '--omit=dev', join(folder.path, filename)], home);
    writeFileSync(
      join(home, 'small.yaml'),
      pipelineText('fashion-mnist.yaml', (text) => text.replace(/rows: 10000/, 'rows: 60')),
    );
    const command = join(home, 'node_modules/.bin/convergent');
    const said = execFileSync(command, ['run', 'small.yaml', '--json'], {
      cwd: home,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const answer = JSON.parse(said) as { tasks: { total: number; computed: number }; out: string };
    expect(answer.out).toBe('convergent-out/fashion-mnist');
    expect(answer.tasks.computed).toBe(answer.tasks.total);
    expect(existsSync(join(home, answer.out, 'report.html'))).toBe(true);
    const { digest } = JSON.parse(readFileSync(join(home, answer.out, 'results.json'), 'utf8')) as { digest: string };
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('starts the bundled Node where the system’s is too old', () => {
    const old = ['/usr/bin/node', '/usr/local/bin/node'].find(
      (path) => existsSync(path) && /^v(1\d|20|21)\./.test(execFileSync(path, ['--version'], { encoding: 'utf8' })),
    );
    // without an old Node on the machine, an old version is told to the launcher
    const pretend = join(folder.path, 'pretend.mjs');
    writeFileSync(pretend, "Object.defineProperty(process.versions, 'node', { value: '20.0.0' });");
    const launcher = join(ROOT, 'bin/convergent.js');
    const args = old === undefined ? ['--import', pretend, launcher, '--version'] : [launcher, '--version'];
    expect(execFileSync(old ?? process.execPath, args, { encoding: 'utf8' })).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
