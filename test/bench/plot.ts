/** Draws the rows' points as an SVG with Observable Plot, which wants a document: a page in headless Chromium has one. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';
import type { Point } from './rows/scaling.ts';

const require = createRequire(import.meta.url);

/** Two log-log charts side by side, as one SVG document. */
export async function drawScaling(byRows: readonly Point[], byUnits: readonly Point[]): Promise<string> {
  const args = chromium.args.filter((argument) => argument !== '--single-process');
  const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args, headless: true });
  try {
    const page = await browser.newPage();
    for (const name of ['d3', '@observablehq/plot']) await page.addScriptTag({ path: umdOf(name) });
    // this text runs in the page, where Plot is a global
    const text: string = await page.evaluate(`(${PICTURE})(${JSON.stringify(byRows)}, ${JSON.stringify(byUnits)})`);
    return `${text}\n`;
  } finally {
    await browser.close();
  }
}

// the build for pages stands beside the package's entry or in its dist folder
function umdOf(name: string): string {
  const entry = require.resolve(name);
  const root = entry.slice(0, entry.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length);
  const file = name === 'd3' ? 'd3.min.js' : 'plot.umd.min.js';
  return join(dirname(join(root, 'package.json')), 'dist', file);
}

const PICTURE = `(byRows, byUnits) => {
  const chart = (points, x) => {
    const last = Object.values(Object.fromEntries(points.map((point) => [point.series, point])));
    return Plot.plot({
      width: 480, height: 360, marginLeft: 50, marginRight: 80,
      style: { background: 'white', color: '#222' },
      x: { type: 'log', label: x, ticks: [...new Set(points.map((point) => point.x))], tickFormat: ',' },
      y: { type: 'log', label: 'seconds', grid: true, tickFormat: (s) => String(Number(s.toPrecision(3))), ticks: 5 },
      color: { scheme: 'observable10' },
      marks: [
        Plot.line(points, { x: 'x', y: 'seconds', stroke: 'series', strokeWidth: 1.5 }),
        Plot.dot(points, { x: 'x', y: 'seconds', fill: 'series', r: 3 }),
        Plot.text(last, { x: 'x', y: 'seconds', text: 'series', fill: 'series', textAnchor: 'start', dx: 8 }),
      ],
    });
  };
  const [left, right] = [chart(byRows, 'images'), chart(byUnits, 'units')];
  const both = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  both.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  both.setAttribute('width', 960);
  both.setAttribute('height', 360);
  both.setAttribute('viewBox', '0 0 960 360');
  right.setAttribute('x', 480);
  both.append(left, right);
  return new XMLSerializer().serializeToString(both);
}`;
