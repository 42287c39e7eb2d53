import { describe, expect, test } from 'vitest';
import type { DataLayout } from '../../../src/definition/definition.ts';
import { readRows } from '../../../src/inspect/layout.ts';
import type { Dim } from '../../../src/onnx/value.ts';
import { failure } from '../onnx/fixtures.ts';

type NetworkLayout = 'nchw' | 'nhwc';

describe('readRows(dataRow, dataLayout, modelRow, networkLayout) with a layout', () => {
  test.each<
    [
      DataLayout,
      number[],
      Dim[],
      NetworkLayout,
      { axes: number[]; shape: number[]; channelAxis: number | null; channels: number },
    ]
  >([
    ['nhw', [28, 26], [1, 28, 26], 'nchw', { axes: [0, 1], shape: [1, 28, 26], channelAxis: 0, channels: 1 }],
    ['nhw', [28, 26], [28, 26, 1], 'nhwc', { axes: [0, 1], shape: [28, 26, 1], channelAxis: 2, channels: 1 }],
    ['nhw', [28, 26], [28, 26], 'nchw', { axes: [0, 1], shape: [28, 26], channelAxis: null, channels: 1 }],
    ['nhw', [28, 26], [728], 'nchw', { axes: [0, 1], shape: [728], channelAxis: null, channels: 1 }],
    ['nhwc', [9, 8, 3], [3, 9, 8], 'nchw', { axes: [2, 0, 1], shape: [3, 9, 8], channelAxis: 0, channels: 3 }],
    ['nhwc', [9, 8, 3], [9, 8, 3], 'nhwc', { axes: [0, 1, 2], shape: [9, 8, 3], channelAxis: 2, channels: 3 }],
    ['nchw', [3, 9, 8], [3, 9, 8], 'nchw', { axes: [0, 1, 2], shape: [3, 9, 8], channelAxis: 0, channels: 3 }],
    ['nchw', [3, 9, 8], [9, 8, 3], 'nhwc', { axes: [1, 2, 0], shape: [9, 8, 3], channelAxis: 2, channels: 3 }],
    ['nchw', [3, 9, 8], [3, 'h', null], 'nchw', { axes: [0, 1, 2], shape: [3, 9, 8], channelAxis: 0, channels: 3 }],
    ['as-is', [3, 9, 8], [3, 9, 8], 'nchw', { axes: [0, 1, 2], shape: [3, 9, 8], channelAxis: 0, channels: 3 }],
    ['as-is', [9, 8, 3], [9, 8, 3], 'nhwc', { axes: [0, 1, 2], shape: [9, 8, 3], channelAxis: 2, channels: 3 }],
    ['as-is', [5, 6], [5, 6], 'nchw', { axes: [0, 1], shape: [5, 6], channelAxis: null, channels: 1 }],
    ['as-is', [7], [7], 'nchw', { axes: [0], shape: [7], channelAxis: null, channels: 1 }],
    [
      'as-is',
      [2, 3, 4, 5],
      [2, 3, 4, 5],
      'nchw',
      { axes: [0, 1, 2, 3], shape: [2, 3, 4, 5], channelAxis: null, channels: 1 },
    ],
  ])('%s %j into %j of %s', (layout, dataRow, modelRow, networkLayout, expected) => {
    expect(readRows(dataRow, layout, modelRow, networkLayout)).toEqual({ layout, ...expected });
  });

  test.each<[DataLayout, number[], Dim[], NetworkLayout]>([
    ['nhw', [28, 28], [3, 28, 28], 'nchw'],
    ['nhw', [28, 28, 1], [1, 28, 28], 'nchw'],
    ['nhw', [28, 28], [783], 'nchw'],
    ['nhw', [28, 28], [1, 1, 28, 28], 'nchw'],
    ['nhwc', [3, 9, 8], [3, 9, 8], 'nchw'],
    ['nhwc', [9, 8], [9, 8], 'nchw'],
    ['nchw', [9, 8, 3], [3, 9, 8], 'nchw'],
    ['as-is', [9, 8, 3], [3, 9, 8], 'nchw'],
    ['as-is', [28, 28], [1, 28, 28], 'nchw'],
  ])('%s %j does not fit %j of %s, and both are named', async (layout, dataRow, modelRow, networkLayout) => {
    const error = await failure('data-mismatch', () => readRows(dataRow, layout, modelRow, networkLayout));
    expect(error.message).toContain(`expected rows of [${modelRow.join(', ')}]`);
    expect(error.message).toContain(`found [${dataRow.join(', ')}] read as ${layout}`);
  });
});

describe('readRows without a layout', () => {
  test.each<[number[], Dim[], NetworkLayout, string, number[]]>([
    [[3, 9, 8], [3, 9, 8], 'nchw', 'as-is', [0, 1, 2]],
    // equal lengths: the row's shape is the model's input, so it is taken as it is
    [[3, 3, 3], [3, 3, 3], 'nchw', 'as-is', [0, 1, 2]],
    [[9, 8, 3], [3, 9, 8], 'nchw', 'nhwc', [2, 0, 1]],
    [[3, 9, 8], [9, 8, 3], 'nhwc', 'nchw', [1, 2, 0]],
    [[28, 28], [1, 28, 28], 'nchw', 'nhw', [0, 1]],
    [[28, 28], [784], 'nchw', 'nhw', [0, 1]],
    [[5, 6], [5, 6], 'nchw', 'as-is', [0, 1]],
    // one axis fixed is enough to tell
    [[9, 8, 3], [3, 'height', null], 'nchw', 'nhwc', [2, 0, 1]],
    [[3, 9, 8], [3, 'height', null], 'nchw', 'as-is', [0, 1, 2]],
    [[28, 28], [null, null, null], 'nchw', 'nhw', [0, 1]],
    [[5, 6], [null, 6], 'nchw', 'as-is', [0, 1]],
  ])('%j into %j of %s is read as %s', (dataRow, modelRow, networkLayout, layout, axes) => {
    expect(readRows(dataRow, undefined, modelRow, networkLayout)).toMatchObject({ layout, axes });
  });

  test('refuses rows that free axes allow to be read in two ways, and lists both', async () => {
    const error = await failure('data-mismatch', () => readRows([3, 5, 3], undefined, [3, null, null], 'nchw'));
    expect(error.message).toContain('nchw → [3, 5, 3]; nhwc → [3, 3, 5]');
    expect(error.hint).toMatch(/probe.layout/);
    await failure('data-mismatch', () => readRows([28, 28, 1], undefined, ['c', 'h', 'w'], 'nchw'));
  });

  test.each<[number[], Dim[]]>([
    [
      [9, 8, 4],
      [3, 9, 8],
    ],
    [
      [9, 8],
      [3, 9, 8],
    ],
    [[27, 28], [784]],
    [[784], [1, 28, 28]],
    [[], [3]],
  ])('refuses %j for %j, naming both shapes', async (dataRow, modelRow) => {
    const error = await failure('data-mismatch', () => readRows(dataRow, undefined, modelRow, 'nchw'));
    expect(error.message).toContain(`expected rows of [${modelRow.join(', ')}]`);
    expect(error.message).toContain(`found [${dataRow.join(', ')}]`);
  });
});
