/**
 * The registry, one Durable Object for all: pipelines by name, runs, who may do what, and what was delivered already.
 * One object, so that of fifty deliveries at once exactly one makes the run. The bucket holds what is large (texts,
 * inputs, results); here stand names, states and hashes. Long because one object is one class: each method is a
 * statement or two.
 */
import { DurableObject } from 'cloudflare:workers';
import type { ErrorRecord } from '../errors.ts';
import type {
  Candidate,
  PipelineRecord,
  RunRecord,
  RunState,
  Scope,
  TokenRecord,
  TriggerKind,
} from '../service/documents.ts';
import type { Env } from './env.ts';

/** What a run is made from. */
export interface NewRun {
  id: string;
  pipeline: string;
  revision: string | null;
  plan: string | null;
  trigger: { kind: TriggerKind; delivery: string | null; by: string | null };
  candidates: Record<string, Candidate>;
  /** Whatever else the workflow is started with, kept for its next attempt. */
  parameters: string;
}

/** What changes in a run while it goes on. */
export type RunChanges = Partial<
  Pick<RunRecord, 'plan' | 'state' | 'started' | 'ended' | 'digest' | 'gate' | 'error' | 'figures'>
>;

export interface RunQuery {
  pipeline?: string | undefined;
  state?: RunState | undefined;
  /** Only pipelines that anybody may read. */
  publicOnly?: boolean;
  limit: number;
  /** Runs older than this one. */
  before?: string | undefined;
}

/** A run of a pipeline that passed its gate, or had none. */
export interface PassedRun {
  run: string;
  plan: string;
}

/** Deliveries and keys are remembered for so long. */
const REMEMBERED_MS = 30 * 24 * 3_600_000;
const HOUR_MS = 3_600_000;

/** How long a browser stays signed in. */
export const SESSION_MS = 12 * HOUR_MS;

type Row = Record<string, SqlStorageValue>;

