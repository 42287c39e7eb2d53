/** A real HTTP server that stands for every https host: answers, redirects and broken connections are real ones. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Upstream {
  /** The platform's fetch, with every https address led to the server. */
  fetch: typeof globalThis.fetch;
  seen: Seen[];
  /** Where it listens, for a workerd whose every fetch goes there. */
  address: string;
  close(): Promise<void>;
}

/** Serves `routes`, by https address without its query; anything else is 404. */
export async function startUpstream(
  routes: Record<string, (response: ServerResponse, seen: Seen) => void>,
): Promise<Upstream> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const host = request.headers['x-upstream-host'] ?? request.headers.host;
      const url = `https://${String(host)}${request.url!}`;
      const one = { method: request.method!, url, headers: request.headers, body: Buffer.concat(chunks).toString() };
      seen.push(one);
      const route = routes[url.split('?')[0]!];
      if (route) route(response, one);
      else response.writeHead(404).end('nothing here');
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    address: `127.0.0.1:${port}`,
    fetch: (input, init) => {
      const url = new URL(input as string);
      const headers = new Headers(init?.headers);
      headers.set('x-upstream-host', url.host);
      return globalThis.fetch(`http://127.0.0.1:${port}${url.pathname}${url.search}`, { ...init, headers });
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const redirectTo =
  (location: string, status = 302) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { location }).end('see there');
  };

export const answer =
  (body: string | Uint8Array, headers: Record<string, string> = {}, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-length': String(body.length), ...headers }).end(body);
  };
