/**
 * What Cloudflare charges, and the only place where it stands. List prices of the Workers Paid plan in US dollars, beyond
 * what a month includes; nothing is taken off for that, so a small run alone costs less than forecast, or nothing.
 */

/** When the pages were read. */
export const PRICES_READ = '2026-11';

export interface Price {
  /** Dollars for `per` of the unit. */
  dollars: number;
  per: number;
  unit: string;
  /** Page it stands on. */
  source: string;
  /** Month it was read. */
  read: string;
}

const DOCS = 'https://developers.cloudflare.com';
const MILLION = 1e6;

function price(dollars: number, per: number, unit: string, page: string): Price {
  return { dollars, per, unit, source: DOCS + page, read: PRICES_READ };
}

/** What can be used, each with its price. Steps of a workflow cost nothing but their CPU time and their instance's request. */
export const PRICES = {
  workerCpuSeconds: price(0.02, MILLION / 1000, 'CPU second of Workers', '/workers/platform/pricing/'),
  workerRequests: price(0.3, MILLION, 'request to a Worker', '/workers/platform/pricing/'),
  objectWrites: price(4.5, MILLION, 'R2 class A operation', '/r2/pricing/'),
  objectReads: price(0.36, MILLION, 'R2 class B operation', '/r2/pricing/'),
  queueOperations: price(0.4, MILLION, 'queue operation of 64 KB', '/queues/platform/pricing/'),
  durableRequests: price(0.15, MILLION, 'request to a Durable Object', '/durable-objects/platform/pricing/'),
  durableGbSeconds: price(12.5, MILLION, 'GB-second of a Durable Object', '/durable-objects/platform/pricing/'),
  durableRowsWritten: price(1, MILLION, 'row written by a Durable Object', '/durable-objects/platform/pricing/'),
  containerCpuSeconds: price(0.00002, 1, 'vCPU-second of a container, active', '/containers/platform/pricing/'),
  containerGibSeconds: price(0.0000025, 1, 'GiB-second of a container, provisioned', '/containers/platform/pricing/'),
  containerDiskGbSeconds: price(0.00000007, 1, 'GB-second of a container’s disk', '/containers/platform/pricing/'),
} as const satisfies Record<string, Price>;

export type Resource = keyof typeof PRICES;

/** How much of each is used. */
export type Usage = Record<Resource, number>;

export const RESOURCES = Object.keys(PRICES) as Resource[];

/** Nothing used, and what is given. */
export function usageOf(amounts: Partial<Usage> = {}): Usage {
  const none = Object.fromEntries(RESOURCES.map((resource) => [resource, 0])) as Usage;
  return { ...none, ...amounts };
}

/** What it costs, in dollars. */
export function dollarsOf(usage: Partial<Usage>): number {
  return RESOURCES.reduce((sum, resource) => {
    const { dollars, per } = PRICES[resource];
    return sum + ((usage[resource] ?? 0) * dollars) / per;
  }, 0);
}

/** The container that native tasks run in, the largest there is (pages of containers: platform/limits, read 2026-11). */
export const CONTAINER = {
  name: 'standard-4',
  vcpus: 4,
  memoryGib: 12,
  diskGb: 20,
  /** Stays up for so long after its last request where nobody says otherwise (`sleepAfter`, @cloudflare/containers). */
  sleepAfterSeconds: 600,
  /** Most at once in an account: 1,500 vCPU. */
  mostInstances: 375,
} as const;

/** Memory a Durable Object is billed for, GB. */
export const DURABLE_OBJECT_GB = 0.128;
