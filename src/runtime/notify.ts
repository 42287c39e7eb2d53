/**
 * Tells who asked to be told how a run ended: a signed Standard Webhooks message, or a GitHub commit status. One
 * attempt per call; an error that may pass is retryable, so that a workflow step can try again. Secrets go only to
 * hosts they are bound to; no error repeats one, nor what the receiver answered.
 * Sources: standard-webhooks.md 1.0.0, "Delivery success and failure"; docs.github.com/rest/commits/statuses and
 * /rest/commits/commits; read 2026-11.
 */
import type { Notice } from '../definition/service.ts';
import { PipelineError } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import { hashOf } from '../numeric/hash.ts';
import { publicAddress } from '../triggers/address.ts';
import type { GithubCommit } from '../triggers/commit.ts';
import { signStandard } from '../triggers/signature.ts';
import { secretTo } from './secrets.ts';

export { githubCommit } from '../triggers/commit.ts';

/** How a run stands, for those who asked to be told. */
export interface NoticeMessage {
  run: string;
  pipeline: string;
  /** `started` sets a pending commit status; webhooks hear of ends alone. */
  state: 'started' | 'done' | 'failed' | 'cancelled';
  /** Null where the pipeline has no gate, or the run didn't come to it. `text` says what was expected and found. */
  gate: { passed: boolean; rules: { text: string; passed: boolean }[] } | null;
  /** The run's page. */
  url: string;
  /** The result's digest; null before there is one. */
  digest: string | null;
  error: ErrorRecord | null;
  /** Where a commit status belongs; null where no GitHub webhook started the run. */
  commit: GithubCommit | null;
}

const GITHUB = 'api.github.com';
const TIMEOUT_MS = 10_000;
/** GitHub's longest description of a status, characters. */
const DESCRIPTION_CHARACTERS = 140;

/**
 * Sends one notice. Nothing to send (a status without a commit, a webhook of a start) is success.
 * @param now milliseconds since the epoch
 * @throws PipelineError `download-failed` and `rate-limited`, retryable; `forbidden` where the receiver refuses;
 *   `address-refused`, `secret-missing`
 */
export async function sendNotice(
  notice: Notice,
  message: NoticeMessage,
  env: Record<string, unknown>,
  fetch: typeof globalThis.fetch,
  now: number,
): Promise<void> {
  if (notice.kind === 'github-status') {
    if (message.commit !== null) await sendStatus(notice.token, message, message.commit, env, fetch);
  } else if (message.state !== 'started') {
    await sendWebhook(notice, message, env, fetch, now);
  }
}

/** What is to be said, in one sentence: which figure failed the gate and by how much, or what the error was. */
export function noticeText({ state, gate, error }: NoticeMessage): string {
  if (state === 'started') return 'The comparison is under way.';
  if (state === 'cancelled') return 'The run was cancelled.';
  if (state === 'failed') return `The run failed: ${error === null ? 'no reason is known' : error.message}`;
  if (gate === null) return 'The run is done.';
  const failed = gate.rules.filter((rule) => !rule.passed).map((rule) => rule.text);
  const rules = `${gate.rules.length} rule${gate.rules.length === 1 ? '' : 's'}`;
  return gate.passed ? `The gate passed: ${rules}.` : `${failed.length} of ${rules} failed: ${failed.join('; ')}`;
}

async function sendWebhook(
  notice: Extract<Notice, { kind: 'webhook' }>,
  message: NoticeMessage,
  env: Record<string, unknown>,
  fetch: typeof globalThis.fetch,
  now: number,
): Promise<void> {
  const address = publicAddress(notice.url);
  const secret = secretTo(env, notice.secret, address.hostname);
  const { run, pipeline, state, gate, url, digest, error } = message;
  const text = noticeText(message);
  // a run that is retried and ends in another way is told of anew
  const id = `msg_${(await hashOf([run, notice.url, state, digest])).slice(0, 32)}`;
  const data = { run, pipeline, state, text, url, digest, gate, error };
  const body = JSON.stringify({ type: `run.${state}`, timestamp: new Date(now).toISOString(), data });
  const seconds = Math.floor(now / 1000);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': await signStandard(secret, id, seconds, new TextEncoder().encode(body)),
  };
  await release(await send(address, { method: 'POST', headers, body }, fetch));
}

async function sendStatus(
  token: string,
  message: NoticeMessage,
  commit: GithubCommit,
  env: Record<string, unknown>,
  fetch: typeof globalThis.fetch,
): Promise<void> {
  const headers = {
    authorization: `Bearer ${secretTo(env, token, GITHUB)}`,
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
  };
  const repository = `https://${GITHUB}/repos/${commit.repository}`;
  const sha = commit.sha === undefined ? await resolve(repository, commit.ref, headers, fetch) : commit.sha;
  const body = JSON.stringify({
    state: statusOf(message),
    target_url: message.url,
    description: shortened(noticeText(message), DESCRIPTION_CHARACTERS),
    context: `convergent/${message.pipeline}`,
  });
  await release(await send(new URL(`${repository}/statuses/${sha}`), { method: 'POST', headers, body }, fetch));
}

// the commit a ref stands at
async function resolve(
  repository: string,
  ref: string,
  headers: Record<string, string>,
  fetch: typeof globalThis.fetch,
): Promise<string> {
  const address = new URL(`${repository}/commits/${ref.split('/').map(encodeURIComponent).join('/')}`);
  const answer = await send(address, { headers: { ...headers, accept: 'application/vnd.github.sha' } }, fetch);
  const sha = (await answer.text().catch(() => '')).trim();
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(sha)) return sha;
  throw new PipelineError('download-failed', `expected the hash of a commit from ${GITHUB}; found another text`);
}

function statusOf({ state, gate }: NoticeMessage): 'success' | 'failure' | 'error' | 'pending' {
  if (state === 'started') return 'pending';
  if (state !== 'done') return 'error';
  return gate === null || gate.passed ? 'success' : 'failure';
}

// by code points, so that no character is cut in two
function shortened(text: string, most: number): string {
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

async function send(
  address: URL,
  init: { method?: string; headers: Record<string, string>; body?: string },
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  const host = address.hostname;
  let response: Response;
  try {
    response = await fetch(address.href, {
      ...init,
      headers: { ...init.headers, 'user-agent': 'convergent' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new PipelineError('download-failed', `expected an answer of ${host} in ${TIMEOUT_MS / 1000} s; found none`);
  }
  if (response.ok) return response;
  await release(response);
  const { status } = response;
  const found = `expected ${host} to take the notice; found status ${status}`;
  // GitHub says 403 for its rate limits as well
  const limited = response.headers.has('retry-after') || response.headers.get('x-ratelimit-remaining') === '0';
  if (status === 429 || (status === 403 && limited)) throw new PipelineError('rate-limited', found);
  if (status >= 500 || status === 408 || status === 425) throw new PipelineError('download-failed', found);
  throw new PipelineError('forbidden', found, {
    hint:
      status < 400
        ? 'Redirects are not followed: name the address it redirects to.'
        : 'Check the address of the notice, and what its secret may do there.',
  });
}

async function release(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}
