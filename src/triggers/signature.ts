/**
 * Who sent a delivery: signatures of GitHub's webhooks, Hugging Face's secret header, and Standard Webhooks, checked
 * over the body's raw bytes and in constant time (WebCrypto's `verify`). Part of the triggers stage; pure.
 * Sources: docs.github.com "Validating webhook deliveries"; huggingface.co/docs/hub/webhooks, "Webhook secret";
 * standard-webhooks/spec/standard-webhooks.md 1.0.0; read 2026-11.
 */
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import type { HookTrigger } from '../definition/service.ts';

/** How far the timestamp of a Standard Webhooks delivery may be from now, seconds: the tolerance of its libraries. */
const WINDOW_SECONDS = 5 * 60;
/** What a delivery id may be: it becomes part of a key. GitHub's are GUIDs; Standard Webhooks' are the sender's own. */
const DELIVERY_ID = /^[\x21-\x7e]{1,256}$/;

const HMAC = { name: 'HMAC', hash: 'SHA-256' };
const utf8 = new TextEncoder();

/**
 * Checks that whoever sent `body` knows `secret`, and gives the delivery's id: the same for a delivery that is sent
 * again. GitHub: `X-GitHub-Delivery` (not signed; kept by redeliveries). Hugging Face documents none: the SHA-256 of
 * the body, so a replay is recognised. Standard Webhooks: `webhook-id` (signed).
 * @param now milliseconds since the epoch
 * @throws PipelineError `signature-invalid` with one message for wrong and missing, and another for a signed timestamp
 *   more than five minutes away; `secret-missing` where the secret can't be a key
 */
export async function verifyDelivery(
  kind: HookTrigger['kind'],
  headers: Headers,
  body: Uint8Array,
  secret: string,
  now: number,
): Promise<{ id: string }> {
  if (secret === '') throw new PipelineError('secret-missing', 'expected a secret; found an empty one');
  if (kind === 'github') return { id: await verifyGithub(headers, body, secret) };
  if (kind === 'huggingface') return { id: await verifyHuggingFace(headers, body, secret) };
  return { id: await verifyStandard(headers, body, secret, now) };
}

/** HMAC-SHA-256 of `content` under a Standard Webhooks secret, as it stands in `webhook-signature`: `v1,<base64>`. */
export async function signStandard(secret: string, id: string, seconds: number, content: Uint8Array): Promise<string> {
  const key = await hmacKey(standardKey(secret));
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, signedContent(id, String(seconds), content)));
  return `v1,${btoa(String.fromCharCode(...mac))}`;
}

async function verifyGithub(headers: Headers, body: Uint8Array, secret: string): Promise<string> {
  const id = headers.get('x-github-delivery') ?? '';
  const hex = /^sha256=([0-9a-f]{64})$/.exec(headers.get('x-hub-signature-256') ?? '')?.[1];
  if (hex === undefined || !DELIVERY_ID.test(id)) throw unsigned();
  const mac = Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  if (!(await isMac(await hmacKey(utf8.encode(secret)), mac, body))) throw unsigned();
  return id;
}

// the header is the secret itself: both sides under a key nobody knows, so that comparing them tells nothing
async function verifyHuggingFace(headers: Headers, body: Uint8Array, secret: string): Promise<string> {
  const given = headers.get('x-webhook-secret');
  if (given === null) throw unsigned();
  const key = await hmacKey(crypto.getRandomValues(new Uint8Array(32)));
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8.encode(secret)));
  if (!(await isMac(key, mac, utf8.encode(given)))) throw unsigned();
  return sha256Hex(body);
}

async function verifyStandard(headers: Headers, body: Uint8Array, secret: string, now: number): Promise<string> {
  const id = headers.get('webhook-id') ?? '';
  const timestamp = headers.get('webhook-timestamp') ?? '';
  const signatures = (headers.get('webhook-signature') ?? '').split(' ').slice(0, 16);
  const key = await hmacKey(standardKey(secret));
  if (!DELIVERY_ID.test(id) || !/^[1-9]\d{0,11}$/.test(timestamp)) throw unsigned();
  const content = signedContent(id, timestamp, body);
  let known = false;
  for (const signature of signatures) {
    // 32 bytes have one base64 text
    const text = /^v1,([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/.exec(signature)?.[1];
    if (text !== undefined && (await isMac(key, fromBase64(text), content))) known = true;
  }
  if (!known) throw unsigned();
  // only a sender who knows the secret learns what the clock says
  const seconds = Math.floor(now / 1000) - Number(timestamp);
  if (Math.abs(seconds) > WINDOW_SECONDS) {
    throw new PipelineError(
      'signature-invalid',
      `expected a timestamp within ${WINDOW_SECONDS / 60} minutes of now; found one ${Math.abs(seconds)} s ${seconds > 0 ? 'old' : 'ahead'}`,
      { hint: 'Sign the delivery anew each time it is sent, and check the clock of the sender.' },
    );
  }
  return id;
}

// `<id>.<timestamp>.<body>`
function signedContent(id: string, timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = utf8.encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

// base64, after `whsec_` where it is there
function standardKey(secret: string): Uint8Array {
  try {
    const key = fromBase64(secret.startsWith('whsec_') ? secret.slice(6) : secret);
    if (key.length > 0) return key;
  } catch {
    // what the decoder says is no more than that it isn't base64
  }
  throw new PipelineError('secret-missing', 'expected a Standard Webhooks secret; found a text that is not base64', {
    hint: 'A secret is whsec_ and the base64 of 24 to 64 random bytes.',
  });
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function hmacKey(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes as Uint8Array<ArrayBuffer>, HMAC, false, ['sign', 'verify']);
}

function isMac(key: CryptoKey, mac: Uint8Array<ArrayBuffer>, content: Uint8Array): Promise<boolean> {
  return crypto.subtle.verify('HMAC', key, mac, content as Uint8Array<ArrayBuffer>);
}

/** What a delivery is refused with that no secret signed. */
export function unsigned(): PipelineError {
  return new PipelineError('signature-invalid', 'expected a delivery signed with the secret; found no such signature');
}
