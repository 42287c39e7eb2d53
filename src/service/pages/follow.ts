/**
 * From the events of a run to what its page shows: stages, tasks over time, the log. Folded here, on the server for
 * the first look and in the browser while the run goes on, so that both show the same. Runs anywhere.
 */
import type { RunEvent, RunState } from '../documents.ts';
import { durationText } from './amounts.ts';

export const STAGES = ['fetch', 'inspect', 'plan', 'activate', 'reduce', 'report', 'gate', 'notify'] as const;
export type StageName = (typeof STAGES)[number];
/** `none`: there is nothing to do at this stage; `stopped`: the run ended before it did. */
export type StageState = 'waiting' | 'running' | 'done' | 'failed' | 'stopped' | 'none';

export interface StageRow {
  name: StageName;
  state: StageState;
  done: number;
  /** Null: not counted. */
  total: number | null;
  text: string;
}

/** One try of one task. */
export interface TaskTry {
  task: string;
  kind: string;
  /** Milliseconds since 1970. */
  started: number;
  ended: number | null;
  state: 'started' | 'done' | 'retry' | 'failed';
  delivery: number;
  seconds: number | null;
  provider: string | null;
  error: string | null;
}

export interface LogLine {
  id: number;
  time: number;
  text: string;
  bad: boolean;
}

type Tasks = Extract<RunEvent, { type: 'tasks' }>;
type Told = Extract<RunEvent, { type: 'stage' }>['stage'];

/** What the events said so far, of the present attempt except for the log. */
export interface Followed {
  /** Id of the last event. */
  last: number;
  attempt: number;
  state: RunState;
  tasks: Tasks | null;
  told: Partial<Record<Told, { done: boolean; text: string }>>;
  /** Tries in the order they began, the last {@link MOST_TRIES}. */
  tries: TaskTry[];
  /** Pairs and layers whose numbers are there. */
  layers: number;
  /** The last {@link MOST_LINES}. */
  log: LogLine[];
}

/** Tries that a page keeps. */
export const MOST_TRIES = 5_000;
/** Lines of the log that a page keeps. */
export const MOST_LINES = 500;

/** Kinds of tasks of the stage `activate`; all others reduce. */
const ACTIVATING = new Set(['pilot', 'activate']);

export function nothingYet(): Followed {
  return { last: 0, attempt: 1, state: 'queued', tasks: null, told: {}, tries: [], layers: 0, log: [] };
}

/** Takes one event in; the same one twice, or an older one, changes nothing. */
export function follow(run: Followed, event: RunEvent): void {
  if (event.id <= run.last) return;
  run.last = event.id;
  const line = lineOf(event);
  if (line) {
    run.log.push(line);
    if (run.log.length > 2 * MOST_LINES) run.log.splice(0, run.log.length - MOST_LINES);
  }
  switch (event.type) {
    case 'state':
      if (event.attempt > run.attempt)
        Object.assign(run, { attempt: event.attempt, tasks: null, told: {}, tries: [], layers: 0 });
      run.state = event.state;
      break;
    case 'stage':
      run.told[event.stage] = { done: event.done, text: event.text };
      break;
    case 'tasks':
      run.tasks = event;
      break;
    case 'task':
      followTask(run.tries, event);
      break;
    case 'layer':
      run.layers++;
      break;
  }
}

function followTask(tries: TaskTry[], event: Extract<RunEvent, { type: 'task' }>): void {
  const { task, kind, state, time, delivery, seconds, provider, error } = event;
  if (state === 'started') {
    tries.push({ task, kind, started: time, ended: null, state, delivery, seconds, provider, error });
    if (tries.length > 2 * MOST_TRIES) tries.splice(0, tries.length - MOST_TRIES);
    return;
  }
  const begun = tries.findLast((entry) => entry.task === task && entry.ended === null);
  if (begun) Object.assign(begun, { ended: time, state, delivery, seconds, provider, error });
}

