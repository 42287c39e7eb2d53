/**
 * Progress of one run, a Durable Object: the *set* of tasks finished in the present attempt (never a
 * counter, so a message delivered twice changes nothing), what each cost, and the first failure. It wakes
 * the workflow when there is something to look at. A hint, not the truth: the bucket has that.
 */
import { DurableObject } from 'cloudflare:workers';
import type { ErrorRecord } from '../errors.ts';
import type { TaskKind } from '../plan/plan.ts';
import type { NewRunEvent, RunEvent } from '../service/documents.ts';
import type { Env } from './env.ts';
import { secondsLeft } from './eta.ts';
import type { PlannedKind } from './eta.ts';
import { RunEvents } from './events.ts';
import type { ProgressSummary, TaskRecord } from './protocol.ts';

/** How often a task may find its inputs gone before its run fails. */
const MOST_LOOKS = 10;
/** Followers hear of the tasks' count at most this often. */
const TOLD_EVERY_MS = 250;
/** While tasks are open the workflow looks at most this often, in a long run more seldom. */
const LOOK_EVERY_MS = 3_000;

export class RunProgress extends DurableObject<Env> {
  readonly #events: RunEvents;
  #toldAt = 0;
  #wokenAt = Date.now();

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#events = new RunEvents(state.storage.sql);
    state.storage.sql.exec('CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)');
    state.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS tasks (task INTEGER PRIMARY KEY, state TEXT NOT NULL, kind TEXT, seconds REAL, record TEXT)',
    );
    // asked after each task, of which a run may have a hundred thousand
    state.storage.sql.exec('CREATE INDEX IF NOT EXISTS states ON tasks (state)');
  }

  /** The events of the run as server-sent events, those after `Last-Event-ID` first. */
  override fetch(request: Request): Response {
    return this.#events.follow(request);
  }

  /** Adds an event, unless another attempt has begun. */
  tell(attempt: number, event: NewRunEvent): void {
    if ((this.#fact('attempt') ?? 0) <= attempt && !this.#cancelled(attempt)) this.#events.add(event);
  }

  /** Events after `after`, oldest first, at most `limit`. */
  events(after: number, limit: number): RunEvent[] {
    return this.#events.list(after, limit);
  }

  /** Starts an attempt; a second call for the same attempt, after a restart, changes nothing, nor one for a cancelled attempt. */
  begin(attempt: number, instance: string, kinds: [TaskKind, PlannedKind][]): void {
    if ((this.#fact('attempt') ?? 0) >= attempt || this.#cancelled(attempt)) return;
    this.ctx.storage.sql.exec('DELETE FROM tasks');
    this.ctx.storage.sql.exec('DELETE FROM facts');
    this.#setFact('attempt', attempt);
    this.#setFact('instance', instance);
    this.#setFact('kinds', kinds);
    this.#setFact('begun', Date.now());
    this.#setFact(
      'total',
      kinds.reduce((sum, [, { tasks }]) => sum + tasks, 0),
    );
  }

  /** Says how many valid objects the attempt found. */
  setReused(attempt: number, reused: number): void {
    if (this.#fact('attempt') !== attempt) return;
    this.#setFact('reused', reused);
    this.#tellTasks(true);
  }

  /** No task of this attempt starts any more, and its workflow looks up. */
  async cancel(attempt: number): Promise<void> {
    if ((this.#fact('attempt') ?? 0) > attempt) return;
    this.#events.add({ type: 'state', state: 'cancelled', attempt });
    this.#setFact('cancelled', attempt);
    await this.#wake();
  }

  /** A task is about to be computed; false where nobody wants it any more. */
  take(attempt: number, task: string, kind: TaskKind, delivery: number): boolean {
    if (this.#fact('attempt') !== attempt || this.#cancelled(attempt)) return false;
    this.#events.add({
      type: 'task',
      task,
      kind,
      state: 'started',
      delivery,
      seconds: null,
      provider: null,
      error: null,
    });
    return true;
  }

  /**
   * Which of `tasks` to put on the queue: those that no message is under way for, or all with `again`. They
   * are open from now on; when the last open one ends, the workflow is woken.
   */
  claim(attempt: number, tasks: number[], again: boolean): number[] {
    if (this.#fact('attempt') !== attempt) return [];
    const open = new Set(
      this.ctx.storage.sql
        .exec<{ task: number }>("SELECT task FROM tasks WHERE state = 'open'")
        .toArray()
        .map((row) => row.task),
    );
    const claimed = tasks.filter((task) => again || !open.has(task));
    for (const task of claimed) this.#setState(task, 'open');
    return claimed;
  }

  /** Claimed tasks that could not be put on the queue after all. */
  unclaim(attempt: number, tasks: number[]): void {
    if (this.#fact('attempt') !== attempt) return;
    for (const task of tasks) this.#setState(task, 'lost');
  }

  /** A task's object is in the bucket; `record` is null where it was there already. */
  async finish(attempt: number, task: number, record: TaskRecord | null, id: string): Promise<void> {
    if (this.#fact('attempt') !== attempt) return;
    this.#setState(task, 'done');
    if (record) {
      const { kind, seconds, provider, deliveries } = record;
      this.#events.add({
        type: 'task',
        task: id,
        kind,
        state: 'done',
        delivery: deliveries,
        seconds,
        provider,
        error: null,
      });
      const text = JSON.stringify(record);
      this.ctx.storage.sql.exec(
        'UPDATE tasks SET kind = ?, seconds = ?, record = ? WHERE task = ? AND record IS NULL',
        kind,
        seconds,
        text,
        task,
      );
    }
    const last = !this.#any('open');
    this.#tellTasks(last);
    if (last || this.#lookIsDue()) await this.#wake();
  }

  /** A task found an input missing or damaged: it is neither done nor failed, unless this never ends. */
  async lookAgain(attempt: number, task: number, error: ErrorRecord): Promise<void> {
    if (this.#fact('attempt') !== attempt) return;
    const times = (this.#fact(`lost ${task}`) ?? 0) + 1;
    this.#setFact(`lost ${task}`, times);
    if (times > MOST_LOOKS) return this.fail(attempt, error);
    this.#setState(task, 'lost');
    if (!this.#any('open')) await this.#wake();
  }

  /** A task failed and will be tried again; the reason is kept for the dead-letter consumer. */
  noteFailure(attempt: number, task: number, id: string, delivery: number, error: ErrorRecord): void {
    if (this.#fact('attempt') !== attempt) return;
    this.#setFact(`reason ${task}`, error);
    const kind = id.replace(/-.*/, '');
    const told = { task: id, kind, delivery, seconds: null, provider: null, error: error.message };
    this.#events.add({ type: 'task', state: 'retry', ...told });
  }

  /** A task used up its retries: the run fails with the reason it gave last. */
  async failForGood(attempt: number, task: number, id: string): Promise<void> {
    const silent: ErrorRecord = {
      code: 'task-failed',
      message: `task ${id}: expected it to end; it died without a word, every time it was tried`,
      hint: 'it may have passed the memory or CPU limit of an isolate: use a smaller shard.batch or shard.rows',
    };
    await this.fail(attempt, this.#fact<ErrorRecord>(`reason ${task}`) ?? silent);
  }

  /** The run fails; the first failure stays. */
  async fail(attempt: number, error: ErrorRecord): Promise<void> {
    if (this.#fact('attempt') !== attempt) return;
    if (this.#fact('failure') === undefined) this.#setFact('failure', error);
    await this.#wake();
  }

  /** Which tasks ended well, where messages are under way and none lost its inputs; null: the bucket has to be asked. */
  doneSoFar(attempt: number): number[] | null {
    if (this.#fact('attempt') !== attempt || !this.#any('open') || this.#any('lost')) return null;
    return this.ctx.storage.sql
      .exec<{ task: number }>("SELECT task FROM tasks WHERE state = 'done'")
      .toArray()
      .map((row) => row.task);
  }

  summary(): ProgressSummary {
    const computed = this.ctx.storage.sql
      .exec<{ kind: TaskKind; tasks: number; seconds: number }>(
        'SELECT kind, count(*) AS tasks, sum(seconds) AS seconds FROM tasks WHERE record IS NOT NULL GROUP BY kind',
      )
      .toArray();
    return {
      attempt: this.#fact('attempt') ?? 0,
      total: this.#fact('total') ?? 0,
      reused: this.#fact('reused') ?? null,
      done: this.ctx.storage.sql
        .exec<{ tasks: number }>("SELECT count(*) AS tasks FROM tasks WHERE state = 'done'")
        .one().tasks,
      computed,
      failure: this.#fact<ErrorRecord>('failure') ?? null,
    };
  }

  /** What each task computed in this attempt cost, by index. */
  records(): { task: number; record: TaskRecord }[] {
    return this.ctx.storage.sql
      .exec<{ task: number; record: string }>('SELECT task, record FROM tasks WHERE record IS NOT NULL ORDER BY task')
      .toArray()
      .map(({ task, record }) => ({ task, record: JSON.parse(record) as TaskRecord }));
  }

  #cancelled(attempt: number): boolean {
    return (this.#fact('cancelled') ?? 0) >= attempt;
  }

  // in a long wave now and then, so that what is complete is reported and what became ready is sent
  #lookIsDue(): boolean {
    const elapsed = Date.now() - (this.#fact('begun') ?? Date.now());
    return Date.now() - this.#wokenAt > Math.max(LOOK_EVERY_MS, elapsed / 8);
  }

  // how far it is, not more often than anybody can look
  #tellTasks(now: boolean): void {
    if (!now && Date.now() - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = Date.now();
    const summary = this.summary();
    const { total, reused, done, computed } = summary;
    if (reused === null) return;
    const planned = new Map(this.#fact<[TaskKind, PlannedKind][]>('kinds') ?? []);
    const kinds = [...planned].map(([kind, { tasks }]) => {
      const found = computed.find((entry) => entry.kind === kind);
      return { kind, total: tasks, done: found?.tasks ?? 0, seconds: found?.seconds ?? 0 };
    });
    const elapsed = (Date.now() - (this.#fact('begun') ?? Date.now())) / 1000;
    const left = done === 0 ? null : secondsLeft(summary, planned, elapsed);
    this.#events.add({ type: 'tasks', total, reused, done, secondsLeft: left, kinds });
  }

  #setState(task: number, state: 'open' | 'done' | 'lost'): void {
    this.ctx.storage.sql.exec(
      'INSERT INTO tasks (task, state) VALUES (?, ?) ON CONFLICT (task) DO UPDATE SET state = excluded.state',
      task,
      state,
    );
  }

  #any(state: 'open' | 'lost'): boolean {
    return this.ctx.storage.sql.exec('SELECT 1 FROM tasks WHERE state = ? LIMIT 1', state).toArray().length > 0;
  }

  // an event says "look again"; a workflow that has ended or sleeps cannot be told, and need not be
  async #wake(): Promise<void> {
    const instance = this.#fact<string>('instance');
    if (instance === undefined) return;
    this.#wokenAt = Date.now();
    try {
      await (await this.env.RUNS.get(instance)).sendEvent({ type: 'look', payload: {} });
    } catch {
      // the time-out of the workflow's wait stands in for a lost event
    }
  }

  #fact<T = number>(name: string): T | undefined {
    const [row] = this.ctx.storage.sql
      .exec<{ value: string }>('SELECT value FROM facts WHERE name = ?', name)
      .toArray();
    return row && (JSON.parse(row.value) as T);
  }

  #setFact(name: string, value: unknown): void {
    this.ctx.storage.sql.exec(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      name,
      JSON.stringify(value),
    );
  }
}
