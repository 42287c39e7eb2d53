import { describe, expect, it } from 'vitest';
import { logText, secretsOf } from '../../../src/cli/serve.ts';

describe('secretsOf', () => {
  it('hands on the list and the variables it names, and no other', () => {
    const environment = { CONVERGENT_SECRETS: 'A, B@x.example.com@y.example.com,C', A: '1', B: '2', D: '4', PATH: '/' };
    expect(secretsOf(environment)).toEqual({ CONVERGENT_SECRETS: environment.CONVERGENT_SECRETS, A: '1', B: '2' });
  });

  it('hands on nothing without a list', () => {
    expect(secretsOf({ A: '1' })).toEqual({});
  });

  it('never hands on what the engine sets itself', () => {
    const environment = { CONVERGENT_SECRETS: 'ENGINE_TOKEN,LOCAL', ENGINE_TOKEN: 'known', LOCAL: '' };
    expect(secretsOf(environment)).toEqual({ CONVERGENT_SECRETS: environment.CONVERGENT_SECRETS });
  });
});

describe('logText', () => {
  const line = (more: object): string =>
    JSON.stringify({ log: 'run', run: 'r', pipeline: 'p', attempt: 1, state: 'done', trigger: 'github', ...more });
  const textOf = (more: object): string | undefined => logText(line(more))?.replace(/^\S+Z {2}/, '');

  it('says how runs begin and end', () => {
    expect(textOf({ state: 'queued' })).toBe('run r  p  started by github');
    expect(textOf({ gate: 'failed' })).toBe('run r  p  done  gate failed');
    expect(textOf({ state: 'failed', attempt: 2, error: 'internal: x' })).toBe(
      'run r  p  failed  attempt 2  internal: x',
    );
  });

  it('shows control characters as escapes', () => {
    expect(textOf({ state: 'failed', error: 'a\u001b[2Jb' })).toContain('a\\u001b[2Jb');
  });

  it('is silent about all else', () => {
    expect(logText('some warning')).toBeNull();
  });
});
