/**
 * Native ONNX Runtime: the `native` provider, in child processes of the compute server only. The only file that
 * names onnxruntime-node. That binary blocks its thread while it computes and takes its whole process with it when
 * it fails, so no process that must live may load it: the pool asks a child whether it loads.
 */
import { runtimeOver, type OnnxRuntime } from '../onnx/session.ts';

/**
 * Environment of a process that loads the runtime: how glibc's malloc, which the runtime's buffers come from, gives
 * memory back (others ignore it). Six 3×3 convolutions, 112×112, batch 8, 233 MB of live tensors at most, medians of
 * 6 runs; time is of the fastest of 12 batches:
 * runtime's arena, malloc as it is: 203 ms, peak 284 MB, 281 MB kept afterwards, and it doubles as it grows
 * no arena, malloc as it is: 203 ms, peak 336 MB (323–366), 327 MB kept
 * no arena, these settings: 211 ms, peak 292 MB, 192 MB kept; the same with 4 MiB: 225 ms, 255 MB, 132 MB kept
 */
export const NATIVE_ENVIRONMENT = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8388608',
} as const;

/**
 * V8's options of such a process. Marking in steps is for programs that mustn't pause: beside large arrays it begins
 * again and again. A task of the shipped pair took 388 ms of CPU with it and 218 ms without, and peaked 25 MB higher.
 */
export const NATIVE_V8_OPTIONS = ['--expose-gc', '--no-incremental-marking', '--max-old-space-size=2048'] as const;

/** The runtime of this process: CPU, one thread, buffers from malloc. */
export async function loadNativeRuntime(): Promise<OnnxRuntime> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-node');
  return runtimeOver({
    InferenceSession,
    Tensor,
    version: `onnxruntime-node ${env.versions.node}`,
    heapBytes: () => 0,
    writesInto: true,
    sessionOptions: {
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      enableCpuMemArena: false,
      enableMemPattern: false,
    },
  });
}
