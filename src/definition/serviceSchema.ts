/**
 * What a pipeline file says of the service that runs it: the schema of `public`, `triggers`, `gate`, `notify` and of
 * a network's `hosts`, `sha256` and `max_bytes`, and what is written as service.ts has it. An item of `triggers` is a
 * mapping with one key, its kind, so that a misspelt kind is told like any other key. Rules that span several keys
 * stand in serviceRules.ts.
 */
import { z } from 'zod';
import { mapping, patternText, plainText, says, whole } from './elements.ts';
import type { AddressRules, GateRule, HookTrigger, Notice, ServiceDefinition, Trigger } from './service.ts';

/** Download bound where a network names none, bytes. */
export const DEFAULT_MAX_BYTES = 2 ** 30;

/** Names in `hosts` that stand for the hosts a provider's downloads come from. */
export const HOST_PRESETS: readonly string[] = ['github', 'huggingface'];

/** Network whose model an upload is, where a trigger names none. */
export const DEFAULT_UPLOAD_NETWORK = 'candidate';

/** Our own bounds: far above any pipeline, low enough that a delivery or a tick looks at every item. */
export const MAX_ITEMS = { triggers: 64, gate: 256, notify: 16 };

// letters last, so no IP address in any notation; labels of up to 63
const HOST =
  /^(?=.{1,253}$)(?!.*\.localhost$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SECRET = /^[A-Z][A-Z0-9_]*$/;
const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/;
const SETTING = /^networks\.([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})\.(model|sha256)$/;
const FIGURE = /^[a-z0-9_]+(?:\.[a-z0-9_]+)*$/;
const CRON = /^\S+(?: \S+){4}$/;

const secret = patternText(
  SECRET,
  'the name of a secret in capitals, never its value',
  'secret: GITHUB_WEBHOOK_SECRET',
).meta({ description: 'Environment variable with the secret, listed in CONVERGENT_SECRETS.' });

const HOSTS = 'github, huggingface or a host name in small letters, without port';
const HOST_EXAMPLE = 'hosts: [models.acme.com]';

/** Keys of a network whose model has an address. */
export const addressKeys = {
  hosts: z
    .array(
      z.union([z.enum(HOST_PRESETS), patternText(HOST, HOSTS, HOST_EXAMPLE, HOST_PRESETS)], says(HOSTS, HOST_EXAMPLE)),
      says('a list of one or more hosts', 'hosts: [github]'),
    )
    .min(1)
    .optional()
    .meta({ description: 'Hosts the model may be downloaded from, redirects included: github, huggingface or names.' }),
  sha256: patternText(/^[0-9a-fA-F]{64}$/, 'a SHA-256 of 64 hex digits', `sha256: ${'0123456789abcdef'.repeat(4)}`)
    .optional()
    .meta({ description: 'SHA-256 the model must have, downloaded or uploaded. Default: any.' }),
  max_bytes: whole(1, 'max_bytes: 1073741824')
    .optional()
    .meta({ description: 'Largest download or upload, bytes. Default 1073741824 (1 GiB).' }),
};

const pointer = (example: string) => patternText(POINTER, 'a JSON Pointer into the payload', example);

const when = z
  .record(
    z.string().regex(POINTER, 'expected a JSON Pointer such as /action\nwhen: { /action: published }'),
    z.union(
      [z.string(), z.number(), z.boolean(), z.null()],
      says('a text, a number, true, false or nothing', 'when: { /action: published }'),
    ),
    says('a mapping of JSON Pointers to values', 'when: { /action: published }'),
  )
  .default({})
  .meta({ description: 'JSON Pointers into the payload, and what must stand there; other deliveries start nothing.' });

const SET = 'set: { networks.candidate.model: /release/assets/0/browser_download_url }';

const set = z
  .record(
    z.string().regex(SETTING, `expected networks.<name>.model or networks.<name>.sha256\n${SET}`),
    pointer(SET),
    says('a mapping of keys of networks to JSON Pointers', SET),
  )
  .default({})
  .meta({ description: 'Keys of networks that the payload fills in, by JSON Pointer: model or sha256.' });

const hook = mapping({ secret, when, set }, 'a mapping with secret, when and set', 'webhook: { secret: CI_SECRET }');

/** The kinds of trigger in words, for messages. */
export const ONE_KIND = 'one of github, huggingface, webhook, upload and schedule';

const GITHUB = 'github: { secret: GITHUB_WEBHOOK_SECRET, event: release }';

const triggerKinds = {
  github: mapping(
    {
      secret,
      event: patternText(/^[a-z][a-z_]*$/, 'the name of a GitHub event', 'event: release').meta({
        description: "GitHub's event, as in the header X-GitHub-Event; others start nothing.",
      }),
      when,
      set,
    },
    'a mapping with secret, event, when and set',
    GITHUB,
  )
    .optional()
    .meta({ description: 'A GitHub webhook, signed with its secret.' }),
  huggingface: hook.optional().meta({ description: 'A Hugging Face webhook, which carries its secret.' }),
  webhook: hook.optional().meta({ description: 'A delivery signed as Standard Webhooks has it.' }),
  upload: mapping(
    {
      prefix: plainText('the beginning of keys in the bucket', 'prefix: candidates/')
        .regex(/^(?!\/)(?!.*\.\.)[^\\]*$/, says('keys without leading /, .. or \\', 'prefix: candidates/'))
        .meta({ description: 'Objects whose key begins with it are models.' }),
      network: z
        .string(says('the name of a network', 'network: candidate'))
        .default(DEFAULT_UPLOAD_NETWORK)
        .meta({ description: 'The network whose model the object is.' }),
    },
    'a mapping with prefix and network',
    'upload: { prefix: candidates/ }',
  )
    .optional()
    .meta({ description: 'A new object in the bucket is the model of a network.' }),
  schedule: patternText(CRON, 'a cron pattern of five fields', 'schedule: "0 6 * * 1"')
    .optional()
    .meta({ description: 'Cron pattern: minute, hour, day, month and weekday, in UTC.' }),
};

const trigger = mapping(triggerKinds, `a mapping with ${ONE_KIND}`, `- ${GITHUB}`).meta({
  minProperties: 1,
  maxProperties: 1,
});

const LAST_PASSED = 'against: last-passed';

const gateRule = mapping(
  {
    layer: plainText('a layer or "*"', 'layer: conv1').meta({
      description: 'A layer of this file, or "*": every one.',
    }),
    pair: plainText('the folder of a pair', 'pair: seed1-seed2')
      .optional()
      .meta({ description: 'Folder of a pair, <a>-<b>. Default: every pair.' }),
    figure: patternText(FIGURE, 'a path into a layer of results.json', 'figure: match.mean_r').meta({
      description: "Path from the layer's entry in results.json; null or missing fails.",
    }),
    alpha: z
      .number(says('a number > 0', 'alpha: 0.03'))
      .gt(0)
      .optional()
      .meta({ description: 'Picks the item of a list that has this alpha.' }),
    at_least: z
      .number(says('a number', 'at_least: 0.35'))
      .optional()
      .meta({ description: 'The figure must reach it.' }),
    at_most: z
      .number(says('a number', 'at_most: 0.05'))
      .optional()
      .meta({ description: 'The figure must keep to it.' }),
    drop_at_most: z
      .number(says('a number ≥ 0', 'drop_at_most: 0.05'))
      .min(0)
      .optional()
      .meta({ description: 'How far the figure may fall below that of the run named in against.' }),
    against: z
      .enum(['last-passed'], says('last-passed', LAST_PASSED))
      .optional()
      .meta({ description: 'The last run of this pipeline whose gate passed; with none yet the rule passes.' }),
  },
  'a mapping with layer, figure and a bound',
  '- { layer: conv1, figure: match.mean_r, at_least: 0.35 }',
);

const NOTICE = '- { url: "https://hooks.acme.com/convergent", secret: NOTIFY_SECRET }';

const notice = mapping(
  {
    url: z
      .string(says('an https address', 'url: https://hooks.acme.com/convergent'))
      .regex(/^https:\/\/[^\s/?#@\\]+(?:[/?#][^\s\\]*)?$/)
      .refine((text) => URL.canParse(text), says('an https address', 'url: https://hooks.acme.com/convergent'))
      .optional()
      .meta({ description: 'Where a Standard Webhooks message goes.' }),
    secret: secret.optional().meta({ description: 'Environment variable with the secret that signs it.' }),
    'github-status': patternText(
      SECRET,
      'the name of a secret in capitals, never its value',
      'github-status: GITHUB_TOKEN',
    )
      .optional()
      .meta({ description: 'Environment variable with the token that sets a commit status.' }),
  },
  'a mapping with url and secret, or with github-status',
  NOTICE,
).meta({ minProperties: 1, maxProperties: 2 });

// at most `most` items, none where the key is absent
function listOf<T extends z.ZodType>(item: T, most: number, example: string) {
  return z
    .array(item, says(`a list of at most ${most}`, example))
    .max(most)
    .default([]);
}

/** Keys of the file that are the service's. */
export const serviceKeys = {
  public: z.boolean(says('true or false', 'public: true')).default(false).meta({
    description: 'Whether anybody may read the pipeline and its runs, without a token.',
  }),
  triggers: listOf(trigger, MAX_ITEMS.triggers, 'triggers: [{ schedule: "0 6 * * 1" }]').meta({
    description: 'What starts a run.',
  }),
  gate: listOf(gateRule, MAX_ITEMS.gate, 'gate: [{ layer: conv1, figure: match.mean_r, at_least: 0.35 }]').meta({
    description: 'Bounds on figures of results.json; a run that breaks one has failed its gate.',
  }),
  notify: listOf(notice, MAX_ITEMS.notify, 'notify: [{ github-status: GITHUB_TOKEN }]').meta({
    description: 'Who is told how a run ended.',
  }),
};

type Written = { [K in keyof typeof serviceKeys]: z.output<(typeof serviceKeys)[K]> };

/** The network and its key that a key of `set` names; null where it is no such key. */
export function settingTarget(key: string): { network: string; key: 'model' | 'sha256' } | null {
  const [, network, named] = SETTING.exec(key) ?? [];
  return network === undefined ? null : { network, key: named as 'model' | 'sha256' };
}

/** What is written, as the service reads it. */
export function resolveService(written: Written): ServiceDefinition {
  return {
    public: written.public,
    triggers: written.triggers.map(resolveTrigger),
    gate: written.gate.map(resolveRule),
    notify: written.notify.map(resolveNotice),
  };
}

/** Where a network's model may come from; undefined where nothing is written. */
export function resolveAddress(network: {
  hosts?: string[] | undefined;
  sha256?: string | undefined;
  max_bytes?: number | undefined;
}): AddressRules | undefined {
  const { hosts, sha256, max_bytes: maxBytes } = network;
  if (!hosts) return undefined;
  return { hosts, maxBytes: maxBytes ?? DEFAULT_MAX_BYTES, ...(sha256 && { sha256: sha256.toLowerCase() }) };
}

function resolveTrigger({ github, huggingface, webhook, upload, schedule }: Written['triggers'][number]): Trigger {
  if (github) return { ...resolveHook('github', github), event: github.event };
  if (huggingface) return resolveHook('huggingface', huggingface);
  if (webhook) return resolveHook('webhook', webhook);
  if (upload) return { kind: 'upload', prefix: upload.prefix, network: upload.network };
  return { kind: 'schedule', cron: schedule! };
}

function resolveHook(kind: HookTrigger['kind'], { secret, when, set }: z.output<typeof hook>): HookTrigger {
  return {
    kind,
    secret,
    when: Object.entries(when).map(([pointer, equals]) => ({ pointer, equals })),
    set: Object.entries(set).map(([key, pointer]) => ({ ...settingTarget(key)!, pointer })),
  };
}

function resolveRule(written: Written['gate'][number]): GateRule {
  const { layer, pair, figure, alpha, at_least: atLeast, at_most: atMost, drop_at_most: dropAtMost, against } = written;
  return {
    layer,
    ...(pair !== undefined && { pair }),
    figure,
    ...(alpha !== undefined && { alpha }),
    ...(atLeast !== undefined && { atLeast }),
    ...(atMost !== undefined && { atMost }),
    ...(dropAtMost !== undefined && { dropAtMost }),
    ...(against && { against }),
  };
}

function resolveNotice({ url, secret, 'github-status': token }: Written['notify'][number]): Notice {
  if (token !== undefined) return { kind: 'github-status', token };
  return { kind: 'webhook', url: url!, secret: secret! };
}