export class Registry extends DurableObject<Env> {
  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    for (const statement of [
      'CREATE TABLE IF NOT EXISTS pipelines (name TEXT PRIMARY KEY COLLATE NOCASE, record TEXT NOT NULL)',
      `CREATE TABLE IF NOT EXISTS runs (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL,
        state TEXT NOT NULL, attempt INTEGER NOT NULL, record TEXT NOT NULL, parameters TEXT NOT NULL)`,
      'CREATE INDEX IF NOT EXISTS runs_by_pipeline ON runs (pipeline, seq)',
      'CREATE INDEX IF NOT EXISTS runs_by_state ON runs (state, seq)',
      'CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, run TEXT NOT NULL, time INTEGER NOT NULL)',
      'CREATE TABLE IF NOT EXISTS passed (pipeline TEXT PRIMARY KEY, run TEXT NOT NULL, plan TEXT NOT NULL)',
      `CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        scope TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER)`,
      'CREATE TABLE IF NOT EXISTS sessions (hash TEXT PRIMARY KEY, token TEXT NOT NULL, expires INTEGER NOT NULL)',
      'CREATE TABLE IF NOT EXISTS uploads (sha256 TEXT PRIMARY KEY, bytes INTEGER NOT NULL, upload TEXT NOT NULL)',
      'CREATE TABLE IF NOT EXISTS parts (sha256 TEXT NOT NULL, part INTEGER NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (sha256, part))',
      'CREATE TABLE IF NOT EXISTS ticks (name TEXT PRIMARY KEY, time INTEGER NOT NULL)',
    ])
      state.storage.sql.exec(statement);
  }

  // pipelines

  /** Puts a revision under its name. */
  putPipeline(record: PipelineRecord): PipelineRecord {
    const before = this.getPipeline(record.name);
    const stored = before ? { ...record, created: before.created } : record;
    this.#run(
      'INSERT INTO pipelines (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
      record.name,
      JSON.stringify(stored),
    );
    return stored;
  }

  getPipeline(name: string): PipelineRecord | null {
    const [row] = this.#rows('SELECT record FROM pipelines WHERE name = ?', name);
    return row ? (JSON.parse(row.record as string) as PipelineRecord) : null;
  }

  /** All of them, by name. */
  listPipelines(): PipelineRecord[] {
    return this.#rows('SELECT record FROM pipelines ORDER BY name').map(
      (row) => JSON.parse(row.record as string) as PipelineRecord,
    );
  }

  /** Forgets a name; its runs stay. False where there was none. */
  deletePipeline(name: string): boolean {
    this.#run('DELETE FROM passed WHERE pipeline = ?', name);
    return this.ctx.storage.sql.exec('DELETE FROM pipelines WHERE name = ?', name).rowsWritten > 0;
  }

  // runs

  /** Makes a run, or gives the one that `key` made before. */
  createRun(run: NewRun, key: string | null): { run: RunRecord; created: boolean } {
    const now = Date.now();
    if (key !== null) {
      const [known] = this.#rows('SELECT run FROM keys WHERE key = ?', key);
      const before = known && this.getRun(known.run as string);
      if (before) return { run: before, created: false };
      this.#run('INSERT OR REPLACE INTO keys (key, run, time) VALUES (?, ?, ?)', key, run.id, now);
    }
    const { parameters, ...told } = run;
    const record: RunRecord = {
      ...told,
      state: 'queued',
      attempt: 1,
      created: now,
      started: null,
      ended: null,
      digest: null,
      gate: null,
      error: null,
      figures: [],
    };
    this.#run(
      'INSERT INTO runs (id, pipeline, state, attempt, record, parameters) VALUES (?, ?, ?, ?, ?, ?)',
      record.id,
      record.pipeline,
      record.state,
      record.attempt,
      JSON.stringify(record),
      parameters,
    );
    return { run: record, created: true };
  }

  /** The run that a key made, if any. */
  runOfKey(key: string): RunRecord | null {
    const [known] = this.#rows('SELECT run FROM keys WHERE key = ?', key);
    return known ? this.getRun(known.run as string) : null;
  }

  forgetKey(key: string): void {
    this.#run('DELETE FROM keys WHERE key = ?', key);
  }

  getRun(id: string): RunRecord | null {
    const [row] = this.#rows('SELECT record FROM runs WHERE id = ?', id);
    return row ? (JSON.parse(row.record as string) as RunRecord) : null;
  }

  /** What the workflow of a run is started with. */
  parametersOf(id: string): string | null {
    const [row] = this.#rows('SELECT parameters FROM runs WHERE id = ?', id);
    return row ? (row.parameters as string) : null;
  }

  /** Newest first. */
  listRuns({ pipeline, state, publicOnly, limit, before }: RunQuery): { runs: RunRecord[]; next: string | null } {
    const conditions: string[] = [];
    const values: SqlStorageValue[] = [];
    const where = (condition: string, ...own: SqlStorageValue[]): void => {
      conditions.push(condition);
      values.push(...own);
    };
    if (pipeline !== undefined) where('pipeline = ?', pipeline);
    if (state !== undefined) where('state = ?', state);
    if (publicOnly) where("pipeline IN (SELECT name FROM pipelines WHERE json_extract(record, '$.public') = 1)");
    if (before !== undefined) where('seq < (SELECT seq FROM runs WHERE id = ?)', before);
    const filter = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const rows = this.#rows(`SELECT record FROM runs ${filter} ORDER BY seq DESC LIMIT ?`, ...values, limit + 1);
    const runs = rows.map((row) => JSON.parse(row.record as string) as RunRecord);
    const more = runs.length > limit;
    return { runs: runs.slice(0, limit), next: more ? runs[limit - 1]!.id : null };
  }

  /** Changes a run, unless another attempt of it has begun since, or it was cancelled. Gives it as it is then. */
  updateRun(id: string, attempt: number, changes: RunChanges): RunRecord | null {
    const run = this.getRun(id);
    if (!run || run.attempt !== attempt || run.state === 'cancelled') return run;
    return this.#writeRun({ ...run, ...changes });
  }

  /** The next attempt of a run in one of `states`, with other parameters where some are given; null where it is in another. */
  nextAttempt(id: string, states: RunState[], parameters?: string): RunRecord | null {
    const run = this.getRun(id);
    if (!run || !states.includes(run.state)) return null;
    if (parameters !== undefined) this.#run('UPDATE runs SET parameters = ? WHERE id = ?', parameters, id);
    return this.#writeRun({
      ...run,
      state: 'queued',
      attempt: run.attempt + 1,
      started: null,
      ended: null,
      error: null,
      gate: null,
    });
  }

  /** Cancels a run that hasn't ended; null where it has. */
  cancelRun(id: string): RunRecord | null {
    const run = this.getRun(id);
    if (!run || (run.state !== 'queued' && run.state !== 'running')) return null;
    return this.#writeRun({ ...run, state: 'cancelled', ended: Date.now() });
  }

  /** Fails an attempt that hasn't ended; null where it has, or another has begun. */
  failRun(id: string, attempt: number, error: ErrorRecord): RunRecord | null {
    const run = this.getRun(id);
    if (run?.attempt !== attempt || (run.state !== 'queued' && run.state !== 'running')) return null;
    return this.#writeRun({ ...run, state: 'failed', ended: Date.now(), error });
  }

  /** Runs that haven't ended, oldest first. */
  unfinishedRuns(): RunRecord[] {
    return this.#rows("SELECT record FROM runs WHERE state IN ('queued', 'running') ORDER BY seq").map(
      (row) => JSON.parse(row.record as string) as RunRecord,
    );
  }

  setPassed(pipeline: string, passed: PassedRun): void {
    this.#run(
      'INSERT OR REPLACE INTO passed (pipeline, run, plan) VALUES (?, ?, ?)',
      pipeline,
      passed.run,
      passed.plan,
    );
  }

  getPassed(pipeline: string): PassedRun | null {
    const [row] = this.#rows('SELECT run, plan FROM passed WHERE pipeline = ?', pipeline);
    return row ? { run: row.run as string, plan: row.plan as string } : null;
  }

  // tokens, by the SHA-256 of their secret, and the sessions of browsers that signed in with one

  addToken(hash: string, token: { id: string; name: string; scope: Scope }): TokenRecord {
    const created = Date.now();
    this.#run(
      'INSERT INTO tokens (id, hash, name, scope, created, used) VALUES (?, ?, ?, ?, ?, NULL)',
      token.id,
      hash,
      token.name,
      token.scope,
      created,
    );
    return { ...token, created, used: null };
  }

  listTokens(): TokenRecord[] {
    return this.#rows('SELECT id, name, scope, created, used FROM tokens ORDER BY created').map(tokenOf);
  }

  /** Ends a token and its sessions; false where there is none. */
  revokeToken(id: string): boolean {
    this.#run('DELETE FROM sessions WHERE token = ?', id);
    return this.ctx.storage.sql.exec('DELETE FROM tokens WHERE id = ?', id).rowsWritten > 0;
  }

  /** The token with this hash, if there is one. */
  findToken(hash: string): TokenRecord | null {
    const [row] = this.#rows('SELECT id, name, scope, created, used FROM tokens WHERE hash = ?', hash);
    return row ? this.#used(tokenOf(row)) : null;
  }

  addSession(hash: string, token: string): void {
    const now = Date.now();
    this.#run('DELETE FROM sessions WHERE expires < ?', now);
    this.#run('INSERT INTO sessions (hash, token, expires) VALUES (?, ?, ?)', hash, token, now + SESSION_MS);
  }

  endSession(hash: string): void {
    this.#run('DELETE FROM sessions WHERE hash = ?', hash);
  }

  /** What a session was signed in with: the id it was begun with, and the token of that id, where there is one. */
  findSession(hash: string): { signedIn: string; token: TokenRecord | null } | null {
    const [row] = this.#rows(
      `SELECT sessions.token AS signed_in, tokens.id, name, scope, created, used
        FROM sessions LEFT JOIN tokens ON tokens.id = sessions.token WHERE sessions.hash = ? AND expires > ?`,
      hash,
      Date.now(),
    );
    return row ? { signedIn: row.signed_in as string, token: row.id === null ? null : this.#used(tokenOf(row)) } : null;
  }

  // uploads in parts

  /** The multipart upload under way for a content, begun with `upload` where there is none. */
  beginUpload(sha256: string, bytes: number, upload: string): { bytes: number; upload: string; parts: StoredPart[] } {
    this.#run('INSERT OR IGNORE INTO uploads (sha256, bytes, upload) VALUES (?, ?, ?)', sha256, bytes, upload);
    return this.uploadOf(sha256)!;
  }

  uploadOf(sha256: string): { bytes: number; upload: string; parts: StoredPart[] } | null {
    const [row] = this.#rows('SELECT bytes, upload FROM uploads WHERE sha256 = ?', sha256);
    if (!row) return null;
    const parts = this.#rows('SELECT part, etag FROM parts WHERE sha256 = ? ORDER BY part', sha256).map(
      ({ part, etag }) => ({ part: part as number, etag: etag as string }),
    );
    return { bytes: row.bytes as number, upload: row.upload as string, parts };
  }

  addPart(sha256: string, { part, etag }: StoredPart): void {
    this.#run('INSERT OR REPLACE INTO parts (sha256, part, etag) VALUES (?, ?, ?)', sha256, part, etag);
  }

  endUpload(sha256: string): void {
    this.#run('DELETE FROM parts WHERE sha256 = ?', sha256);
    this.#run('DELETE FROM uploads WHERE sha256 = ?', sha256);
  }

  /** When `name` ticked last; null: never. */
  lastTick(name: string): number | null {
    const [row] = this.#rows('SELECT time FROM ticks WHERE name = ?', name);
    return row ? (row.time as number) : null;
  }

  /** `name` has ticked. Forgets old keys on the way. */
  tick(name: string, time: number): void {
    this.#run('INSERT OR REPLACE INTO ticks (name, time) VALUES (?, ?)', name, time);
    this.#run('DELETE FROM keys WHERE time < ?', time - REMEMBERED_MS);
  }

  // written once an hour at most: whoever reads a list of tokens needs no more
  #used(token: TokenRecord): TokenRecord {
    const now = Date.now();
    if (token.used === null || now - token.used > HOUR_MS)
      this.#run('UPDATE tokens SET used = ? WHERE id = ?', now, token.id);
    return token;
  }

  #writeRun(run: RunRecord): RunRecord {
    this.#run(
      'UPDATE runs SET state = ?, attempt = ?, record = ? WHERE id = ?',
      run.state,
      run.attempt,
      JSON.stringify(run),
      run.id,
    );
    return run;
  }

  #rows(statement: string, ...values: SqlStorageValue[]): Row[] {
    return this.ctx.storage.sql.exec(statement, ...values).toArray();
  }

  #run(statement: string, ...values: SqlStorageValue[]): void {
    this.ctx.storage.sql.exec(statement, ...values);
  }
}

/** One part of an upload that the bucket has. */
export interface StoredPart {
  part: number;
  etag: string;
}

function tokenOf(row: Row): TokenRecord {
  const { id, name, scope, created, used } = row;
  return {
    id: id as string,
    name: name as string,
    scope: scope as Scope,
    created: created as number,
    used: used as number | null,
  };
}

/** The one registry. */
export function registryOf(env: Env): DurableObjectStub<Registry> {
  return env.REGISTRY.get(env.REGISTRY.idFromName('registry'));
}
