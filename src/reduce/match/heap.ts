/**
 * Indexed binary heap for the shortest paths of the assignment: ids 0 … size − 1, lowest key first,
 * keys can only fall. Which of two equal keys comes first follows from the pushes alone.
 */

export class IndexedHeap {
  /** [size] key of each id; Infinity for one that was never reached. Read freely, write through {@link lower}. */
  readonly key: Float64Array;
  private readonly slot: Int32Array;
  private readonly heap: Int32Array;
  private length = 0;
  // ids whose key isn't Infinity, so that clearing costs no more than the search did
  private readonly reached: Int32Array;
  private reachedCount = 0;

  constructor(size: number) {
    this.key = new Float64Array(size).fill(Infinity);
    this.slot = new Int32Array(size).fill(-1);
    this.heap = new Int32Array(size);
    this.reached = new Int32Array(size);
  }

  /** Sets a lower key without queueing the id: it is read through `key` but never popped. */
  mark(id: number, key: number): void {
    if (this.key[id] === Infinity) this.reached[this.reachedCount++] = id;
    this.key[id] = key;
  }

  /** Gives an id a key below the one it has, and queues it. O(log size). */
  lower(id: number, key: number): void {
    const { slot, heap } = this;
    const keys = this.key;
    this.mark(id, key);
    let at = slot[id]!;
    if (at < 0) at = this.length++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above]!;
      if (keys[other]! <= key) break;
      heap[at] = other;
      slot[other] = at;
      at = above;
    }
    heap[at] = id;
    slot[id] = at;
  }

  /** The lowest queued key; Infinity when nothing is queued. */
  lowest(): number {
    return this.length === 0 ? Infinity : this.key[this.heap[0]!]!;
  }

  /** Removes and returns the id with the lowest key; the heap must not be empty. O(log size). */
  pop(): number {
    const { slot, heap } = this;
    const keys = this.key;
    const top = heap[0]!;
    const last = heap[--this.length]!;
    const lastKey = keys[last]!;
    const length = this.length;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && keys[heap[below + 1]!]! < keys[heap[below]!]!) below++;
      const other = heap[below]!;
      if (keys[other]! >= lastKey) break;
      heap[at] = other;
      slot[other] = at;
      at = below;
    }
    heap[at] = last;
    slot[last] = at;
    return top;
  }

  /** Back to the empty heap. O(ids reached). */
  clear(): void {
    for (let t = 0; t < this.reachedCount; t++) {
      const id = this.reached[t]!;
      this.key[id] = Infinity;
      this.slot[id] = -1;
    }
    this.reachedCount = 0;
    this.length = 0;
  }
}
