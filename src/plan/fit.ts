/** What fits which provider: the one place where a projection is held against a budget, and a plan refused. */
import type { Place } from '../errors.ts';
import { PipelineError } from '../errors.ts';
import { BUDGETS } from './providers.ts';
import type { ComputeChoice, ProviderName } from './providers.ts';

type Where = (keyPath: readonly (string | number)[]) => Place;

const MIB = 2 ** 20;

/** A task's provider, and what it holds at its peak there, beside what is reserved. */
export interface Placed {
  provider: ProviderName;
  projectedBytes: number;
}

/** Whether a task of so many bytes, beside what is reserved, has room. */
export function fits(provider: ProviderName, projectedBytes: number): boolean {
  const { allowedBytes, reservedBytes } = BUDGETS[provider];
  return projectedBytes + reservedBytes <= allowedBytes;
}

/**
 * The first provider that `choice` allows and a task fits.
 * @param what the task does, for people
 * @throws PipelineError `plan-too-large` with projected, allowed and reserved amounts
 */
export function placeTask(
  bytesBy: (provider: ProviderName) => number,
  choice: ComputeChoice,
  what: string,
  where: Where,
): Placed {
  const candidates: ProviderName[] = choice === 'auto' ? ['isolate', 'native'] : [choice];
  for (const provider of candidates) {
    const projectedBytes = bytesBy(provider);
    if (fits(provider, projectedBytes)) return { provider, projectedBytes };
  }
  const last = candidates.at(-1)!;
  throw tooLarge(last, what, bytesBy(last), where);
}

/** The refusal of what doesn't fit `provider`, with the amounts and the way out. */
export function tooLarge(provider: ProviderName, what: string, projectedBytes: number, where: Where): PipelineError {
  const { allowedBytes, reservedBytes } = BUDGETS[provider];
  const told = (bytes: number): string => `${Math.ceil(bytes / MIB).toLocaleString('en')} MiB`;
  const [home, hint] =
    provider === 'isolate'
      ? ['an isolate', 'use compute: native, compare narrower layers, or sample positions']
      : ['a native task', 'compare narrower layers or fewer networks in one pipeline, or sample positions'];
  return new PipelineError(
    'plan-too-large',
    `expected ${what} to fit ${home}; projected ${told(projectedBytes)}, allowed ${told(allowedBytes)} of which ${told(reservedBytes)} are reserved`,
    { place: where(['layers']), hint },
  );
}
