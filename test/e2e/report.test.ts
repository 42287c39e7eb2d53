/**
 * The page of a real run in real Chromium: the numbers a reader sees are those of results.json, the figures
 * are drawn, nothing is fetched, nothing fails; light and dark, on a laptop, a wide screen and a phone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pipelineText, runJson, temporaryFolder } from '../integration/command.ts';
import type { RunAnswer } from '../integration/command.ts';
import { openBrowser } from './browser.ts';

const folder = temporaryFolder();
let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  folder.remove();
});

/** What a value at a path of results.json is written as on the page: null is empty. */
const valueAt = (document: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);

const SCREENS = [
  { name: 'laptop', width: 1280, height: 800 },
  { name: 'wide', width: 2560, height: 1440 },
  { name: 'phone', width: 400, height: 800 },
];

async function openPage(
  out: string,
  screen: { width: number; height: number },
  scheme: 'light' | 'dark',
): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext({ viewport: screen, colorScheme: scheme });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!/^(file|data|blob):/.test(request.url())) faults.push(`fetched ${request.url()}`);
  });
  await page.goto(pathToFileURL(join(out, 'report.html')).href);
  return { page, faults };
}

describe.each([
  { pipeline: 'fashion-mnist.yaml', pairs: 1 },
  { pipeline: 'fashion-mnist-four.yaml', pairs: 6 },
])('the report of $pipeline', ({ pipeline, pairs }) => {
  const out = join(folder.path, pipeline);
  let results: { pairs: { layers: unknown[] }[]; warnings: string[] };

  beforeAll(async () => {
    const file = join(folder.path, `small-${pipeline}`);
    writeFileSync(
      file,
      pipelineText(pipeline, (text) => text.replace(/rows: 10000/, 'rows: 1000')),
    );
    await runJson<RunAnswer>(['run', file, '--state', join(folder.path, 'state'), '--out', out]);
    results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as typeof results;
  });

  it('shows the numbers of results.json, each in its place', async () => {
    const { page, faults } = await openPage(out, SCREENS[0]!, 'light');
    const shown = await page.locator('[data-path]').evaluateAll((elements) =>
      elements.map((element) => ({
        path: element.getAttribute('data-path')!,
        value: element.getAttribute('data-value'),
        text: (element.textContent ?? '').trim(),
      })),
    );
    const numbers = shown.filter(({ value }) => value !== null);
    for (const { path, value, text } of numbers) {
      const actual = valueAt(results, path);
      expect(value, path).toBe(actual === null ? '' : String(actual as string | number));
      // what is read agrees with it to the digits shown; − is the typographic minus
      const read = Number(text.replace('−', '-').replaceAll(/[,\s]/g, '').replace('%', ''));
      if (typeof actual === 'number' && Number.isFinite(read) && !text.includes('%')) {
        const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
        if (!/e|×/.test(text))
          expect(Math.abs(read - actual), `${path}: ${text}`).toBeLessThanOrEqual(0.5000001 * 10 ** -digits);
      }
    }
    // every pair and layer has its figures: matching, prediction both ways, clusters
    for (let pair = 0; pair < pairs; pair++) {
      for (const layer of results.pairs[pair]!.layers.keys()) {
        const at = `pairs.${pair}.layers.${layer}`;
        const paths = numbers.map(({ path }) => path);
        for (const figure of [
          'match.mean_r',
          'predict.a_to_b.0.r2_held_out',
          'predict.b_to_a.4.max_kkt',
          'cluster.clusters.0.units_a',
        ]) {
          expect(paths).toContain(`${at}.${figure}`);
        }
      }
    }
    expect(results.pairs).toHaveLength(pairs);
    expect(shown.find(({ path }) => path === 'digest')?.text).toBe(valueAt(results, 'digest'));
    expect(await page.locator('[data-warning]').count()).toBe(results.warnings.length);
    expect(faults).toEqual([]);
  });

  it.each(SCREENS.flatMap((screen) => (['light', 'dark'] as const).map((scheme) => ({ ...screen, scheme }))))(
    'is drawn, $name, $scheme',
    async ({ width, height, scheme }) => {
      const { page, faults } = await openPage(out, { width, height }, scheme);
      // figures are drawn when they come near the screen; of several pairs one is shown
      for (const figure of await page.locator('[data-figure]').all()) {
        if (await figure.isVisible()) await figure.scrollIntoViewIfNeeded();
      }
      await page.waitForFunction(() =>
        [...document.querySelectorAll<HTMLElement>('[data-figure]')].every(
          (figure) => figure.dataset.drawn !== undefined || figure.getClientRects().length === 0,
        ),
      );
      const canvases = await page.locator('section.layer canvas:not(.rim)').evaluateAll((elements) =>
        elements
          .filter((element) => element.getBoundingClientRect().width > 0)
          .map((element) => {
            const canvas = element as HTMLCanvasElement;
            const pixels = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data;
            return new Set(new Uint32Array(pixels.buffer)).size;
          }),
      );
      expect(canvases.length).toBeGreaterThan(0);
      for (const colours of canvases) expect(colours).toBeGreaterThan(10);
      const charts = await page.locator('section.layer svg').count();
      expect(charts).toBeGreaterThan(0);

      // nothing sticks out sideways; the page has the colour of its scheme
      const layout = await page.evaluate(() => ({
        excess: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        background: getComputedStyle(document.body).backgroundColor,
      }));
      expect(layout.excess).toBeLessThanOrEqual(0);
      const lightness =
        (/\d+/g[Symbol.match](layout.background) ?? [])
          .slice(0, 3)
          .reduce((total, channel) => total + Number(channel), 0) / 765;
      if (scheme === 'dark') expect(lightness).toBeLessThan(0.3);
      else expect(lightness).toBeGreaterThan(0.8);
      expect(faults).toEqual([]);
    },
  );
});
