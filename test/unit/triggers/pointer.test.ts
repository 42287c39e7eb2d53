import { describe, expect, it } from 'vitest';
import { valueAt } from '../../../src/triggers/pointer.ts';

describe('valueAt', () => {
  // the document and the table of RFC 6901, section 5
  const document: unknown = JSON.parse(
    '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}',
  );
  it.each([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('reads %j', (pointer, value) => {
    expect(valueAt(document, pointer)).toEqual(value);
  });

  it('unescapes ~01 as ~1, not as a slash', () => {
    expect(valueAt({ '~1': 'tilde one', '/': 'slash' }, '/~01')).toBe('tilde one');
  });

  it.each([
    'foo',
    '/foo/2',
    '/foo/-',
    '/foo/00',
    '/foo/01',
    '/foo/1e0',
    '/foo/length',
    '/foo/0/0',
    '/~',
    '/m~2n',
    '/x/y',
  ])('finds nothing at %j', (pointer) => {
    expect(valueAt(document, pointer)).toBeUndefined();
  });

  it.each(['/__proto__', '/constructor', '/constructor/name', '/foo/constructor', '/foo/0/length', '/toString'])(
    'reads own members only: %s',
    (pointer) => {
      expect(valueAt(document, pointer)).toBeUndefined();
    },
  );

  it('never follows __proto__, even where the payload has such a key', () => {
    expect(valueAt(JSON.parse('{"__proto__":{"x":"y"}}'), '/__proto__/x')).toBeUndefined();
  });

  it('tells null from nothing', () => {
    expect(valueAt({ a: null }, '/a')).toBeNull();
    expect(valueAt({ a: null }, '/a/b')).toBeUndefined();
    expect(valueAt(null, '')).toBeNull();
  });
});
