import { describe, expect, it } from 'vitest';
import { PipelineError } from '../../../src/errors.ts';
import { secretFor, secretTo } from '../../../src/runtime/secrets.ts';

const env = {
  CONVERGENT_SECRETS:
    ' GITHUB_WEBHOOK_SECRET, NOTIFY_SECRET@hooks.acme.com,\n\tGITHUB_TOKEN@api.github.com@ghe.acme.com , EMPTY,ABSENT,NUMBER,',
  GITHUB_WEBHOOK_SECRET: 'value one',
  NOTIFY_SECRET: 'value two',
  GITHUB_TOKEN: 'value three',
  UNLISTED: 'value four',
  EMPTY: '',
  NUMBER: 5,
};
const failure = (act: () => string): PipelineError => {
  try {
    act();
  } catch (error) {
    return error as PipelineError;
  }
  return expect.fail('expected a failure');
};

describe('secretFor', () => {
  it('gives what is listed and has a value', () => {
    expect(secretFor(env, 'GITHUB_WEBHOOK_SECRET')).toBe('value one');
    expect(secretFor(env, 'NOTIFY_SECRET')).toBe('value two');
  });

  it.each([
    'UNLISTED',
    'EMPTY',
    'ABSENT',
    'NUMBER',
    'CONVERGENT_SECRETS',
    'NOTIFY',
    '',
    'toString',
    'GITHUB_TOKEN@api.github.com',
  ])('refuses %j, and names it alone', (name) => {
    const error = failure(() => secretFor(env, name));
    expect(error.code).toBe('secret-missing');
    expect(error.message).toContain(name);
    expect(JSON.stringify(error)).not.toMatch(/value (one|two|three|four)|acme/);
  });

  it.each([undefined, '', ',', 5])('lists nothing in %j', (list) => {
    const error = failure(() => secretFor({ CONVERGENT_SECRETS: list, NAME: 'value' }, 'NAME'));
    expect(error.code).toBe('secret-missing');
  });
});

describe('secretTo', () => {
  it('gives a secret to the hosts it is bound to', () => {
    expect(secretTo(env, 'NOTIFY_SECRET', 'hooks.acme.com')).toBe('value two');
    expect(secretTo(env, 'GITHUB_TOKEN', 'api.github.com')).toBe('value three');
    expect(secretTo(env, 'GITHUB_TOKEN', 'ghe.acme.com')).toBe('value three');
  });

  it.each([
    ['GITHUB_WEBHOOK_SECRET', 'hooks.acme.com'],
    ['NOTIFY_SECRET', 'api.github.com'],
    ['NOTIFY_SECRET', 'acme.com'],
    ['NOTIFY_SECRET', 'evil.hooks.acme.com'],
    ['NOTIFY_SECRET', ''],
  ])('keeps %s from %j', (name, host) => {
    const error = failure(() => secretTo(env, name, host));
    expect(error.code).toBe('forbidden');
    expect(error.message).toContain(name);
    expect(JSON.stringify(error)).not.toMatch(/value (one|two|three|four)/);
  });

  it('refuses what is not listed before it asks where it goes', () => {
    expect(failure(() => secretTo(env, 'UNLISTED', 'hooks.acme.com')).code).toBe('secret-missing');
  });

  it.each([
    'NAME@',
    'NAME@host',
    'NAME@a.com@',
    'NAME@*.acme.com',
    'NAME@a.com:8080',
    'NAME@https://a.com',
    'NAME@A.com',
  ])('takes no entry %s, and does not repeat it', (entry) => {
    const error = failure(() => secretTo({ CONVERGENT_SECRETS: entry, NAME: 'value' }, 'NAME', 'a.com'));
    expect(error.code).toBe('secret-missing');
    expect(error.message).toBe(
      '(secret-missing) expected NAME in CONVERGENT_SECRETS as NAME@<host>; found another form',
    );
  });
});
