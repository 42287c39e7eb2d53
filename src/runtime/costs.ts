/**
 * What a run took beside its forecast, for the end of the page: the forecast stands in the plan, the figures are those
 * of the tasks that this attempt computed. Only told; nothing is decided by it.
 */
import type { Plan, TaskKind } from '../plan/plan.ts';
import type { RunCosts, StageCost } from '../report/costs.ts';
import type { TaskRecord } from './protocol.ts';

/** To whoever reads the page a pilot is an activation, and part of a prediction a prediction. */
const stageOf = (kind: TaskKind): string =>
  kind === 'pilot' ? 'activate' : kind === 'predict-part' ? 'predict' : kind;

/** The costs of a plan whose tasks were computed as `records` tell; null where the plan has no forecast. */
export function costsOf(plan: Plan, records: readonly TaskRecord[]): RunCosts | null {
  const { forecast } = plan;
  if (!forecast) return null;
  const stages = new Map<string, StageCost>();
  const row = (kind: TaskKind): StageCost => {
    const stage = stageOf(kind);
    const own = stages.get(stage) ?? {
      stage,
      tasks: 0,
      forecastSeconds: null,
      actualSeconds: null,
      forecastBytes: null,
      peakBytes: null,
    };
    stages.set(stage, own);
    return own;
  };
  for (const { kind, tasks, seconds, projectedBytes } of forecast.kinds) {
    const own = row(kind);
    own.tasks += tasks;
    own.forecastSeconds = (own.forecastSeconds ?? 0) + seconds;
    own.forecastBytes = Math.max(own.forecastBytes ?? 0, projectedBytes);
  }
  for (const { kind, seconds, computeSeconds, peakBytes } of records) {
    const own = row(kind);
    own.actualSeconds = (own.actualSeconds ?? 0) + (computeSeconds ?? seconds);
    if (peakBytes !== null) own.peakBytes = Math.max(own.peakBytes ?? 0, peakBytes);
  }
  const { cloud, pricesRead, ratesMeasured } = forecast.deployed;
  const computed =
    records.length === plan.tasks.length
      ? `All ${plan.tasks.length} tasks were computed in this attempt.`
      : `“Took” and “peak” are of the ${records.length} of ${plan.tasks.length} tasks that were computed in this attempt; the others were found done.`;
  return {
    rows: [...stages.values()],
    cloud: cloud.map(({ workers, wallSeconds, dollars }) => ({ workers, wallSeconds, dollars })),
    pricesRead,
    note: `Forecasts are from rates measured ${ratesMeasured} and are right to a factor of about 2; prediction follows the data most. ${computed} Memory is what a task holds beside its runtime. The cost is that of the same pipeline deployed, at list prices beyond what a plan includes; storage isn’t in it.`,
  };
}
