import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { serviceAddress, serviceAt } from '../../../src/cli/remote.ts';
import type { Service } from '../../../src/cli/remote.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let close: (() => void) | undefined;
afterEach(() => close?.());

/** A server that gives these answers in turn, the last for ever; counts the requests. */
async function serving(
  ...answers: Answer[]
): Promise<{ service: Service; requests: IncomingMessage[]; said: string[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume().on('end', () => answers[Math.min(requests.length, answers.length) - 1]!(request, response));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  const said: string[] = [];
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { service: serviceAt(address, 'cvg_x', { retries: 2, say: (text) => said.push(text) }), requests, said };
}

const ok: Answer = (_, response) => response.end('{"fine":true}');
const cut: Answer = (request) => request.socket.destroy();
const status =
  (code: number, body = '', headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end(body);
/** At once, so that no test waits. */
const again = { 'retry-after': '0' };
const problem = (code: number, name: string, detail: string): Answer =>
  status(code, JSON.stringify({ code: name, detail, hint: 'do this' }), again);

describe('a request to a service', () => {
  it('carries the token', async () => {
    const { service, requests } = await serving(ok);
    expect(await service.json('/x')).toEqual({ fine: true });
    expect(requests[0]!.headers.authorization).toBe('Bearer cvg_x');
  });

  it.each([
    ['a connection that breaks off', cut],
    ['status 503', status(503, '', again)],
    ['status 429', problem(429, 'rate-limited', 'too fast')],
  ])('is sent again after %s', async (_, bad) => {
    const { service, requests } = await serving(bad, ok);
    expect(await service.json('/x')).toEqual({ fine: true });
    expect(requests).toHaveLength(2);
  });

  it('is sent again where the answer breaks off', async () => {
    const half: Answer = (request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{');
      setImmediate(() => request.socket.destroy());
    };
    const { service } = await serving(half, ok);
    expect(await service.json('/x')).toEqual({ fine: true });
  });

  it('makes its body anew for each try', async () => {
    const { service } = await serving(status(500, '', again), ok);
    let bodies = 0;
    await service.json('/x', { method: 'PUT', body: () => `body ${++bodies}` });
    expect(bodies).toBe(2);
  });

  it('gives up after its tries, and has said from the second on why it waits', async () => {
    const { service, requests, said } = await serving(status(502, 'not JSON', again));
    await expect(service.json('/x')).rejects.toMatchObject({ code: 'unreachable', exitCode: 1 });
    expect(requests).toHaveLength(3);
    expect(said).toEqual([expect.stringContaining('status 502; trying again')]);
  });

  it('is not sent again where that may do harm, unless the caller knows better', async () => {
    const { service, requests } = await serving(cut);
    await expect(service.json('/x', { method: 'POST' })).rejects.toMatchObject({ code: 'unreachable' });
    expect(requests).toHaveLength(1);
    const other = await serving(cut, ok);
    expect(await other.service.json('/x', { method: 'POST', repeatable: true })).toEqual({ fine: true });
  });

  it('fails at once with the problem it was answered with', async () => {
    const { service, requests } = await serving(problem(404, 'not-found', 'expected a run'));
    const error = { code: 'not-found', plainMessage: 'expected a run', hint: 'do this', exitCode: 2 };
    await expect(service.json('/x')).rejects.toMatchObject(error);
    expect(requests).toHaveLength(1);
  });

  it('says what to do about a token that is refused', async () => {
    const { service } = await serving(problem(401, 'unauthorized', 'expected a token'));
    await expect(service.json('/x')).rejects.toMatchObject({ exitCode: 2, hint: expect.stringContaining('revoked') });
  });

  it('goes nowhere else: the token would go there too', async () => {
    const { service, requests } = await serving(status(302, '', { location: '/y' }), ok);
    await expect(service.json('/x')).rejects.toMatchObject({ code: 'unreachable' });
    expect(requests).toHaveLength(1);
  });
});

describe('serviceAddress', () => {
  it('ends without a slash', () => {
    expect(serviceAddress('https://a.example/')).toBe('https://a.example');
    expect(serviceAddress('http://127.0.0.1:8787')).toBe('http://127.0.0.1:8787');
    expect(serviceAddress('https://a.example/under/')).toBe('https://a.example/under');
  });

  it.each(['a.example', 'ftp://a.example', 'https://user@a.example', 'https://a.example/?x', ''])(
    'refuses %j',
    (text) => {
      expect(() => serviceAddress(text)).toThrow('expected the address of a service');
    },
  );
});
