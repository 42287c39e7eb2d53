/** Models that a request chooses for a run: only where the pipeline lets another one in. */
import { PipelineError } from '../errors.ts';
import { located } from '../plan/layers.ts';
import { checkAddress } from '../triggers/address.ts';
import type { Env } from '../runtime/env.ts';
import type { Revision } from '../runtime/pipelines.ts';
import { completeBytes } from '../runtime/inputs.ts';
import type { Candidate, PipelineRecord } from './documents.ts';

/**
 * Checks that each candidate is for a network of the pipeline, and is an address where the network declares hosts, or
 * an uploaded input, or an object below a prefix that the pipeline declares.
 * @throws PipelineError `usage`, `address-refused`, `file-missing`
 */
export async function requireCandidates(
  env: Env,
  { prefixes }: PipelineRecord,
  { definition }: Revision,
  candidates: Readonly<Record<string, Candidate>>,
): Promise<void> {
  for (const [name, { model, object }] of Object.entries(candidates)) {
    const place = { key: `candidates.${name}` };
    const network = definition.networks.find((entry) => entry.name === name);
    if (!network) {
      const known = definition.networks.map((entry) => entry.name).join(', ');
      throw new PipelineError('usage', `expected one of the networks ${known}; found ${name.slice(0, 80)}`, { place });
    }
    if ((model === undefined) === (object === undefined))
      throw new PipelineError('usage', 'expected either model or object', { place });
    if (model !== undefined) {
      const { address } = network;
      if (!address)
        throw new PipelineError('address-refused', `expected hosts of network ${name}; it declares none`, { place });
      located(place, () => checkAddress(model, address));
    }
    if (object !== undefined) await requireObject(env, prefixes, object, place);
  }
}

async function requireObject(env: Env, prefixes: readonly string[], object: string, place: { key: string }) {
  const uploaded = /^inputs\/([0-9a-f]{64})$/.exec(object)?.[1];
  const parts = object.split('/');
  const allowed = prefixes.some((prefix) => object.startsWith(prefix)) && !parts.includes('..') && !parts.includes('.');
  if (uploaded === undefined && !allowed) {
    const found = object.slice(0, 200);
    throw new PipelineError('usage', `expected inputs/<sha256>, or a key below a declared prefix; found ${found}`, {
      place,
    });
  }
  const there = uploaded === undefined ? await env.BUCKET.head(object) : await completeBytes(env, uploaded);
  if (there === null)
    throw new PipelineError('file-missing', `expected ${object} in the bucket; found nothing`, { place });
}
