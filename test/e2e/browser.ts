/** A real Chromium, from an npm package, so that tests need nothing installed. */
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';
import type { Browser } from 'playwright-core';

/**
 * What the package asks for to fit a small serverless machine, and no reader's browser does: in one process, contexts
 * share their cookies' jar; without web security, an origin means nothing.
 */
const NOT_A_BROWSER = ['--single-process', '--no-zygote', '--disable-web-security', '--allow-running-insecure-content'];

/** Starts headless Chromium; the caller closes it. */
export async function openBrowser(): Promise<Browser> {
  const args = chromium.args.filter((argument) => !NOT_A_BROWSER.includes(argument));
  return playwright.launch({ executablePath: await chromium.executablePath(), args, headless: true });
}
