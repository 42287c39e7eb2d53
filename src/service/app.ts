/** The service's HTTP side: wiring only. */
import { Hono } from 'hono';
import { CODES, fromUnknown } from '../errors.ts';
import type { Env } from '../runtime/env.ts';
import { engine } from './engine.ts';
import { hooks } from './hooks.ts';

export const app = new Hono<{ Bindings: Env }>();

app.onError((thrown, c) => {
  const error = fromUnknown(thrown);
  return c.json(error.toJSON(), CODES[error.code].http);
});
app.route('/engine', engine);
app.route('/', hooks);
