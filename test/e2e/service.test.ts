/**
 * The pages of the service in real Chromium: somebody signs in, starts a run, watches it move and opens its report;
 * another browser follows the same run. The numbers are those of results.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PIPELINES, temporaryFolder } from '../integration/command.ts';
import { openBrowser } from './browser.ts';
import { startService } from './service.ts';
import type { Service } from './service.ts';

const FILES = ['fashion-mnist/seed1.onnx', 'fashion-mnist/seed2.onnx', 'fashion-mnist/test-images.npy'];

const folder = temporaryFolder();
let service: Service;
let browser: Browser;
let secret: string;
/** What a page did that no page should: errors, warnings, requests to elsewhere. */
const faults: string[] = [];

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(join(folder.path, 'state')), openBrowser()]);
  secret = await service.token('alice', 'run');
  // few layers, rows and penalties, as what is looked at are the pages; and one that lasts until it is cancelled
  const text = readFileSync(join(PIPELINES, 'fashion-mnist.yaml'), 'utf8');
  const small = text
    .replace(/^ {2}conv[123]: .*\n/gm, '')
    .replace(/rows: 10000/, 'rows: 200')
    .replace(/alphas: \[[^\]]*\]/, 'alphas: [0.1, 0.03, 0.01]');
  await service.put('fashion-mnist', small, FILES);
  await service.put('larger', text.replace('name: fashion-mnist', 'name: larger'), FILES);
});
afterAll(async () => {
  await browser.close();
  await service.stop();
  folder.remove();
});

async function visitor(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on('console', (message) => {
    // an address that is refused on purpose is logged by the browser too
    if (['error', 'warning'].includes(message.type()) && !/status of 4\d\d/.test(message.text()))
      faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(service.url) && !request.url().startsWith('data:')) faults.push(request.url());
  });
  return page;
}

async function signedIn(options?: Parameters<Browser['newContext']>[0]): Promise<Page> {
  const page = await visitor(options);
  await page.goto(`${service.url}/sign-in`);
  await page.getByLabel('Token').fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/runs$/);
  return page;
}

const ended = (page: Page) => page.waitForSelector('.run[data-state="done"]');

describe('a run', () => {
  let alice: Page;
  let address: string;

  it('is started from its pipeline, moves, and is followed in a second browser after a reload', async () => {
    alice = await visitor();
    await alice.goto(`${service.url}/pipelines/fashion-mnist`);
    // nobody is shown anything, and comes back to where they wanted to go
    expect(new URL(alice.url()).pathname).toBe('/sign-in');
    await alice.getByLabel('Token').fill('cvg_wrong');
    await alice.getByRole('button', { name: 'Sign in' }).click();
    await alice.getByRole('alert').waitFor();
    await alice.getByLabel('Token').fill(secret);
    await alice.getByRole('button', { name: 'Sign in' }).click();
    await alice.waitForURL(/\/pipelines\/fashion-mnist$/);
    const [cookie] = await alice.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true });
    expect(['Lax', 'Strict']).toContain(cookie!.sameSite);

    const bob = await signedIn({ colorScheme: 'dark' });
    await alice.getByRole('button', { name: 'Start a run' }).click();
    await alice.waitForURL(/\/runs\/.+/);
    address = alice.url();
    await bob.goto(address);

    // what moves is the page that is there, not one loaded anew
    await alice.evaluate(() => Object.assign(window, { same: true }));
    await bob.waitForFunction(() => document.querySelectorAll('.timeline rect').length > 1);
    await bob.reload();
    await bob.waitForFunction(() => document.querySelectorAll('.timeline rect').length > 1);
    await Promise.all([ended(alice), ended(bob)]);
    expect(await alice.evaluate(() => 'same' in window)).toBe(true);

    // both show every task done, and the same log
    for (const page of [alice, bob]) {
      await page.waitForFunction(
        () => document.querySelectorAll('.bar-done').length === document.querySelectorAll('.timeline rect').length,
      );
      const counts = await page.locator('[data-stage] .count').allTextContents();
      for (const count of counts.filter((text) => text.includes('/'))) {
        const [done, total] = count.split(' / ');
        expect(done).toBe(total);
        expect(Number(total)).toBeGreaterThan(0);
      }
    }
    const log = (page: Page) => page.locator('[data-log] li').allTextContents();
    await bob.waitForFunction(() => /run done/.test(document.querySelector('[data-log]')?.textContent ?? ''));
    const [hers, his] = [await log(alice), await log(bob)];
    expect(hers.map((line) => line.replace(/\s+/g, ' '))).toEqual(his.map((line) => line.replace(/\s+/g, ' ')));
    await bob.context().close();
  });

  it('has a report whose numbers are those of results.json', async () => {
    const results = await alice.evaluate(
      async (path) => (await (await fetch(path)).json()) as unknown,
      `${address}/artifacts/results.json`,
    );
    await alice.goto(`${address}/report`);
    expect(alice.url()).toContain('report.html');
    const shown = await alice
      .locator('[data-path][data-value]')
      .evaluateAll((elements) =>
        elements.map((element) => [element.getAttribute('data-path')!, element.getAttribute('data-value')!]),
      );
    expect(shown.length).toBeGreaterThan(20);
    for (const [path, value] of shown) {
      const found = path!.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], results);
      expect(value === '' ? null : Number(value)).toBe(found);
    }
    // the pipeline's history names the same figures, rounded
    await alice.goto(`${service.url}/pipelines/fashion-mnist`);
    await alice.locator('[id^=history] summary').click();
    const { layers } = (results as { pairs: { layers: { match: { mean_r: number } }[] }[] }).pairs[0]!;
    expect(await alice.locator('[id^=history] tbody td').allTextContents()).toEqual(
      layers.map(({ match }) => match.mean_r.toFixed(3)),
    );
  });

  it('is cancelled, by keyboard alone, and tried again', async () => {
    const page = await signedIn();
    await page.goto(`${service.url}/pipelines`);
    const tabTo = async (name: string): Promise<void> => {
      for (let at = 0; at < 60; at++) {
        await page.keyboard.press('Tab');
        const { text, outlined } = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement;
          if (element.matches('body, main')) return { text: '', outlined: true };
          const style = getComputedStyle(element);
          return {
            text: element.textContent?.trim(),
            outlined: style.outlineStyle !== 'none' && style.outlineWidth !== '0px',
          };
        });
        expect(outlined).toBe(true);
        if (text === name) return;
      }
      throw new Error(`no ${name} was reached`);
    };
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    await page.keyboard.press('Enter');
    await tabTo('larger');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/pipelines\/larger$/);
    await tabTo('Start a run');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/runs\/.+/);
    await tabTo('Cancel');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.run[data-state="cancelled"]');
    await tabTo('Try again what is not finished');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.run[data-attempt="2"][data-state="running"]');
    await tabTo('Cancel');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.run[data-attempt="2"][data-state="cancelled"]');
    await page.context().close();
  });
});

