/**
 * Deliveries from outside: a webhook whose signature holds starts a run of its pipeline, once however often it is
 * delivered. Needs no token: the signature says who it is from.
 */
import type { Context } from 'hono';
import { z } from 'zod';
import type { HookTrigger } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import { readRevision } from '../runtime/pipelines.ts';
import { registryOf } from '../runtime/registry.ts';
import { startRun } from '../runtime/runs.ts';
import { secretFor } from '../runtime/secrets.ts';
import { checkAddress } from '../triggers/address.ts';
import { githubCommit } from '../triggers/commit.ts';
import { valueAt } from '../triggers/pointer.ts';
import { unsigned } from '../triggers/signature.ts';
import { acceptDelivery, settingsOf } from '../triggers/triggers.ts';
import { boundFailures, boundStarts } from './access.ts';
import type { ServiceEnv } from './access.ts';
import { boundedBytes } from './body.ts';
import { deliverySchema, nameSchema } from './documents.ts';
import type { RunRecord } from './documents.ts';
import { json, newApi, problems, route } from './openapi.ts';

/** Payloads of releases with hundreds of assets stay below; GitHub's own cap is 25 MB. */
export const MOST_DELIVERY_BYTES = 5 * 2 ** 20;

const KINDS = ['github', 'huggingface', 'webhook'] as const;

export const hooks = newApi();

hooks.openAPIRegistry.registerPath(
  route({
    method: 'post',
    path: '/hooks/{pipeline}/{kind}',
    tags: ['hooks'],
    summary: 'A delivery, signed as its kind signs; it starts a run at most once',
    description:
      'For a pipeline that is not there, or has no trigger of this kind, the answer is that to a wrong signature.',
    security: [],
    request: {
      params: z.object({ pipeline: nameSchema, kind: z.enum(KINDS) }),
      body: { content: { 'application/json': { schema: z.unknown() } }, required: true },
    },
    responses: {
      200: json(deliverySchema, 'It is genuine, and no trigger asks for it.'),
      202: json(deliverySchema, 'The run that it started, now or when it came first.'),
      ...problems(
        'signature-invalid',
        'not-found',
        'payload-invalid',
        'address-refused',
        'secret-missing',
        'too-large',
      ),
    },
  }),
);

hooks.post('/hooks/:pipeline/:kind', async (c) => {
  try {
    return await answerDelivery(c, c.req.param('pipeline'), c.req.param('kind'));
  } catch (error) {
    // who guesses names is bounded as who guesses secrets
    if (['not-found', 'signature-invalid'].includes(fromUnknown(error).code)) await boundFailures(c);
    throw error;
  }
});

async function answerDelivery(c: Context<ServiceEnv>, name: string, kindName: string): Promise<Response> {
  const kind = KINDS.find((each) => each === kindName);
  if (!kind) throw new PipelineError('not-found', `expected a webhook of ${KINDS.join(', ')}; found another kind`);
  const body = await boundedBytes(c.req.raw, MOST_DELIVERY_BYTES);
  const pipeline = await registryOf(c.env).getPipeline(name);
  // who can't sign learns nothing of which pipelines there are, or what starts them
  if (!pipeline) throw unsigned();
  const { service, definition } = await readRevision(c.env, pipeline.revision);
  const secretOf = (name: string): string => secretFor({ ...c.env }, name);
  const { id, payload, match } = await acceptDelivery(
    service.triggers,
    kind,
    c.req.raw.headers,
    body,
    secretOf,
    Date.now(),
  );
  if (!match) return c.json({ run: null, url: null, reason: 'no trigger of this pipeline asks for it' });

  const key = `delivery ${pipeline.name} ${kind} ${id}`;
  const before = await registryOf(c.env).runOfKey(key);
  if (before) return accepted(c, before, false);
  await boundStarts(c, `hook ${pipeline.name}`);
  const candidates = settingsOf(match.trigger, payload);
  for (const [name, { model }] of Object.entries(candidates)) {
    const rules = definition.networks.find((network) => network.name === name)!.address!;
    if (model !== undefined) checkAddress(model, rules);
  }
  const { run, created } = await startRun(
    c.env,
    {
      pipeline,
      trigger: { kind, delivery: id, by: senderOf(kind, payload) },
      candidates,
      commit: kind === 'github' ? githubCommit(payload) : null,
      key,
    },
    // senders wait ten seconds at most, and many may come at once
    (begun) => c.executionCtx.waitUntil(begun),
  );
  return accepted(c, run, created);
}

function accepted(c: Context<ServiceEnv>, { id }: RunRecord, created: boolean): Response {
  const url = `${c.env.PUBLIC_URL ?? new URL(c.req.url).origin}/runs/${id}`;
  return c.json({ run: id, url, ...(created ? {} : { reason: 'delivered before' }) }, 202, { location: url });
}

// for people alone: whose delivery it says it is
function senderOf(kind: HookTrigger['kind'], payload: unknown): string | null {
  const pointers = { github: '/repository/full_name', huggingface: '/repo/name', webhook: '/type' };
  const value = valueAt(payload, pointers[kind]);
  return typeof value === 'string' ? value.slice(0, 200) : null;
}
