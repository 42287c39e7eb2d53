/** Who may do what: tokens by hash, sessions of browsers by cookie. */
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { sha256Hex } from '../numeric/hash.ts';
import type { Env } from '../runtime/env.ts';
import { registryOf, SESSION_MS } from '../runtime/registry.ts';
import type { Scope, TokenRecord } from './documents.ts';

const COOKIE = 'session';

/** Starts a session for whoever knows the secret of a token; null where no token has it. */
export async function signIn<E extends { Bindings: Env }>(c: Context<E>, secret: string): Promise<TokenRecord | null> {
  const registry = registryOf(c.env);
  const token = await registry.findToken(await sha256Hex(secret));
  if (!token) return null;
  const session = [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  await registry.addSession(await sha256Hex(session), token.id);
  setCookie(c, COOKIE, session, {
    path: '/',
    httpOnly: true,
    sameSite: 'Lax',
    secure: new URL(c.req.url).protocol === 'https:',
    maxAge: SESSION_MS / 1000,
  });
  return token;
}

/** Ends the session of this browser. */
export async function signOut<E extends { Bindings: Env }>(c: Context<E>): Promise<void> {
  const session = getCookie(c, COOKIE);
  if (session !== undefined) await registryOf(c.env).endSession(await sha256Hex(session));
  deleteCookie(c, COOKIE, { path: '/' });
}

/** Who asks, by the session's cookie; null: nobody known. */
export async function callerOf<E extends { Bindings: Env }>(
  c: Context<E>,
): Promise<{ name: string; scope: Scope } | null> {
  const session = getCookie(c, COOKIE);
  return session === undefined ? null : registryOf(c.env).findSession(await sha256Hex(session));
}

/** Whether an Authorization header carries `token`; in constant time, as digests of both are compared. */
export async function bearerIs(header: string | undefined, token: string): Promise<boolean> {
  const given = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined) return false;
  const [a, b] = [await sha256Hex(given), await sha256Hex(token)];
  let different = 0;
  for (let at = 0; at < a.length; at++) different |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return different === 0;
}