/** The stages of a run. `known`: its plan is made, and it has a gate's outcome. */
export function stagesOf(run: Followed, known: { planned: boolean; gated: boolean }): StageRow[] {
  const counts = countsOf(run.tasks);
  const rows = STAGES.map((name): StageRow => {
    if (name === 'activate' || name === 'reduce') return countedStage(name, counts[name], run.tasks);
    const told = run.told[name];
    return {
      name,
      state: told ? (told.done ? 'done' : 'running') : 'waiting',
      done: 0,
      total: null,
      text: told?.text ?? '',
    };
  });
  const row = (name: StageName): StageRow => rows[STAGES.indexOf(name)]!;

  // what comes later has begun, so what comes before has ended
  const ended = run.state === 'done' ? STAGES.indexOf('gate') : known.planned ? STAGES.indexOf('activate') : 0;
  const begun = Math.max(
    ended,
    rows.findLastIndex(({ state }) => state !== 'waiting'),
  );
  for (const entry of rows.slice(0, begun)) entry.state = 'done';
  if (run.state === 'done') {
    row('gate').state = run.told.gate || known.gated ? 'done' : 'none';
    if (!run.told.notify) row('notify').state = 'none';
    if (row('gate').state === 'none') row('gate').text = 'none declared';
    if (row('notify').state === 'none') row('notify').text = 'nobody to tell';
  } else if (run.state === 'running') {
    if (run.tasks && counts.activate.done + counts.reduce.done >= run.tasks.total && row('report').state === 'waiting')
      row('report').state = 'running';
  } else if (run.state !== 'queued') {
    const stopped = rows.find(({ state }) => state === 'running' || state === 'waiting');
    if (stopped) stopped.state = run.state === 'failed' ? 'failed' : 'stopped';
  }
  return rows;
}

interface Count {
  done: number;
  total: number;
}

// tasks done by stage; those found done are spread over the kinds in plan order, as the time left is
function countsOf(tasks: Tasks | null): { activate: Count; reduce: Count } {
  const counts = { activate: { done: 0, total: 0 }, reduce: { done: 0, total: 0 } };
  let found = tasks ? Math.max(0, Math.min(tasks.total, tasks.reused + tasks.done) - sumOf(tasks)) : 0;
  for (const { kind, total, done } of tasks?.kinds ?? []) {
    const count = counts[ACTIVATING.has(kind) ? 'activate' : 'reduce'];
    const spared = Math.min(found, Math.max(0, total - done));
    found -= spared;
    count.total += total;
    count.done += done + spared;
  }
  return counts;
}

const sumOf = ({ kinds }: Tasks): number => kinds.reduce((sum, { done }) => sum + done, 0);

function countedStage(name: 'activate' | 'reduce', { done, total }: Count, tasks: Tasks | null): StageRow {
  const state = tasks === null || (done === 0 && total > 0) ? 'waiting' : done < total ? 'running' : 'done';
  const text = name === 'activate' && tasks && tasks.reused > 0 ? `${tasks.reused} of all tasks found done` : '';
  return { name, state, done, total: tasks ? total : null, text };
}

/** Seconds the tasks of a run still take; null: nobody knows, or nothing is left. */
export function secondsLeftOf(run: Followed): number | null {
  if (run.state !== 'running' || !run.tasks) return null;
  return run.tasks.reused + run.tasks.done >= run.tasks.total ? null : run.tasks.secondsLeft;
}

/** An event as a line of the log; null for counts, which the stages show. */
export function lineOf(event: RunEvent): LogLine | null {
  const line = (text: string, bad = false): LogLine => ({ id: event.id, time: event.time, text, bad });
  switch (event.type) {
    case 'state':
      return line(
        `run ${event.state}${event.attempt > 1 ? `, attempt ${event.attempt}` : ''}`,
        event.state === 'failed',
      );
    case 'stage':
      return line(`${event.stage}${event.done ? '' : ' …'}${event.text === '' ? '' : `: ${event.text}`}`);
    case 'task':
      return taskLine(event, line);
    case 'layer':
      return line(`${event.pair}, ${event.layer}: numbers are there`);
    case 'tasks':
      return null;
  }
}

function taskLine(
  { task, state, delivery, seconds, provider, error }: Extract<RunEvent, { type: 'task' }>,
  line: (text: string, bad?: boolean) => LogLine,
): LogLine {
  const again = delivery > 1 ? `, try ${delivery}` : '';
  if (state === 'started') return line(`${task} started${again}`);
  if (state === 'done')
    return line(`${task} done in ${durationText((seconds ?? 0) * 1000)}${provider ? `, ${provider}` : ''}${again}`);
  return line(
    `${task} ${state === 'retry' ? 'is tried again' : 'failed'}${again}: ${error ?? 'no reason given'}`,
    true,
  );
}
