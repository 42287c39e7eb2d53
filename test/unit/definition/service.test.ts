import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { pipelineText, refusal, unmark } from './pipelines.ts';

const parse = (sections: Record<string, string>) => parseDefinition(pipelineText(sections), 'p.yaml');
const HEX = '0123456789abcdef'.repeat(4);

const NETWORKS = `networks:
  ref: { model: ref.onnx }
  candidate: { model: "https://github.com/acme/net/releases/latest/download/net.onnx", hosts: [github] }`;

describe('what a pipeline file says of the service', () => {
  it('is nothing where it says nothing', () => {
    const { service, definition } = parse({});
    expect(service).toStrictEqual({ public: false, triggers: [], gate: [], notify: [] });
    expect(definition.networks[0]).not.toHaveProperty('address');
    expect(parse({ more: 'public: false\ntriggers: []\ngate: []\nnotify: []' }).service).toStrictEqual(service);
  });

  it('keeps every written value, in the file’s order', () => {
    const more = `public: true
triggers:
  - github:
      secret: GITHUB_WEBHOOK_SECRET
      event: release
      when: { /action: published, /release/draft: false, /a~1b/~0/0: 7, /none: null, "/": x }
      set:
        networks.candidate.sha256: /release/assets/0/digest
        networks.candidate.model: /release/assets/0/browser_download_url
  - huggingface: { secret: HF_SECRET, when: { /repo/name: acme/net } }
  - webhook: { secret: CI2 }
  - upload: { prefix: candidates/ }
  - upload: { prefix: refs/v1.0, network: ref }
  - upload: { prefix: plans/ }
  - schedule: "0 6 * * 1"
gate:
  - { layer: conv1, figure: match.mean_r, at_least: 0.35 }
  - { layer: "*", figure: predict.a_to_b.r2_held_out, alpha: 0.03, drop_at_most: 0, against: last-passed, pair: ref-candidate }
  - { layer: "*", figure: cluster.isolated, at_most: -0.5 }
notify:
  - { url: "https://hooks.acme.com/x?y=1", secret: NOTIFY_SECRET }
  - { github-status: GITHUB_TOKEN }`;
    expect(parse({ networks: NETWORKS, more }).service).toStrictEqual({
      public: true,
      triggers: [
        {
          kind: 'github',
          secret: 'GITHUB_WEBHOOK_SECRET',
          event: 'release',
          when: [
            { pointer: '/action', equals: 'published' },
            { pointer: '/release/draft', equals: false },
            { pointer: '/a~1b/~0/0', equals: 7 },
            { pointer: '/none', equals: null },
            { pointer: '/', equals: 'x' },
          ],
          set: [
            { network: 'candidate', key: 'sha256', pointer: '/release/assets/0/digest' },
            { network: 'candidate', key: 'model', pointer: '/release/assets/0/browser_download_url' },
          ],
        },
        { kind: 'huggingface', secret: 'HF_SECRET', when: [{ pointer: '/repo/name', equals: 'acme/net' }], set: [] },
        { kind: 'webhook', secret: 'CI2', when: [], set: [] },
        { kind: 'upload', prefix: 'candidates/', network: 'candidate' },
        { kind: 'upload', prefix: 'refs/v1.0', network: 'ref' },
        { kind: 'upload', prefix: 'plans/', network: 'candidate' },
        { kind: 'schedule', cron: '0 6 * * 1' },
      ],
      gate: [
        { layer: 'conv1', figure: 'match.mean_r', atLeast: 0.35 },
        {
          layer: '*',
          pair: 'ref-candidate',
          figure: 'predict.a_to_b.r2_held_out',
          alpha: 0.03,
          dropAtMost: 0,
          against: 'last-passed',
        },
        { layer: '*', figure: 'cluster.isolated', atMost: -0.5 },
      ],
      notify: [
        { kind: 'webhook', url: 'https://hooks.acme.com/x?y=1', secret: 'NOTIFY_SECRET' },
        { kind: 'github-status', token: 'GITHUB_TOKEN' },
      ],
    });
  });

  it('leads back to the file', () => {
    const { where } = parse({ networks: NETWORKS, more: 'gate:\n  - { layer: conv1, figure: match.x, at_most: 1 }' });
    expect(where(['gate', 0, 'figure'])).toEqual({ file: 'p.yaml', line: 8, column: 21, key: 'gate[0].figure' });
  });

  it('finds a network whose name has dots, or is a word of the language', () => {
    const networks = `networks: { a.model: { model: m, hosts: [github] }, __proto__: { model: m, hosts: [github] } }`;
    const set = '{ networks.a.model.model: /a, networks.a.model.sha256: /b, networks.__proto__.model: /c }';
    const [trigger] = parse({ networks, more: `triggers: [{ webhook: { secret: S, set: ${set} } }]` }).service.triggers;
    expect(trigger).toHaveProperty('set', [
      { network: 'a.model', key: 'model', pointer: '/a' },
      { network: 'a.model', key: 'sha256', pointer: '/b' },
      { network: '__proto__', key: 'model', pointer: '/c' },
    ]);
  });
});

