/**
 * Measured rates, for forecasts alone: seconds never decide what is computed, except that a task that would pass an
 * isolate's CPU limit gets fewer rows. Measured by `npm run bench` on one core of an Intel Xeon, 2026-11.
 */
import type { ProviderName } from './providers.ts';

/** Floating point operations a second: a network's forward, and the product of samples. */
export const RATES: Readonly<Record<ProviderName, { forward: number; product: number }>> = {
  isolate: { forward: 12e9, product: 18e9 },
  native: { forward: 45e9, product: 95e9 },
};

/** CPU seconds of a forward and a product of so many operations. */
export function activationSeconds(provider: ProviderName, forwardFlops: number, productFlops: number): number {
  const { forward, product } = RATES[provider];
  return forwardFlops / forward + productFlops / product;
}
