import { describe, expect, it } from 'vitest';
import { makeForecastPlan } from '../../../src/plan/deployed.ts';
import { costsOf } from '../../../src/runtime/costs.ts';
import type { TaskRecord } from '../../../src/runtime/protocol.ts';
import { inputs, planOf } from '../plan/inputs.ts';

const record = (kind: TaskRecord['kind'], change: Partial<TaskRecord> = {}): TaskRecord => ({
  kind,
  started: 0,
  seconds: 2,
  provider: 'isolate',
  peakBytes: 100,
  bytes: 10,
  deliveries: 1,
  ...change,
});

describe('costsOf(plan, records)', () => {
  it('is nothing where the plan has no forecast', async () => {
    expect(costsOf(await planOf(), [])).toBe(null);
  });

  it('sets what tasks took beside their forecast, pilots with the activations', async () => {
    const plan = await makeForecastPlan(inputs());
    const records = [
      record('pilot'),
      record('activate', { peakBytes: 300 }),
      record('activate', { seconds: 9, computeSeconds: 5, peakBytes: null }),
      record('match', { peakBytes: null }),
    ];
    const { rows, cloud, pricesRead, note } = costsOf(plan, records)!;
    expect(rows.map(({ stage, tasks }) => [stage, tasks])).toEqual([
      ['activate', 22],
      ['correlate', 2],
      ['match', 2],
      ['predict', 4],
      ['cluster', 2],
    ]);
    const seconds = plan.forecast!.kinds.filter(({ kind }) => kind === 'pilot' || kind === 'activate');
    expect(rows[0]).toEqual({
      stage: 'activate',
      tasks: 22,
      forecastSeconds: seconds[0]!.seconds + seconds[1]!.seconds,
      actualSeconds: 2 + 2 + 5,
      forecastBytes: Math.max(seconds[0]!.projectedBytes, seconds[1]!.projectedBytes),
      peakBytes: 300,
    });
    expect(rows[1]).toMatchObject({ actualSeconds: null, peakBytes: null });
    expect(rows[2]).toMatchObject({ actualSeconds: 2, peakBytes: null });
    expect(cloud.map(({ workers }) => workers)).toEqual([1, 50, 250]);
    expect(pricesRead).toMatch(/^20\d\d-\d\d$/);
    expect(note).toContain('4 of 32 tasks that were computed in this attempt');
  });

  it('says so where everything was computed', async () => {
    const plan = await makeForecastPlan(inputs());
    const { note } = costsOf(
      plan,
      plan.tasks.map(({ kind }) => record(kind)),
    )!;
    expect(note).toContain('All 32 tasks were computed in this attempt.');
  });
});
