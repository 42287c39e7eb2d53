/**
 * The events of a run and whoever follows them, inside its Durable Object: kept in order, so that a reader who was
 * away goes on after the last it has. Server-sent events as the HTML standard has them.
 */
import type { NewRunEvent, RunEvent } from '../service/documents.ts';

/** A line now and then, so that nothing on the way takes the stream for dead. */
const HEARTBEAT_MS = 15_000;
/** Kept of one run: old ones make room. */
const MOST_EVENTS = 50_000;
/** Bytes that wait for a follower; it is given more when it took these, so that one who reads nothing holds no more. */
const WAITING_BYTES = 64 * 1024;
/** Events read for a follower at a time. */
const READ_EVENTS = 200;

/** A stream ends after so long: whoever may still read comes back with the last id, others stay away. */
const FOLLOWED_MS = 15 * 60_000;

const utf8 = new TextEncoder();

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
    const message = utf8.encode(messageOf(withId(id, text)));
    for (const follower of this.#followers) follower.send(id, message);
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

  /** A stream of all events after the request's `Last-Event-ID`, until the reader goes or {@link FOLLOWED_MS} are over. */
  follow(request: Request): Response {
    const after = Number(request.headers.get('last-event-id') ?? 0);
    const follower = new Follower(
      Number.isSafeInteger(after) ? after : 0,
      (last) => this.list(last, READ_EVENTS),
      () => this.#drop(follower),
    );
    this.#followers.add(follower);
    this.#heartbeat ??= setInterval(() => {
      for (const each of this.#followers) each.beat();
    }, HEARTBEAT_MS);
    return new Response(follower.stream, {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
    });
  }

  #drop(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0 || this.#heartbeat === null) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }
}

/** Reads what is kept at its reader's pace; what happens once it has all of that is handed to it. */
class Follower {
  readonly stream: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #read: (after: number) => RunEvent[];
  readonly #gone: () => void;
  readonly #until = Date.now() + FOLLOWED_MS;
  #last: number;
  /** Whether it has all there is; else it reads on when its reader asks. */
  #caughtUp = false;

  constructor(after: number, read: (after: number) => RunEvent[], gone: () => void) {
    this.#last = after;
    this.#read = read;
    this.#gone = gone;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          controller.enqueue(utf8.encode('retry: 1000\n\n'));
        },
        pull: () => this.#readOn(),
        cancel: gone,
      },
      { highWaterMark: WAITING_BYTES, size: (chunk) => chunk.byteLength },
    );
  }

  /** An event that was just added. */
  send(id: number, message: Uint8Array): void {
    if (!this.#caughtUp) return;
    if (!this.#room()) {
      this.#caughtUp = false;
      return;
    }
    this.#last = id;
    this.#enqueue(message);
  }

  /** Says that the stream lives, or ends it. */
  beat(): void {
    if (Date.now() >= this.#until) {
      this.#controller.close();
      this.#gone();
    } else if (this.#room()) this.#enqueue(utf8.encode(':\n\n'));
  }

  #readOn(): void {
    while (!this.#caughtUp && this.#room()) {
      const events = this.#read(this.#last);
      this.#caughtUp = events.length < READ_EVENTS;
      if (events.length === 0) return;
      this.#last = events.at(-1)!.id;
      this.#enqueue(utf8.encode(events.map(messageOf).join('')));
    }
  }

  #room(): boolean {
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  #enqueue(message: Uint8Array): void {
    try {
      this.#controller.enqueue(message);
    } catch {
      this.#gone();
    }
  }
}

function withId(id: number, text: string): RunEvent {
  return { id, ...(JSON.parse(text) as Omit<RunEvent, 'id'>) } as RunEvent;
}

function messageOf(event: RunEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
