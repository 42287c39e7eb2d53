/**
 * A run of the service, followed by its server-sent events: taken up again after the last one seen wherever the
 * stream breaks off, until the run has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromRecord, PipelineError } from '../errors.ts';
import type { RunEvent, RunRecord } from '../service/documents.ts';
import { duration } from './progress.ts';
import type { ProgressDisplay } from './progress.ts';
import type { Service } from './remote.ts';

/** The service says something every 15 s; a stream that is silent for longer is dead. */
const SILENT_MS = 45_000;
const RECONNECT_MS = 1_000;

/** A follower's place in the events, and what it knows by them. */
export interface Followed {
  run: RunRecord;
  /** The count of tasks as it was told last. */
  tasks: { total: number; reused: number; computed: number } | null;
}

export const hasEnded = ({ state }: RunRecord): boolean => state !== 'queued' && state !== 'running';

/**
 * Follows a run to its end. @throws PipelineError as asking does; the abort reason
 */
export async function followRun(
  service: Service,
  id: string,
  display: Pick<ProgressDisplay, 'say' | 'show'>,
  signal: AbortSignal,
): Promise<Followed> {
  let tasks: Followed['tasks'] = null;
  let toldReused = false;
  const heard = (event: RunEvent): void => {
    if (event.type === 'tasks') {
      tasks = { total: event.total, reused: event.reused, computed: event.done };
      if (!toldReused && event.reused > 0)
        display.say(`reuses ${event.reused} of ${event.total} tasks, finished before`);
      toldReused = true;
      display.show(tasksText(event));
    } else if (event.type === 'stage' && event.stage !== 'report') display.show(event.text);
  };
  const run = await followEvents(service, id, 0, heard, signal);
  return { run, tasks };
}

/** Hands the events after `after` over, in order, until the run has ended; gives the run as it is then. */
export async function followEvents(
  service: Service,
  id: string,
  after: number,
  heard: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunRecord> {
  const path = `/runs/${encodeURIComponent(id)}`;
  let last = after;
  for (;;) {
    const run = await service.json<RunRecord>(path, { signal });
    // what was said until the end is still to be heard
    const ending = hasEnded(run);
    const quiet = new AbortController();
    let silence = setTimeout(() => quiet.abort(), SILENT_MS);
    try {
      await service.ask(
        `${path}/events`,
        {
          headers: { accept: 'text/event-stream', 'last-event-id': String(last) },
          signal: AbortSignal.any([signal, quiet.signal]),
          repeatable: false,
        },
        async (response) => {
          for await (const event of serverSentEvents(response.body!)) {
            clearTimeout(silence);
            silence = setTimeout(() => quiet.abort(), SILENT_MS);
            if (event === null) continue;
            last = event.id;
            heard(event);
            if (isEnd(event, run.attempt)) break;
          }
        },
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PipelineError && error.code !== 'unreachable') throw error;
    } finally {
      clearTimeout(silence);
      quiet.abort();
    }
    if (ending) return run;
    const now = await service.json<RunRecord>(path, { signal });
    if (hasEnded(now)) return now;
    await sleep(RECONNECT_MS, undefined, { signal });
  }
}

/** Why a run ended badly, as an error; null where it ended well, whatever its gate says. */
export function failureOf(run: RunRecord): PipelineError | null {
  if (run.state === 'failed') return fromRecord(run.error ?? { code: 'internal', message: 'the run failed' });
  return run.state === 'cancelled' ? new PipelineError('cancelled', `run ${run.id} was cancelled`) : null;
}

/** One event as a line of a log. */
export function eventLine(event: RunEvent): string {
  return `${new Date(event.time).toISOString()} ${eventText(event)}`;
}

function eventText(event: RunEvent): string {
  switch (event.type) {
    case 'state':
      return `${event.state}, attempt ${event.attempt}`;
    case 'stage':
      return `${event.stage}${event.done ? ' done' : ''}${event.text === '' ? '' : `: ${event.text}`}`;
    case 'tasks':
      return tasksText(event);
    case 'task': {
      const parts = [`task ${event.task} ${event.state}`];
      if (event.delivery > 1) parts.push(`delivery ${event.delivery}`);
      if (event.seconds !== null) parts.push(`${event.seconds.toFixed(2)} s`);
      if (event.provider !== null) parts.push(event.provider);
      return parts.join(' · ') + (event.error === null ? '' : `: ${event.error}`);
    }
    case 'layer':
      return `report of ${event.pair} at ${event.layer}`;
  }
}

function tasksText({ total, reused, done, secondsLeft }: Extract<RunEvent, { type: 'tasks' }>): string {
  const finished = Math.min(total, done + reused);
  const parts = [`${finished}/${total} tasks`];
  if (reused > 0) parts.push(`${reused} reused`);
  if (finished === total) parts.push('writing the report');
  else if (secondsLeft !== null) parts.push(`about ${duration(secondsLeft)} left`);
  return parts.join(' · ');
}

// an attempt's end, or that of a later one
function isEnd(event: RunEvent, attempt: number): boolean {
  return event.type === 'state' && event.attempt >= attempt && event.state !== 'queued' && event.state !== 'running';
}

/**
 * The events of a stream (HTML standard, "Server-sent events"), as this service writes them: one line of data each;
 * null for a line that only says that the stream lives.
 */
async function* serverSentEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<RunEvent | null, void> {
  let rest = '';
  for await (const piece of stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      yield data === undefined ? null : (JSON.parse(data) as RunEvent);
    }
  }
}
