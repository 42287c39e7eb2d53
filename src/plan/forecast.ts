/**
 * Forecast of a plan: CPU seconds, memory and requests by kind of task, the time to run them on so many workers, and
 * what that costs on Cloudflare. Amounts follow from the plan (amounts.ts), rates and prices are constants (rates.ts,
 * prices.ts): right to a factor of about 2. Decides nothing.
 */
import type { ModelInspection } from '../inspect/inspect.ts';
import { modelBytes, reportAmounts, taskAmounts } from './amounts.ts';
import type { Amounts } from './amounts.ts';
import { forecastCloud } from './cloud.ts';
import type { CloudForecast } from './cloud.ts';
import { isActivation, networksOf } from './plan.ts';
import type { Plan, Task, TaskKind } from './plan.ts';
import { PRICES_READ } from './prices.ts';
import type { ProviderName } from './providers.ts';
import { openSeconds, RATES_MEASURED, workSeconds } from './rates.ts';
import { makespan } from './schedule.ts';
import type { Job } from './schedule.ts';

/** Workers at once that the bill is forecast for; the last is as many as a queue's consumer may have. */
export const CLOUD_WORKERS = [1, 50, 250];

/** One kind of task, on one provider. */
export interface KindForecast {
  kind: TaskKind;
  provider: ProviderName;
  tasks: number;
  /** CPU seconds of all of them, and of the longest. */
  seconds: number;
  longestSeconds: number;
  /** What the largest holds at its peak beside what is reserved. */
  projectedBytes: number;
  /** Requests to the bucket. */
  reads: number;
  writes: number;
}

export interface Forecast {
  /** In plan order. */
  kinds: KindForecast[];
  /** CPU seconds of the report's files. */
  reportSeconds: number;
  /** By number of workers, rising. */
  cloud: CloudForecast[];
  ratesMeasured: string;
  pricesRead: string;
}

/** What a plan carries: its own tasks, and the same pipeline deployed, where its provider follows from what fits. */
export interface PlanForecast {
  kinds: KindForecast[];
  reportSeconds: number;
  deployed: Forecast;
}

/** The forecast of a plan; `models` in the networks' order. O(tasks). */
export function forecastPlan(plan: Plan, models: readonly ModelInspection[]): Forecast {
  const { amounts, report, jobs } = load(plan, models);
  return {
    kinds: byKind(plan.tasks, amounts),
    reportSeconds: report.reduce((sum, own) => sum + workSeconds('isolate', own), 0),
    cloud: CLOUD_WORKERS.map((workers) => forecastCloud({ plan, amounts, report, jobs }, workers)),
    ratesMeasured: RATES_MEASURED,
    pricesRead: PRICES_READ,
  };
}

/** Wall seconds by kind on this machine, nothing else running; `cores` are how many native tasks run at once. */
export function forecastHere(plan: Plan, models: readonly ModelInspection[], cores: number): Map<TaskKind, number> {
  const { jobs } = load(plan, models);
  const seconds = new Map<TaskKind, number>();
  for (const kind of new Set(plan.tasks.map((task) => task.kind))) {
    let own = 0;
    for (const provider of ['isolate', 'native'] as const) {
      const those = jobs.filter((_, at) => plan.tasks[at]!.kind === kind && plan.tasks[at]!.provider === provider);
      own += makespan(those, provider === 'native' ? cores : 1);
    }
    seconds.set(kind, own);
  }
  return seconds;
}

interface Load {
  amounts: Amounts[];
  report: Amounts[];
  /** One for each task. */
  jobs: Job[];
}

function load(plan: Plan, models: readonly ModelInspection[]): Load {
  const amounts = taskAmounts(plan, models);
  const report = [...plan.pairs.keys()].flatMap((pair) =>
    [...plan.layers.keys()].map((layer) => reportAmounts(plan, pair, layer)),
  );
  const jobs = plan.tasks.map((task, at): Job => {
    const seconds = workSeconds(task.provider, amounts[at]!);
    if (!isActivation(task)) return { seconds, session: null, openSeconds: 0 };
    // sessions stay open from task to task of a set; pilots are each of another network
    const networks = networksOf(plan, task);
    const session = task.kind === 'pilot' ? plan.sets.length + at : task.set;
    return { seconds, session, openSeconds: openSeconds(task.provider, modelBytes(plan, models, networks)) };
  });
  return { amounts, report, jobs };
}

function byKind(tasks: readonly Task[], amounts: readonly Amounts[]): KindForecast[] {
  const kinds = new Map<string, KindForecast>();
  for (const [at, { kind, provider, projectedBytes }] of tasks.entries()) {
    const own = amounts[at]!;
    const name = `${kind} ${provider}`;
    const sum = kinds.get(name) ?? {
      kind,
      provider,
      tasks: 0,
      seconds: 0,
      longestSeconds: 0,
      projectedBytes: 0,
      reads: 0,
      writes: 0,
    };
    const seconds = workSeconds(provider, own);
    sum.tasks++;
    sum.seconds += seconds;
    sum.longestSeconds = Math.max(sum.longestSeconds, seconds);
    sum.projectedBytes = Math.max(sum.projectedBytes, projectedBytes);
    sum.reads += own.reads;
    sum.writes += own.writes;
    kinds.set(name, sum);
  }
  return [...kinds.values()];
}