describe('what is sent', () => {
  it('is checked: a fault stands at its line, and nothing is saved', async () => {
    const page = await signedIn();
    await page.goto(`${service.url}/pipelines/fashion-mnist`);
    await page.getByText('Check another text').click();
    const text = await page.getByLabel('Definition (YAML)').inputValue();
    const line = text.split('\n').findIndex((each) => each.startsWith('layers:')) + 1;
    await page.getByLabel('Definition (YAML)').fill(text.replace(/^layers:/m, 'lairs:'));
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.locator(`#L${line} .fault`).textContent()).toMatch(/lairs/);
    await page.goto(`${service.url}/pipelines/fashion-mnist`);
    expect(await page.getByLabel('Definition (YAML)').inputValue()).toBe(text);
    await page.context().close();
  });

  it('is refused from other sites, and beyond a scope', async () => {
    const page = await signedIn();
    const [cookie] = await page.context().cookies();
    const post = (path: string, origin: string, accept = 'text/html') =>
      fetch(`${service.url}${path}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: `${cookie!.name}=${cookie!.value}`, origin, accept },
        body: new URLSearchParams({ text: 'name: fashion-mnist' }),
      });
    expect((await post('/pipelines/fashion-mnist/start', 'https://evil.example')).status).toBe(403);
    const refused = await post('/pipelines/fashion-mnist/save', service.url);
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('scope admin');
    await page.context().close();
  });
});

describe.each([
  { scheme: 'light' as const, width: 1280 },
  { scheme: 'dark' as const, width: 360 },
])('every page, $scheme, $width wide', ({ scheme, width }) => {
  it('is readable', async () => {
    const page = await signedIn({ colorScheme: scheme, viewport: { width, height: 800 } });
    await page.goto(`${service.url}/runs?state=done`);
    const run = new URL((await page.locator('th a').first().getAttribute('href'))!, service.url).pathname;
    for (const path of ['/runs', run, '/pipelines', '/pipelines/fashion-mnist', '/trust', '/sign-in', '/nowhere']) {
      await page.goto(`${service.url}${path}`);
      expect({ path, problems: await page.evaluate(problemsOfPage) }).toEqual({ path, problems: [] });
    }
    await page.context().close();
  });

  it('carries headers that bound it', async () => {
    const { headers } = await fetch(`${service.url}/sign-in`, { headers: { accept: 'text/html' } });
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toContain('unsafe');
  });
});

it('does nothing that no page should', () => {
  expect(faults).toEqual([]);
});

/** What keeps somebody from reading a page, as far as a program can tell; runs in the browser. */
function problemsOfPage(): string[] {
  const problems: string[] = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) problems.push(`sticks out by ${root.scrollWidth - root.clientWidth} px`);
  if (document.title === '' || root.lang === '') problems.push('no title or language');
  const levels = [...document.querySelectorAll('h1, h2, h3')].map(({ tagName }) => Number(tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) problems.push('not one h1');
  for (const [at, level] of levels.entries())
    if (level > (levels[at - 1] ?? 0) + 1) problems.push(`heading ${level} after ${levels[at - 1]}`);
  for (const field of document.querySelectorAll<HTMLInputElement>('input:not([type=hidden]), select, textarea'))
    if (!field.labels?.length) problems.push(`no label: ${field.outerHTML.slice(0, 80)}`);
  for (const element of document.querySelectorAll('button, a'))
    if (!element.textContent?.trim()) problems.push(`no name: ${element.outerHTML.slice(0, 80)}`);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of new Set(ids.filter((each, at) => ids.indexOf(each) !== at))) problems.push(`id ${id} twice`);
  for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const name of ['aria-labelledby', 'aria-describedby'])
      for (const id of (element.getAttribute(name) ?? '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) problems.push(`nothing has the id ${id}`);

  // contrast of every text against what is painted behind it (WCAG 2.2, 1.4.3)
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  canvas.canvas.width = canvas.canvas.height = 1;
  const painted = (colours: string[]): number[] => {
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb: number[]): number =>
    rgb
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at]!, 0);
  for (const element of document.querySelectorAll<HTMLElement>('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.trim() !== '');
    if (!own || element.getClientRects().length === 0 || element.closest('.away, .skip')) continue;
    const behind: string[] = [];
    for (let at: HTMLElement | null = element; at; at = at.parentElement)
      behind.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(element);
    const text = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [luminance(painted([...behind, text])), luminance(painted(behind))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)}: ${element.textContent!.trim().slice(0, 40)}`);
  }
  return problems;
}
