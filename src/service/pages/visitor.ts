/** Who looks at a page, and what they may see and do there. */
import type { Context } from 'hono';
import { PipelineError } from '../../errors.ts';
import { registryOf } from '../../runtime/registry.ts';
import { callerOf } from '../access.ts';
import type { Caller, ServiceEnv } from '../access.ts';
import { SCOPES } from '../documents.ts';
import type { Scope } from '../documents.ts';

export type Visitor = Caller;
export type PageEnv = ServiceEnv;

/** Who is signed in, asked for once a request; null: nobody. */
export const visitorOf: (c: Context<PageEnv>) => Promise<Visitor | null> = callerOf;

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
