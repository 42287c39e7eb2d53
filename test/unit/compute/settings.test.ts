import { expect, test } from 'vitest';
import { readSettings } from '../../../src/compute/settings.ts';
import { failure } from './fixtures.ts';

test('readSettings({}) has a default for everything but the token', () => {
  expect(readSettings({})).toEqual({
    port: 8080,
    host: '127.0.0.1',
    cacheFolder: expect.stringMatching(/convergent-compute$/) as string,
    cacheBytes: 20 * 2 ** 30,
    childBytes: 3 * 2 ** 30,
    taskSeconds: 3600,
  });
});

test('readSettings(env) reads every variable', () => {
  const env = {
    PORT: '0',
    HOST: '0.0.0.0',
    CONVERGENT_CACHE_DIR: '/cache',
    CONVERGENT_CACHE_BYTES: '1000',
    CONVERGENT_CHILDREN: '3',
    CONVERGENT_CHILD_BYTES: '1073741824',
    CONVERGENT_TASK_SECONDS: '60',
    CONVERGENT_COMPUTE_TOKEN: '0123456789abcdef',
    CONVERGENT_MAX_BODY_BYTES: '5000',
  };
  expect(readSettings(env)).toEqual({
    port: 0,
    host: '0.0.0.0',
    cacheFolder: '/cache',
    cacheBytes: 1000,
    children: 3,
    childBytes: 2 ** 30,
    taskSeconds: 60,
    token: '0123456789abcdef',
    limits: { bodyBytes: 5000, fileBytes: 5000 },
  });
});

test.each([
  ['PORT', '65536', /PORT: expected a whole number from 0 to 65535; found '65536'/],
  ['PORT', 'http', /found 'http'/],
  ['CONVERGENT_CHILDREN', '0', /from 1 to 1024; found '0'/],
  ['CONVERGENT_CHILDREN', '1.5', /found '1.5'/],
  ['CONVERGENT_CHILD_BYTES', '3GiB', /at least 16777216; found '3GiB'/],
  ['CONVERGENT_CACHE_BYTES', '-1', /found '-1'/],
  ['CONVERGENT_TASK_SECONDS', '1e3', /found '1e3'/],
  ['CONVERGENT_MAX_BODY_BYTES', '99999999999999999999', /found/],
  ['CONVERGENT_COMPUTE_TOKEN', 'short', /at least 16 visible/],
])('readSettings refuses %s=%s', async (name, value, message) => {
  const error = await failure('usage', async () => Promise.resolve(readSettings({ [name]: value })));
  expect(error.message).toMatch(message);
  expect(error.message).toContain(name);
});
