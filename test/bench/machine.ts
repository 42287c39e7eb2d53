/** The machine and the versions that figures were measured with. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './ours.ts';

const PACKAGES = ['onnxruntime-web', 'onnxruntime-node', 'miniflare', 'workerd'];

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  versions: Record<string, string>;
}

/** `peer`: the versions of the peer's libraries, null without them. */
export function describeMachine(peer: Record<string, string> | null): Machine {
  // not through `require`: not every package lets its package.json be asked for
  const versionOf = (name: string): string =>
    (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    versions: {
      node: process.versions.node,
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
      ...peer,
    },
  };
}
