import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IndexedHeap } from '../../../../src/reduce/match/heap.ts';

it('IndexedHeap pops in the order of the keys, whatever was lowered in between', () => {
  const step = fc.record({ id: fc.nat(19), key: fc.double({ min: 0, max: 1, noNaN: true }), pop: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.array(step)), (rounds) => {
      const heap = new IndexedHeap(20);
      for (const steps of rounds) {
        const queued = new Map<number, number>();
        const popped = new Set<number>();
        for (const { id, key, pop } of steps) {
          // as the searches do: keys only fall, and none comes back
          if (!popped.has(id) && key < (queued.get(id) ?? Infinity)) {
            heap.lower(id, key);
            queued.set(id, key);
          }
          const least = Math.min(...queued.values());
          expect(heap.lowest()).toBe(least);
          if (!pop || queued.size === 0) continue;
          const top = heap.pop();
          expect(queued.get(top)).toBe(least);
          queued.delete(top);
          popped.add(top);
        }
        heap.clear();
        expect([...heap.key]).toEqual(Array.from({ length: 20 }, () => Infinity));
        expect(heap.lowest()).toBe(Infinity);
      }
    }),
    { seed: 1 },
  );
});
