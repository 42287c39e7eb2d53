/** The real Worker, and two plain addresses that sign a browser in and out as its pages do. */
import worker from '../../src/worker.ts';
import { callerOf, requireSameOrigin, signIn, signOut } from '../../src/service/access.ts';
import { app } from '../../src/service/app.ts';

export { ComparisonRun, Registry, RunProgress } from '../../src/worker.ts';

app.post('/test/sign-in', async (c) => {
  requireSameOrigin(c);
  return c.json(await signIn(c, await c.req.text()));
});
app.post('/test/sign-out', async (c) => {
  requireSameOrigin(c);
  await signOut(c);
  return c.body(null, 204);
});
app.get('/test/caller', async (c) => c.json(await callerOf(c)));

export default worker;
