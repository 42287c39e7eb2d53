/** How long jobs take on several workers: each goes to the worker that is free first, in order. For forecasts alone. */

export interface Job {
  seconds: number;
  /** The networks it runs, which its worker keeps open for the next job with the same; null: none. */
  session: number | null;
  /** Seconds to open them. */
  openSeconds: number;
}

/** Seconds until the last of `jobs` ends on `workers` ≥ 1 workers, 0 without jobs. O(jobs · workers). */
export function makespan(jobs: readonly Job[], workers: number): number {
  return Math.max(0, ...schedule(jobs, workers).ends);
}

/** When each worker ends, and the seconds spent on opening. */
export function schedule(jobs: readonly Job[], workers: number): { ends: number[]; opened: number; openings: number } {
  const ends = Array.from({ length: Math.min(workers, jobs.length) }, () => 0);
  const open = ends.map((): number | null => null);
  let opened = 0;
  let openings = 0;
  for (const { seconds, session, openSeconds } of jobs) {
    let first = 0;
    for (let worker = 1; worker < ends.length; worker++) if (ends[worker]! < ends[first]!) first = worker;
    ends[first]! += seconds;
    if (session === null || open[first] === session) continue;
    open[first] = session;
    ends[first]! += openSeconds;
    opened += openSeconds;
    openings++;
  }
  return { ends, opened, openings };
}
