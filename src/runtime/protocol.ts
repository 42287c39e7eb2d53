/** What the Worker tells its clients, over HTTP and in results. Types only; no platform names. */
import type { ErrorRecord } from '../errors.ts';
import type { GateOutcome } from '../gate/gate.ts';
import type { TaskKind } from '../plan/plan.ts';
import type { ProviderName } from '../plan/providers.ts';

/** What one task cost in the attempt that computed it. */
export interface TaskRecord {
  kind: TaskKind;
  /** Milliseconds since 1970. */
  started: number;
  seconds: number;
  /** Of which in the task itself, its turn and transfers left out; null: not told apart. */
  computeSeconds?: number | null;
  provider: ProviderName;
  /** Isolate: the wasm heap when the task ended; native: the child's peak beyond its runtime; bytes, null: unknown. */
  peakBytes: number | null;
  /** Size of its object, bytes. */
  bytes: number;
  /** Which delivery of its message succeeded, from 1. */
  deliveries: number;
}

/** What is known of a run's present attempt; small, asked for often. */
export interface ProgressSummary {
  attempt: number;
  total: number;
  /** Valid objects found when the attempt started; null until they are counted. */
  reused: number | null;
  /** Tasks that ended since with their object in the bucket: a set, so that no delivery counts twice. */
  done: number;
  /** Tasks computed since and the seconds they took, by kind. */
  computed: { kind: TaskKind; tasks: number; seconds: number }[];
  failure: ErrorRecord | null;
}

/** How an attempt ended; an error is an outcome, so that nobody retries what cannot help. */
export type RunOutcome = { digest: string; plan: string; gate: GateOutcome | null } | { error: ErrorRecord };

/** A run as its starter sees it. */
export interface RunStatus {
  status: 'running' | 'done' | 'failed';
  progress: ProgressSummary;
  outcome: RunOutcome | null;
}

/** One file of the results. */
export interface FileEntry {
  path: string;
  sha256: string;
  bytes: number;
}
