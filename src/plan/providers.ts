/**
 * Who can run a task, and what it has: the memory of one task, and how the work is cut for it. Constants, never read
 * from the machine, so that a plan is the same everywhere.
 */

/** `isolate`: onnxruntime-web inside the Worker; `native`: onnxruntime-node in a child process behind COMPUTE. */
export type ProviderName = 'isolate' | 'native';

/** Which providers a plan may use; `auto`: isolate where a task fits, native where not. */
export type ComputeChoice = ProviderName | 'auto';

/** One provider with its version: one name and version promise one result. */
export interface Provider {
  name: ProviderName;
  /** Package and version of ONNX Runtime, such as `onnxruntime-web 1.30.0`. */
  version: string;
}

export interface Budget {
  /** Memory of a task, everything included, bytes. */
  allowedBytes: number;
  /** Of which are taken before a task starts. */
  reservedBytes: number;
  /** Rows that go through a network at a time, at most. */
  mostBatch: number;
  /** Samples in one product: more amortise its overhead, fewer take less memory. */
  productSamples: number;
  /** CPU seconds a task may take, or Infinity. */
  cpuSeconds: number;
}

const MIB = 2 ** 20;

export const BUDGETS: Readonly<Record<ProviderName, Budget>> = {
  isolate: {
    // Cloudflare Workers limits, read 2026-11
    allowedBytes: 128 * MIB,
    // the Worker's code and V8 (20 MiB), and the wasm heap before the first model (16 MiB, measured)
    reservedBytes: 36 * MIB,
    // half an image group's block: larger ones leave more garbage behind than an isolate has room for
    mostBatch: 25,
    productSamples: 1024,
    // half of what limits.cpu_ms allows
    cpuSeconds: 150,
  },
  native: {
    allowedBytes: 3072 * MIB,
    // Node with ONNX Runtime loaded, measured
    reservedBytes: 96 * MIB,
    mostBatch: 25,
    productSamples: 4096,
    cpuSeconds: Infinity,
  },
};
