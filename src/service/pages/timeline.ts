/** Tries of tasks as bars over time: one row per kind, as many lanes in it as ran at once. Runs anywhere. */
import type { TaskTry } from './follow.ts';

export interface Bar {
  try: TaskTry;
  /** Shares of the time from `from` to `to`, 0 … 1. */
  start: number;
  end: number;
  /** From 0. */
  lane: number;
}

export interface TimelineRow {
  kind: string;
  lanes: number;
  bars: Bar[];
}

export interface Timeline {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  rows: TimelineRow[];
}

/** Lanes of one row; more at once are drawn over each other. */
const MOST_LANES = 16;

/**
 * Lays out tries, in the order they began, until `now`. `kinds` gives the rows; kinds missing there come after.
 * Null without a try.
 */
export function timelineOf(tries: readonly TaskTry[], kinds: readonly string[], now: number): Timeline | null {
  const [first] = tries;
  if (!first) return null;
  const from = first.started;
  const to = Math.max(from + 1, ...tries.map(({ ended }) => ended ?? now));
  const share = (time: number): number => Math.min(1, Math.max(0, (time - from) / (to - from)));
  const rows = new Map<string, TimelineRow & { free: number[] }>();
  for (const kind of kinds) rows.set(kind, { kind, lanes: 1, bars: [], free: [] });
  for (const each of tries) {
    const row = rows.get(each.kind) ?? { kind: each.kind, lanes: 1, bars: [], free: [] };
    rows.set(each.kind, row);
    // the first lane that is free by then
    const free = row.free.findIndex((until) => until <= each.started);
    const lane = free >= 0 ? free : row.free.length < MOST_LANES ? row.free.length : MOST_LANES - 1;
    row.free[lane] = each.ended ?? Infinity;
    row.lanes = Math.max(row.lanes, lane + 1);
    row.bars.push({ try: each, start: share(each.started), end: share(each.ended ?? now), lane });
  }
  return { from, to, rows: [...rows.values()].map(({ kind, lanes, bars }) => ({ kind, lanes, bars })) };
}
