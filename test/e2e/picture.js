// Takes the picture of the README: node test/e2e/picture.js <report.html> <picture.png>
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';

const [report = 'convergent-out/fashion-mnist/report.html', picture = 'pipelines/fashion-mnist/report.png'] =
  process.argv.slice(2);
const args = chromium.args.filter((argument) => argument !== '--single-process');
const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args, headless: true });
const page = await browser.newPage({ viewport: { width: 1280, height: 1590 }, colorScheme: 'light' });
await page.goto(pathToFileURL(resolve(report)).href);
await page.waitForSelector('section.layer [data-figure][data-drawn] canvas');
await page.screenshot({ path: picture });
await browser.close();
