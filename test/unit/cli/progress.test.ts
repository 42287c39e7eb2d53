import { describe, expect, it } from 'vitest';
import { duration, progressText, size, transferText } from '../../../src/cli/progress.ts';
import type { PlannedKind } from '../../../src/runtime/eta.ts';
import type { TaskKind } from '../../../src/plan/plan.ts';
import type { ProgressSummary } from '../../../src/runtime/protocol.ts';

const planned = new Map<TaskKind, PlannedKind>([
  ['pilot', { tasks: 1, seconds: null }],
  ['activate', { tasks: 20, seconds: null }],
  ['merge', { tasks: 9, seconds: null }],
]);
const summary = (change: Partial<ProgressSummary>): ProgressSummary => ({
  attempt: 1,
  total: 30,
  reused: 0,
  done: 0,
  computed: [],
  failure: null,
  ...change,
});

describe('progressText(summary, planned, elapsedSeconds)', () => {
  it('says that it looks, before it knows what is there', () => {
    expect(progressText(summary({ reused: null }), planned, 1)).toBe('looking for finished tasks');
  });

  it('estimates the time left from the tasks of each kind so far', () => {
    const computed: ProgressSummary['computed'] = [
      { kind: 'pilot', tasks: 1, seconds: 1 },
      { kind: 'activate', tasks: 10, seconds: 30 },
    ];
    // ten more of three seconds, and nine of a kind that is not known yet
    expect(progressText(summary({ done: 11, computed }), planned, 31)).toBe(
      '11/30 tasks · activate · about 31 s left · 31 s so far',
    );
  });

  it('takes forecasts where nothing was measured, as slow as they turned out, and as many at once as ran so far', () => {
    const forecast = new Map<TaskKind, PlannedKind>([
      ['activate', { tasks: 10, seconds: 1 }],
      ['predict', { tasks: 4, seconds: 5 }],
    ]);
    const computed: ProgressSummary['computed'] = [{ kind: 'activate', tasks: 10, seconds: 20 }];
    // twice as slow as forecast, two at once: 4 × 5 × 2 / 2
    expect(progressText(summary({ total: 14, done: 10, computed }), forecast, 10)).toBe(
      '10/14 tasks · reduce · about 20 s left · 10 s so far',
    );
  });

  it('counts reused tasks as done, and their time as spared', () => {
    const computed: ProgressSummary['computed'] = [{ kind: 'activate', tasks: 5, seconds: 10 }];
    expect(progressText(summary({ reused: 11, done: 5, computed }), planned, 10)).toBe(
      '16/30 tasks · 11 reused · activate · about 11 s left · 10 s so far',
    );
  });

  it('ends with the report', () => {
    expect(progressText(summary({ reused: 30 }), planned, 2)).toBe('30/30 tasks · 30 reused · writing the report');
  });
});

describe('duration(seconds)', () => {
  it.each([
    [0, '0 s'],
    [59.2, '1 min 0 s'],
    [75, '1 min 15 s'],
    [7260, '2 h 1 min'],
  ])('%d: %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

describe('size(bytes)', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [20 * 2 ** 20, '20 MiB'],
    [1023.6 * 2 ** 20, '1024 MiB'],
    [3 * 2 ** 30, '3.0 GiB'],
    [5000 * 2 ** 30, '5000 GiB'],
  ])('%d is %s', (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });
});

describe('transferText(what, sentBytes, totalBytes, seconds)', () => {
  it('says bytes, rate and the time left', () => {
    expect(transferText('sent', 2 ** 20, 3 * 2 ** 20, 2)).toBe('sent 1.0 MiB of 3.0 MiB · 512 KiB/s · about 4 s left');
  });

  it('says no rate before there is one, and no time left at the end', () => {
    expect(transferText('sent', 0, 2048, 0)).toBe('sent 0 B of 2.0 KiB');
    expect(transferText('sent', 2048, 2048, 1)).toBe('sent 2.0 KiB of 2.0 KiB · 2.0 KiB/s');
  });
});
