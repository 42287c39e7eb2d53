import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { definitionJsonSchema, pipelineSchema } from '../../../src/definition/schema.ts';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { pipelineText } from './pipelines.ts';

describe('pipelines/pipeline.schema.json', () => {
  // rewrite it after a change of the schema: npx vitest run test/unit/definition/schema.test.ts --update
  it('is the schema that validates', async () => {
    await expect(JSON.stringify(definitionJsonSchema(), null, 2) + '\n').toMatchFileSnapshot(
      '../../../pipelines/pipeline.schema.json',
    );
  });
});

describe('each pipeline of the repository', () => {
  it.each(globSync('pipelines/*.yaml'))('%s is valid and names its schema in the first line', (path) => {
    const text = readFileSync(path, 'utf8');
    expect(parseDefinition(text, path).definition.name).toMatch(/./);
    expect(text.split('\n')[0]).toMatch(/^# yaml-language-server: \$schema=(\.\/)?pipeline\.schema\.json$/);
  });
});

describe('definitionJsonSchema()', () => {
  const schema = definitionJsonSchema() as { properties: Record<string, Node>; required: string[] };
  interface Node {
    description?: string;
    default?: unknown;
    properties?: Record<string, Node>;
    additionalProperties?: Node | false;
    anyOf?: Node[];
    items?: Node;
  }

  it('requires no key that has a default', () => {
    expect(schema.required).toEqual(['name', 'networks', 'layers', 'probe']);
  });

  it('describes every key, for editors', () => {
    const missing: string[] = [];
    const visit = (node: Node, path: string) => {
      for (const [key, value] of Object.entries(node.properties ?? {})) {
        if (!value.description) missing.push(`${path}.${key}`);
        visit(value, `${path}.${key}`);
      }
      for (const inner of [...(node.anyOf ?? []), node.items, node.additionalProperties]) if (inner) visit(inner, path);
    };
    visit(schema, '');
    expect(missing).toEqual([]);
  });

  it('keeps networks from being named like keys, and scale from being 0', () => {
    expect(schema).toHaveProperty('properties.networks.propertyNames.not', { enum: ['tensor', 'units'] });
    expect(schema).toHaveProperty('properties.probe.properties.scale.anyOf[0].not', { const: 0 });
  });

  // the JSON Schema read back into a validator, but for `not`, which zod cannot read
  const withoutNot: unknown = JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (key === 'not' ? undefined : value)),
  );
  const published = z.fromJSONSchema(withoutNot as Parameters<typeof z.fromJSONSchema>[0]);
  const verdicts = (sections: Record<string, string>) => {
    const data: unknown = parse(pipelineText(sections));
    return [pipelineSchema.safeParse(data).success, published.safeParse(data).success];
  };

  it.each([
    {},
    { name: 'name: 1x' },
    { layers: 'layers: { c: { tensor: x, units: 1 }, d: { seed1: x, seed2: { tensor: y } } }' },
    { probe: 'probe: { data: d, layout: nhw, scale: 255, mean: [0.1, 0.2], std: 1, rows: 5 }' },
    { more: 'positions: { sample: 1 }\nshard: {}\nmatch: false\npredict: false\ncluster: { k: 1 }\nseed: 0' },
    { more: 'predict: { alphas: [1], holdout: 0 }\ncluster: true' },
    { more: 'compute: native\npredict: { targets: all }' },
    { more: 'compute: isolate\npredict: { targets: 1 }' },
    { networks: `networks: { a: { model: "https://a.b/c", hosts: [github, a.b], max_bytes: 1 }, b: { model: y } }` },
    { more: 'public: true\ntriggers: []\ngate: []\nnotify: []' },
    { more: 'triggers: [{ github: { secret: A, event: push, when: { /a: 1, /b: }, set: { networks.a.model: /c } } }]' },
    { more: 'triggers: [{ webhook: { secret: A } }, { upload: { prefix: a/ } }, { schedule: "0 6 * * 1" }]' },
    {
      more: 'gate: [{ layer: "*", pair: a-b, figure: match.mean_r, alpha: 1, drop_at_most: 0, against: last-passed }]',
    },
    { more: 'notify: [{ url: "https://a.b/c", secret: A }, { github-status: B }]' },
  ])('accepts what the validator accepts: %j', (sections) => {
    expect(verdicts(sections)).toEqual([true, true]);
  });

  it.each([
    { name: 'name: a b' },
    { networks: 'networks: { a: { model: x } }' },
    { networks: 'networks: { a: { model: x }, b: { modle: y } }' },
    { layers: 'layers: {}' },
    { layers: 'layers: { c: [x] }' },
    { layers: 'layers: { c: { tensor: x, units: 0 } }' },
    { probe: 'probe: { data: d, std: 0 }' },
    { probe: 'probe: { data: d, layout: hwc }' },
    { more: 'positions: some' },
    { more: 'shard: { rows: 0 }' },
    { more: 'predict: { alphas: [] }' },
    { more: 'predict: { holdout: 1 }' },
    { more: 'predict: { targets: 0 }' },
    { more: 'predict: { targets: every }' },
    { more: 'compute: auto' },
    { more: 'cluster: { k: 1.5 }' },
    { more: 'seed: -1' },
    { more: 'sede: 1' },
    { networks: 'networks: { a: { model: x, hosts: [] }, b: { model: y } }' },
    { networks: 'networks: { a: { model: x, hosts: [localhost] }, b: { model: y } }' },
    { networks: 'networks: { a: { model: x, hosts: [127.0.0.1] }, b: { model: y } }' },
    { networks: 'networks: { a: { model: x, hosts: [github], sha256: abc }, b: { model: y } }' },
    { more: 'public: 1' },
    { more: 'triggers: [{ cron: "0 6 * * 1" }]' },
    { more: 'triggers: [{ webhook: { secret: value } }]' },
    { more: 'triggers: [{ webhook: { secret: A, when: { a: 1 } } }]' },
    { more: 'triggers: [{ webhook: { secret: A, when: { /a: [1] } } }]' },
    { more: 'triggers: [{ webhook: { secret: A, set: { networks.a.layout: /c } } }]' },
    { more: 'triggers: [{ webhook: { secret: A, set: { networks.a.model: c } } }]' },
    { more: 'triggers: [{ upload: { prefix: /a } }]' },
    { more: 'triggers: [{ schedule: "0 6 * *" }]' },
    { more: 'gate: [{ figure: match.mean_r, at_least: 1 }]' },
    { more: 'gate: [{ layer: a, figure: a..b, at_least: 1 }]' },
    { more: 'gate: [{ layer: a, figure: a, drop_at_most: -1 }]' },
    { more: 'gate: [{ layer: a, figure: a, drop_at_most: 1, against: last }]' },
    { more: 'notify: [{ url: "http://a.b", secret: A }]' },
    { more: `notify: [${Array<string>(17).fill('{ github-status: A }').join()}]` },
  ])('refuses what the validator refuses: %j', (sections) => {
    expect(verdicts(sections)).toEqual([false, false]);
  });
});
