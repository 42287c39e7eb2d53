import { describe, expect, it } from 'vitest';
import { CODES, fromRecord, fromUnknown, nearest, PipelineError, type ErrorCode } from '../../src/errors.ts';

const codes = Object.keys(CODES) as ErrorCode[];

describe('CODES', () => {
  it.each(codes)('%s: retrying helps only where the work failed, not where the input is wrong', (code) => {
    const { exit, http, retryable } = CODES[code];
    if (code === 'gate-failed') return expect([exit, http, retryable]).toEqual([3, 200, false]);
    expect([1, 2]).toContain(exit);
    // too many requests and a cancelled run are nobody's wrong input, nor the service's fault
    const told = code === 'rate-limited' || code === 'cancelled';
    expect(http >= 500).toBe(exit === 1 && !told);
    if (retryable) expect(exit).toBe(1);
  });

  it('never retries an internal error, and retries a lost or damaged object, a download and a request too soon', () => {
    const retried = [
      'object-missing',
      'object-damaged',
      'task-failed',
      'download-failed',
      'unreachable',
      'rate-limited',
    ];
    expect(codes.filter((code) => CODES[code].retryable)).toEqual(retried);
  });
});

describe('new PipelineError(code, message, detail)', () => {
  it('carries the code in the message, and knows the message without it', () => {
    const error = new PipelineError('data-invalid', 'expected 4 axes; found 3');
    expect(error.message).toBe('(data-invalid) expected 4 axes; found 3');
    expect(error.plainMessage).toBe('expected 4 axes; found 3');
    expect(error).toMatchObject({ name: 'PipelineError', code: 'data-invalid', exitCode: 2, retryable: false });
    expect(error).toBeInstanceOf(Error);
  });

  it('keeps place, hint and cause, and has no cause where none was given', () => {
    const cause = new Error('disk');
    const place = { file: 'p.yaml', line: 3, column: 1, key: 'seed' };
    const error = new PipelineError('object-missing', 'gone', { place, hint: 'Run again.', cause });
    expect(error).toMatchObject({ place, hint: 'Run again.', retryable: true, exitCode: 1 });
    expect(error.cause).toBe(cause);
    expect(Object.hasOwn(new PipelineError('internal', 'x'), 'cause')).toBe(false);
  });

  it('keeps an empty message and one with lines', () => {
    expect(new PipelineError('internal', '').plainMessage).toBe('');
    expect(new PipelineError('internal', 'a\nb').plainMessage).toBe('a\nb');
  });
});

describe('toJSON() and fromRecord(record)', () => {
  it.each(codes)('%s survives JSON', (code) => {
    const error = new PipelineError(code, 'what', { place: { line: 1, key: 'a.b' }, hint: 'Do it.' });
    const copy = fromRecord(JSON.parse(JSON.stringify(error)));
    expect(copy.toJSON()).toEqual(error.toJSON());
    expect(copy.message).toBe(error.message);
    expect(copy.retryable).toBe(error.retryable);
  });

  it('writes no empty fields', () => {
    expect(JSON.stringify(new PipelineError('usage', 'what'))).toBe('{"code":"usage","message":"what"}');
  });
});

describe('fromUnknown(thrown, fallback) makes anything a PipelineError', () => {
  it('gives back a PipelineError itself', () => {
    const error = new PipelineError('usage', 'x');
    expect(fromUnknown(error)).toBe(error);
  });

  it.each(codes)('reads %s from the text of an error whose class was lost', (code) => {
    const lost = new Error(new PipelineError(code, 'what; found (this)\nand that').message);
    const read = fromUnknown(lost);
    expect(read).toMatchObject({ code, plainMessage: 'what; found (this)\nand that', cause: lost });
  });

  it('reads it behind the class name that a remote call puts in front', () => {
    expect(fromUnknown(new Error('PipelineError: (task-failed) what')).code).toBe('task-failed');
    expect(fromUnknown('PipelineError: (task-failed) what').plainMessage).toBe('what');
  });

  it.each([
    ['no code', new Error('boom'), 'boom'],
    ['an unknown code', new Error('(no-such) boom'), '(no-such) boom'],
    ['a key of every object', new Error('(constructor) boom'), '(constructor) boom'],
    ['text', 'boom', 'boom'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object', {}, '[object Object]'],
    ['an empty error', new Error(), ''],
  ])('falls back for %s', (_, thrown, text) => {
    expect(fromUnknown(thrown)).toMatchObject({ code: 'internal', plainMessage: text });
    expect(fromUnknown(thrown, 'task-failed')).toMatchObject({ code: 'task-failed', plainMessage: text });
  });
});

describe('nearest(name, candidates, most) puts the most similar first', () => {
  it('gives nothing of nothing, and no more than asked', () => {
    expect(nearest('a', [])).toEqual([]);
    expect(nearest('a', ['a', 'b', 'c', 'd'])).toHaveLength(3);
    expect(nearest('a', ['a', 'b', 'c', 'd'], 1)).toEqual(['a']);
  });

  it.each([
    ['/conv1/rleu', ['/conv2/relu', '/fc', '/conv1/relu'], '/conv1/relu'],
    ['conv1', ['/conv2/relu', '/conv1/relu', 'cone2'], '/conv1/relu'], // contained: nearer than one edit
    ['LOGITS', ['digits', 'logits'], 'logits'], // case does not count
    ['sed', ['name', 'seed', 'shard'], 'seed'],
    ['treshold', ['k', 'threshold'], 'threshold'],
  ])('%s among %j is %s', (name, candidates, best) => {
    expect(nearest(name, candidates)[0]).toBe(best);
  });

  it('keeps the order of equally near candidates', () => {
    expect(nearest('seed', ['seed2', 'seed1', 'seed3'])).toEqual(['seed2', 'seed1', 'seed3']);
  });
});
