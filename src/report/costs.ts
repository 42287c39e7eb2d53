/**
 * What a run cost beside what was forecast, for the end of the page. The shell measures and fills it in; the report
 * only shows it. Times never go into results.json, which is equal wherever the run was.
 */

/** One stage of the run, or one kind of task of it. */
export interface StageCost {
  stage: string;
  tasks: number;
  /** CPU seconds of all tasks together. */
  forecastSeconds: number | null;
  actualSeconds: number | null;
  /** Memory of the largest task, bytes. */
  forecastBytes: number | null;
  peakBytes: number | null;
}

/** The same run on Cloudflare with so many Workers at once, by forecast. */
export interface CloudCost {
  workers: number;
  wallSeconds: number;
  dollars: number;
}

export interface RunCosts {
  rows: StageCost[];
  cloud: CloudCost[];
  /** When the prices were read, such as `2026-11`. */
  pricesRead: string;
  /** What the numbers leave out, in a sentence. */
  note: string;
}
