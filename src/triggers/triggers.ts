/**
 * Triggers stage. Takes what comes from outside (a delivery over HTTP, a notification of the bucket, the time) and
 * the triggers a pipeline declares; gives which trigger it is for and the values it fills in. Guarantees: nothing is
 * read from a payload before its signature holds, a trigger fires for its own secret alone, and a payload fills
 * nothing that the pipeline doesn't declare. Pure: no bindings; runs in workerd and Node.
 */
import { Cron } from 'croner';
import type { HookTrigger, Trigger, UploadTrigger } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { valueAt } from './pointer.ts';
import { unsigned, verifyDelivery } from './signature.ts';

/** A delivery whose signature holds. */
export interface Delivery {
  id: string;
  payload: unknown;
  /** What it starts: the first trigger it is for, and its place in the pipeline's list. Null: nothing to do. */
  match: { trigger: HookTrigger; index: number } | null;
}

/** What a payload fills in, by network. */
export type Settings = Record<string, { model?: string; sha256?: string }>;

/** A new object in the bucket, for one upload trigger of one pipeline. */
export interface Upload {
  pipeline: string;
  trigger: UploadTrigger;
  index: number;
  key: string;
  sizeBytes: number;
  eTag: string;
  /** The same for a notification that is delivered again. */
  id: string;
}

/**
 * Checks a delivery against each secret that the pipeline's triggers of this kind name, and finds the trigger it is
 * for among those with the secret that signed it.
 * @param secretOf the value of a named secret
 * @param now milliseconds since the epoch
 * @throws PipelineError `signature-invalid` where no secret signed it, or the kind has no trigger; `secret-missing`;
 *   `payload-invalid`
 */
export async function acceptDelivery(
  triggers: readonly Trigger[],
  kind: HookTrigger['kind'],
  headers: Headers,
  body: Uint8Array,
  secretOf: (name: string) => string,
  now: number,
): Promise<Delivery> {
  const names = new Set(triggers.flatMap((trigger) => (trigger.kind === kind ? [trigger.secret] : [])));
  // no trigger of this kind, no secret that could have signed it: nobody else learns which pipelines have one
  let refusal = unsigned();
  for (const name of names) {
    try {
      const { id } = await verifyDelivery(kind, headers, body, secretOf(name), now);
      const payload = parsePayload(body);
      const signed = triggers.map((trigger) => ('secret' in trigger && trigger.secret === name ? trigger : null));
      return { id, payload, match: deliveryFor(signed, kind, headers, payload) };
    } catch (error) {
      refusal = fromUnknown(error);
      // a hint: this secret signed it, at another time
      if (refusal.code !== 'signature-invalid' || refusal.hint !== undefined) throw refusal;
    }
  }
  throw refusal;
}

/**
 * The first trigger that a verified delivery is for: kind, GitHub's event and every `when` hold. Null for none, and
 * for GitHub's `ping`, which only says that the webhook exists. `null` in the list keeps the others' places.
 */
export function deliveryFor(
  triggers: readonly (Trigger | null)[],
  kind: HookTrigger['kind'],
  headers: Headers,
  payload: unknown,
): { trigger: HookTrigger; index: number } | null {
  const event = kind === 'github' ? headers.get('x-github-event') : null;
  if (event === 'ping') return null;
  for (const [index, trigger] of triggers.entries()) {
    if (trigger?.kind !== kind) continue;
    if (trigger.event !== undefined && trigger.event !== event) continue;
    if (trigger.when.every(({ pointer, equals }) => valueAt(payload, pointer) === equals)) return { trigger, index };
  }
  return null;
}

/**
 * What the payload fills in. A model must be an https address: whether its host is one the pipeline declares is
 * checked where it is opened. A hash may have the prefix `sha256:`, as the `digest` of GitHub's release assets has.
 * @throws PipelineError `payload-invalid`, naming the pointer
 */
