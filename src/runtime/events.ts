/**
 * The events of a run and whoever follows them, inside its Durable Object: kept in order, so that a reader who was
 * away goes on after the last it has. Server-sent events as the HTML standard has them.
 */
import type { NewRunEvent, RunEvent } from '../service/documents.ts';

/** A line now and then, so that nothing on the way takes the stream for dead. */
const HEARTBEAT_MS = 15_000;
/** Kept of one run: old ones make room. */
const MOST_EVENTS = 50_000;
/** A follower that takes nothing while so many bytes wait is let go; it comes back with the last id it has. */
const MOST_WAITING_BYTES = 4 * 2 ** 20;

export class RunEvents {
  readonly #sql: SqlStorage;
  readonly #followers = new Set<Follower>();
  #heartbeat: ReturnType<typeof setInterval> | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL)');
  }

  /** Adds an event and gives it to all followers. */
  add(event: NewRunEvent): void {
    const text = JSON.stringify({ ...event, time: Date.now() });
    const { id } = this.#sql.exec<{ id: number }>('INSERT INTO events (event) VALUES (?) RETURNING id', text).one();
    if (id % 1000 === 0) this.#sql.exec('DELETE FROM events WHERE id <= ?', id - MOST_EVENTS);
    if (this.#followers.size === 0) return;
    const message = messageOf(withId(id, text));
    for (const follower of this.#followers) follower.send(message);
  }

  /** Events after `after`, oldest first, at most `limit`. */
  list(after: number, limit: number): RunEvent[] {
    return this.#sql
      .exec<{ id: number; event: string }>(
        'SELECT id, event FROM events WHERE id > ? ORDER BY id LIMIT ?',
        after,
        limit,
      )
      .toArray()
      .map(({ id, event }) => withId(id, event));
  }

  /** A stream of all events after the request's `Last-Event-ID`, until either side goes. */
  follow(request: Request): Response {
    const after = Number(request.headers.get('last-event-id') ?? 0);
    const follower = new Follower(() => this.#drop(follower));
    follower.send(new TextEncoder().encode('retry: 1000\n\n'));
    for (const event of this.list(Number.isSafeInteger(after) ? after : 0, MOST_EVENTS))
      follower.send(messageOf(event));
    this.#followers.add(follower);
    this.#heartbeat ??= setInterval(() => {
      for (const each of this.#followers) each.send(new TextEncoder().encode(':\n\n'));
    }, HEARTBEAT_MS);
    return new Response(follower.stream, {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
    });
  }

  #drop(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }
}

class Follower {
  readonly stream: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #gone: () => void;

  constructor(gone: () => void) {
    this.#gone = gone;
    this.stream = new ReadableStream<Uint8Array>(
      { start: (controller) => void (this.#controller = controller), cancel: gone },
      { highWaterMark: MOST_WAITING_BYTES, size: (chunk) => chunk.byteLength },
    );
  }

  send(message: Uint8Array): void {
    try {
      if ((this.#controller.desiredSize ?? 0) > 0) {
        this.#controller.enqueue(message);
        return;
      }
      this.#controller.close();
    } catch {
      // gone meanwhile
    }
    this.#gone();
  }
}

function withId(id: number, text: string): RunEvent {
  return { id, ...(JSON.parse(text) as Omit<RunEvent, 'id'>) } as RunEvent;
}

function messageOf(event: RunEvent): Uint8Array {
  return new TextEncoder().encode(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}
