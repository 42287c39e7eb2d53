/**
 * A plan on Cloudflare with so many Workers at once: wall time and bill. Follows the workflow (runtime/workflow.ts): the
 * tasks whose inputs are there go out in waves, and the next wave when the last task of one is done; then the report,
 * one pair and layer after another. Waits are assumed (rates.ts).
 */
import type { Amounts } from './amounts.ts';
import type { Plan } from './plan.ts';
import { CONTAINER, dollarsOf, DURABLE_OBJECT_GB, usageOf } from './prices.ts';
import type { Usage } from './prices.ts';
import { RATES, WAITS, workSeconds } from './rates.ts';
import { schedule } from './schedule.ts';
import type { Job } from './schedule.ts';

/** As runtime/limits.ts has them; a test holds them together. */
export const WAVE_TASKS = 1_000;
export const PARALLEL_REQUESTS = 6;
/** Wall time that the consumer of a queue may take, waiting included (Queues limits, read 2026-11). */
export const CONSUMER_SECONDS = 900;
/** A workflow looks again after so long without an event. */
const LOOK_AGAIN_SECONDS = 120;
/** Native tasks that a container runs at once: as many as it has cores, each with 3 GiB of its memory. */
const TASKS_PER_CONTAINER = CONTAINER.vcpus;

export interface CloudForecast {
  /** Tasks under way at once, isolate and native together. */
  workers: number;
  /** Most containers at once; 0 where no task is native. */
  instances: number;
  wallSeconds: number;
  dollars: number;
  /** Of the dollars: containers kept up after their last task (`sleepAfter`). */
  idleDollars: number;
  /** What is used, in the units of prices.ts. */
  usage: Usage;
  /** Steps of the workflow, waits included; a workflow has room for a few thousand. */
  steps: number;
}

export interface CloudLoad {
  plan: Plan;
  /** By task, and of each pair and layer of the report. */
  amounts: readonly Amounts[];
  report: readonly Amounts[];
  jobs: readonly Job[];
}

/** Forecast for `workers` ≥ 1 at once. */
export function forecastCloud({ plan, amounts, report, jobs }: CloudLoad, workers: number): CloudForecast {
  const { tasks } = plan;
  const usage = usageOf();
  const look = (tasks.length / PARALLEL_REQUESTS) * WAITS.operation;
  // the first look takes what was found when objects were verified at the start
  let looks = 0;
  let wall = look;
  let instances = 0;
  let containerSeconds = 0;
  for (const level of levelsOf(plan)) {
    const waiting = level.map((at) => withWaits(plan, at, jobs[at]!, amounts[at]!));
    const { ends, opened, openings } = schedule(waiting, workers);
    const waves = Math.ceil(level.length / WAVE_TASKS);
    const span = Math.max(...ends);
    const native = level.filter((at) => tasks[at]!.provider === 'native').length;
    const own = Math.min(CONTAINER.mostInstances, Math.ceil(Math.min(workers, native) / TASKS_PER_CONTAINER));
    const start = native > 0 && instances === 0 ? WAITS.containerStart : 0;
    instances = Math.max(instances, own);
    containerSeconds += own * (span + start);
    looks += waves + Math.floor(span / LOOK_AGAIN_SECONDS);
    wall += start + span + waves * (look + WAITS.message);
    // opening networks is work of whoever runs the level's activations
    usage[native > level.length / 2 ? 'containerCpuSeconds' : 'workerCpuSeconds'] += opened;
    usage.objectReads += openings * plan.networks.length;
  }
  const written = report.reduce((sum, own) => sum + waitOf(own) + workSeconds('isolate', own), 0);
  looks++;
  wall += look + written;

  for (const [at, own] of amounts.entries()) {
    const native = tasks[at]!.provider === 'native';
    usage[native ? 'containerCpuSeconds' : 'workerCpuSeconds'] += jobs[at]!.seconds;
    // a Worker hands a native task what it reads, verified
    if (native) usage.workerCpuSeconds += own.readBytes * RATES.isolate.readByte + RATES.isolate.task;
    if (native) usage.durableRequests += 2;
  }
  for (const own of [...amounts, ...report]) {
    usage.objectReads += own.reads;
    usage.objectWrites += own.writes;
  }
  for (const own of report) usage.workerCpuSeconds += workSeconds('isolate', own);
  usage.objectReads += looks * tasks.length;
  usage.workerRequests += tasks.length + 1;
  // sent, delivered, acknowledged
  usage.queueOperations += 3 * tasks.length;
  // told of each task; two rows when it is claimed and done, one with what it cost
  usage.durableRequests += tasks.length + 2 * looks;
  usage.durableRowsWritten += 3 * tasks.length;
  usage.durableGbSeconds += DURABLE_OBJECT_GB * (wall + containerSeconds);
  const up = (seconds: number): Partial<Usage> => ({
    containerGibSeconds: seconds * CONTAINER.memoryGib,
    containerDiskGbSeconds: seconds * CONTAINER.diskGb,
  });
  const idle = up(instances * CONTAINER.sleepAfterSeconds);
  const busy = up(containerSeconds);
  usage.containerGibSeconds = busy.containerGibSeconds! + idle.containerGibSeconds!;
  usage.containerDiskGbSeconds = busy.containerDiskGbSeconds! + idle.containerDiskGbSeconds!;
  const steps = Math.ceil(tasks.length / 100) + 2 * looks + report.length + 3;
  return {
    workers,
    instances,
    wallSeconds: wall,
    dollars: dollarsOf(usage),
    idleDollars: dollarsOf(idle),
    usage,
    steps,
  };
}

// tasks by how many others they wait for, one after another
function levelsOf({ tasks }: Plan): number[][] {
  const levels: number[][] = [];
  const levelOf: number[] = [];
  for (const [at, { needs }] of tasks.entries()) {
    const level = 1 + Math.max(-1, ...needs.map((need) => levelOf[need]!));
    levelOf.push(level);
    (levels[level] ??= []).push(at);
  }
  return levels;
}

// with what it waits for: requests one after another, bytes on their way; networks are fetched before they are opened
function withWaits(plan: Plan, at: number, job: Job, own: Amounts): Job {
  const bytes = job.session === null ? 0 : job.openSeconds / RATES[plan.tasks[at]!.provider].openByte;
  return { ...job, seconds: job.seconds + waitOf(own), openSeconds: job.openSeconds + bytes * WAITS.byte };
}

function waitOf({ reads, writes, readBytes, madeBytes }: Amounts): number {
  return (reads + writes) * WAITS.operation + (readBytes + madeBytes) * WAITS.byte;
}
