/** The events of a run and who follows them, over a store that counts what is read. */
import { describe, expect, it, vi } from 'vitest';
import { RunEvents } from '../../../src/runtime/events.ts';

/** As much of a Durable Object's SQL as events need. */
function store() {
  const rows: { id: number; event: string }[] = [];
  const counted = { read: 0 };
  const exec = (statement: string, ...values: unknown[]) => {
    if (statement.startsWith('INSERT')) {
      const row = { id: rows.length + 1, event: values[0] as string };
      rows.push(row);
      return { one: () => row };
    }
    if (!statement.startsWith('SELECT')) return {};
    const [after, limit] = values as [number, number];
    const found = rows.slice(after, after + limit);
    counted.read += found.length;
    return { toArray: () => found };
  };
  return { sql: { exec } as unknown as SqlStorage, counted };
}

const layer = (name: string) => ({ type: 'layer', pair: 'a-b', layer: name }) as const;

const follow = (events: RunEvents, headers: Record<string, string> = {}) => {
  const reader = events.follow(new Request('http://service/events', { headers })).body!.getReader();
  let text = '';
  return {
    /** Ids of the next `count` events. */
    ids: async (count: number): Promise<number[]> => {
      const ids: number[] = [];
      while (ids.length < count) {
        const { done, value } = await reader.read();
        if (done) break;
        const messages = (text + new TextDecoder().decode(value)).split('\n\n');
        text = messages.pop()!;
        ids.push(...messages.flatMap((message) => /^id: (\d+)$/m.exec(message)?.[1] ?? []).map(Number));
      }
      return ids;
    },
    cancel: () => reader.cancel(),
  };
};

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('a follower', () => {
  it('has what was there, then what happens, in order', async () => {
    const events = new RunEvents(store().sql);
    for (let n = 0; n < 3; n++) events.add(layer('before'));
    const follower = follow(events);
    expect(await follower.ids(3)).toEqual([1, 2, 3]);
    for (let n = 0; n < 2; n++) events.add(layer('meanwhile'));
    expect(await follower.ids(2)).toEqual([4, 5]);
    await follower.cancel();
  });

  it('goes on after the last event it has', async () => {
    const events = new RunEvents(store().sql);
    for (let n = 0; n < 500; n++) events.add(layer('before'));
    const follower = follow(events, { 'last-event-id': '450' });
    expect(await follower.ids(50)).toEqual(range(451, 500));
    await follower.cancel();
  });

  it('that reads nothing holds little, and misses nothing when it reads', async () => {
    const { sql, counted } = store();
    const events = new RunEvents(sql);
    for (let n = 0; n < 5_000; n++) events.add(layer('x'.repeat(500)));
    const slow = follow(events);
    await settled();
    expect(counted.read).toBeLessThanOrEqual(400);
    const quick = follow(events);
    expect(await quick.ids(5_000)).toEqual(range(1, 5_000));
    for (let n = 0; n < 5_000; n++) events.add(layer('x'.repeat(500)));
    expect(await slow.ids(10_000)).toEqual(range(1, 10_000));
    expect(await quick.ids(5_000)).toEqual(range(5_001, 10_000));
    await Promise.all([slow.cancel(), quick.cancel()]);
  });

  it('is let go after a while, and comes back for the rest', async () => {
    vi.useFakeTimers();
    try {
      const events = new RunEvents(store().sql);
      events.add(layer('first'));
      const follower = follow(events);
      expect(await follower.ids(1)).toEqual([1]);
      vi.advanceTimersByTime(14 * 60_000);
      events.add(layer('second'));
      expect(await follower.ids(1)).toEqual([2]);
      vi.advanceTimersByTime(60_000);
      events.add(layer('third'));
      expect(await follower.ids(1)).toEqual([]);
      // nothing is left that keeps the object awake
      expect(vi.getTimerCount()).toBe(0);
      const again = follow(events, { 'last-event-id': '2' });
      expect(await again.ids(1)).toEqual([3]);
      await again.cancel();
    } finally {
      vi.useRealTimers();
    }
  });
});
