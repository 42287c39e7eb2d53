/**
 * Where the compute server is: locally the command line's own, behind a service binding; deployed, containers of the
 * same server (Dockerfile), each behind its Durable Object.
 */
import { Container } from '@cloudflare/containers';
import { CONTAINER } from '../plan/prices.ts';
import type { Env } from './env.ts';

/** Containers that tasks are spread over, where CONTAINER_INSTANCES doesn't say; `max_instances` in wrangler.toml. */
const DEFAULT_INSTANCES = 10;

/** One container with the compute server. Asleep it costs nothing; its cache goes with it. */
export class ComputeContainer extends Container<Env> {
  override defaultPort = 8080;
  override sleepAfter = `${CONTAINER.sleepAfterSeconds}s`;
  override enableInternet = false;

  constructor(state: DurableObjectState, env: Env) {
    super(state as unknown as ConstructorParameters<typeof Container<Env>>[0], env);
    if (env.COMPUTE_TOKEN) this.envVars = { CONVERGENT_COMPUTE_TOKEN: env.COMPUTE_TOKEN };
  }
}

/** A compute server, and a name that no other has. */
export interface ComputeServer {
  name: string;
  server: Fetcher;
}

/**
 * The compute server for a task, null where there is none; one task always has the same, so that what it was given
 * is there when the task comes, and tasks are spread evenly.
 *
 * @param key content hash
 */
export function computeFor({ COMPUTE, CONTAINERS, CONTAINER_INSTANCES }: Env, key: string): ComputeServer | null {
  if (COMPUTE) return { name: 'local', server: COMPUTE };
  if (!CONTAINERS) return null;
  const instance = Number.parseInt(key.slice(0, 8), 16) % Number(CONTAINER_INSTANCES ?? DEFAULT_INSTANCES);
  const name = `compute-${instance}`;
  return { name, server: CONTAINERS.get(CONTAINERS.idFromName(name)) as unknown as Fetcher };
}
