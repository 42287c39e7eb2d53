/**
 * What stands outside of the service in its tests: who serves models, who delivers, and in which shapes. Payloads are
 * those of the providers' documentation, cut to what a delivery is told by; signatures come from libraries of others.
 * Sources: docs.github.com "Webhook events and payloads", release; huggingface.co/docs/hub/webhooks; read 2026-11.
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sign } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import { answer, redirectTo } from '../unit/triggers/upstream.ts';
import type { Seen } from '../unit/triggers/upstream.ts';
import { PIPELINES } from './command.ts';
import type { Ask } from './service.ts';

export type Routes = Record<string, (response: ServerResponse, seen: Seen) => void>;

export const MODEL = {
  seed1: readFileSync(join(PIPELINES, 'fashion-mnist/seed1.onnx')),
  seed2: readFileSync(join(PIPELINES, 'fashion-mnist/seed2.onnx')),
};

/** Address of a release's asset. */
export const assetOf = (file: string): string => `https://github.com/acme/net/releases/download/v1.2.0/${file}`;

/** A pipeline of one small layer and 40 rows, whose candidate comes from GitHub; `more` are further sections. */
export function tinyPipeline(name: string, more = '', network = ''): string {
  return `name: ${name}
compute: isolate
networks:
  ref: { model: fashion-mnist/seed1.onnx }
  candidate: { model: "${assetOf('net.onnx')}", hosts: [github]${network} }
layers: { fc: logits }
probe: { data: fashion-mnist/test-images.npy, layout: nhw, scale: 255, mean: [0.286], std: [0.353], rows: 40 }
predict: false
cluster: false
${more}`;
}

/** A release's asset as GitHub serves it: a redirect to a signed address. */
export function githubAsset(file: string, bytes: Uint8Array): Routes {
  const stored = `https://release-assets.githubusercontent.com/github-production-release-asset/1/${file}`;
  return { [assetOf(file)]: redirectTo(`${stored}?sig=c2lnbmVk`), [stored]: answer(bytes) };
}

/** A file of the Hub: `resolve` redirects to a host of its CDN. */
export function hubFile(file: string, bytes: Uint8Array): Routes {
  const stored = `https://cas-bridge.xethub.hf.co/xet-bridge-us/1/${file}`;
  return {
    [`https://huggingface.co/acme/net/resolve/main/${file}`]: redirectTo(`${stored}?X-Amz-Signature=1`),
    [stored]: answer(bytes),
  };
}

/** Payload of GitHub's event `release`. */
export function releasePayload(model: string, action = 'published', digest: string | null = null): object {
  const asset = { id: 7, name: 'net.onnx', state: 'uploaded', content_type: 'application/octet-stream', digest };
  return {
    action,
    release: {
      id: 17372790,
      tag_name: 'v1.2.0',
      target_commitish: 'main',
      draft: false,
      prerelease: false,
      assets: [{ ...asset, browser_download_url: model }],
    },
    repository: { id: 186853002, name: 'net', full_name: 'acme/net', private: false, default_branch: 'main' },
    sender: { login: 'codertocat', id: 21031067, type: 'User' },
  };
}

/** Payload of Hugging Face's event on a repository's content. */
export function hubPayload(headSha: string, name = 'acme/net'): object {
  const url = { web: `https://huggingface.co/${name}`, api: `https://huggingface.co/api/models/${name}` };
  return {
    event: { action: 'update', scope: 'repo.content' },
    repo: { type: 'model', name, id: '6366c000a2abcdf2fd69a080', private: false, url, headSha, tags: [] },
    updatedRefs: [{ ref: 'refs/heads/main', oldSha: 'ce9a4674fa833a68d5a73ec355f0ea95eedd60b7', newSha: headSha }],
    webhook: { id: '6390e855e30d9209411de93b', version: 3 },
  };
}

/** A delivery as it is sent: without a token. */
export type Delivery = Required<Pick<Ask, 'headers'>> & { body: string; token: null };

/** Signed as GitHub signs. */
export async function githubDelivery(
  secret: string,
  payload: object,
  { id = randomUUID(), event = 'release' }: { id?: string; event?: string } = {},
): Promise<Delivery> {
  const body = JSON.stringify(payload);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/044aadd',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-hub-signature-256': await sign(secret, body),
  };
  return { body, headers, token: null };
}

/** With its secret beside it, as the Hub sends it. */
export function hubDelivery(secret: string, payload: object): Delivery {
  const headers = { 'content-type': 'application/json', 'x-webhook-secret': secret };
  return { body: JSON.stringify(payload), headers, token: null };
}

/** Signed as Standard Webhooks has it, `ageSeconds` ago. */
export function standardDelivery(
  secret: string,
  payload: object,
  { id = `msg_${randomUUID()}`, ageSeconds = 0 }: { id?: string; ageSeconds?: number } = {},
): Delivery {
  const body = JSON.stringify(payload);
  const time = new Date(Date.now() - 1000 * ageSeconds);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(time.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, time, body),
  };
  return { body, headers, token: null };
}
