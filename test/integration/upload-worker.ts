/** The real Worker, with its bucket and its consumer of uploads within a test's reach: nothing else sends it messages locally. */
import type { Env } from '../../src/runtime/env.ts';
import { UPLOAD_QUEUE } from '../../src/runtime/names.ts';
import worker from '../../src/worker.ts';

export * from '../../src/worker.ts';

// delivers bodies as one batch of the queue; tells which were taken
async function notify(bodies: unknown[], env: Env): Promise<Response> {
  const told = bodies.map(() => 'neither');
  const messages = bodies.map((body, index) => ({
    id: String(index),
    timestamp: new Date(),
    attempts: 1,
    body,
    ack: () => void (told[index] = 'ack'),
    retry: () => void (told[index] = 'retry'),
  }));
  await worker.queue({ queue: UPLOAD_QUEUE, messages } as unknown as MessageBatch, env);
  return Response.json(told);
}

export default {
  ...worker,
  fetch: async (request, env, context) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/test/notify') return notify(await request.json(), env);
    if (pathname === '/test/object') {
      const { size, etag } = (await env.BUCKET.put(searchParams.get('key')!, await request.arrayBuffer()))!;
      return Response.json({ size, etag });
    }
    if (pathname === '/test/keys') return Response.json((await env.BUCKET.list()).objects.map(({ key }) => key));
    return worker.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
