import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, PIECE_BYTES, TAIL_BYTES, taskAmounts } from '../../../src/plan/amounts.ts';
import { forecastCloud, PARALLEL_REQUESTS, WAVE_TASKS } from '../../../src/plan/cloud.ts';
import { makeForecastPlan } from '../../../src/plan/deployed.ts';
import { CLOUD_WORKERS, forecastHere, forecastPlan } from '../../../src/plan/forecast.ts';
import type { Forecast } from '../../../src/plan/forecast.ts';
import { makePlan } from '../../../src/plan/plan.ts';
import type { Plan, PlanInputs } from '../../../src/plan/plan.ts';
import { CONTAINER, dollarsOf } from '../../../src/plan/prices.ts';
import { RATES, workSeconds } from '../../../src/plan/rates.ts';
import { makespan, schedule } from '../../../src/plan/schedule.ts';
import type { Job } from '../../../src/plan/schedule.ts';
import * as limits from '../../../src/runtime/limits.ts';
import { inputs, inspection, MIB, tasksOf } from './inputs.ts';

async function planned(more = '', change: Partial<PlanInputs> = {}): Promise<{ plan: Plan; forecast: Forecast }> {
  const own = inputs(more, change);
  const plan = await makePlan(own);
  return { plan, forecast: forecastPlan(plan, own.models) };
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const cpuOf = ({ kinds }: Forecast): number => sumOf(kinds.map(({ seconds }) => seconds));

describe('taskAmounts(plan, models)', () => {
  it('of a plan by hand: 100 rows of two networks, 4 units at 64 positions and 6 at one', async () => {
    const { models, ...own } = inputs('', { dataRows: 100 });
    const plan = await makePlan({ models, ...own });
    const amounts = taskAmounts(plan, models);
    const of = (kind: Plan['tasks'][0]['kind']) => amounts[plan.tasks.findIndex((task) => task.kind === kind)]!;

    // 20 groups of 5 rows: a network needs two parts of a million operations each
    expect(tasksOf(plan, 'activate')).toHaveLength(20);
    const units = [8, 12];
    expect(of('activate')).toMatchObject({
      forwardFlops: 5 * 2 * 2_000_000,
      // 320 samples of 8 units against 16; 5 samples of 12 units are kept as rows
      productFlops: 320 * units[0]! * (units[0]! + 8),
      values: 5 * (2 * 64 + units[0]! * 64 + units[1]!),
      readBytes: 5 * 64 + Math.ceil(64_128 / 65_536) * 32,
      madeBytes: 4 * 8 * 11 + 4 * 5 * 12,
      writes: 1,
      // rows, chunk list; the object itself once; of the pilots' their directories, and a piece
      reads: 1 + 1 + 1 + 2 + 1,
    });
    expect(of('pilot')).toMatchObject({ productFlops: 0, forwardFlops: 64 * 2_000_000, madeBytes: 4 * 10 });
    expect(of('correlate')).toMatchObject({
      // the two triangles and the block between, of 20 groups
      readBytes: 20 * 8 * (10 + 16 + 10),
      addedValues: 20 * 36,
      madeBytes: 3 * 8 * (16 + 16 + 16),
    });
    expect(of('match')).toMatchObject({ matched: 16, readBytes: 128 });
    expect(of('predict')).toMatchObject({ predicted: 4 * 5 * 16, joined: 4 * 5 * 64 });
    expect(of('cluster')).toMatchObject({ clustered: 64 });
  });

  it('adds up over tasks to the rows there are, however they are cut', async () => {
    for (const more of ['', 'shard: { rows: 50 }', 'shard: { rows: 7 }']) {
      const own = inputs(more, { dataRows: 2003 });
      const plan = await makePlan(own);
      const activations = taskAmounts(plan, own.models).filter((_, at) => plan.tasks[at]!.kind === 'activate');
      expect(sumOf(activations.map(({ forwardFlops }) => forwardFlops))).toBe(2003 * 4_000_000);
    }
  });
});

describe('forecastPlan(plan, models)', () => {
  it('is additive: kinds add up to the tasks', async () => {
    const own = inputs('shard: { rows: 50 }');
    const plan = await makePlan(own);
    const { kinds } = forecastPlan(plan, own.models);
    const amounts = taskAmounts(plan, own.models);
    const all = plan.tasks.map((task, at) => workSeconds(task.provider, amounts[at]!));
    expect(sumOf(kinds.map(({ tasks }) => tasks))).toBe(plan.tasks.length);
    expect(sumOf(kinds.map(({ seconds }) => seconds))).toBeCloseTo(sumOf(all), 9);
    expect(Math.max(...kinds.map(({ longestSeconds }) => longestSeconds))).toBe(Math.max(...all));
    expect(Math.max(...kinds.map(({ projectedBytes }) => projectedBytes))).toBe(
      Math.max(...plan.tasks.map((task) => task.projectedBytes)),
    );
  });

  it('grows with rows, in CPU time, wall time and dollars', async () => {
    const forecasts: Forecast[] = [];
    for (const dataRows of [1000, 2000, 5000, 20_000]) forecasts.push((await planned('', { dataRows })).forecast);
    for (const [at, forecast] of forecasts.slice(1).entries()) {
      expect(cpuOf(forecast)).toBeGreaterThan(cpuOf(forecasts[at]!));
      for (const [index, { wallSeconds, dollars }] of forecast.cloud.entries()) {
        expect(wallSeconds).toBeGreaterThanOrEqual(forecasts[at]!.cloud[index]!.wallSeconds);
        expect(dollars).toBeGreaterThan(forecasts[at]!.cloud[index]!.dollars);
      }
    }
  });

  it.each(['isolate', 'native'] as const)('more Workers are never slower, and use as much CPU: %s', async (compute) => {
    const { forecast } = await planned('shard: { rows: 50 }', { dataRows: 20_000, compute });
    expect(forecast.cloud.map(({ workers }) => workers)).toEqual(CLOUD_WORKERS);
    for (const [at, cloud] of forecast.cloud.slice(1).entries()) {
      expect(cloud.wallSeconds).toBeLessThan(forecast.cloud[at]!.wallSeconds);
      expect(cloud.usage.queueOperations).toBe(forecast.cloud[at]!.usage.queueOperations);
    }
  });

  it('is never faster than the CPU time shared by all, nor than the longest task', async () => {
    const { forecast } = await planned('', { dataRows: 20_000 });
    for (const { workers, wallSeconds } of forecast.cloud) {
      expect(wallSeconds).toBeGreaterThan(cpuOf(forecast) / workers);
      for (const { longestSeconds } of forecast.kinds) expect(wallSeconds).toBeGreaterThan(longestSeconds);
    }
  });

  it('has containers where tasks are native, four tasks each, and pays for them', async () => {
    const isolate = await planned('shard: { rows: 50 }', { dataRows: 20_000 });
    const native = await planned('shard: { rows: 50 }', { dataRows: 20_000, compute: 'native' });
    expect(isolate.forecast.cloud.map(({ instances }) => instances)).toEqual([0, 0, 0]);
    expect(native.forecast.cloud.map(({ instances }) => instances)).toEqual([1, 13, 63]);
    for (const { usage, idleDollars, instances, dollars } of native.forecast.cloud) {
      expect(usage.containerCpuSeconds).toBeGreaterThan(cpuOf(native.forecast));
      const idle = instances * CONTAINER.sleepAfterSeconds;
      expect(idleDollars).toBeCloseTo(dollarsOf({ containerGibSeconds: 12 * idle, containerDiskGbSeconds: 20 * idle }));
      expect(dollars).toBeGreaterThan(idleDollars);
    }
    for (const { usage, idleDollars } of isolate.forecast.cloud) {
      expect([usage.containerCpuSeconds, usage.containerGibSeconds, idleDollars]).toEqual([0, 0, 0]);
    }
  });

  it('counts what the bill counts: three operations a message, a write an object, a head a task and look', async () => {
    const { plan, forecast } = await planned('match: false\npredict: false\ncluster: false', { dataRows: 1000 });
    const { usage } = forecast.cloud[1]!;
    const tasks = plan.tasks.length;
    expect(usage.queueOperations).toBe(3 * tasks);
    // 2 layers: small files together, and a summary each
    expect(usage.objectWrites).toBe(tasks + 2 * 2);
    expect(usage.workerRequests).toBe(tasks + 1);
    // looked for at the start, before each of pilots, activations and correlations, and at the end
    expect(usage.objectReads).toBeGreaterThan(5 * tasks);
  });

  it('isn’t part of any key', async () => {
    const own = inputs();
    const { forecast, ...plan } = await makeForecastPlan(own);
    expect(plan).toEqual(await makePlan(own));
    expect(forecast!.deployed.cloud).toHaveLength(3);
    expect(JSON.stringify(forecast).length).toBeLessThan(8000);
  });

  it('bills the plan that is deployed: isolates where they do, whatever runs here', async () => {
    const deployed = [];
    for (const compute of ['isolate', 'native'] as const) {
      deployed.push((await makeForecastPlan(inputs('', { compute }))).forecast!.deployed);
    }
    expect(deployed[1]).toEqual(deployed[0]);
    expect(deployed[0]!.kinds.every(({ provider }) => provider === 'isolate')).toBe(true);
    // where the native runtime doesn't load, the container's stands in
    const versions = { isolate: 'onnxruntime-web 1.30.0' };
    expect((await makeForecastPlan(inputs('', { versions }))).forecast!.deployed).toEqual(deployed[0]);
    const wide = [inspection('a', { sizeBytes: 200 * MIB }), inspection('b')];
    const { forecast } = await makeForecastPlan(inputs('', { models: wide, compute: 'native' }));
    expect(forecast!.deployed.kinds.map(({ kind, provider }) => `${kind} ${provider}`)).toEqual([
      'pilot native',
      'activate native',
      'correlate native',
      'match isolate',
      'predict isolate',
      'cluster isolate',
    ]);
  });
});

describe('forecastHere(plan, models, cores)', () => {
  it('is the CPU time on one core, openings included, and less on two', async () => {
    const own = inputs('shard: { rows: 50 }', { compute: 'native', dataRows: 20_000 });
    const plan = await makePlan(own);
    const [one, two] = [1, 2].map((cores) => forecastHere(plan, own.models, cores));
    const { kinds } = forecastPlan(plan, own.models);
    for (const { kind, seconds } of kinds) {
      expect(one!.get(kind)).toBeGreaterThanOrEqual(seconds * (1 - 1e-12));
      expect(two!.get(kind)).toBeLessThanOrEqual(one!.get(kind)!);
    }
    expect(two!.get('activate')).toBeLessThan(0.6 * one!.get('activate')!);
    // each pilot opens and runs its own network alone
    expect(two!.get('pilot')).toBeCloseTo(one!.get('pilot')! / 2, 12);
  });
});

describe('schedule(jobs, workers)', () => {
  const job = (seconds: number, session: number | null = null, openSeconds = 0): Job => ({
    seconds,
    session,
    openSeconds,
  });

  it('no jobs take no time; one job its own', () => {
    expect(makespan([], 4)).toBe(0);
    expect(makespan([job(3)], 4)).toBe(3);
  });

  it('equal jobs take ⌈jobs / workers⌉ turns', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60 }), (jobs, workers) => {
        expect(
          makespan(
            Array.from({ length: jobs }, () => job(2)),
            workers,
          ),
        ).toBe(2 * Math.ceil(jobs / workers));
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('more workers never take longer; none is faster than the work shared, or than twice that bound', () => {
    const seconds = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(seconds, fc.integer({ min: 1, max: 20 }), (all, workers) => {
        const jobs = all.map((own) => job(own));
        const span = makespan(jobs, workers);
        expect(makespan(jobs, workers + 1)).toBeLessThanOrEqual(span);
        // Graham 1969, "Bounds on multiprocessing timing anomalies"
        const bound = Math.max(sumOf(all) / workers, Math.max(...all));
        expect(span).toBeGreaterThanOrEqual(bound);
        expect(span).toBeLessThanOrEqual(2 * bound);
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it('a worker opens a set once, and again after another', () => {
    const jobs = [job(1, 0, 10), job(1, 0, 10), job(1, 1, 5), job(1, 0, 10)];
    expect(schedule(jobs, 1)).toEqual({ ends: [4 + 10 + 5 + 10], opened: 25, openings: 3 });
    expect(schedule(jobs.slice(0, 2), 2)).toEqual({ ends: [11, 11], opened: 20, openings: 2 });
  });
});

describe('what the forecast assumes of the runtime', () => {
  it('is what its limits say', () => {
    expect([WAVE_TASKS, PARALLEL_REQUESTS, CHUNK_BYTES, PIECE_BYTES, TAIL_BYTES]).toEqual([
      limits.WAVE_TASKS,
      limits.PARALLEL_REQUESTS,
      limits.CHUNK_BYTES,
      limits.NATIVE_PIECE_BYTES,
      limits.TAIL_BYTES,
    ]);
    expect(limits.LOOK_AGAIN).toBe('2 minutes');
  });

  it('a native task is faster at everything that ONNX Runtime does', () => {
    expect(RATES.native.forward).toBeGreaterThan(RATES.isolate.forward);
    expect(RATES.native.product).toBeGreaterThan(RATES.isolate.product);
  });

  it('works for a single Worker and task', async () => {
    const own = inputs('match: false\npredict: false\ncluster: false', { dataRows: 2 });
    const plan = await makePlan(own);
    const amounts = taskAmounts(plan, own.models);
    const jobs = amounts.map((amount) => ({ seconds: workSeconds('isolate', amount), session: null, openSeconds: 0 }));
    const { wallSeconds, dollars } = forecastCloud({ plan, amounts, report: [], jobs }, 1);
    expect(wallSeconds).toBeGreaterThan(0);
    expect(dollars).toBeGreaterThan(0);
  });
});
