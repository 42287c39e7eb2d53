import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDefinition, type Definition } from '../../../src/definition/definition.ts';
import { NAME_PATTERN, pairsOf, RESERVED_NETWORK_NAMES } from '../../../src/definition/names.ts';
import { PipelineError } from '../../../src/errors.ts';
import { pipelineText } from './pipelines.ts';

// names that YAML or JavaScript would gladly take for something else, and any other
const name = fc.oneof(
  fc.constantFrom('1', '2', '10', '007', '1e3', '0x1F', 'true', 'null', 'no', '__proto__', '__proto___', 'constructor'),
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/).filter((text) => NAME_PATTERN.test(text)),
);
const names = (minLength: number, maxLength: number) =>
  fc.uniqueArray(name, { minLength, maxLength, selector: (text) => text.toLowerCase() });
const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((s) => /\S/.test(s) && !/\p{Cc}/u.test(s));
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x));
const positive = finite.map(Math.abs).filter((x) => x > 0);
const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const scheme = /^[a-z][a-z0-9+.-]*:/i;
const address = fc.record(
  {
    hosts: fc.uniqueArray(fc.oneof(fc.constantFrom('github', 'huggingface'), fc.domain()), {
      minLength: 1,
      maxLength: 3,
    }),
    maxBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  },
  { requiredKeys: ['hosts', 'maxBytes'] },
);
const natural = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const tap = fc.record({ tensor: text, units: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: ['tensor'] });

const perChannel = (value: fc.Arbitrary<number>, channels: number) =>
  fc.oneof(
    value.map((x) => [x]),
    fc.array(value, { minLength: channels, maxLength: channels }),
  );

const networkNames = names(2, 4).filter((list) => {
  if (list.some((each) => RESERVED_NETWORK_NAMES.includes(each))) return false;
  const folders = pairsOf({ networks: list.map((each) => ({ name: each })) as Definition['networks'] });
  return new Set(folders.map(({ folder }) => folder.toLowerCase())).size === folders.length;
});

const definition: fc.Arbitrary<Definition> = fc
  .record({ networkNames, layerNames: names(1, 4), channels: fc.integer({ min: 1, max: 4 }) })
  .chain(({ networkNames, layerNames, channels }) =>
    fc.record({
      name,
      networks: fc.tuple(
        ...networkNames.map((each) =>
          fc.record({
            name: fc.constant(each),
            model: text.filter((path) => !scheme.test(path)),
            address: fc.option(address),
            layout: fc.constantFrom('nchw' as const, 'nhwc' as const),
            scale: perChannel(
              finite.filter((x) => x !== 0),
              channels,
            ),
            mean: perChannel(finite, channels),
            std: perChannel(positive, channels),
          }),
        ),
      ),
      layers: fc.tuple(
        ...layerNames.map((each) =>
          fc.record({ name: fc.constant(each), taps: fc.tuple(...networkNames.map(() => tap)) }),
        ),
      ),
      probe: fc.record(
        { data: text, layout: fc.constantFrom('nhw', 'nhwc', 'nchw', 'as-is'), rows: natural },
        { requiredKeys: ['data'] },
      ),
      positions: fc.oneof(fc.constant('all' as const), fc.record({ sample: natural })),
      shard: fc.record({ rows: natural, batch: natural }, { requiredKeys: [] }),
      match: fc.boolean(),
      predict: fc.oneof(
        fc.constant(false as const),
        fc.record(
          {
            alphas: fc.uniqueArray(positive, { minLength: 1, maxLength: 5 }),
            holdout: below1,
            targets: fc.oneof(fc.constant('all' as const), natural),
          },
          { requiredKeys: ['alphas', 'holdout'] },
        ),
      ),
      cluster: fc.oneof(fc.constant(false as const), fc.record({ k: natural, threshold: below1 })),
      seed: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      compute: fc.constantFrom(null, 'isolate' as const, 'native' as const),
    }),
  )
  .map(({ compute, networks, ...rest }) => ({
    ...rest,
    // an address is for networks that have one
    networks: networks.map(({ address: own, model, ...network }) =>
      own ? { ...network, model: `https://${own.hosts[0]}/${model}`, address: own } : { ...network, model },
    ),
    ...(compute && { compute }),
  }));

// every key written out; names bare, as people write them, values as JSON, which is YAML
function write({ networks, layers, ...rest }: Definition): string {
  const lines = Object.entries(rest).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  lines.push('networks:');
  for (const { name: key, address: rules, ...network } of networks) {
    const written = rules && { hosts: rules.hosts, sha256: rules.sha256, max_bytes: rules.maxBytes };
    lines.push(`  ${key}: ${JSON.stringify({ ...network, ...written })}`);
  }
  lines.push('layers:');
  for (const layer of layers) {
    lines.push(`  ${layer.name}:`);
    for (const [i, { name: key }] of networks.entries()) {
      const { tensor, units } = layer.taps[i] ?? expect.fail('expected a tap per network');
      lines.push(`    ${key}: ${JSON.stringify(units === undefined ? tensor : { tensor, units })}`);
    }
  }
  return lines.join('\n') + '\n';
}

