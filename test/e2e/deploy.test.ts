/**
 * What `wrangler deploy` would upload, as its dry run says: the Worker and what it imports, whatever else was built; and
 * what the README says is to be set up beside it.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BUCKET, INCOMING } from '../../src/runtime/names.ts';
import { ROOT, temporaryFolder } from '../integration/command.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('a deployment', () => {
  it('takes what the Worker imports, and nothing else that lies in dist/', () => {
    for (const file of ['wrangler.toml', 'Dockerfile']) copyFileSync(join(ROOT, file), join(folder.path, file));
    cpSync(join(ROOT, 'dist'), join(folder.path, 'dist'), { recursive: true });
    // as the bench leaves them
    mkdirSync(join(folder.path, 'dist/bench'), { recursive: true });
    for (const file of ['x.wasm', 'samples.wasm', 'rows.wasm', 'LICENSES.txt'])
      writeFileSync(join(folder.path, 'dist/bench', file), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));

    const wrangler = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
    const args = ['deploy', '--dry-run', '--containers-rollout=none', '--outdir', 'uploaded'];
    const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' };
    execFileSync(process.execPath, [wrangler, ...args], { cwd: folder.path, env, stdio: 'pipe' });

    const uploaded = join(folder.path, 'uploaded');
    const modules = readdirSync(uploaded, { recursive: true, encoding: 'utf8' }).filter((file) => file !== 'README.md');
    const worker = readFileSync(join(uploaded, 'worker.js'), 'utf8');
    const imported = [...worker.matchAll(/^import \w+ from "\.\/([^"]+)";$/gm)].map(([, file]) => file!);
    expect(imported).toHaveLength(3);
    expect(modules.sort()).toEqual([...imported, 'worker.js'].sort());
  });

  it('is told how to clear what downloads leave behind, in the bucket and at the prefix there are', () => {
    const command = `npx wrangler r2 bucket lifecycle add ${BUCKET} incoming ${INCOMING} --expire-days 1`;
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`\`${command}\``);
  });
});
