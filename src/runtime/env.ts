/** The Worker's bindings and the messages on its queue. Types only. */
import type { GateRule } from '../definition/service.ts';
import type { ErrorRecord } from '../errors.ts';
import type { GithubCommit } from '../triggers/commit.ts';
import type { Candidate } from '../service/documents.ts';
import type { ComputeContainer } from './compute.ts';
import type { RunProgress } from './progress.ts';
import type { Registry } from './registry.ts';

/** What goes on the queue: keys only, never tensors. */
export interface TaskMessage {
  run: string;
  attempt: number;
  /** Content hash of the plan. */
  plan: string;
  /** Index of the task in the plan. */
  task: number;
}

/** What a run is made of: a plan that is there already, or a stored pipeline that is planned first. */
export type RunSource =
  | { plan: string; gate: GateRule[] }
  | { revision: string; candidates: Record<string, Candidate>; commit: GithubCommit | null };

/** What a workflow instance `<run>-<attempt>` is started with, or `<run>-<attempt>-lost`. */
export interface RunParameters {
  run: string;
  attempt: number;
  /** Name of the definition. */
  pipeline: string;
  source: RunSource;
  /** Why the attempt's workflow is gone: this one has only its end to tell. */
  lost?: ErrorRecord;
}

export interface Env {
  BUCKET: R2Bucket;
  TASKS: Queue<TaskMessage>;
  RUNS: Workflow<RunParameters>;
  PROGRESS: DurableObjectNamespace<RunProgress>;
  REGISTRY: DurableObjectNamespace<Registry>;
  /** Bounds what fails to sign in, by address; `limit` and `period` as in names.ts. */
  LIMIT_FAILURES: RateLimit;
  /** Bounds what starts runs, by token or pipeline. */
  LIMIT_STARTS: RateLimit;
  /** The compute server, where there is one. */
  COMPUTE?: Fetcher;
  /** Deployed: containers with the compute server. */
  CONTAINERS?: DurableObjectNamespace<ComputeContainer>;
  /** Over how many of them tasks are spread; a number. */
  CONTAINER_INSTANCES?: string;
  /** What the compute server asks for as bearer token. */
  COMPUTE_TOKEN?: string;
  /** Tasks under way at once in one invocation of the queue's consumer; a number. */
  COMPUTE_TASKS_AT_ONCE?: string;
  /** Set by the local engine alone: there the state folder is the user's own. */
  LOCAL?: string;
  /** What whoever started the local engine shows: everything is allowed to it. */
  ENGINE_TOKEN?: string;
  /** A first token of scope admin, for a deployment that has none yet. */
  CONVERGENT_ADMIN_TOKEN?: string;
  /** Secrets that pipelines may name, and the hosts each may be sent to; see secrets.ts. */
  CONVERGENT_SECRETS?: string;
  /** Where people reach the service, such as https://convergent.acme.workers.dev; for links in messages. */
  PUBLIC_URL?: string;
}
