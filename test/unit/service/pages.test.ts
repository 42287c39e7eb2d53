import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../../src/service/documents.ts';
import { forBrowsers } from '../../../src/service/pages/accept.ts';
import { bytesText, durationText, leftText } from '../../../src/service/pages/amounts.ts';
import { ruleText } from '../../../src/service/pages/declared.ts';
import { definitionText } from '../../../src/service/pages/definitionText.ts';
import { nothingYet } from '../../../src/service/pages/follow.ts';
import { artifactAddress, artifacts, facts, log, outcome, tasks } from '../../../src/service/pages/runParts.ts';
import { runTable } from '../../../src/service/pages/runTable.ts';
import { localPath } from '../../../src/service/pages/localPath.ts';

const HOSTILE = `"><script>alert('x')</script>&`;
const record: RunRecord = {
  id: 'run-1',
  pipeline: HOSTILE,
  revision: null,
  plan: null,
  state: 'failed',
  attempt: 1,
  trigger: { kind: 'github', delivery: HOSTILE, by: HOSTILE },
  candidates: { [HOSTILE]: { model: HOSTILE } },
  created: 0,
  started: 1000,
  ended: 61_000,
  digest: null,
  gate: null,
  error: { code: 'task-failed', message: HOSTILE, place: { file: HOSTILE, line: 3, key: HOSTILE }, hint: HOSTILE },
  figures: [],
};

describe('escaping', () => {
  const run = nothingYet();
  run.log.push({ id: 1, time: 0, text: HOSTILE, bad: false });
  run.tries.push({
    task: HOSTILE,
    kind: HOSTILE,
    started: 0,
    ended: null,
    state: 'started',
    delivery: 1,
    seconds: null,
    provider: HOSTILE,
    error: HOSTILE,
  });
  const gate = { passed: false, against: HOSTILE, rules: [{ passed: false, text: HOSTILE }] };
  it.each([
    ['a table of runs', runTable([record], HOSTILE, 0)],
    ['what a run is', facts(record, 0)],
    ['what failed', outcome(record)],
    [
      'a gate',
      outcome({ ...record, state: 'done', error: null, gate: gate as unknown as NonNullable<RunRecord['gate']> }),
    ],
    ['tasks', tasks(run, HOSTILE)],
    ['a log', log(run, HOSTILE)],
    ['files', artifacts([{ path: HOSTILE, sha256: HOSTILE, bytes: 1 }], HOSTILE)],
    ['a definition', definitionText(HOSTILE, { code: 'usage', message: HOSTILE, place: { line: 1 }, hint: HOSTILE })],
  ])('keeps names from outside text: %s', async (_, made) => {
    const text = String(await made);
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/<script|alert\('/);
  });
});

describe('forBrowsers', () => {
  const app = new Hono();
  app.get(
    '/runs',
    forBrowsers((c) => c.text('page')),
  );
  app.get('/runs', (c) => c.text('json'));

  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'page'],
    ['application/json', 'json'],
    ['*/*', 'json'],
    [undefined, 'json'],
    ['text/event-stream', 'json'],
    ['text/html;q=0.1, application/json', 'json'],
    ['application/json;q=0.1, text/html', 'page'],
    ['text/html;q=0', 'json'],
  ])('answers Accept: %s with %s', async (accept, answer) => {
    const response = await app.request('/runs', { headers: accept === undefined ? {} : { accept } });
    expect(await response.text()).toBe(answer);
    expect(response.headers.get('vary')).toBe('accept');
  });
});

describe('localPath', () => {
  it.each(['/runs', '/runs/1?a=b#c', '/', '/pipelines/x'])('takes %s', (path) => {
    expect(localPath(path)).toBe(path);
  });
  it.each(['//evil.org', '/\\evil.org', 'https://evil.org', 'evil', '', undefined, '/a\nb', '/\t/evil.org', '/a\\b'])(
    'goes to the runs instead of %j',
    (path) => {
      expect(localPath(path)).toBe('/runs');
    },
  );
});

describe('definitionText', () => {
  it('puts a fault under its line', async () => {
    const error = { code: 'definition-invalid' as const, message: 'expected a name', place: { line: 2, column: 3 } };
    const text = String(await definitionText('one\ntwo\nthree\n', error));
    const lines = [...text.matchAll(/<li id="L(\d)"[^>]*>([\s\S]*?)<\/li>/g)];
    expect(lines.map(([, number]) => number)).toEqual(['1', '2', '3']);
    expect(lines.map(([, , line]) => line!.includes('expected a name'))).toEqual([false, true, false]);
  });

  it('tells a fault without a line above the text', async () => {
    const text = String(await definitionText('one', { code: 'file-missing', message: 'expected a file' }));
    expect(text.indexOf('expected a file')).toBeLessThan(text.indexOf('id="L1"'));
    expect(text).toContain('expected a file');
  });
});

describe('amounts', () => {
  it.each([
    [0, '0.0 s'],
    [-5, '0.0 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [59_600, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [7_620_000, '2 h 07 min'],
    [273_600_000, '3 d 4 h'],
  ])('durationText(%d) is %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
  it.each([
    [2, 'a few seconds left'],
    [61, 'about 65 s left'],
    [100, 'about 2 min left'],
    [7200, 'about 2.0 h left'],
  ])('leftText(%d) is %s', (seconds, text) => {
    expect(leftText(seconds)).toBe(text);
  });
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [2 ** 30, '1.0 GiB'],
  ])('bytesText(%d) is %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});

describe('addresses and sentences', () => {
  it('escapes each part of a path', () => {
    expect(artifactAddress('r', 'a b/c#?.npy')).toBe('/runs/r/artifacts/a%20b/c%23%3F.npy');
  });
  it('says a rule', () => {
    expect(ruleText({ layer: '*', figure: 'match.mean_r', atLeast: 0.35 })).toBe(
      'every layer, every pair: match.mean_r at least 0.35',
    );
    expect(
      ruleText({ layer: 'fc', pair: 'a-b', figure: 'x', alpha: 0.03, dropAtMost: 0.05, against: 'last-passed' }),
    ).toBe('fc, a-b: x at α 0.03 at most 0.05 below the last run that passed');
  });
});
