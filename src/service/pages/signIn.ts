/** Signing in with a token, and out. */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { html } from 'hono/html';
import { SESSION_MS } from '../../runtime/registry.ts';
import { signIn as startSession, signOut as endSession } from '../access.ts';
import { ownForm } from './forms.ts';
import { page } from './layout.ts';
import { localPath } from './localPath.ts';

import type { PageEnv } from './visitor.ts';

export const signIn = new Hono<PageEnv>();

signIn.get('/sign-in', (c) => form(c, localPath(c.req.query('next')), false));

signIn.post('/sign-in', ownForm(), async (c) => {
  const { token, next } = await c.req.parseBody();
  const path = localPath(typeof next === 'string' ? next : undefined);
  const found = typeof token === 'string' ? await startSession(c, token.trim()) : null;
  return found ? c.redirect(path, 303) : form(c, path, true);
});

signIn.post('/sign-out', ownForm(), async (c) => {
  await endSession(c);
  return c.redirect('/sign-in', 303);
});

function form(c: Context<PageEnv>, next: string, refused: boolean): Promise<Response> {
  const fault = refused ? html`aria-invalid="true" aria-describedby="refused"` : '';
  return page(
    c,
    { title: 'Sign in', status: refused ? 401 : 200 },
    html`<div class="sign-in">
      <h1>Sign in</h1>
      <p>With a token: <code>convergent token</code> makes one, and says it once.</p>
      <form method="post" action="/sign-in">
        <input type="hidden" name="next" value="${next}" />
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          maxlength="200"
          autofocus
          ${fault}
        />
        ${refused ? html`<p id="refused" class="note bad" role="alert">No token reads like this. Was it copied whole, or revoked?</p>` : ''}
        <button class="main">Sign in</button>
      </form>
      <p class="soft">
        The token goes into a session of this browser, which ends after ${SESSION_MS / 3_600_000} hours. No script can
        read it.
      </p>
    </div>`,
  );
}
