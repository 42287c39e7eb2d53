/**
 * A run of the service, followed by its server-sent events: taken up again after the last one seen wherever the
 * stream breaks off, until the run has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromRecord, fromUnknown, PipelineError } from '../errors.ts';
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
    } else if (event.type === 'stage' && event.stage !== 'report')
      display.show(event.text === event.stage ? event.stage : `${event.stage} ${event.text}`);
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
  let last = after;
  const hear = (event: RunEvent): void => {
    last = event.id;
    heard(event);
  };
  const look = (): Promise<RunRecord> => service.json<RunRecord>(`/runs/${encodeURIComponent(id)}`, { signal });
  for (;;) {
    const run = await look();
    if (hasEnded(run)) {
      // what was said until the end and isn't heard yet; a stream would wait for more
      await readEvents(service, id, last, hear, signal);
      return run;
    }
    let enough = false;
    try {
      enough = await streamEvents(service, id, last, signal, async (event) => {
        if (event === null) return hasEnded(await look());
        hear(event);
        return isEnd(event, run.attempt);
      });
    } catch (error) {
      signal.throwIfAborted();
      if (fromUnknown(error).code !== 'unreachable') throw error;
    }
    if (!enough) await sleep(RECONNECT_MS, undefined, { signal });
  }
}

/** Hands the events after `after` over, in order, as far as there are some. */
export async function readEvents(
  service: Service,
  id: string,
  after: number,
  heard: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  let last = after;
  for (;;) {
    // pages: a long run has more events than one answer
    const path = `/runs/${encodeURIComponent(id)}/log?after=${last}`;
    const text = await service.ask(path, { signal }, (response) => response.text());
    const events = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as RunEvent]));
    if (events.length === 0) return last;
    events.forEach(heard);
    last = events.at(-1)!.id;
  }
}

// one stream, until `heard` says that it is enough (true), or the stream ends; null: it lives
async function streamEvents(
  service: Service,
  id: string,
  after: number,
  signal: AbortSignal,
  heard: (event: RunEvent | null) => Promise<boolean>,
): Promise<boolean> {
  const quiet = new AbortController();
  let silence = setTimeout(() => quiet.abort(), SILENT_MS);
  const request = {
    headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
    signal: AbortSignal.any([signal, quiet.signal]),
    repeatable: false,
  };
  try {
    return await service.ask(`/runs/${encodeURIComponent(id)}/events`, request, async (response) => {
      for await (const event of serverSentEvents(response.body!)) {
        clearTimeout(silence);
        silence = setTimeout(() => quiet.abort(), SILENT_MS);
        if (await heard(event)) return true;
      }
      return false;
    });
  } catch (error) {
    signal.throwIfAborted();
    if (quiet.signal.aborted) throw new PipelineError('unreachable', 'expected a sign of life; found none');
    throw error;
  } finally {
    clearTimeout(silence);
    // lets go of a stream that nobody reads to its end
    quiet.abort();
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
