import { afterEach, describe, expect, it } from 'vitest';
import type { AddressRules } from '../../../src/definition/service.ts';
import { PipelineError } from '../../../src/errors.ts';
import { boundedBody, checkAddress, openAddress } from '../../../src/triggers/address.ts';
import { answer, redirectTo, startUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

const rules = (hosts: string[], maxBytes = 1000): AddressRules => ({ hosts, maxBytes });
const GITHUB = rules(['github']);

describe('checkAddress', () => {
  it('takes https addresses of declared hosts', () => {
    expect(checkAddress('https://models.acme.com/net.onnx?v=1', rules(['models.acme.com'])).href).toBe(
      'https://models.acme.com/net.onnx?v=1',
    );
    expect(checkAddress('https://MODELS.Acme.com:443/x', rules(['Models.acme.com'])).href).toBe(
      'https://models.acme.com/x',
    );
  });

  it.each([
    ['github', 'https://github.com/acme/net/releases/latest/download/net.onnx'],
    ['github', 'https://release-assets.githubusercontent.com/github-production-release-asset/1/2?sp=r&sig=x'],
    ['github', 'https://objects.githubusercontent.com/github-production-release-asset-2e65be/1/2?X-Amz-Algorithm=x'],
    ['github', 'https://raw.githubusercontent.com/acme/net/main/net.onnx'],
    ['github', 'https://media.githubusercontent.com/media/acme/net/main/net.onnx'],
    ['github', 'https://codeload.github.com/acme/net/zip/refs/tags/v1'],
    ['github', 'https://api.github.com/repos/acme/net/releases/assets/1'],
    ['huggingface', 'https://huggingface.co/acme/net/resolve/main/net.onnx'],
    ['huggingface', 'https://us.aws.cdn.hf.co/xet-bridge-us/1/2?X-Amz-Algorithm=x'],
    ['huggingface', 'https://eu.aws.cdn.hf.co/xet-bridge-eu/1/2'],
    ['huggingface', 'https://cas-bridge.xethub.hf.co/xet-bridge-us/1/2'],
    ['huggingface', 'https://cdn-lfs-us-1.hf.co/repos/1/2'],
  ])('knows the hosts behind %s: %s', (preset, url) => {
    expect(checkAddress(url, rules([preset])).href).toBe(url);
    expect(() => checkAddress(url, rules(['acme.com']))).toThrow('(address-refused)');
  });

  it.each([
    'https://evil.com/github.com',
    'https://github.com.evil.com/',
    'https://evilgithub.com/',
    'https://gist.githubusercontent.com/',
    'https://acme.github.io/net.onnx',
    'https://hf.co.evil.com/',
    'https://evilhf.co/',
    'https://acme.hf.space/net.onnx',
    'https://discuss.huggingface.co/',
    'https://g\u0131thub.com/',
  ])('refuses %s with every preset', (url) => {
    expect(() => checkAddress(url, rules(['github', 'huggingface']))).toThrow(
      `(address-refused) expected an address at github, huggingface; found host ${new URL(url).hostname}`,
    );
  });

  it.each([
    'http://github.com/x',
    'ftp://github.com/x',
    'file:///etc/passwd',
    'data:text/plain,x',
    'blob:https://github.com/x',
    'r2://inputs/x',
    '//github.com/x',
    '/x',
    '',
    'https://',
    'https://github.com:8443/x',
    'https://github.com:80/x',
    'https://user@github.com/x',
    'https://user:password@github.com/x',
    'https://:password@github.com/x',
    'https://github.com@evil.com/x',
    'https://github.com./x',
    `https://github.com/${'x'.repeat(5000)}`,
  ])('refuses %j', (url) => {
    expect(() => checkAddress(url, GITHUB)).toThrow('(address-refused)');
  });

  // even where somebody declares them
  it.each([
    ['https://127.0.0.1/', '127.0.0.1'],
    ['https://2130706433/', '127.0.0.1'],
    ['https://0x7f000001/', '127.0.0.1'],
    ['https://0177.0.0.1/', '127.0.0.1'],
    ['https://127.1/', '127.0.0.1'],
    ['https://169.254.169.254/latest/meta-data/', '169.254.169.254'],
    ['https://8.8.8.8/', '8.8.8.8'],
    ['https://①②⑦.0.0.1/', '127.0.0.1'],
    ['https://[::1]/', '[::1]'],
    ['https://[::ffff:127.0.0.1]/', '[::ffff:7f00:1]'],
    ['https://[fd00::1]/', '[fd00::1]'],
    ['https://localhost/', 'localhost'],
    ['https://LOCALHOST/', 'localhost'],
    ['https://app.localhost/', 'app.localhost'],
    ['https://printer.local/', 'printer.local'],
    ['https://metadata.google.internal/', 'metadata.google.internal'],
    ['https://nas.home.arpa/', 'nas.home.arpa'],
    ['https://intranet/', 'intranet'],
    ['https://localhost./', 'localhost.'],
  ])('refuses the private %s although it is declared', (url, host) => {
    expect(() => checkAddress(url, rules([host]))).toThrow('(address-refused)');
  });

  it('repeats neither paths, queries nor passwords', () => {
    for (const url of [
      'https://evil.com/signed?token=hunter2',
      'https://u:hunter2@github.com/',
      'https://github.com:1/?hunter2',
    ]) {
      expect(() => checkAddress(url, GITHUB)).toThrow(/^(?!.*hunter2)/s);
    }
  });
});

describe('openAddress', () => {
  let upstream: Upstream;
  afterEach(() => upstream.close());

  const open = async (url: string, allowed = GITHUB, signal?: AbortSignal): Promise<string> => {
    const response = await openAddress(url, allowed, upstream.fetch, signal);
    return new Response(boundedBody(response, allowed)).text();
  };
  const failure = async (opening: Promise<unknown>): Promise<PipelineError> => {
    const error: unknown = await opening.then(
      () => expect.fail('expected a failure'),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PipelineError);
    return error as PipelineError;
  };

  it('follows the redirects of a release, and sends neither cookies nor credentials', async () => {
    upstream = await startUpstream({
      'https://github.com/acme/net/releases/latest/download/net.onnx': (response) =>
        response
          .writeHead(302, { location: '../../../releases/download/v1/net.onnx', 'set-cookie': 'session=1' })
          .end(),
      'https://github.com/acme/net/releases/download/v1/net.onnx': redirectTo(
        'https://release-assets.githubusercontent.com/asset?sig=hunter2',
        307,
      ),
      'https://release-assets.githubusercontent.com/asset': answer('the model'),
    });
    expect(await open('https://github.com/acme/net/releases/latest/download/net.onnx')).toBe('the model');
    expect(upstream.seen.map(({ url }) => url)).toEqual([
      'https://github.com/acme/net/releases/latest/download/net.onnx',
      'https://github.com/acme/net/releases/download/v1/net.onnx',
      'https://release-assets.githubusercontent.com/asset?sig=hunter2',
    ]);
    for (const { headers } of upstream.seen) {
      expect(headers).not.toHaveProperty('cookie');
      expect(headers).not.toHaveProperty('authorization');
      expect(headers).not.toHaveProperty('referer');
    }
  });

  it.each([
    ['https://evil.com/x?sig=hunter2', 'host evil.com'],
    ['http://github.com/x?sig=hunter2', 'one that begins with http:'],
    ['https://169.254.169.254/?sig=hunter2', 'the IP address 169.254.169.254'],
    ['//localhost/?sig=hunter2', 'host localhost'],
    ['file:///etc/hunter2', 'one that begins with file:'],
    ['https://u:hunter2@github.com/', 'some, for host github.com'],
  ])('opens no redirect to %s', async (location, found) => {
    upstream = await startUpstream({ 'https://github.com/a': redirectTo(location) });
    const error = await failure(open('https://github.com/a'));
    expect(error.code).toBe('address-refused');
    expect(error.plainMessage).toMatch(new RegExp(`found ${found}, where github.com redirected to$`));
    expect(JSON.stringify(error)).not.toContain('hunter2');
    expect(upstream.seen).toHaveLength(1);
  });

  it('follows five redirects and not six', async () => {
    upstream = await startUpstream({
      ...Object.fromEntries(
        [6, 5, 4, 3, 2, 1].map((n) => [`https://github.com/${n}`, redirectTo(`/${n - 1}?sig=hunter2`)]),
      ),
      'https://github.com/0': answer('the model'),
    });
    expect(await open('https://github.com/5')).toBe('the model');
    const error = await failure(open('https://github.com/6'));
    expect(error.message).toBe('(address-refused) expected at most 5 redirects; found more, at host github.com');
  });

  it('refuses a redirect without a place, and statuses that are neither', async () => {
    upstream = await startUpstream({
      'https://github.com/nowhere': answer('', {}, 302),
      'https://github.com/choices': answer('', { location: '/0' }, 300),
    });
    expect((await failure(open('https://github.com/nowhere'))).message).toContain('found one without');
    expect((await failure(open('https://github.com/choices'))).message).toContain('found status 300');
  });

  it.each([
    [400, 'address-refused'],
    [401, 'address-refused'],
    [403, 'address-refused'],
    [404, 'address-refused'],
    [410, 'address-refused'],
    [408, 'download-failed'],
    [429, 'download-failed'],
    [500, 'download-failed'],
    [502, 'download-failed'],
    [503, 'download-failed'],
  ] as const)('answers status %i with %s', async (status, code) => {
    upstream = await startUpstream({ 'https://github.com/a': answer('secret text of the server', {}, status) });
    const error = await failure(open('https://github.com/a?sig=hunter2'));
    expect([error.code, error.retryable]).toEqual([code, code === 'download-failed']);
    expect(error.plainMessage).toBe(`expected a file at github.com; found status ${status}`);
  });

  it('can be tried again where nobody answers', async () => {
    upstream = await startUpstream({});
    const { fetch } = upstream;
    await upstream.close();
    upstream = await startUpstream({});
    const error = await failure(openAddress('https://github.com/a?sig=hunter2', GITHUB, fetch));
    expect(error.code).toBe('download-failed');
    expect(error.plainMessage).toBe(
      'expected a download from github.com; found a connection that failed (ECONNREFUSED)',
    );
  });

  it('stops when it is told to', async () => {
    upstream = await startUpstream({ 'https://github.com/a': () => undefined });
    const controller = new AbortController();
    const opening = failure(open('https://github.com/a', GITHUB, controller.signal));
    controller.abort(new PipelineError('cancelled', 'expected a run; found it cancelled'));
    expect((await opening).code).toBe('cancelled');
  });

  it('refuses a length over the bound before it reads, and takes one at the bound', async () => {
    upstream = await startUpstream({
      'https://github.com/1000': answer('x'.repeat(1000)),
      'https://github.com/1001': answer('x'.repeat(1001)),
    });
    expect(await open('https://github.com/1000')).toHaveLength(1000);
    const error = await failure(openAddress('https://github.com/1001', GITHUB, upstream.fetch));
    expect(error.message).toBe('(too-large) expected at most 1000 bytes; found 1001 from github.com');
  });

  it('stops a body without a length once it passes the bound', async () => {
    let sent = 0;
    upstream = await startUpstream({
      'https://github.com/endless': (response) => {
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(100))) sent += 100;
        };
        response.writeHead(200).on('drain', more);
        more();
      },
      'https://github.com/exact': (response) => {
        response.writeHead(200).write('x'.repeat(400));
        response.end('x'.repeat(600));
      },
    });
    expect(await open('https://github.com/exact')).toHaveLength(1000);
    expect((await failure(open('https://github.com/endless'))).message).toBe(
      '(too-large) expected at most 1000 bytes; found more',
    );
    expect(sent).toBeGreaterThan(0);
  });

  it('is not fooled by compression', async () => {
    const { gzipSync } = await import('node:zlib');
    upstream = await startUpstream({
      'https://github.com/bomb': answer(gzipSync('x'.repeat(100_000)), { 'content-encoding': 'gzip' }),
      'https://github.com/small': answer(gzipSync('x'.repeat(900)), { 'content-encoding': 'gzip' }),
    });
    expect((await failure(open('https://github.com/bomb'))).code).toBe('too-large');
    expect(await open('https://github.com/small')).toBe('x'.repeat(900));
    expect(upstream.seen[0]!.headers['accept-encoding']).toBe('identity');
  });

  it('can be tried again where the body breaks off', async () => {
    upstream = await startUpstream({
      'https://github.com/a': (response) => {
        response.writeHead(200, { 'content-length': '900' }).write('x'.repeat(100), () => response.destroy());
      },
    });
    const error = await failure(open('https://github.com/a'));
    expect([error.code, error.retryable]).toEqual(['download-failed', true]);
  });
});

describe('boundedBody', () => {
  it('finds a body that ends before its length', async () => {
    const response = new Response('short', { headers: { 'content-length': '6' } });
    await expect(new Response(boundedBody(response, GITHUB)).text()).rejects.toThrow(
      '(download-failed) expected 6 bytes; found an end after 5',
    );
  });

  it('is empty where there is none', async () => {
    expect(await new Response(boundedBody(new Response(null), GITHUB)).text()).toBe('');
  });

  it('lets the connection go when it is cancelled', async () => {
    let cancelled: unknown;
    const body = new ReadableStream({ type: 'bytes', cancel: (reason) => void (cancelled = reason) });
    await boundedBody(new Response(body), GITHUB).cancel('enough');
    expect(cancelled).toBe('enough');
  });
});
