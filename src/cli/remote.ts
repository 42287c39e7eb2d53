/**
 * The service as the commands ask it: over HTTP, patient with a network that fails for a while, or in a local engine.
 * Answers that are problem documents (RFC 9457) become the errors they were.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CODES, PipelineError } from '../errors.ts';
import type { ErrorCode, Place } from '../errors.ts';
import type { Engine } from './engine.ts';

export interface ServiceRequest {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  headers?: Record<string, string>;
  /** Makes the body of one try. */
  body?: () => Uint8Array | ReadableStream | string;
  /** Whether the same request twice does no harm; default: all but POST. */
  repeatable?: boolean;
  signal?: AbortSignal;
}

/** A service that was found. */
export interface Service {
  /** For people, and for the commands that they are told: ` --remote <url>`, or nothing where it is local. */
  option: string;
  /** Sends a request and reads the answer, again where either fails for a reason that passes. @throws PipelineError */
  ask<T>(path: string, request: ServiceRequest, read: (response: Response) => Promise<T>): Promise<T>;
  json<T>(path: string, request?: ServiceRequest): Promise<T>;
}

/** How patient a command is. */
export interface Patience {
  /** Further tries of a request, at growing intervals. */
  retries: number;
  /** Hears why a request is tried again. */
  say: (text: string) => void;
}

/** For a person who waits for an answer. */
const ONE_MORE_TRY: Patience = { retries: 1, say: () => undefined };
/** Between tries: doubled from the first to the longest. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Enough for a service that is started anew. */
export const RETRIES_OF_TRANSFERS = 8;

/** A service at an address. @throws PipelineError `usage` where it is none */
export function serviceAt(url: string, token: string | undefined, patience: Patience = ONE_MORE_TRY): Service {
  const address = serviceAddress(url);
  const send = (path: string, init: RequestInit): Promise<Response> => fetch(address + path, init);
  return makeService(` --remote ${address}`, address, send, token, patience);
}

/** The service inside a local engine. */
export function serviceIn(engine: Engine): Service {
  const send = (path: string, init: RequestInit): Promise<Response> =>
    engine.service(path, init as Parameters<Engine['service']>[1]);
  return makeService('', 'the local engine', send, engine.token, ONE_MORE_TRY);
}

/** An http(s) address without a slash at its end. @throws PipelineError `usage` */
export function serviceAddress(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.search === '')
    return parsed.href.replace(/\/+$/, '');
  throw new PipelineError('usage', `expected the address of a service, such as https://host; found ${url}`);
}

function makeService(
  option: string,
  name: string,
  send: (path: string, init: RequestInit) => Promise<Response>,
  token: string | undefined,
  { retries, say }: Patience,
): Service {
  const tryOnce = async <T>(
    path: string,
    { method = 'GET', headers, body, signal }: ServiceRequest,
    read: (response: Response) => Promise<T>,
  ): Promise<T> => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    let response: Response;
    try {
      response = await send(path, {
        method,
        headers: { accept: 'application/json', ...authorization, ...headers },
        // a service never sends elsewhere, and a token must not go there
        redirect: 'manual',
        ...(body && { body: body() as BodyInit, duplex: 'half' }),
        ...(signal && { signal }),
      } as RequestInit);
      if (response.ok) return await read(response);
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof PipelineError ? error : unreachable(name, error);
    }
    throw await problemOf(response, name, token !== undefined);
  };
  const ask: Service['ask'] = async (path, request, read) => {
    const repeatable = request.repeatable ?? request.method !== 'POST';
    for (let tries = 0; ; tries++) {
      try {
        return await tryOnce(path, request, read);
      } catch (error) {
        if (!(error instanceof Distress) || !repeatable || tries >= retries) throw error;
        const waitMs = error.waitMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries);
        // once is no news: a connection that was kept open may have been closed on the other side
        if (tries > 0) say(`${error.plainMessage}; trying again in ${Math.ceil(waitMs / 1000)} s`);
        await sleep(waitMs, undefined, request.signal && { signal: request.signal });
      }
    }
  };
  return {
    option,
    ask,
    json: <T>(path: string, request: ServiceRequest = {}) =>
      ask(path, request, async (response) => (await response.json()) as T),
  };
}

/** An answer that something in front of the service gave, or the service in distress. */
class Distress extends PipelineError {
  /** What it asked for, milliseconds. */
  readonly waitMs: number | undefined;
  constructor(code: ErrorCode, message: string, waitMs?: number) {
    super(code, message);
    this.waitMs = waitMs;
  }
}

function unreachable(name: string, error: unknown): PipelineError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : undefined;
  const text = code ?? (cause instanceof Error ? cause.message : String(cause));
  return new Distress('unreachable', `expected an answer from ${name}; found a connection that failed (${text})`);
}

interface Problem {
  code?: string;
  detail?: string;
  place?: Place;
  hint?: string;
}

async function problemOf(response: Response, name: string, hasToken: boolean): Promise<PipelineError> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  let problem: Problem | null;
  try {
    problem = JSON.parse(text) as Problem | null;
  } catch {
    problem = null;
  }
  const code = Object.hasOwn(CODES, problem?.code ?? '') ? (problem!.code as ErrorCode) : null;
  if (status === 429 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const waitMs = Number.isFinite(seconds) ? Math.min(60_000, Math.max(0, seconds * 1000)) : undefined;
    const told = problem?.detail ?? `expected an answer from ${name}; found status ${status}`;
    return new Distress(code ?? 'unreachable', told, waitMs);
  }
  if (problem === null || code === null) {
    return new PipelineError('unreachable', `expected a service of Convergent at ${name}; found status ${status}`, {
      hint: 'check the address',
    });
  }
  const hint = code === 'unauthorized' ? tokenHint(hasToken) : problem.hint;
  return new PipelineError(code, problem.detail ?? code, { place: problem.place, hint });
}

function tokenHint(hasToken: boolean): string {
  return hasToken
    ? 'the token is wrong or revoked: whoever runs the service makes another with convergent token create'
    : 'pass a token with --token or CONVERGENT_TOKEN; whoever runs the service makes one with convergent token create';
}
