import { describe, expect, it } from 'vitest';
import { eventLine, followEvents, followRun } from '../../../src/cli/follow.ts';
import type { Service } from '../../../src/cli/remote.ts';
import { PipelineError } from '../../../src/errors.ts';
import type { RunEvent, RunRecord } from '../../../src/service/documents.ts';

const never = new AbortController().signal;
const silent = { say: () => undefined, show: () => undefined };

const at = (id: number, event: Partial<RunEvent> & { type: RunEvent['type'] }): RunEvent =>
  ({ id, time: 0, ...event }) as RunEvent;
const working = (id: number): RunEvent => at(id, { type: 'task', task: `t${id}`, kind: 'activate', state: 'done' });
const tasks = (id: number, done: number): RunEvent =>
  at(id, { type: 'tasks', total: 4, reused: 1, done, secondsLeft: 7, kinds: [] });
const ended = (id: number, attempt = 1): RunEvent => at(id, { type: 'state', state: 'done', attempt });

const blockOf = (event: RunEvent): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

/**
 * A service whose stream gives these pieces, one stream after the other; an Error breaks one off, and a stream without
 * an end lives on. `log`: what it kept.
 */
function service(
  streams: (string | Error)[][],
  states: RunRecord['state'][],
  log: RunEvent[] = [],
): { service: Service; asked: string[] } {
  const asked: string[] = [];
  const json = (): Promise<unknown> =>
    Promise.resolve({ id: 'r', attempt: 1, state: states.length > 1 ? states.shift() : states[0] });
  const ask: Service['ask'] = (path, { headers }, read) => {
    const after = /after=(\d+)/.exec(path)?.[1];
    if (after !== undefined) {
      const lines = log.filter(({ id }) => id > Number(after)).map((event) => JSON.stringify(event));
      return read(new Response(lines.slice(0, 2).join('\n')));
    }
    asked.push(headers!['last-event-id']!);
    const pieces = streams.shift()!;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) return new Promise(() => undefined);
        if (piece instanceof Error) controller.error(new PipelineError('unreachable', piece.message));
        else controller.enqueue(new TextEncoder().encode(piece));
        return undefined;
      },
    });
    return read(new Response(body));
  };
  return { service: { option: '', ask, json: json as Service['json'] }, asked };
}

async function heardOf(...given: Parameters<typeof service>): Promise<{ heard: number[]; asked: string[] }> {
  const { service: asking, asked } = service(...given);
  const heard: number[] = [];
  await followEvents(asking, 'r', 0, ({ id }) => heard.push(id), never);
  return { heard, asked };
}

describe('followEvents', () => {
  it('hears every event up to the end', async () => {
    const text = [working(1), working(2), ended(3)].map(blockOf).join('');
    const expected = { heard: [1, 2, 3], asked: ['0'] };
    expect(await heardOf([[`retry: 1000\n\n${text}`]], ['running', 'running', 'done'])).toEqual(expected);
  });

  it('hears events cut anywhere, and lines that only say that the stream lives', async () => {
    const text = `${blockOf(working(1))}:\n\n${blockOf(ended(2))}`;
    for (let cut = 1; cut < text.length; cut += 7) {
      const { heard } = await heardOf([[text.slice(0, cut), text.slice(cut)]], ['running', 'running', 'done']);
      expect(heard).toEqual([1, 2]);
    }
  });

  it('goes on after the last one it has where a stream breaks off', async () => {
    const gone = new Error('gone');
    const streams = [[blockOf(working(1)), gone], [gone], [blockOf(working(2)) + blockOf(ended(3))]];
    const expected = { heard: [1, 2, 3], asked: ['0', '1', '1'] };
    expect(await heardOf(streams, ['running', 'running', 'running', 'done'])).toEqual(expected);
  });

  it('waits for no stream where the run has ended already, and hears what was said before', async () => {
    const log = [working(1), working(2), ended(3)];
    expect(await heardOf([], ['done'], log)).toEqual({ heard: [1, 2, 3], asked: [] });
  });

  it('asks for the end where the stream lives and says nothing of it', async () => {
    const streams = [[blockOf(working(1)), ':\n\n', ':\n\n']];
    const states: RunRecord['state'][] = ['running', 'running', 'done'];
    expect((await heardOf(streams, states, [working(1), ended(2)])).heard).toEqual([1, 2]);
  });

  it('takes the end of an attempt before for no end', async () => {
    const text = [at(1, { type: 'state', state: 'failed', attempt: 0 }), ended(2)].map(blockOf).join('');
    expect((await heardOf([[text]], ['running', 'done'])).heard).toEqual([1, 2]);
  });
});

describe('followRun', () => {
  it('knows the tasks as they were told last', async () => {
    const text = [tasks(1, 0), tasks(2, 3), ended(3)].map(blockOf).join('');
    const { service: given } = service([[text]], ['running', 'done']);
    expect(await followRun(given, 'r', silent, never)).toMatchObject({
      run: { state: 'done' },
      tasks: { total: 4, reused: 1, computed: 3 },
    });
  });
});

describe('eventLine', () => {
  it.each([
    [tasks(1, 1), '2/4 tasks · 1 reused · about 7 s left'],
    [tasks(1, 3), '4/4 tasks · 1 reused · writing the report'],
    [ended(1, 2), 'done, attempt 2'],
    [at(1, { type: 'stage', stage: 'fetch', done: true, text: 'a' }), 'fetch done: a'],
    [
      at(1, {
        type: 'task',
        task: 't',
        kind: 'k',
        state: 'retry',
        delivery: 2,
        seconds: null,
        provider: null,
        error: 'e',
      }),
      'task t retry · delivery 2: e',
    ],
    [at(1, { type: 'layer', pair: 'a-b', layer: 'l' }), 'report of a-b at l'],
  ])('%j', (event, line) => {
    expect(eventLine(event)).toBe(`1970-01-01T00:00:00.000Z ${line}`);
  });
});
