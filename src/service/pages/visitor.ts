/** Who looks at a page, and what they may see and do there. */
import type { Context } from 'hono';
import { PipelineError } from '../../errors.ts';
import type { Env } from '../../runtime/env.ts';
import { registryOf } from '../../runtime/registry.ts';
import { callerOf } from '../access.ts';
import { SCOPES } from '../documents.ts';
import type { Scope } from '../documents.ts';

export interface Visitor {
  name: string;
  scope: Scope;
}
export interface PageEnv {
  Bindings: Env;
  Variables: { visitor: Visitor | null };
}

/** Who is signed in, asked for once a request; null: nobody. */
export async function visitorOf(c: Context<PageEnv>): Promise<Visitor | null> {
  const known = c.get('visitor') as Visitor | null | undefined;
  if (known !== undefined) return known;
  const visitor = await callerOf(c);
  c.set('visitor', visitor);
  return visitor;
}

/** Whether a visitor's scope includes `scope`. */
export function may(visitor: Visitor | null, scope: Scope): boolean {
  return visitor !== null && SCOPES.indexOf(visitor.scope) >= SCOPES.indexOf(scope);
}

/** Null where this visitor may read a pipeline, or everything (`null`); else the way to the sign-in page. */
export async function signInFirst(c: Context<PageEnv>, pipeline: string | null): Promise<Response | null> {
  if (await visitorOf(c)) return null;
  if (pipeline !== null && (await registryOf(c.env).getPipeline(pipeline))?.public) return null;
  const { pathname, search } = new URL(c.req.url);
  return c.redirect(`/sign-in?next=${encodeURIComponent(pathname + search)}`, 303);
}

/**
 * The visitor of a form.
 * @throws PipelineError `unauthorized` without one, `forbidden` where the scope does not include `scope`
 */
export async function requireScope(c: Context<PageEnv>, scope: Scope): Promise<Visitor> {
  const visitor = await visitorOf(c);
  if (!visitor) throw new PipelineError('unauthorized', 'expected somebody signed in; found nobody');
  if (may(visitor, scope)) return visitor;
  throw new PipelineError('forbidden', `expected a token of scope ${scope}; found scope ${visitor.scope}`, {
    hint: `sign in with a token of scope ${scope}`,
  });
}
