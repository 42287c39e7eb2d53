import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { downloadModel } from '../../../src/cli/download.ts';
import type { Downloading } from '../../../src/cli/download.ts';

const URL_OF_MODEL = 'https://models.example.com/net.onnx?signature=secret';
const content = 'weights';
const sha256 = createHash('sha256').update(content).digest('hex');
const rules = { hosts: ['models.example.com'], maxBytes: 100 };

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'convergent-download-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function downloading(...answers: (() => Response)[]): Downloading & { shown: string[]; requests: string[] } {
  const [shown, requests]: [string[], string[]] = [[], []];
  const fetch = ((url: string) => {
    requests.push(url);
    return Promise.resolve(answers.shift()!());
  }) as typeof globalThis.fetch;
  return { folder: join(folder, 'downloads'), fetch, show: (text) => shown.push(text), shown, requests };
}
const file = () => new Response(content, { headers: { 'content-length': String(content.length) } });

describe('downloadModel', () => {
  it('keeps a file under its hash, and says how far it is without the address', async () => {
    const given = downloading(file);
    const path = await downloadModel(URL_OF_MODEL, rules, given);
    expect(path).toBe(join(given.folder, sha256));
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect(readdirSync(given.folder)).toEqual([sha256]);
    expect(given.shown.at(-1)).toMatch(/^downloading models\.example\.com: 7 B of 7 B/);
    expect(given.shown.join()).not.toContain('secret');
  });

  it('asks again for what is not pinned, and not for what is', async () => {
    const given = downloading(file, file);
    await downloadModel(URL_OF_MODEL, rules, given);
    await downloadModel(URL_OF_MODEL, { ...rules, sha256 }, given);
    expect(given.requests).toHaveLength(1);
    await downloadModel(URL_OF_MODEL, rules, given);
    expect(given.requests).toHaveLength(2);
  });

  it('asks again for a pinned file that was damaged on disk', async () => {
    const given = downloading(file, file);
    const path = await downloadModel(URL_OF_MODEL, { ...rules, sha256 }, given);
    writeFileSync(path, 'other');
    await downloadModel(URL_OF_MODEL, { ...rules, sha256 }, given);
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  it('keeps nothing of a file with another hash than the pinned one, or beyond its bound', async () => {
    const given = downloading(file, file);
    const other = downloadModel(URL_OF_MODEL, { ...rules, sha256: '0'.repeat(64) }, given);
    await expect(other).rejects.toMatchObject({ code: 'address-refused' });
    const large = downloadModel(URL_OF_MODEL, { ...rules, maxBytes: 3 }, given);
    await expect(large).rejects.toMatchObject({ code: 'too-large' });
    expect(readdirSync(given.folder)).toEqual([]);
  });

  it('opens no address that is not declared', async () => {
    const given = downloading();
    const elsewhere = downloadModel('https://other.example.com/net.onnx', rules, given);
    await expect(elsewhere).rejects.toMatchObject({ code: 'address-refused' });
    expect(given.requests).toEqual([]);
  });
});
