import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RunCosts } from '../../../src/report/costs.ts';
import { dataBlock, inline } from '../../../src/report/html/embed.ts';
import { reportLayer, reportRun } from '../../../src/report/report.ts';
import type { LayerSummary } from '../../../src/report/report.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { demoDocuments, demoPlan } from './demo.ts';
import type { Demo } from './demo.ts';

const demo: Demo = {
  networks: ['one', 'two', 'three'],
  layers: [
    { name: 'conv', units: [6, 8, 5], positionShape: [4, 4], dead: [[2], [], [0, 4]] },
    { name: 'fc', units: [10, 10, 10] },
  ],
};
const script = 'console.log("</script><!--");\r\n';
const style = 'body { color: red }';

async function pageOf(
  options: Demo,
  change: (plan: Plan) => void = () => {},
  costs: RunCosts | null = null,
): Promise<{ page: string; results: unknown }> {
  const plan = demoPlan(options);
  change(plan);
  const summaries: LayerSummary[] = [];
  for (const pair of plan.pairs.keys()) {
    for (const layer of plan.layers.keys()) {
      const { summary } = await reportLayer(plan, pair, layer, demoDocuments(options, plan, pair, layer));
      summaries.push(summary);
    }
  }
  const { files } = await reportRun(plan, '0.1.0', summaries, [], { script, style }, costs);
  const [json, page] = files.map(({ bytes }) => new TextDecoder().decode(bytes)) as [string, string];
  return { page, results: JSON.parse(json) };
}

/** Every number told on the page: its path in results.json, and its value. */
function numbersOf(page: string): { path: string; value: number | null }[] {
  const found = page.matchAll(/data-path="([^"]+)"\s+data-value="([^"]*)"/g);
  return Array.from(found, ([, path, value]) => ({ path: path!, value: value === '' ? null : Number(value) }));
}

function lookUp(results: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Record<string, unknown>)[key], results);
}

describe('numbers', () => {
  it.each([
    ['all stages', demo],
    ['nothing held out', { ...demo, predict: { alphas: [0.1, 5], holdout: 0 } }],
    ['prediction alone', { ...demo, match: false, cluster: false } satisfies Demo],
    ['no prediction', { ...demo, predict: false } satisfies Demo],
  ] as [string, Demo][])('%s: each is the one of results.json', async (_, options) => {
    const { page, results } = await pageOf(options);
    const numbers = numbersOf(page);
    expect(numbers.length).toBeGreaterThan(50);
    for (const { path, value } of numbers)
      expect(`${path} ${value}`).toBe(`${path} ${lookUp(results, path) as number}`);
  });

  it('none of results.json is missing', async () => {
    const { page, results } = await pageOf(demo);
    const told = new Set(numbersOf(page).map(({ path }) => path));
    const missing: string[] = [];
    const walk = (value: unknown, path: string): void => {
      const isList = /\.(dead_[ab])\./.test(path); // told as a list
      if ((typeof value === 'number' || value === null) && !isList && !told.has(path)) missing.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
    };
    walk(results, '');
    // the same alphas stand in one table with those of the other direction
    expect(missing.filter((path) => !/b_to_a\.\d\.alpha$/.test(path))).toEqual(['groups']);
  });
});

it('a sample of targets is told as such', async () => {
  const plan = demoPlan(demo);
  const documents = demoDocuments(demo, plan, 0, 0);
  documents.aToB!.chosen.fill(0, 3);
  const { summary } = await reportLayer(plan, 0, 0, documents);
  const data = { ...plan, pairs: plan.pairs.slice(0, 1), layers: plan.layers.slice(0, 1) };
  const { files } = await reportRun(data, '0.1.0', [summary], [], { script, style }, null);
  const text = new TextDecoder()
    .decode(files[1]!.bytes)
    .replace(/<[^>]+>/g, '')
    .replace(/\s+/g, ' ');
  expect(text).toContain('Predicted are 3 of 8 units of two and all 6 units of one, drawn by seed 1.');
  const { page } = await pageOf(demo);
  expect(page).not.toContain('drawn by seed');
});

describe('safety', () => {
  it('what comes from outside is text, in HTML and in data', async () => {
    const hostile = '</script><img src=x onerror=alert(1)>"\u2028';
    const { page } = await pageOf(demo, (plan) => {
      for (const tap of plan.layers[0]!.taps) tap.valueName = hostile;
    });
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;');
  });

  it('the policy allows its own script and style by hash and nothing else', async () => {
    const { page } = await pageOf(demo);
    const [, policy] = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(page)!;
    const hash = (text: string): string => `&#39;sha256-${createHash('sha256').update(text).digest('base64')}&#39;`;
    const [, own] = /<script>([\s\S]*?)<\/script>/.exec(page)!;
    expect(own).toBe('console.log("<\\/script><\\!--");\n');
    const directives = [
      ...['default-src', 'base-uri', 'form-action'].map((name) => `${name} &#39;none&#39;`),
      `script-src ${hash(own!)}`,
      `style-src ${hash(style)}`,
    ];
    expect(policy).toBe(directives.join('; '));
    expect(page).not.toMatch(/\sstyle=|\son\w+=|src=|https?:/);
  });

  it('dataBlock: JSON that comes back and cannot end its element', () => {
    const value = { text: '</script><!-- \u2028\u2029 "', number: 0.1 };
    const block = dataBlock('x', value);
    const [, json] = /^<script type="application\/json" id="x">(.*)<\/script>\n$/.exec(block)!;
    expect(JSON.parse(json!)).toEqual(value);
    expect(json).not.toMatch(/[<\u2028\u2029]/);
  });

  it('inline: nothing ends the element, line breaks are those a browser hashes', () => {
    expect(inline('a("</script>", "</STYLE>")\r\nb\r')).toBe('a("<\\/script>", "<\\/STYLE>")\nb\n');
  });
});

