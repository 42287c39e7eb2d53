/** Faults that a test builds into its Worker. */

/** Which calls fail. Ordinals count from 1, per key prefix. */
export interface Faults {
  /** Every message is sent twice, in an order drawn from this seed. */
  shuffleSeed?: number;
  /** Prefix → ordinals of puts that throw; `from` throws from there on. */
  puts?: Record<string, number[] | { from: number }>;
  /** Prefix → ordinals of gets whose bytes come back with one bit turned. */
  damagedGets?: Record<string, number[]>;
  /** Prefixes of keys that may be read from beginning to end once each; the second such get throws. */
  wholeOnce?: string[];
}
