/** The Worker's bindings and the messages on its queue. Types only. */
import type { RunProgress } from './progress.ts';

/** What goes on the queue: keys only, never tensors. */
export interface TaskMessage {
  run: string;
  attempt: number;
  /** Content hash of the plan. */
  plan: string;
  /** Index of the task in the plan. */
  task: number;
}

/** What a workflow instance `<run>-<attempt>` is started with. */
export interface RunParameters {
  run: string;
  attempt: number;
  plan: string;
}

export interface Env {
  BUCKET: R2Bucket;
  TASKS: Queue<TaskMessage>;
  RUNS: Workflow<RunParameters>;
  PROGRESS: DurableObjectNamespace<RunProgress>;
  /** The compute server, where there is one. */
  COMPUTE?: Fetcher;
  /** What it asks for as bearer token. */
  COMPUTE_TOKEN?: string;
  /** Tasks under way at once in one invocation of the queue's consumer; a number. */
  COMPUTE_TASKS_AT_ONCE?: string;
  /** Set by the local engine alone: there the state folder is the user's own. */
  LOCAL?: string;
}
