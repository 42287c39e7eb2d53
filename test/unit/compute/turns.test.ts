import { expect, test } from 'vitest';
import { openTurns, TooManyWaiting } from '../../../src/compute/turns.ts';

const forever = new AbortController().signal;

test('take(signal) gives places in the order of asking', async () => {
  const turns = openTurns(2, 10);
  const [first, second] = [await turns.take(forever), await turns.take(forever)];
  const order: string[] = [];
  const third = turns.take(forever).then((leave) => (order.push('third'), leave));
  const fourth = turns.take(forever).then((leave) => (order.push('fourth'), leave));
  expect(turns.waiting()).toBe(2);
  second();
  (await third)();
  (await fourth)();
  expect(order).toEqual(['third', 'fourth']);
  first();
  expect(turns.waiting()).toBe(0);
});

test('a place given back twice is one place', async () => {
  const turns = openTurns(1, 0);
  const leave = await turns.take(forever);
  leave();
  leave();
  await turns.take(forever);
  await expect(turns.take(forever)).rejects.toThrow(TooManyWaiting);
});

test('more than may wait are refused', async () => {
  const turns = openTurns(1, 1);
  const leave = await turns.take(forever);
  const waiting = turns.take(forever);
  await expect(turns.take(forever)).rejects.toThrow(TooManyWaiting);
  leave();
  (await waiting)();
});

test('who leaves while waiting takes no place, and who is gone never waits', async () => {
  const turns = openTurns(1, 1);
  const leave = await turns.take(forever);
  const leaving = new AbortController();
  const left = turns.take(leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await expect(turns.take(leaving.signal)).rejects.toThrow('gone');
  const next = turns.take(forever);
  leave();
  (await next)();
  expect(turns.waiting()).toBe(0);
});
