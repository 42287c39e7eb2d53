/** How long a run still takes: what is left, at the speed there was so far. Names no platform. */
import type { Plan, TaskKind } from '../plan/plan.ts';
import type { ProgressSummary } from './protocol.ts';

/** Seconds of a task that was neither forecast nor measured yet. */
const UNKNOWN_SECONDS = 0.05;

/** Tasks of one kind, and the CPU seconds one of them is forecast to take; null: not forecast. */
export interface PlannedKind {
  tasks: number;
  seconds: number | null;
}

/**
 * Tasks left of each kind: at the mean time of those of its kind, else at its forecast as far as forecasts were right;
 * as many at once as were so far. Reused tasks are spread over the kinds in plan order.
 */
export function secondsLeft(
  summary: ProgressSummary,
  planned: ReadonlyMap<TaskKind, PlannedKind>,
  elapsedSeconds: number,
): number {
  let measured = 0;
  let measuredOfForecast = 0;
  let forecast = 0;
  for (const { kind, tasks, seconds } of summary.computed) {
    const expected = planned.get(kind)?.seconds ?? null;
    measured += seconds;
    if (expected === null) continue;
    measuredOfForecast += seconds;
    forecast += tasks * expected;
  }
  const slower = forecast > 0 ? measuredOfForecast / forecast : 1;
  const atOnce = Math.max(1, measured / Math.max(elapsedSeconds, 1));
  let reused = summary.reused ?? 0;
  let seconds = 0;
  for (const [kind, { tasks: total, seconds: expected }] of planned) {
    const found = summary.computed.find((entry) => entry.kind === kind);
    const spared = Math.min(reused, total - (found?.tasks ?? 0));
    reused -= spared;
    const left = Math.max(0, total - spared - (found?.tasks ?? 0));
    const each = found ? found.seconds / found.tasks : expected === null ? UNKNOWN_SECONDS : expected * slower;
    seconds += left * each;
  }
  return seconds / atOnce;
}

/** What progress is told against, in plan order. */
export function plannedKinds(plan: Plan): Map<TaskKind, PlannedKind> {
  return new Map(
    [...tasksByKind(plan)].map(([kind, tasks]) => {
      const own = plan.forecast?.kinds.filter((entry) => entry.kind === kind) ?? [];
      const seconds = own.reduce((sum, entry) => sum + entry.seconds, 0);
      return [kind, { tasks, seconds: own.length > 0 ? seconds / tasks : null }];
    }),
  );
}

/** How many tasks of each kind a plan has, in plan order. */
export function tasksByKind(plan: Plan): Map<TaskKind, number> {
  const counts = new Map<TaskKind, number>();
  for (const { kind } of plan.tasks) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
