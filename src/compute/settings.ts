/** The server's environment variables, checked at the door. */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PipelineError } from '../errors.ts';
import { NATIVE_BUDGET_BYTES } from './pool.ts';
import { DEFAULT_TASK_SECONDS } from './server.ts';
import type { ComputeOptions } from './server.ts';

/** What `main.ts` starts the server with. */
export type Settings = Omit<ComputeOptions, 'childModule' | 'childrenAtStart'>;

const MAX_PORT = 65_535;
const LEAST_CHILD_BYTES = 16 * 2 ** 20;

/**
 * Reads the settings:
 *
 * | variable | meaning | default |
 * |---|---|---|
 * | `PORT`, `HOST` | where to listen; port 0: any | 8080, 127.0.0.1 |
 * | `CONVERGENT_CACHE_DIR` | folder of files and of tasks under way, one server to each | in the system's temporary folder |
 * | `CONVERGENT_CACHE_BYTES` | most bytes of files; up to a quarter more are objects made here, 4 GiB at most | 20 GiB |
 * | `CONVERGENT_CHILDREN` | most child processes | as many as cores, and as fit the memory |
 * | `CONVERGENT_CHILD_BYTES` | memory of a task | 3 GiB |
 * | `CONVERGENT_TASK_SECONDS` | time of a task | 3600 |
 * | `CONVERGENT_COMPUTE_TOKEN` | bearer token that requests must carry | none |
 * | `CONVERGENT_MAX_BODY_BYTES` | most bytes of a task's request, and of a file | 8 GiB |
 *
 * @throws PipelineError `usage` naming the variable
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const whole = (name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined => {
    const text = env[name];
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new PipelineError('usage', `${name}: expected a whole number ${bounds}; found '${text}'`);
  };
  const text = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const token = text('CONVERGENT_COMPUTE_TOKEN');
  if (token !== undefined && !/^[\x21-\x7e]{16,}$/.test(token)) {
    throw new PipelineError('usage', 'CONVERGENT_COMPUTE_TOKEN: expected at least 16 visible ASCII characters', {
      hint: 'make one with: openssl rand -hex 32',
    });
  }
  const maxBytes = whole('CONVERGENT_MAX_BODY_BYTES', 1);
  const children = whole('CONVERGENT_CHILDREN', 1, 1024);
  return {
    port: whole('PORT', 0, MAX_PORT) ?? 8080,
    host: text('HOST') ?? '127.0.0.1',
    cacheFolder: resolve(text('CONVERGENT_CACHE_DIR') ?? join(tmpdir(), 'convergent-compute')),
    cacheBytes: whole('CONVERGENT_CACHE_BYTES', 1) ?? 20 * 2 ** 30,
    ...(children === undefined ? {} : { children }),
    childBytes: whole('CONVERGENT_CHILD_BYTES', LEAST_CHILD_BYTES) ?? NATIVE_BUDGET_BYTES,
    taskSeconds: whole('CONVERGENT_TASK_SECONDS', 1, 86_400) ?? DEFAULT_TASK_SECONDS,
    ...(token === undefined ? {} : { token }),
    ...(maxBytes === undefined ? {} : { limits: { bodyBytes: maxBytes, fileBytes: maxBytes } }),
  };
}
