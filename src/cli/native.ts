/** Native compute as the commands start it: with its server for a run, without for a plan. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Pool } from '../compute/pool.ts';
import { openNativePool, startCompute } from '../compute/server.ts';
import type { ComputeServer } from '../compute/server.ts';
import { PipelineError } from '../errors.ts';

/** The native runtime by name and version, and child processes that inspect networks with it. */
export interface NativeRuntime extends Pick<Pool, 'inspect'> {
  runtime: string;
}

/** The compute server of this process, and what requests to it must carry. */
export interface NativeCompute {
  server: ComputeServer;
  token: string;
}

/** Starts the compute server, with a child for each of `networks`; null where its runtime doesn't load here. */
export function startNative(statePath: string, networks: number): Promise<NativeCompute | null> {
  // other users of the machine can reach the port, not the token
  const token = randomBytes(32).toString('hex');
  const cacheFolder = join(statePath, 'compute');
  return whereItLoads(
    startCompute({ cacheFolder, token, childrenAtStart: networks }).then((server) => ({ server, token })),
  );
}

/** Child processes for `networks` that are only inspected; `native` is null where their runtime doesn't load here. */
export function openNative(networks: number): { native: Promise<NativeRuntime | null>; close: () => Promise<void> } {
  const pool = openNativePool();
  const native = whereItLoads(pool.ready(networks).then((runtime) => ({ runtime, inspect: pool.inspect })));
  return { native, close: () => pool.close(0) };
}

// whatever else went wrong must not change who runs the tasks
function whereItLoads<T>(starting: Promise<T>): Promise<T | null> {
  return starting.catch((error: unknown) => {
    if (error instanceof PipelineError && error.code === 'internal') return null;
    throw error;
  });
}
