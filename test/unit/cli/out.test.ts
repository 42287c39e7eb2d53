import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutput, requireOurs, RUN_SCHEMA } from '../../../src/cli/out.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'convergent-out-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = (): string => join(folder, 'out');
function writeRun(files: Record<string, string>): void {
  const output = openOutput(place());
  for (const [path, text] of Object.entries(files)) output.write(path, text);
  output.write('run.json', JSON.stringify({ schema: RUN_SCHEMA, files: Object.keys(files) }));
  output.finish();
}

describe('openOutput(folder)', () => {
  it('shows nothing until it is finished, and nothing when abandoned', () => {
    const output = openOutput(place());
    output.write('a/b.csv', 'x');
    expect(existsSync(place())).toBe(false);
    output.abandon();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('replaces a folder of ours whole', () => {
    writeRun({ 'old.csv': '1' });
    writeRun({ 'pair/new.csv': '2' });
    expect(readdirSync(place()).toSorted((a, b) => a.localeCompare(b))).toEqual(['pair', 'run.json']);
    expect(readFileSync(join(place(), 'pair/new.csv'), 'utf8')).toBe('2');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('clears what a killed run left, and brings the old folder back if the kill fell between the renames', () => {
    writeRun({ 'old.csv': '1' });
    mkdirSync(join(folder, '.out.convergent-partial'));
    writeFileSync(join(folder, '.out.convergent-partial/half.csv'), '');
    const output = openOutput(place());
    output.abandon();
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('writes nothing outside itself', () => {
    expect(() => openOutput(place()).write('../escape', 'x')).toThrow('(internal)');
  });
});

describe('requireOurs(folder)', () => {
  it('takes an absent and an empty folder', () => {
    requireOurs(place());
    mkdirSync(place());
    requireOurs(place());
  });

  it.each([
    ['a file of the user’s', () => writeFileSync(join(place(), 'notes.txt'), '')],
    ['a run.json of somebody else', () => writeFileSync(join(place(), 'run.json'), '{"schema":"other"}')],
    ['a run.json that is no JSON', () => writeFileSync(join(place(), 'run.json'), 'run')],
  ])('refuses %s', (_, make) => {
    mkdirSync(place());
    make();
    expect(() => requireOurs(place())).toThrow('(out-refused)');
  });

  it('refuses ours with a stranger in it, by its name', () => {
    writeRun({ 'pair/a.csv': '1' });
    writeFileSync(join(place(), 'pair/analysis.ipynb'), '{}');
    expect(() => requireOurs(place())).toThrow('pair/analysis.ipynb');
  });

  it('refuses a file', () => {
    writeFileSync(place(), '');
    expect(() => requireOurs(place())).toThrow('found a file');
  });
});
