/**
 * Who asks, and what they may do: a bearer token, or the session of a browser that signed in with one. Secrets and
 * session ids are looked up by their SHA-256; neither is kept.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import type { Env } from '../runtime/env.ts';
import { registryOf } from '../runtime/registry.ts';
import { SCOPES } from './documents.ts';
import type { Scope, TokenRecord } from './documents.ts';

/** What the routes know of a request. */
export interface ServiceEnv {
  Bindings: Env;
  Variables: { caller?: Caller | null };
}

/** Who asks, by the id, name and scope of their token. */
export interface Caller extends Pick<TokenRecord, 'id' | 'name' | 'scope'> {
  by: 'token' | 'session';
}

const COOKIE = 'convergent_session';
const SESSION_SECONDS = 12 * 3600;
const TOKEN_PATTERN = /^cvg_[A-Za-z0-9_-]{43}$/;
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** A new token's secret, `cvg_` and 32 random bytes. */
export const newSecret = (): string => `cvg_${randomText()}`;

/** Whether an Authorization header carries `token`; in constant time, as digests of both are compared. */
export async function bearerIs(header: string | undefined, token: string): Promise<boolean> {
  const given = bearerOf(header);
  return given !== undefined && (await isSecret(given, token));
}

/**
 * Who sent the request; null: nobody who says so. A page that has been signed out is nobody; a token must be right.
 * @throws PipelineError `unauthorized` for a wrong token, `rate-limited` for many; `forbidden` where a cookie comes
 *   with a request that another site made
 */
export async function callerOf(c: Context<ServiceEnv>): Promise<Caller | null> {
  const known = c.get('caller');
  if (known !== undefined) return known;
  const caller = await lookUp(c);
  c.set('caller', caller);
  return caller;
}

/** Lets through who has at least `scope`. */
export function requires(scope: Scope): MiddlewareHandler<ServiceEnv> {
  return async (c, next) => {
    const caller = await callerOf(c);
    if (!caller) throw nobody();
    if (SCOPES.indexOf(caller.scope) < SCOPES.indexOf(scope)) {
      throw new PipelineError('forbidden', `expected a token of scope ${scope}; found ${caller.scope}`);
    }
    await next();
  };
}

/** The caller that {@link requires} let through. */
export function callerHere(c: Context<ServiceEnv>): Caller {
  const caller = c.get('caller');
  if (!caller) throw nobody();
  return caller;
}

/**
 * Lets anybody read what belongs to a public pipeline, and nobody else without a token: to them, what they may not
 * read and what isn't there are the same.
 */
export async function requireReader(c: Context<ServiceEnv>, pipeline: string | undefined): Promise<void> {
  if (await callerOf(c)) return;
  const record = pipeline === undefined ? null : await registryOf(c.env).getPipeline(pipeline);
  if (!record?.public) throw nobody();
}

/**
 * Signs a browser in with a token; null where it is none.
 * @throws PipelineError `rate-limited` after many wrong ones
 */
export async function signIn(
  c: Context<ServiceEnv>,
  secret: string,
): Promise<Pick<TokenRecord, 'id' | 'name' | 'scope'> | null> {
  const token = await tokenOf(c.env, secret);
  if (!token) {
    await boundFailures(c);
    return null;
  }
  const session = randomText();
  await registryOf(c.env).addSession(await sha256Hex(session), await sessionId(c.env, token.id));
  const secure = reachedByHttps(c);
  setCookie(c, COOKIE, session, { httpOnly: true, sameSite: 'Lax', path: '/', secure, maxAge: SESSION_SECONDS });
  return token;
}

/** Ends the session of a browser. */
export async function signOut(c: Context<ServiceEnv>): Promise<void> {
  const session = getCookie(c, COOKIE);
  if (session !== undefined) await registryOf(c.env).endSession(await sha256Hex(session));
  deleteCookie(c, COOKIE, { path: '/', secure: reachedByHttps(c) });
}

/** Refuses what another site's page made a browser send. @throws PipelineError `forbidden` */
export function requireSameOrigin(c: Context<ServiceEnv>): void {
  if (SAFE_METHODS.includes(c.req.method)) return;
  // browsers say it on https and on localhost; elsewhere they name the origin
  const site = c.req.header('sec-fetch-site');
  const same = site === undefined ? c.req.header('origin') === new URL(c.req.url).origin : site === 'same-origin';
  if (same) return;
  throw new PipelineError('forbidden', 'expected a request of this service’s own pages; found another origin, or none');
}

