/**
 * Measured rates, for forecasts alone: seconds never decide what is computed, except that a task that would pass an
 * isolate's CPU limit gets fewer rows. CPU time of tasks run one by one on one core of a two-core x86-64 virtual machine
 * (Node 24, onnxruntime 1.30), 2026-11; a forecast made of them is right to a factor of about 2.
 */
import type { ProviderName } from './providers.ts';

export const RATES_MEASURED = '2026-11';

/** The work of one task, counted; see amounts.ts. */
export interface Work {
  /** Floating point operations of the networks, and of products of samples. */
  forwardFlops: number;
  productFlops: number;
  /** Values of taps and inputs that are copied, shifted and transposed. */
  values: number;
  /** Bytes read and verified, sums added in float64, bytes of the object made. */
  readBytes: number;
  addedValues: number;
  madeBytes: number;
  /** p · q of a matching; targets · α · p² and targets · α · p³ of a prediction; (p + q)² of a clustering. */
  matched: number;
  predicted: number;
  joined: number;
  clustered: number;
}

interface Rates {
  /** Floating point operations a second: a network's forward, and the product of samples. */
  forward: number;
  product: number;
  /** Seconds for one of each of the others. */
  value: number;
  readByte: number;
  addedValue: number;
  madeByte: number;
  /** Of a task that does nothing: message, sessions kept, object. */
  task: number;
  /** Opening networks: the runtime, and each byte of an ONNX file. */
  open: number;
  openByte: number;
}

/**
 * forward, product, value: CaffeNet conv1–5, a pair (61.7 and 203 ms an image, of which forward 48.6 and 161), and the
 * shipped Fashion-MNIST pair (0.6 and 2.3 ms); the bytes: correlations of 2 × 512 units in rows and of CaffeNet's layers
 * in moments. The demo's 20 activation tasks took 6.3 s natively and 23.6 s in WebAssembly; forecast are 6.5 and 20.9 s.
 */
export const RATES: Readonly<Record<ProviderName, Rates>> = {
  isolate: {
    forward: 27e9,
    product: 25e9,
    value: 15e-9,
    readByte: 3e-9,
    addedValue: 3e-9,
    madeByte: 8e-9,
    task: 0.01,
    open: 0.3,
    openByte: 5e-9,
  },
  native: {
    forward: 88e9,
    product: 95e9,
    value: 4.6e-9,
    readByte: 3e-9,
    addedValue: 3e-9,
    madeByte: 8e-9,
    task: 0.01,
    open: 0.3,
    openByte: 2e-9,
  },
};

/**
 * Seconds of the alignments, the same JavaScript everywhere. Matching and clustering: correlations of drawn (untrained)
 * networks, 256 to 512 units each (40–240 ns a pair of units; 80–220 ns), and a matching of 4,096² random ones (27 ns).
 * Prediction, for each target and α: the same (256 units: 0.5 ms; 512: 3 ms), and noisy ReLU features whose support is
 * half of all units at the smallest α (1,024: 14 ms; 2,048: 99 ms; 4,096: 725 ms); a sparser one takes less.
 */
const ALIGNMENT_SECONDS = { matched: 100e-9, predicted: 6e-9, joined: 1e-11, clustered: 150e-9 };

/** CPU seconds of a task's work. */
export function workSeconds(provider: ProviderName, work: Work): number {
  const rates = RATES[provider];
  return (
    rates.task +
    work.forwardFlops / rates.forward +
    work.productFlops / rates.product +
    work.values * rates.value +
    work.readBytes * rates.readByte +
    work.addedValues * rates.addedValue +
    work.madeBytes * rates.madeByte +
    work.matched * ALIGNMENT_SECONDS.matched +
    work.predicted * ALIGNMENT_SECONDS.predicted +
    work.joined * ALIGNMENT_SECONDS.joined +
    work.clustered * ALIGNMENT_SECONDS.clustered
  );
}

/**
 * Forward operations a second at the slowest, all else of an activation included: small convolutions (the shipped
 * Fashion-MNIST pair), where what is copied counts as much as what is computed.
 */
const SLOWEST: Readonly<Record<ProviderName, number>> = { isolate: 12e9, native: 45e9 };

/** CPU seconds of so many forward operations at the slowest: for what must not pass a limit. */
export function activationSeconds(provider: ProviderName, forwardFlops: number): number {
  return forwardFlops / SLOWEST[provider];
}

/** Seconds until networks of so many bytes are open. */
export function openSeconds(provider: ProviderName, modelBytes: number): number {
  const { open, openByte } = RATES[provider];
  return open + modelBytes * openByte;
}

/**
 * Waiting on the deployed platform, in seconds. Assumed, not measured: nothing has been deployed yet. Round figures of
 * what R2, Queues and Containers are said to take.
 */
export const WAITS = {
  /** One operation of R2 or of a Durable Object. */
  operation: 0.03,
  /** A byte between R2 and who reads it. */
  byte: 1 / 100e6,
  /** From sending a message to its delivery. */
  message: 0.5,
  /** From a request to a container that sleeps to its answer. */
  containerStart: 3,
} as const;
