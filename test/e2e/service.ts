/** The service on a port of this machine, with pipelines and tokens, as tests of its pages need it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from '../../src/cli/engine.ts';
import { hashFile } from '../../src/compute/files.ts';
import type { FileReference, Scope } from '../../src/service/documents.ts';
import { PIPELINES, ROOT } from '../integration/command.ts';

export interface Service {
  url: string;
  /** A request of whoever runs the service. @throws Error with what it said, where it isn't well */
  admin<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** The secret of a new token. */
  token(name: string, scope: Scope): Promise<string>;
  /** Puts a pipeline whose files stand in the folder of the shipped ones. */
  put(name: string, text: string, files: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it on the folder `state`. */
export async function startService(state: string): Promise<Service> {
  mkdirSync(state, { recursive: true });
  const engine = await startEngine(state, join(ROOT, 'dist'), {
    compute: Promise.resolve(null),
    inspects: true,
    listen: { host: '127.0.0.1', port: 0 },
  });
  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${engine.address}${path}`, {
      method,
      headers: { authorization: `Bearer ${engine.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const put = async (name: string, text: string, files: readonly string[]): Promise<void> => {
    const references: Record<string, FileReference> = {};
    for (const file of files) {
      const path = join(PIPELINES, file);
      const bytes = readFileSync(path);
      const { sha256, chunkHashes } = await hashFile(path);
      references[file] = { sha256, bytes: bytes.length };
      for (const [at, body] of [
        [`/inputs/${sha256}/chunks`, chunkHashes],
        [`/inputs/${sha256}`, bytes],
      ] as const)
        await engine.fetch(at, { method: 'PUT', body, headers: { 'content-length': String(body.length) } });
    }
    await admin('PUT', `/pipelines/${name}`, { text, files: references });
  };
  return {
    url: engine.address,
    admin,
    token: async (name, scope) => (await admin<{ secret: string }>('POST', '/tokens', { name, scope })).secret,
    put,
    stop: () => engine.stop(),
  };
}