describe('structure', () => {
  it('ids are unique, and every link within the page and every label has its target', async () => {
    const { page } = await pageOf(demo);
    const all = (pattern: RegExp): string[] => Array.from(page.matchAll(pattern), ([, found]) => found!);
    const ids = all(/\sid="([^"]+)"/g);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...all(/href="#([^"]+)"/g), ...all(/aria-labelledby="([^"]+)"/g)];
    expect(targets.length).toBeGreaterThan(20);
    for (const target of targets) expect(ids).toContain(target);
  });

  it('each pair has its section, each layer one within it, in order', async () => {
    const { page } = await pageOf(demo);
    const ids = Array.from(page.matchAll(/<section class="(?:pair|layer)" id="([^"]+)"/g), ([, id]) => id);
    const pairs = ['one-two', 'one-three', 'two-three'];
    expect(ids).toEqual(pairs.flatMap((pair) => [pair, `${pair}/conv`, `${pair}/fc`]));
  });

  it('elements are closed in the order they were opened', async () => {
    const { page } = await pageOf(demo);
    const empty = new Set(['meta', 'rect']);
    const open: string[] = [];
    const markup = page.replace(/<(script|style)[\s\S]*?<\/\1>/g, '');
    for (const [, close, name] of markup.matchAll(/<(\/?)([a-z][a-z0-9]*)/g)) {
      if (empty.has(name!)) continue;
      if (close) expect(open.pop()).toBe(name);
      else open.push(name!);
    }
    expect(open).toEqual([]);
  });

  it('pairs beyond the sections a page can have stand in results.json alone, and the page says so', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `n${i}`);
    const { page } = await pageOf({ networks: names, layers: [{ name: 'fc', units: names.map(() => 2) }] });
    expect(page).toContain('This page shows the first 400 of 435 pairs');
    expect(page.match(/<section class="layer"/g)).toHaveLength(400);
  });

  it('every warning is on the page, or the word that there is none', async () => {
    const { page, results } = await pageOf(demo);
    const { warnings } = results as { warnings: string[] };
    expect(page.match(/data-warning/g)).toHaveLength(warnings.length);
    const calm = await pageOf({ networks: ['one', 'two'], layers: [{ name: 'fc', units: [12, 12] }] });
    expect((calm.results as { warnings: string[] }).warnings).toEqual([]);
    expect(calm.page).toContain('No warnings');
  });
});

describe('what it cost', () => {
  const costs: RunCosts = {
    rows: [
      {
        stage: 'activate',
        tasks: 1200,
        forecastSeconds: 12_345.6,
        actualSeconds: 4.25,
        forecastBytes: 96.4 * 2 ** 20,
        peakBytes: null,
      },
    ],
    cloud: [{ workers: 250, wallSeconds: 61, dollars: 0.0123 }],
    pricesRead: '2026-11',
    note: 'Without the time to upload.',
  };
  const rowsOf = (page: string): string[][] => {
    const [, section] = /<section id="costs"([\s\S]*?)<\/section>/.exec(page)!;
    return Array.from(section!.matchAll(/<tr>([\s\S]*?)<\/tr>/g), ([, row]) =>
      Array.from(row!.matchAll(/<t[hd][^>]*>([^<]*)</g), ([, cell]) => cell!.trim()),
    );
  };

  it('is told in the units of people at the end, and nowhere in results.json', async () => {
    const { page, results } = await pageOf(demo, () => {}, costs);
    expect(rowsOf(page)).toEqual([
      ['stage', 'tasks', 'forecast', 'took', 'memory forecast', 'peak'],
      ['activate', '1,200', '12,346 s', '4.3 s', '96 MiB', '—'],
      ['Workers at once', 'time', 'cost'],
      ['250', '61 s', '$0.012'],
    ]);
    expect(page.indexOf('id="costs"')).toBeGreaterThan(page.lastIndexOf('class="layer"'));
    expect(page).toContain('Without the time to upload.');
    expect(JSON.stringify(results)).not.toMatch(/second|dollar|took/i);
  });

  it('that nobody measured is no section', async () => {
    expect((await pageOf(demo)).page).not.toContain('id="costs"');
  });
});
