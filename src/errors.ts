/**
 * The one error class of the project and the one table of its codes.
 * Everything a person can be told about starts here; imports nothing of ours.
 */

/**
 * What each code means for the caller: `exit` is the command line's exit code (2: the user's
 * input is wrong, 1: the work failed, 3: a gate failed), `http` the status a service answers with, and `retryable`
 * whether running the same task again can help. `retryable` alone decides between retry and stop.
 */
export const CODES = {
  usage: { exit: 2, http: 400, retryable: false },
  'definition-invalid': { exit: 2, http: 422, retryable: false },
  'file-missing': { exit: 2, http: 422, retryable: false },
  'model-invalid': { exit: 2, http: 422, retryable: false },
  'model-unsupported': { exit: 2, http: 422, retryable: false },
  'tap-unknown': { exit: 2, http: 422, retryable: false },
  'tap-unsupported': { exit: 2, http: 422, retryable: false },
  'positions-differ': { exit: 2, http: 422, retryable: false },
  'data-invalid': { exit: 2, http: 422, retryable: false },
  'data-mismatch': { exit: 2, http: 422, retryable: false },
  'not-finite': { exit: 2, http: 422, retryable: false },
  'plan-too-large': { exit: 2, http: 422, retryable: false },
  'out-refused': { exit: 2, http: 409, retryable: false },
  'state-busy': { exit: 2, http: 409, retryable: false },
  'object-missing': { exit: 1, http: 503, retryable: true },
  'object-damaged': { exit: 1, http: 503, retryable: true },
  'means-differ': { exit: 1, http: 500, retryable: false },
  'input-damaged': { exit: 1, http: 503, retryable: false },
  'task-failed': { exit: 1, http: 500, retryable: true },
  'address-refused': { exit: 2, http: 422, retryable: false },
  'download-failed': { exit: 1, http: 502, retryable: true },
  unreachable: { exit: 1, http: 502, retryable: true },
  'secret-missing': { exit: 2, http: 422, retryable: false },
  'payload-invalid': { exit: 2, http: 422, retryable: false },
  'signature-invalid': { exit: 2, http: 401, retryable: false },
  unauthorized: { exit: 2, http: 401, retryable: false },
  forbidden: { exit: 2, http: 403, retryable: false },
  'not-found': { exit: 2, http: 404, retryable: false },
  conflict: { exit: 2, http: 409, retryable: false },
  'too-large': { exit: 2, http: 413, retryable: false },
  'rate-limited': { exit: 1, http: 429, retryable: true },
  'gate-failed': { exit: 3, http: 200, retryable: false },
  cancelled: { exit: 1, http: 409, retryable: false },
  internal: { exit: 1, http: 500, retryable: false },
} as const;

export type ErrorCode = keyof typeof CODES;

/** Where in a file a fault stands: 1-based line and column, and the key path as people write it (`layers.conv1`). */
export interface Place {
  file?: string | undefined;
  line?: number | undefined;
  column?: number | undefined;
  key?: string | undefined;
}

/** What an error says beyond its message. */
export interface ErrorDetail {
  place?: Place | undefined;
  /** What to do about it, one sentence. */
  hint?: string | undefined;
  cause?: unknown;
}

/**
 * A fault with a code. The message names expected and found; `place` says where and `hint` what to do.
 * The code stands in `message` too, as `(code) …`, because the class is lost across RPC:
 * {@link fromUnknown} reads it back.
 */
export class PipelineError extends Error {
  readonly code: ErrorCode;
  readonly place: Place | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(`(${code}) ${message}`, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'PipelineError';
    this.code = code;
    this.place = detail.place;
    this.hint = detail.hint;
  }

  get retryable(): boolean {
    return CODES[this.code].retryable;
  }
  get exitCode(): number {
    return CODES[this.code].exit;
  }
  /** The message without its `(code)` prefix. */
  get plainMessage(): string {
    return this.message.slice(this.code.length + 3);
  }
  /** Plain data, for JSON output and for hand-over between processes. */
  toJSON(): ErrorRecord {
    return {
      code: this.code,
      message: this.plainMessage,
      ...(this.place ? { place: this.place } : {}),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }
}

/** A PipelineError as plain data. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  place?: Place;
  hint?: string;
}

/** The error a record was made from. */
export function fromRecord(record: ErrorRecord): PipelineError {
  return new PipelineError(record.code, record.message, { place: record.place, hint: record.hint });
}

/**
 * Any thrown value as a PipelineError: itself, or the code read from a `(code) …` message that came
 * across RPC, or `fallback` with the value's text.
 */
export function fromUnknown(thrown: unknown, fallback: ErrorCode = 'internal'): PipelineError {
  if (thrown instanceof PipelineError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const match = /\(([a-z-]+)\) ([\s\S]*)/.exec(text);
  if (match && match[1] !== undefined && Object.hasOwn(CODES, match[1])) {
    return new PipelineError(match[1] as ErrorCode, match[2] ?? '', { cause: thrown });
  }
  return new PipelineError(fallback, text, { cause: thrown });
}

/** `name (did you mean …?)` material: the candidates nearest to `name` by edit distance, nearest first. */
export function nearest(name: string, candidates: readonly string[], most = 3): string[] {
  const wanted = name.toLowerCase();
  return candidates
    .map((candidate) => {
      const lower = candidate.toLowerCase();
      const contained = lower.includes(wanted) || wanted.includes(lower);
      return { candidate, distance: contained ? 0.5 : editDistance(wanted, lower) };
    })
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map((entry) => entry.candidate);
}

// Levenshtein distance by rows
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
