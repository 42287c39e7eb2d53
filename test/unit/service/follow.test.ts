import { describe, expect, it } from 'vitest';
import type { NewRunEvent, RunEvent } from '../../../src/service/documents.ts';
import { follow, MOST_LINES, nothingYet, secondsLeftOf, stagesOf } from '../../../src/service/pages/follow.ts';
import type { Followed } from '../../../src/service/pages/follow.ts';
import { timelineOf } from '../../../src/service/pages/timeline.ts';

const UNKNOWN = { planned: false, gated: false };
const KINDS = [
  { kind: 'pilot', total: 1, done: 1, seconds: 1 },
  { kind: 'activate', total: 4, done: 2, seconds: 2 },
  { kind: 'match', total: 3, done: 0, seconds: 0 },
];

/** Events a second apart, from id 1. */
function eventsOf(events: readonly NewRunEvent[]): RunEvent[] {
  return events.map((event, at) => ({ ...event, id: at + 1, time: 1000 * (at + 1) }) as RunEvent);
}
function followed(events: readonly NewRunEvent[]): Followed {
  const run = nothingYet();
  for (const event of eventsOf(events)) follow(run, event);
  return run;
}
const state = (name: 'running' | 'done' | 'failed' | 'cancelled', attempt = 1): NewRunEvent => ({
  type: 'state',
  state: name,
  attempt,
});
const task = (name: string, how: 'started' | 'done' | 'retry' | 'failed', delivery = 1): NewRunEvent => ({
  type: 'task',
  task: name,
  kind: name.replace(/-.*/, ''),
  state: how,
  delivery,
  seconds: how === 'done' ? 1 : null,
  provider: how === 'done' ? 'isolate' : null,
  error: how === 'retry' ? 'out of memory' : null,
});
const tasks = (reused: number, done: number): NewRunEvent => ({
  type: 'tasks',
  total: 8,
  reused,
  done,
  secondsLeft: 12,
  kinds: KINDS,
});
const statesOf = (run: Followed, known = UNKNOWN) =>
  Object.fromEntries(stagesOf(run, known).map((row) => [row.name, row.state]));

describe('follow', () => {
  it('takes every event once, in order', () => {
    const events = eventsOf([state('running'), task('pilot', 'started'), task('pilot', 'done')]);
    const run = nothingYet();
    for (const event of [...events, ...events]) follow(run, event);
    expect(run.log).toHaveLength(3);
    expect(run.tries).toHaveLength(1);
    expect(run.last).toBe(3);
  });

  it('keeps each try of a task', () => {
    const run = followed([
      task('match-1', 'started'),
      task('match-1', 'retry'),
      task('match-1', 'started', 2),
      task('match-1', 'done', 2),
    ]);
    expect(run.tries.map(({ state, delivery, started, ended }) => ({ state, delivery, started, ended }))).toEqual([
      { state: 'retry', delivery: 1, started: 1000, ended: 2000 },
      { state: 'done', delivery: 2, started: 3000, ended: 4000 },
    ]);
  });

  it('begins anew with an attempt, but for the log', () => {
    const run = followed([
      state('running'),
      tasks(0, 3),
      task('pilot', 'started'),
      state('failed'),
      state('running', 2),
    ]);
    expect(run).toMatchObject({ attempt: 2, state: 'running', tasks: null, tries: [] });
    expect(run.log.length).toBe(4);
  });

  it('keeps a bounded log', () => {
    const run = followed(Array.from({ length: 5 * MOST_LINES }, () => task('pilot', 'started')));
    expect(run.log.length).toBeLessThanOrEqual(2 * MOST_LINES);
    expect(run.log.at(-1)?.id).toBe(5 * MOST_LINES);
  });
});

describe('stagesOf', () => {
  it('waits before anything happened', () => {
    expect(new Set(Object.values(statesOf(nothingYet())))).toEqual(new Set(['waiting']));
  });

  it('counts tasks, those found done spread in plan order', () => {
    const rows = stagesOf(followed([state('running'), tasks(2, 3)]), UNKNOWN);
    expect(rows.slice(0, 5).map(({ state, done, total }) => ({ state, done, total }))).toEqual([
      { state: 'done', done: 0, total: null },
      { state: 'done', done: 0, total: null },
      { state: 'done', done: 0, total: null },
      { state: 'done', done: 5, total: 5 },
      { state: 'waiting', done: 0, total: 3 },
    ]);
  });

  it('shows a stage that was begun, and takes those before it for done', () => {
    const run = followed([state('running'), { type: 'stage', stage: 'inspect', done: false, text: 'seed1' }]);
    expect(statesOf(run)).toMatchObject({ fetch: 'done', inspect: 'running', plan: 'waiting' });
  });

  it('says where a run failed or was stopped', () => {
    expect(statesOf(followed([state('running'), tasks(0, 3), state('failed')]))).toMatchObject({
      plan: 'done',
      activate: 'failed',
      reduce: 'waiting',
    });
    expect(statesOf(followed([state('running'), state('cancelled')]))).toMatchObject({ fetch: 'stopped' });
  });

  it('ends with every stage done, or with nothing to do at it', () => {
    const run = followed([state('running'), tasks(0, 8), state('done')]);
    expect(statesOf(run, { planned: true, gated: false })).toMatchObject({
      report: 'done',
      gate: 'none',
      notify: 'none',
    });
    expect(statesOf(run, { planned: true, gated: true })).toMatchObject({ gate: 'done' });
  });

  it('knows the time left while tasks are left', () => {
    expect(secondsLeftOf(followed([state('running'), tasks(0, 3)]))).toBe(12);
    expect(secondsLeftOf(followed([state('running'), tasks(2, 6)]))).toBeNull();
    expect(secondsLeftOf(followed([tasks(0, 3), state('failed')]))).toBeNull();
  });
});

describe('timelineOf', () => {
  it('is nothing without a try', () => {
    expect(timelineOf([], ['pilot'], 5)).toBeNull();
  });

  it('gives tries that overlap lanes of their own, and none to those that do not', () => {
    const run = followed([
      task('match-1', 'started'),
      task('match-2', 'started'),
      task('match-1', 'done'),
      task('match-3', 'started'),
    ]);
    const timeline = timelineOf(run.tries, ['pilot', 'match'], 6000)!;
    expect(timeline.rows.map(({ kind, lanes }) => ({ kind, lanes }))).toEqual([
      { kind: 'pilot', lanes: 1 },
      { kind: 'match', lanes: 2 },
    ]);
    expect(timeline.rows[1]!.bars.map(({ lane, start, end }) => ({ lane, start, end }))).toEqual([
      { lane: 0, start: 0, end: 0.4 },
      { lane: 1, start: 0.2, end: 1 },
      { lane: 0, start: 0.6, end: 1 },
    ]);
  });

  it('draws more at once than lanes over each other', () => {
    const run = followed(Array.from({ length: 40 }, (_, at) => task(`match-${at}`, 'started')));
    const [row] = timelineOf(run.tries, [], 50_000)!.rows;
    expect(row!.lanes).toBe(16);
    expect(row!.bars).toHaveLength(40);
  });
});