describe('any valid definition', () => {
  it('written out and parsed is itself', () => {
    fc.assert(
      fc.property(definition, (wanted) => {
        expect(parseDefinition(write(wanted), 'p.yaml').definition).toEqual(wanted);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('has a place for every network, layer and key, and there stands the key', () => {
    fc.assert(
      fc.property(definition, (wanted) => {
        const lines = write(wanted).split('\n');
        const { where } = parseDefinition(write(wanted), 'p.yaml');
        const paths: string[][] = [['name'], ['probe', 'data'], ['seed']];
        for (const network of wanted.networks) {
          paths.push(['networks', network.name], ['networks', network.name, 'model']);
          for (const layer of wanted.layers) paths.push(['layers', layer.name], ['layers', layer.name, network.name]);
        }
        for (const path of paths) {
          const { line = 0, column = 0, key } = where(path);
          const standing = (lines[line - 1] ?? '').slice(column - 1).replaceAll('"', '');
          expect(standing.startsWith(`${path.at(-1)}:`), `${path.join(' ')} at ${line}:${column}`).toBe(true);
          expect(key).toBe(path.join('.'));
        }
      }),
      { seed: 2, numRuns: 50 },
    );
  });
});

describe('any other text', () => {
  // the only way out: a definition, or a PipelineError that names place and remedy
  const endsWell = (source: string) => {
    try {
      parseDefinition(source, 'p.yaml');
    } catch (thrown) {
      if (!(thrown instanceof PipelineError)) throw thrown;
      expect(thrown.code).toBe('definition-invalid');
      expect(thrown.place?.line).toBeGreaterThanOrEqual(1);
      expect(thrown.place?.column).toBeGreaterThanOrEqual(1);
      expect(thrown.plainMessage).toMatch(/^expected .*; found /s);
      expect(thrown.plainMessage).not.toMatch(/invalid input|unrecognized|undefined|NaN|\[object/i);
      expect(thrown.hint).toMatch(/\S/);
    }
  };

  it('ends in a definition or a refusal', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), endsWell), { seed: 3, numRuns: 300 });
  });

  it('also where a valid file is cut, doubled or sprinkled', () => {
    const valid = pipelineText({
      more: 'predict: { alphas: [0.1, 0.01] }\ncluster: { k: 3 }\npositions: { sample: 2 }',
    });
    const sprinkle = fc.constantFrom(
      ':',
      ' ',
      '\n',
      '{',
      '}',
      '[',
      ']',
      ',',
      '-',
      '"',
      '&a ',
      '*a',
      '!',
      '#',
      '0',
      '~',
      '? ',
    );
    fc.assert(
      fc.property(fc.nat(valid.length), fc.nat(valid.length), sprinkle, (from, to, inserted) => {
        endsWell(valid.slice(0, from) + inserted + valid.slice(to));
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  it('also where a part of what it says of the service is another', () => {
    const trigger = fc.oneof(
      fc.dictionary(fc.constantFrom('github', 'huggingface', 'webhook', 'upload', 'schedule', 'x'), fc.jsonValue()),
      fc.record({
        github: fc.dictionary(
          fc.constantFrom('secret', 'event', 'when', 'set'),
          fc.oneof(fc.constant('S'), fc.jsonValue()),
        ),
      }),
      fc.record({ webhook: fc.record({ secret: fc.constant('S'), set: fc.dictionary(fc.string(), fc.string()) }) }),
      fc.record({ schedule: fc.stringMatching(/^[0-9*,/?LW#-]{1,4}( [0-9*,/?LW#-]{1,4}){4}$/) }),
    );
    const rule = fc.dictionary(
      fc.constantFrom('layer', 'pair', 'figure', 'alpha', 'at_least', 'at_most', 'drop_at_most', 'against'),
      fc.oneof(fc.constantFrom('conv1', '*', 'match.mean_r', 'last-passed', 0.1), fc.jsonValue()),
    );
    const notice = fc.dictionary(
      fc.constantFrom('url', 'secret', 'github-status'),
      fc.oneof(fc.constant('S'), fc.webUrl()),
    );
    const parts = fc.oneof(
      fc.tuple(fc.constant('triggers'), fc.array(trigger, { maxLength: 3 })),
      fc.tuple(fc.constant('gate'), fc.array(rule, { maxLength: 3 })),
      fc.tuple(fc.constant('notify'), fc.array(notice, { maxLength: 3 })),
    );
    fc.assert(
      fc.property(parts, ([key, value]) => endsWell(pipelineText({ [key]: `${key}: ${JSON.stringify(value)}` }))),
      { seed: 6, numRuns: 500 },
    );
  });

  it('also where any value is another', () => {
    const value = fc.json({ maxDepth: 3 });
    const section = fc.constantFrom(
      'name',
      'networks',
      'layers',
      'probe',
      'positions',
      'shard',
      'compute',
      'predict',
      'cluster',
      'seed',
      'public',
      'triggers',
      'gate',
      'notify',
    );
    fc.assert(
      fc.property(section, value, (key, json) => endsWell(pipelineText({ [key]: `${key}: ${json}` }))),
      { seed: 5, numRuns: 500 },
    );
  });
});