describe('where a model may come from', () => {
  const address = (keys: string) =>
    parse({ networks: `networks: { a: { model: m, ${keys} }, b: { model: m } }` }).definition.networks[0]?.address;

  it('has a bound of 1 GiB unless another is written', () => {
    expect(address('hosts: [github]')).toStrictEqual({ hosts: ['github'], maxBytes: 2 ** 30 });
    expect(address('hosts: [huggingface, models.acme.com], max_bytes: 5')).toStrictEqual({
      hosts: ['huggingface', 'models.acme.com'],
      maxBytes: 5,
    });
  });
  it('keeps a hash in small letters', () => {
    expect(address(`hosts: [github], sha256: ${HEX.toUpperCase()}`)).toHaveProperty('sha256', HEX);
  });
  it.each([
    'a.b',
    'xn--bcher-kva.example',
    'a-b.c-d.co.uk',
    '1.example',
    `${'a'.repeat(63)}.com`,
    'github.com',
    'x.xn--p1ai',
  ])('takes the host %s', (host) => expect(address(`hosts: ["${host}"]`)).toHaveProperty('hosts', [host]));
  it.each([
    'localhost',
    'a.localhost',
    'acme',
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.0x1',
    '2130706433',
    '[::1]',
    '::1',
    'a.com:443',
    '*.acme.com',
    'https://acme.com',
    'acme.com/',
    'acme.com.',
    'Acme.com',
    'a..com',
    '-a.com',
    'a-.com',
    'a_b.com',
    'bücher.example',
    'u@acme.com',
    '',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(126)}com`,
  ])('refuses the host %j', (host) => {
    const networks = `networks: { a: { model: m, hosts: ["${host}"] }, b: { model: m } }`;
    const error = refusal(pipelineText({ networks }));
    expect(error.place?.key).toBe('networks.a.hosts[0]');
    expect(error.plainMessage).toMatch(/^expected networks\.a\.hosts\[0\] to be github, huggingface or a host name in/);
  });
});

describe('refusals, each with its place', () => {
  type Case = [marked: string, key: string, message: string, hint?: string];
  const check = (section: string, [marked, key, message, hint]: Case, others: Record<string, string> = {}) => {
    const { text, line, column } = unmark(pipelineText({ ...others, [section]: marked }));
    const error = refusal(text);
    expect(error.plainMessage.replace(/ \(and \d+ more problems? in this file\)$/, '')).toBe(message);
    expect(error.place).toEqual({ file: 'p.yaml', line, column, key });
    expect(error.code).toBe('definition-invalid');
    expect(error.hint).toMatch(/\S/);
    if (hint !== undefined) expect(error.hint).toBe(hint);
  };
  const network = (keys: string) => `networks: { a: { ${keys} }, b: { model: y } }`;
  const HOSTS = 'github, huggingface or a host name in small letters, without port';

  it.each<Case>([
    [
      network('▸model: "https://github.com/x"'),
      'networks.a.model',
      'expected networks.a.hosts, because its model is an address; found no such key',
      'Add `hosts: [github]`.',
    ],
    [
      network('▸model: "https://huggingface.co/x"'),
      'networks.a.model',
      'expected networks.a.hosts, because its model is an address; found no such key',
      'Add `hosts: [huggingface]`.',
    ],
    [
      network('▸model: "https://models.acme.com/x"'),
      'networks.a.model',
      'expected networks.a.hosts, because its model is an address; found no such key',
      'Add `hosts: [models.acme.com]`.',
    ],
    ...['http://a.com/x', 'file:///etc/passwd', 'file:x', 'ftp://a/x', 'data:,x', 's3://b/k', 'HTTPS://a.com/x'].map(
      (model): Case => [
        network(`model: ▸"${model}", hosts: [github]`),
        'networks.a.model',
        `expected networks.a.model to be a path or an https:// address; found "${model}"`,
        'Give the https:// address, with `hosts: [<its host>]`, or download the file and give its path.',
      ],
    ),
    [
      network(`model: x, ▸sha256: "${HEX}"`),
      'networks.a.sha256',
      'expected networks.a.hosts, beside sha256, which is of downloads; found no such key',
    ],
    [
      network('model: x, ▸max_bytes: 7'),
      'networks.a.max_bytes',
      'expected networks.a.hosts, beside max_bytes, which is of downloads; found no such key',
    ],
    [
      network('model: x, hosts: [▸githb]'),
      'networks.a.hosts[0]',
      `expected networks.a.hosts[0] to be ${HOSTS}; found "githb"; did you mean "github"?`,
    ],
    [network('model: x, hosts: [▸7]'), 'networks.a.hosts[0]', `expected networks.a.hosts[0] to be ${HOSTS}; found 7`],
    [
      network('model: x, ▸hosts: []'),
      'networks.a.hosts',
      'expected networks.a.hosts to be a list of one or more hosts; found an empty list',
      'Write it like this: `hosts: [github]`',
    ],
    [
      network('model: x, hosts: ▸github'),
      'networks.a.hosts',
      'expected networks.a.hosts to be a list of one or more hosts; found "github"',
    ],
    [
      network('model: x, hosts: [github], sha256: ▸abc'),
      'networks.a.sha256',
      'expected networks.a.sha256 to be a SHA-256 of 64 hex digits; found "abc"',
    ],
    [
      network('model: x, hosts: [github], max_bytes: ▸0'),
      'networks.a.max_bytes',
      'expected networks.a.max_bytes to be a whole number ≥ 1; found 0',
    ],
  ])('networks: %j', (...row) => check('networks', row));

  const KINDS = 'a mapping with one of github, huggingface, webhook, upload and schedule';
  const ONE = 'expected one of github, huggingface, webhook, upload and schedule in triggers[0]';
  const SECRET = 'the name of a secret in capitals, never its value; found something else';
  it.each<Case>([
    ['public: ▸yes', 'public', 'expected public to be true or false; found "yes"'],
    ['▸triggers: {}', 'triggers', 'expected triggers to be a list of at most 64; found an empty mapping'],
    ['triggers: [▸github]', 'triggers[0]', `expected triggers[0] to be ${KINDS}; found "github"`],
    ['triggers: [▸{}]', 'triggers[0]', `${ONE}; found none`],
    [
      'triggers: [▸{ webhook: { secret: A }, schedule: "0 6 * * 1" }]',
      'triggers[0]',
      `${ONE}; found "webhook" and "schedule"`,
    ],
    [
      'triggers: [{ ▸githb: { secret: A } }]',
      'triggers[0].githb',
      'expected github, huggingface, webhook, upload or schedule in triggers[0]; found "githb"; did you mean "github"?',
      'Rename it to "github", or remove it.',
    ],
    [
      'triggers: [{ ▸webhook: { when: {} } }]',
      'triggers[0].webhook.secret',
      'expected triggers[0].webhook.secret, the name of a secret in capitals, never its value; found no such key',
      'Add `secret: GITHUB_WEBHOOK_SECRET`.',
    ],
    [
      'triggers: [{ webhook: { secret: ▸hunter2 } }]',
      'triggers[0].webhook.secret',
      `expected triggers[0].webhook.secret to be ${SECRET}`,
    ],
    [
      'triggers: [{ webhook: { secret: ▸1234 } }]',
      'triggers[0].webhook.secret',
      `expected triggers[0].webhook.secret to be ${SECRET}`,
    ],
    [
      'triggers: [{ ▸github: { secret: A } }]',
      'triggers[0].github.event',
      'expected triggers[0].github.event, the name of a GitHub event; found no such key',
      'Add `event: release`.',
    ],
    [
      'triggers: [{ github: { secret: A, event: ▸Release } }]',
      'triggers[0].github.event',
      'expected triggers[0].github.event to be the name of a GitHub event; found "Release"',
    ],
    [
      'triggers: [{ huggingface: { secret: A, ▸event: release } }]',
      'triggers[0].huggingface.event',
      'expected secret, when or set in triggers[0].huggingface; found "event"',
    ],
    [
      'triggers: [{ webhook: { secret: A, when: { ▸action: x } } }]',
      'triggers[0].webhook.when.action',
      'expected a JSON Pointer such as /action; found "action"',
      'Write it like this: `when: { /action: published }`',
    ],
    [
      'triggers: [{ webhook: { secret: A, when: { ▸/a~2: x } } }]',
      'triggers[0].webhook.when."/a~2"',
      'expected a JSON Pointer such as /action; found "/a~2"',
    ],
    [
      'triggers: [{ webhook: { secret: A, when: { ▸__proto__: x } } }]',
      'triggers[0].webhook.when.__proto__',
      'expected a JSON Pointer such as /action; found "__proto__"',
    ],
    [
      'triggers: [{ webhook: { secret: A, when: { ▸/a: [x] } } }]',
      'triggers[0].webhook.when."/a"',
      'expected triggers[0].webhook.when."/a" to be a text, a number, true, false or nothing; found a list of 1',
    ],
    ...[
      'networks.seed1.layout',
      'networks.seed1',
      'probe.data',
      'model',
      'networks.seed1.model.x',
      'Networks.seed1.model',
    ].map((key): Case => [
      `triggers: [{ webhook: { secret: A, set: { ▸${key}: /a } } }]`,
      `triggers[0].webhook.set.${key}`,
      `expected networks.<name>.model or networks.<name>.sha256; found "${key}"`,
      'Write it like this: `set: { networks.candidate.model: /release/assets/0/browser_download_url }`',
    ]),
    [
      'triggers: [{ webhook: { secret: A, set: { ▸networks.sede1.model: /a } } }]',
      'triggers[0].webhook.set.networks.sede1.model',
      'expected seed1 or seed2 as network in triggers[0].webhook.set.networks.sede1.model; found "sede1"; did you mean "seed1" or "seed2"?',
      'Write "seed1".',
    ],
    [
      'triggers: [{ webhook: { secret: A, set: { ▸networks.seed1.model: /a } } }]',
      'triggers[0].webhook.set.networks.seed1.model',
      'expected networks.seed1.hosts, because a payload sets model; found no such key',
    ],
    [
      'triggers: [{ upload: ▸{ prefix: a/ } }]',
      'triggers[0].upload.network',
      'expected triggers[0].upload.network, as no network is named "candidate"; found no such key',
      'Add `network: seed1`.',
    ],
    [
      'triggers: [{ upload: { prefix: a/, network: ▸seed3 } }]',
      'triggers[0].upload.network',
      'expected seed1 or seed2 as network in triggers[0].upload.network; found "seed3"; did you mean "seed1" or "seed2"?',
    ],
    ...['/a', '../a', 'a/../b', 'a\\\\b'].map((prefix): Case => [
      `triggers: [{ upload: { prefix: ▸"${prefix}", network: seed1 } }]`,
      'triggers[0].upload.prefix',
      `expected triggers[0].upload.prefix to be keys without leading /, .. or \\; found "${prefix}"`,
    ]),
    ...(
      [
        ['activate/', 'activate/'],
        ['incoming/', 'incoming/x'],
        ['incoming/', 'in'],
        ['inputs/', 'inputs/0123'],
        ['inspect/', 'inspect/'],
        ['pipelines/', 'pipelines'],
        ['plan/', 'plan/'],
        ['reduce/', 'reduce/'],
        ['report/', 'rep'],
        ['runs/', 'runs/'],
      ] as const
    ).map(([own, prefix]): Case => [
      `triggers: [{ upload: { prefix: ▸${prefix}, network: seed1 } }]`,
      'triggers[0].upload.prefix',
      `expected triggers[0].upload.prefix apart from ${own}, which is the service's own; found "${prefix}"`,
      'Write it like this: `prefix: candidates/`',
    ]),
    [
      'triggers: [{ upload: { prefix: ▸"", network: seed1 } }]',
      'triggers[0].upload.prefix',
      'expected triggers[0].upload.prefix to be the beginning of keys in the bucket; found ""',
    ],
  ])('triggers: %j', (...row) => check('more', row));

  it('a prefix of the service’s own by one list and one check: no other file of the source has either', () => {
    const root = resolve(import.meta.dirname, '../../../src');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const naming = files.filter((file) => /OWN_FOLDERS|'incoming\/',/.test(readFileSync(join(root, file), 'utf8')));
    expect(naming).toEqual([join('definition', 'serviceRules.ts')]);
  });

  it('a pointer that is none, for a network with hosts', () => {
    const key = 'triggers[0].webhook.set.networks.candidate.model';
    const message = `expected ${key} to be a JSON Pointer into the payload; found "a"`;
    const marked = 'triggers: [{ webhook: { secret: A, set: { networks.candidate.model: ▸a } } }]';
    check('more', [marked, key, message], { networks: NETWORKS });
  });

  const CRON = 'a cron pattern of minute, hour, day, month and weekday';
  it.each<Case>([
    ...['0 6 * *', '0 0 6 * * 1', '@daily', ' 0 6 * * 1', '0  6 * * 1'].map((cron): Case => [
      `triggers: [{ schedule: ▸"${cron}" }]`,
      'triggers[0].schedule',
      `expected triggers[0].schedule to be a cron pattern of five fields; found "${cron}"`,
    ]),
    [
      'triggers: [{ schedule: ▸"0 25 * * 1" }]',
      'triggers[0].schedule',
      `expected triggers[0].schedule to be ${CRON}; found "0 25 * * 1", which cannot be read: Invalid value for hour: 25`,
    ],
    [
      'triggers: [{ schedule: ▸"0 0 30 2 *" }]',
      'triggers[0].schedule',
      `expected triggers[0].schedule to be ${CRON}; found "0 0 30 2 *", which never comes`,
    ],
    [
      'triggers: [{ schedule: ▸"? 0 * * *" }]',
      'triggers[0].schedule',
      `expected triggers[0].schedule to be ${CRON}; found "? 0 * * *", which has a "?"`,
    ],
  ])('schedule: %j', (...row) => check('more', row));

  it.each(['* * * * *', '*/15 8-18 * * MON-FRI', '0 0 29 2 *', '0 0 L * *', '0 6 * * 7', '1,2,3 0 1 JAN *'])(
    'the schedule %s is none',
    (cron) => {
      expect(parse({ more: `triggers: [{ schedule: "${cron}" }]` }).service.triggers).toEqual([
        { kind: 'schedule', cron },
      ]);
    },
  );

  const BOUNDS = 'expected one of at_least, at_most or drop_at_most in gate[0]';
  const rule = (keys: string) => `gate: [{ figure: match.mean_r, ${keys} }]`;
  it.each<Case>([
    [
      'gate: [▸{ layer: conv1, at_least: 1 }]',
      'gate[0].figure',
      'expected gate[0].figure, a path into a layer of results.json; found no such key',
    ],
    ...['match..mean_r', '.match', 'match.', 'Match', 'a/b', 'a[0]'].map((figure): Case => [
      `gate: [{ layer: conv1, figure: ▸"${figure}", at_least: 1 }]`,
      'gate[0].figure',
      `expected gate[0].figure to be a path into a layer of results.json; found "${figure}"`,
    ]),
    [
      rule('layer: ▸conv2, at_least: 1'),
      'gate[0].layer',
      'expected conv1 or * as layer in gate[0].layer; found "conv2"; did you mean "conv1"?',
      'Write "conv1".',
    ],
    [
      rule('layer: "*", pair: ▸seed2-seed1, at_least: 1'),
      'gate[0].pair',
      'expected seed1-seed2 as pair in gate[0].pair; found "seed2-seed1"; did you mean "seed1-seed2"?',
    ],
    [
      rule('layer: "*", alpha: ▸0.5, at_least: 1'),
      'gate[0].alpha',
      'expected gate[0].alpha to be one of predict.alphas, 0.3, 0.1, 0.03, 0.01 or 0.003; found 0.5',
    ],
    [
      `predict: { alphas: [0.5] }\n${rule('layer: "*", alpha: ▸0.3, at_least: 1')}`,
      'gate[0].alpha',
      'expected gate[0].alpha to be one of predict.alphas, 0.5; found 0.3',
    ],
    [
      `predict: false\n${rule('layer: "*", alpha: ▸0.3, at_least: 1')}`,
      'gate[0].alpha',
      'expected gate[0].alpha to be absent where predict is false; found 0.3',
      'Remove it.',
    ],
    [
      'gate: [▸{ layer: conv1, figure: match.mean_r }]',
      'gate[0]',
      `${BOUNDS}; found none`,
      'Add `at_least: <number>`.',
    ],
    [rule('layer: "*", at_least: 1, ▸at_most: 2'), 'gate[0]', `${BOUNDS}; found at_least and at_most`],
    [
      rule('layer: "*", ▸drop_at_most: 1'),
      'gate[0].against',
      'expected gate[0].against beside drop_at_most, last-passed; found no such key',
      'Add `against: last-passed`.',
    ],
    [
      rule('layer: "*", at_least: 1, ▸against: last-passed'),
      'gate[0].against',
      'expected against beside drop_at_most only; found it beside at_least',
    ],
    [
      rule('layer: "*", drop_at_most: 1, against: ▸last'),
      'gate[0].against',
      'expected gate[0].against to be last-passed; found "last"',
    ],
    [
      rule('layer: "*", drop_at_most: ▸-1, against: last-passed'),
      'gate[0].drop_at_most',
      'expected gate[0].drop_at_most to be a number ≥ 0; found -1',
    ],
    [
      rule('layer: "*", at_least: ▸"1"'),
      'gate[0].at_least',
      'expected gate[0].at_least to be a number; found "1"',
      'Remove the quotes.',
    ],
    [
      rule('layer: "*", ▸at_lest: 1, at_least: 1'),
      'gate[0].at_lest',
      'expected layer, pair, figure, alpha, at_least, at_most, drop_at_most or against in gate[0]; found "at_lest"; did you mean "at_least" or "at_most"?',
    ],
  ])('gate: %j', (...row) => check('more', row));

  const WHOLE = 'expected url and secret, or github-status alone, in notify[0]';
  it.each<Case>([
    ['notify: [▸{ url: "https://a.com" }]', 'notify[0]', `${WHOLE}; found url`, 'Add `secret: NOTIFY_SECRET`.'],
    ['notify: [▸{ secret: A }]', 'notify[0]', `${WHOLE}; found secret`],
    ['notify: [▸{}]', 'notify[0]', `${WHOLE}; found neither`],
    ['notify: [▸{ github-status: T, secret: A }]', 'notify[0]', `${WHOLE}; found secret and github-status`],
    [
      'notify: [{ github-status: ▸ghp_abc }]',
      'notify[0].github-status',
      `expected notify[0].github-status to be ${SECRET}`,
    ],
    ...['http://a.com', 'https://', 'https://u:p@a.com', 'https:// a.com', 'a.com', 'https://a.com:x/'].map(
      (url): Case => [
        `notify: [{ url: ▸"${url}", secret: A }]`,
        'notify[0].url',
        `expected notify[0].url to be an https address; found "${url}"`,
      ],
    ),
  ])('notify: %j', (...row) => check('more', row));

  it('lists longer than any pipeline’s', () => {
    const many = (item: string, count: number) => `[${Array<string>(count).fill(item).join(', ')}]`;
    for (const [key, item, most] of [
      ['triggers', '{ schedule: "0 0 30 2 *" }', 64],
      ['gate', '{ layer: "*", figure: images, at_least: 1 }', 256],
      ['notify', '{ github-status: T }', 16],
    ] as const) {
      const found = `expected ${key} to be a list of at most ${most}; found a list of ${most + 1}`;
      check('more', [`▸${key}: ${many(item, most + 1)}`, key, found]);
    }
    expect(parse({ more: `notify: ${many('{ github-status: T }', 16)}` }).service.notify).toHaveLength(16);
  });
});
