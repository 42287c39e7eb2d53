import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineError } from '../../../src/errors.ts';
import { npyHeaderBytes, parseNpyHeader, readNpy, writeNpy } from '../../../src/numeric/npy.ts';
import type { NpyData } from '../../../src/numeric/npy.ts';

interface Golden {
  files: Record<string, string>;
  readOnly: Record<string, string>;
  refused: Record<string, string>;
}
const golden = JSON.parse(readFileSync(`${import.meta.dirname}/../../reference/npy.json`, 'utf8')) as Golden;
const bytesOf = (base64 = ''): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** An .npy with this dictionary, padded to `length` characters, and `data` behind it. */
function npyWith(dictionary: string, data = 0, version = 1): Uint8Array {
  const length = dictionary.length + 1;
  const lengthBytes = version === 1 ? [length & 255, length >> 8] : [length & 255, length >> 8, 0, 0];
  const head = [0x93, ...Buffer.from('NUMPY'), version, 0, ...lengthBytes, ...Buffer.from(`${dictionary}\n`)];
  return Uint8Array.from([...head, ...new Uint8Array(data)]);
}
const dictionary = (shape: string, descr = "'<f4'", order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

/** The error of a call that must fail as bad data. */
function failure(run: () => unknown): PipelineError {
  try {
    run();
  } catch (error) {
    if (error instanceof PipelineError && error.code === 'data-invalid') return error;
    throw error;
  }
  throw new Error('expected a failure');
}

describe('files of numpy', () => {
  it.each(Object.keys(golden.files))('readNpy and writeNpy of %s: the same bytes back', (name) => {
    const bytes = bytesOf(golden.files[name]);
    const { dtype, shape, data } = readNpy(bytes);
    expect(`${dtype} (${shape.length === 1 ? `${shape[0]},` : shape.join(', ')})`).toBe(name);
    expect(writeNpy(data, shape)).toEqual(bytes);
  });

  it('reads the values', () => {
    const halves = Array.from({ length: 12 }, (_, i) => i / 2 - 2);
    expect([...readNpy(bytesOf(golden.files['float64 (3, 4)'])).data]).toEqual(halves);
    expect([...readNpy(bytesOf(golden.files['float32 (3, 4)'])).data]).toEqual(halves);
    expect([...readNpy(bytesOf(golden.files['int32 (2, 3, 2)'])).data]).toEqual(halves.map((x) => 2 * x - 1));
    expect([...readNpy(bytesOf(golden.files['uint8 (1, 2, 3, 2)'])).data]).toEqual(halves.map((x) => 2 * x + 4));
    expect([...readNpy(bytesOf(golden.readOnly['version 2'])).data]).toEqual(halves);
    expect([...readNpy(bytesOf(golden.readOnly['version 3'])).data]).toEqual(halves);
    expect(readNpy(bytesOf(golden.readOnly['view'])).shape).toEqual([4, 3]);
  });

  it.each([
    ['fortran', 'expected C order; found Fortran order'],
    ['big-endian', "expected little-endian numbers; found big-endian '>f4'"],
    ['object', "found Python objects '|O'"],
    ['structured', 'expected one number per element; found a structured dtype'],
    ['scalar', 'expected at least one axis; found a single value'],
    ['int64', "expected uint8 ('|u1') or int32 ('<i4') or float32 ('<f4') or float64 ('<f8'); found dtype '<i8'"],
    ['float16', "found dtype '<f2'"],
    ['bool', "found dtype '|b1'"],
    ['unicode', "found dtype '<U1'"],
  ])('refuses %s', (name, message) => {
    const bytes = bytesOf(golden.refused[name]);
    expect(failure(() => parseNpyHeader(bytes, 'x.npy', bytes.length)).plainMessage).toContain(`x.npy: expected`);
    expect(failure(() => parseNpyHeader(bytes, 'x.npy', bytes.length)).plainMessage).toContain(message);
  });
});

describe('parseNpyHeader', () => {
  const whole = writeNpy(new Float32Array(6), [2, 3]);

  it('needs only the header, and checks the size of the file where given', () => {
    const header = whole.subarray(0, 128);
    expect(parseNpyHeader(header, 'x')).toEqual({ dtype: 'float32', shape: [2, 3], offset: 128 });
    expect(parseNpyHeader(header, 'x', 152).offset).toBe(128);
    const short = failure(() => parseNpyHeader(header, 'x', 151));
    expect(short.plainMessage).toBe('x: expected 152 bytes (header 128 + 2 × 3 float32); found 151 bytes');
    expect(short.hint).toContain('cut short');
    expect(failure(() => parseNpyHeader(header, 'x', 153)).message).toContain('expected 152 bytes');
  });

  it('reads a header that starts anywhere in its buffer', () => {
    const shifted = new Uint8Array([1, 2, 3, ...whole]).subarray(3);
    expect(readNpy(shifted)).toEqual({ dtype: 'float32', shape: [2, 3], data: new Float32Array(6) });
  });

  it('refuses a dtype that the caller does not accept, by name', () => {
    const doubles = writeNpy(new Float64Array(2), [2]);
    const { plainMessage } = failure(() => parseNpyHeader(doubles, 'x', 144, ['uint8', 'float32']));
    expect(plainMessage).toBe("x: expected uint8 ('|u1') or float32 ('<f4'); found float64 ('<f8')");
  });

  it('reads what Python 2 and other writers leave in the dictionary', () => {
    const loose = `  { "shape" :(2L, 3L ) ,'fortran_order':False, "descr":"<f4"}  `;
    expect(parseNpyHeader(npyWith(loose), 'x')).toEqual({ dtype: 'float32', shape: [2, 3], offset: 11 + loose.length });
  });

  it.each([
    ['nothing', new Uint8Array(0), 'an empty file'],
    ['a PNG', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), 'starts with 89 50 4e 47 0d 0a'],
    ['the magic alone', whole.subarray(0, 6), 'found 6 bytes'],
    ['no header length', whole.subarray(0, 9), 'found 9 bytes'],
    ['half a header', whole.subarray(0, 100), 'a header of 128 bytes; found 100 bytes'],
    ['version 4', Uint8Array.from([...whole.subarray(0, 6), 4, 0, 118, 0, 0, 0]), 'version 4.0'],
    ['a header of 4 GB', Uint8Array.from([...whole.subarray(0, 6), 2, 0, 255, 255, 255, 255]), 'length of 4294967307'],
    ['a negative axis', npyWith(dictionary('(-1, 3)')), "found '(-1, 3)'"],
    ['an axis beyond integers', npyWith(dictionary('(9007199254740993,)')), 'a shape of at most 64 whole numbers'],
    ['an axis of 400 digits', npyWith(dictionary(`(${'9'.repeat(400)},)`)), 'a shape of at most 64 whole numbers'],
    ['a fractional axis', npyWith(dictionary('(1.5,)')), "found '(1.5,)'"],
    ['an empty item', npyWith(dictionary('(1,,2)')), "found '(1,,2)'"],
    ['65 axes', npyWith(dictionary(`(${'1, '.repeat(65)})`)), 'found 65 axes'],
    ['a product that overflows', npyWith(dictionary('(4294967296, 4294967296)')), 'a size that a file can have'],
    ['no dictionary', npyWith('import os'), "found 'import os'"],
    ['an open dictionary', npyWith("{'descr': '<f4', 'shape': (2,)"), 'a header with descr, fortran_order and shape'],
    ['no shape', npyWith("{'descr': '<f4', 'fortran_order': False}"), 'a header with descr'],
    [
      'a key twice',
      npyWith("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"),
      'a header with',
    ],
    ['a key too many', npyWith(`${dictionary('(2,)').slice(0, -1)}'more': True}`), 'a header with descr'],
    ['something behind it', npyWith(`${dictionary('(2,)')} + x`), 'a header with descr'],
    ['a shape of the wrong type', npyWith(dictionary('True')), 'a header with descr'],
    ['a subarray dtype', npyWith(dictionary('(2,)', "('<f4', (2,))")), 'a structured dtype'],
    ['unprintable text', npyWith('{\u0001\u0002}'), "found '{??}'"],
  ])('refuses %s', (_, bytes, found) => {
    expect(failure(() => parseNpyHeader(bytes, 'x')).plainMessage).toContain(found);
  });

  it('any bytes: a header or data-invalid, nothing else', () => {
    const mutation = fc.record({ at: fc.nat(127), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(160), (mutations, length) => {
        const bytes = whole.slice(0, length);
        for (const { at, byte } of mutations) if (at < bytes.length) bytes[at] = byte;
        try {
          const { offset, shape } = parseNpyHeader(bytes, 'x');
          expect(offset).toBeLessThanOrEqual(length);
          expect(shape.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'data-invalid' });
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe('writeNpy', () => {
  it('aligns the data to 64 bytes, also where the header fills its block', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 24 }), (rest) => {
        const shape = [...rest, 0];
        const bytes = writeNpy(new Uint8Array(0), shape);
        expect(bytes.length % 64).toBe(0);
        expect(parseNpyHeader(bytes, 'x', bytes.length).shape).toEqual(shape);
      }),
      { seed: 2 },
    );
  });

  it('round trip: any values of any dtype, NaN and −0 too, from a view of a larger buffer', () => {
    const values = fc.array(fc.double(), { minLength: 0, maxLength: 30 });
    const kinds = [Float64Array, Float32Array, Int32Array, Uint8Array];
    fc.assert(
      fc.property(values, fc.nat(3), (list, kind) => {
        const data = (kinds[kind] ?? Float64Array).from([1, ...list]).subarray(1) as NpyData;
        const back = readNpy(writeNpy(data, [1, list.length]));
        expect(back.shape).toEqual([1, list.length]);
        expect(back.data).toEqual(data);
        expect(back.data.byteOffset).toBe(0);
      }),
      { seed: 3 },
    );
  });

  it('refuses a shape that is not the array’s', () => {
    expect(() => writeNpy(new Float64Array(5), [2, 3])).toThrow('(internal) expected 5 elements; found shape (2, 3)');
    expect(() => writeNpy(new Float64Array(1), [])).toThrow('(internal)');
  });
});

describe('npyHeaderBytes', () => {
  it('what stands in front of the elements of the whole file', () => {
    const whole = writeNpy(new Float32Array(6), [2, 3]);
    expect(npyHeaderBytes('float32', [2, 3])).toEqual(whole.slice(0, 128));
    const far = npyHeaderBytes('float64', [2 ** 20, 2 ** 20]);
    expect(far.length % 64).toBe(0);
    expect(parseNpyHeader(far, 'x', far.length + 2 ** 43).shape).toEqual([2 ** 20, 2 ** 20]);
  });

  it.each([[[]], [[1.5]], [[-1]], [[NaN]], [[2, Infinity]]])('refuses the shape %j', (shape) => {
    expect(() => npyHeaderBytes('uint8', shape)).toThrow('(internal)');
  });
});
