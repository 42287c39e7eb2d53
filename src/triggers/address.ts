/**
 * Networks by address: which addresses may be opened, and opening them. https only, declared hosts only, each
 * redirect checked as the first address was, size bounded. Addresses of redirects are signed: no message repeats
 * more of one than its host. Part of the triggers stage; `fetch` is handed in.
 */
import type { AddressRules } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';

/**
 * The hosts behind each preset; `*.` stands for any name below.
 *
 * github: releases and sources are named at github.com, assets by their API address at api.github.com. They redirect
 * to release-assets.githubusercontent.com (before 2025, and in a rollback, objects.githubusercontent.com), to
 * codeload.github.com for archives, raw.githubusercontent.com for files and media.githubusercontent.com for files in
 * LFS. Sources: docs.github.com/rest/releases/assets (302 of an asset); the chain of a release as followed in
 * github.com/different-ai/openwork/pull/3131 (2026-07); read 2026-11. Not `*.githubusercontent.com`.
 *
 * huggingface: `resolve` answers itself for small files and else redirects to one of many hosts below hf.co, chosen
 * by region and cloud (us.aws.cdn.hf.co, us.gcp.cdn.hf.co, cdn-lfs-us-1.hf.co, cas-bridge.xethub.hf.co), whose list
 * changes: the Hub's own advice for firewalls is the wildcard. User content in Spaces is below hf.space, not hf.co.
 * Sources: huggingface.co/docs/hub/models-downloading, "Downloading behind a proxy or firewall"
 * (github.com/huggingface/hub-docs/pull/2628 and 2647, 2026-07); read 2026-11.
 */
const PRESETS: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'github',
    [
      'github.com',
      'api.github.com',
      'codeload.github.com',
      'raw.githubusercontent.com',
      'media.githubusercontent.com',
      'objects.githubusercontent.com',
      'release-assets.githubusercontent.com',
    ],
  ],
  ['huggingface', ['huggingface.co', 'hf.co', '*.hf.co']],
]);

/** Names that lead into somebody's own network: RFC 6761, 6762, 8375, and what clouds use inside. */
const PRIVATE_NAME = /(^|\.)(localhost|localdomain|local|internal|intranet|lan|home\.arpa)$/;
const MOST_REDIRECTS = 5;
const MOST_CHARACTERS = 4096;
/** Bytes asked for at a time: workerd's own choice, 4 KiB, costs more time than the network. */
const READ_BYTES = 2 ** 18;

/**
 * The address, where `rules` allow it.
 * @throws PipelineError `address-refused`, naming the host and the declared ones
 */
export function checkAddress(url: string, rules: AddressRules): URL {
  const address = publicAddress(url);
  const declared = rules.hosts.flatMap((host) => PRESETS.get(host) ?? [host.toLowerCase()]);
  const host = address.hostname;
  if (!declared.some((name) => (name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name))) {
    throw refused(`an address at ${rules.hosts.join(', ') || 'no host at all'}`, `host ${host}`, {
      hint: 'Name the host under `hosts` of the network, if the files there are trusted.',
    });
  }
  return address;
}

/**
 * An https address of a public host name: no credentials, no port, no IP address, no name of a local network.
 * @throws PipelineError `address-refused`
 */
export function publicAddress(url: string): URL {
  // parsing makes dotted decimals of every way to write an IPv4 address, and ASCII of every name
  const address = url.length <= MOST_CHARACTERS && URL.canParse(url) ? new URL(url) : null;
  if (address === null) throw refused('an https address', 'a text that is none');
  const host = address.hostname;
  if (address.protocol !== 'https:') throw refused('an https address', `one that begins with ${address.protocol}`);
  if (address.username !== '' || address.password !== '') {
    throw refused('an address without credentials', `some, for host ${host}`);
  }
  if (address.port !== '') throw refused('an address without a port', `port ${address.port} of host ${host}`);
  if (host.startsWith('[') || /^\d+(\.\d+){3}$/.test(host)) throw refused('a host name', `the IP address ${host}`);
  if (host.endsWith('.')) throw refused('a host name without a dot at its end', `host ${host}`);
  if (!host.includes('.') || PRIVATE_NAME.test(host)) throw refused('a public host name', `host ${host}`);
  return address;
}

/**
 * Opens an address that `rules` allow and follows at most five redirects, each checked. Sends no cookies and no
 * credentials. The body is whoever calls's to read or cancel, through {@link boundedBody}.
 * @throws PipelineError `address-refused` for addresses, redirects and files that aren't there; `too-large`;
 *   `download-failed` where trying again may help
 */