/** Counts a failure of whoever asks. @throws PipelineError `rate-limited` where there were too many */
export async function boundFailures(c: Context<ServiceEnv>): Promise<void> {
  await bound(c.env.LIMIT_FAILURES, c.req.header('cf-connecting-ip') ?? 'here', 'failed attempts');
}

/** Counts a start of a run by `key`, a token or a pipeline. @throws PipelineError `rate-limited` where there were too many */
export async function boundStarts(c: Context<ServiceEnv>, key: string): Promise<void> {
  await bound(c.env.LIMIT_STARTS, key, 'starts of runs');
}

async function bound(limiter: RateLimit, key: string, what: string): Promise<void> {
  const { success } = await limiter.limit({ key });
  if (!success) throw new PipelineError('rate-limited', `expected fewer ${what} within a minute`);
}

// also where a proxy has the certificate, and the request itself comes over http; whoever sends the header themselves
// get a cookie that their own browser keeps to https, and nothing else follows from it
function reachedByHttps(c: Context<ServiceEnv>): boolean {
  const forwarded = c.req.header('x-forwarded-proto')?.split(',')[0]?.trim().toLowerCase();
  return (
    forwarded === 'https' || [c.req.url, c.env.PUBLIC_URL].some((url) => url !== undefined && /^https:/i.test(url))
  );
}

async function lookUp(c: Context<ServiceEnv>): Promise<Caller | null> {
  const header = c.req.header('authorization');
  if (header !== undefined) {
    const secret = bearerOf(header);
    const token = secret === undefined ? null : await tokenOf(c.env, secret);
    if (token) return { ...token, by: 'token' };
    await boundFailures(c);
    throw new PipelineError('unauthorized', 'expected a token of this service; found one that is wrong or revoked');
  }
  const session = getCookie(c, COOKIE);
  if (session === undefined) return null;
  const found = await registryOf(c.env).findSession(await sha256Hex(session));
  const token = found && (found.token ?? (await builtInOf(c.env, found.signedIn)));
  if (!token) return null;
  requireSameOrigin(c);
  return { id: token.id, name: token.name, scope: token.scope, by: 'session' };
}

function nobody(): PipelineError {
  return new PipelineError('unauthorized', 'expected a token', {
    hint: 'send it as Authorization: Bearer <token>, or sign in',
  });
}

type Token = Pick<TokenRecord, 'id' | 'name' | 'scope'>;

const BUILT_IN = [
  { id: 'engine', name: 'this machine', variable: 'ENGINE_TOKEN' },
  { id: 'admin', name: 'admin token', variable: 'CONVERGENT_ADMIN_TOKEN' },
] as const;

async function tokenOf(env: Env, secret: string): Promise<Token | null> {
  for (const { id, name, variable } of BUILT_IN) {
    const value = env[variable];
    if (value && (await isSecret(secret, value))) return { id, name, scope: 'admin' };
  }
  if (!TOKEN_PATTERN.test(secret)) return null;
  const token = await registryOf(env).findToken(await sha256Hex(secret));
  return token && { id: token.id, name: token.name, scope: token.scope };
}

// sessions of the two tokens that the registry doesn't know end with the token's value
async function sessionId(env: Env, id: string): Promise<string> {
  const builtIn = BUILT_IN.find((entry) => entry.id === id);
  return builtIn ? `${id} ${await sha256Hex(env[builtIn.variable]!)}` : id;
}

async function builtInOf(env: Env, signedIn: string): Promise<Token | null> {
  for (const { id, name, variable } of BUILT_IN) {
    if (env[variable] && signedIn === (await sessionId(env, id))) return { id, name, scope: 'admin' };
  }
  return null;
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
}

async function isSecret(given: string, secret: string): Promise<boolean> {
  const [a, b] = [await sha256Hex(given), await sha256Hex(secret)];
  let different = 0;
  for (let at = 0; at < a.length; at++) different |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return different === 0;
}

// 32 random bytes, base64url
function randomText(): string {
  const text = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
