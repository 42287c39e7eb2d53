/** What the Worker logs of runs: a line of JSON each, which Cloudflare's log keeps and the local `serve` prints. */
import type { RunRecord } from '../service/documents.ts';

/** A run began an attempt, or ended. */
export interface RunLogLine {
  log: 'run';
  run: string;
  pipeline: string;
  attempt: number;
  state: RunRecord['state'];
  trigger: RunRecord['trigger']['kind'];
  /** Of a run that is done. */
  gate?: 'passed' | 'failed';
  /** Of a run that failed. */
  error?: string;
}

export function logRun({ id, pipeline, attempt, state, trigger, gate, error }: RunRecord): void {
  const line: RunLogLine = {
    log: 'run',
    run: id,
    pipeline,
    attempt,
    state,
    trigger: trigger.kind,
    ...(gate && { gate: gate.passed ? 'passed' : 'failed' }),
    ...(error && { error: `${error.code}: ${error.message}` }),
  };
  // the log is where a Worker's console goes
  // oxlint-disable-next-line no-console
  console.log(JSON.stringify(line));
}