export async function openAddress(
  url: string,
  rules: AddressRules,
  fetch: typeof globalThis.fetch,
  signal?: AbortSignal,
): Promise<Response> {
  let address = checkAddress(url, rules);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await request(address, fetch, signal);
    if (response.ok) return withinBound(response, rules, address.hostname);
    await response.body?.cancel().catch(() => undefined);
    const target = redirectOf(response, address);
    if (target === null) throw unavailable(response.status, address.hostname);
    try {
      address = checkAddress(target, rules);
    } catch (error) {
      const { plainMessage, hint } = fromUnknown(error);
      throw new PipelineError('address-refused', `${plainMessage}, where ${address.hostname} redirected to`, { hint });
    }
  }
  throw refused(`at most ${MOST_REDIRECTS} redirects`, `more, at host ${address.hostname}`);
}

/**
 * The body of an opened address, which fails with `too-large` once it passes the bound, and with `download-failed`
 * where it breaks off.
 */
export function boundedBody(response: Response, rules: AddressRules): ReadableStream<Uint8Array> {
  const reader = (response.body ?? new Blob([]).stream()).getReader({ mode: 'byob' });
  const announced = announcedBytes(response);
  let received = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read(new Uint8Array(READ_BYTES)).catch((error: unknown) => {
        throw brokenOff(error);
      });
      if (done) {
        if (announced !== null && received < announced) {
          throw new PipelineError('download-failed', `expected ${announced} bytes; found an end after ${received}`);
        }
        controller.close();
        return;
      }
      received += value.length;
      if (received > rules.maxBytes) {
        await reader.cancel().catch(() => undefined);
        throw tooLarge(rules, 'more');
      }
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

async function request(address: URL, fetch: typeof globalThis.fetch, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(address.href, {
      redirect: 'manual',
      // unencoded, so that the announced length is the file's
      headers: { accept: 'application/octet-stream', 'accept-encoding': 'identity', 'user-agent': 'convergent' },
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    throw brokenOff(signal?.aborted ? signal.reason : error, address.hostname);
  }
}

// null: not a redirect
function redirectOf(response: Response, from: URL): string | null {
  if (![301, 302, 303, 307, 308].includes(response.status)) return null;
  const location = response.headers.get('location');
  if (location === null || !URL.canParse(location, from.href)) {
    throw refused('a redirect with an address', `one without, from host ${from.hostname}`);
  }
  return new URL(location, from).href;
}

async function withinBound(response: Response, rules: AddressRules, host: string): Promise<Response> {
  const announced = announcedBytes(response);
  if (announced === null || announced <= rules.maxBytes) return response;
  await response.body?.cancel().catch(() => undefined);
  throw tooLarge(rules, `${announced} from ${host}`);
}

// null: the length isn't said, or is that of encoded bytes
function announcedBytes(response: Response): number | null {
  const length = response.headers.get('content-length');
  const encoding = response.headers.get('content-encoding') ?? 'identity';
  return length !== null && encoding === 'identity' && /^\d+$/.test(length) ? Number(length) : null;
}

function unavailable(status: number, host: string): PipelineError {
  const again = status >= 500 || status === 429 || status === 408;
  return new PipelineError(
    again ? 'download-failed' : 'address-refused',
    `expected a file at ${host}; found status ${status}`,
    again ? {} : { hint: 'Check the address: it is opened without credentials, so the file must be public.' },
  );
}

// the error itself may quote the address: its code alone is passed on
function brokenOff(error: unknown, host?: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  const reason = typeof code === 'string' ? ` (${code})` : '';
  return new PipelineError(
    'download-failed',
    `expected a download${host === undefined ? '' : ` from ${host}`}; found a connection that failed${reason}`,
  );
}

/** What a file larger than the bound is refused with; `found` says how large it is. */
export function tooLarge({ maxBytes }: Pick<AddressRules, 'maxBytes'>, found: string): PipelineError {
  return new PipelineError('too-large', `expected at most ${maxBytes} bytes; found ${found}`, {
    hint: 'Raise `max_bytes` of the network, if the file is meant to be that large.',
  });
}

function refused(expected: string, found: string, detail: { hint?: string } = {}): PipelineError {
  return new PipelineError('address-refused', `expected ${expected}; found ${found}`, detail);
}