export function settingsOf(trigger: HookTrigger, payload: unknown): Settings {
  const settings = new Map<string, { model?: string; sha256?: string }>();
  for (const { network, key, pointer } of trigger.set) {
    const value = valueAt(payload, pointer);
    const expected = (what: string, found: string): PipelineError =>
      new PipelineError(
        'payload-invalid',
        `expected ${what} at ${pointer} of the payload, for networks.${network}.${key}; found ${found}`,
      );
    if (typeof value !== 'string') throw expected('a text', nameOf(value));
    if (key === 'model' && !/^https:\/\//i.test(value)) throw expected('an https address', 'another text');
    const text = key === 'model' ? value : /^(?:sha256:)?([0-9a-f]{64})$/i.exec(value)?.[1]?.toLowerCase();
    if (text === undefined) throw expected('a SHA-256 in hex', 'another text');
    settings.set(network, { ...settings.get(network), [key]: text });
  }
  // from entries, so that a network named __proto__ is a member as any other
  return Object.fromEntries(settings);
}

/**
 * The payload of a delivery: an object in JSON, or GitHub's form with such JSON in its one field `payload`.
 * @throws PipelineError `payload-invalid`
 */
export function parsePayload(body: Uint8Array): unknown {
  const expected = (found: string): PipelineError =>
    new PipelineError('payload-invalid', `expected a JSON object, or a form with one as payload; found ${found}`);
  let payload: unknown;
  try {
    let text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body);
    if (text.startsWith('payload=')) {
      const fields = [...new URLSearchParams(text)];
      if (fields.length !== 1) throw expected(`a form of ${fields.length} fields`);
      text = fields[0]![1];
    }
    payload = JSON.parse(text);
  } catch (error) {
    // what the parser says quotes the payload
    throw error instanceof PipelineError ? error : expected('neither');
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) throw expected(nameOf(payload));
  return payload;
}

/** Actions of R2 event notifications of type `object-create`. */
const CREATED: readonly unknown[] = ['PutObject', 'CopyObject', 'CompleteMultipartUpload'];

/**
 * The upload triggers a notification of the bucket is for; none for deletions, folders and keys with `..` in them.
 * Shape: developers.cloudflare.com/r2/buckets/event-notifications, "Message format", read 2026-11.
 * @throws PipelineError `payload-invalid` for a message that isn't a notification
 */
export function uploadsFor(
  message: unknown,
  pipelines: readonly { name: string; triggers: readonly Trigger[] }[],
): Upload[] {
  const [action, key, size, eTag, time] = ['/action', '/object/key', '/object/size', '/object/eTag', '/eventTime'].map(
    (pointer) => valueAt(message, pointer),
  );
  if (typeof action !== 'string' || typeof key !== 'string' || typeof time !== 'string') {
    throw new PipelineError('payload-invalid', 'expected an event notification of R2; found another message');
  }
  if (!CREATED.includes(action) || key.endsWith('/') || key.split('/').includes('..')) return [];
  if (typeof size !== 'number' || typeof eTag !== 'string') {
    throw new PipelineError('payload-invalid', `expected the size and eTag of ${key}; found none`);
  }
  const id = `${time} ${eTag} ${key}`;
  return pipelines.flatMap(({ name, triggers }) =>
    triggers.flatMap((trigger, index) =>
      trigger.kind === 'upload' && key.startsWith(trigger.prefix)
        ? [{ pipeline: name, trigger, index, key, sizeBytes: size, eTag, id }]
        : [],
    ),
  );
}

/**
 * When `cron` (five fields, UTC) was due in (from, to]: the last time alone, so that whoever slept starts one run and
 * not all it missed; empty for never. Milliseconds since the epoch.
 */
export function dueBetween(cron: string, from: number, to: number): number[] {
  const job = new Cron(cron, { paused: true, timezone: 'UTC', mode: '5-part' });
  // croner gives the time before its reference, and a time in the reference's own second where that has begun
  const last = job.previousRuns(1, new Date(to + 1))[0]?.getTime();
  return last !== undefined && last > from && last <= to ? [last] : [];
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
