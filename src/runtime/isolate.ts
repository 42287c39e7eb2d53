/**
 * The `isolate` provider: runs a task inside this Worker, with onnxruntime-web. One task at a time, since wasm runs on
 * one core, an isolate has 128 MB, and the wasm heap never shrinks.
 */
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { SampleMemory } from '../accumulate/sampleMemory.ts';
import sampleKernel from '../accumulate/samples.wat';
import { writeNpz } from '../numeric/npz.ts';
import rowKernel from '../numeric/rows.wat';
import type { OnnxRuntime } from '../onnx/session.ts';
import { loadWasmRuntime } from '../onnx/wasm.ts';
import { isActivation } from '../plan/plan.ts';
import type { Plan, Task } from '../plan/plan.ts';
import { LassoMemory } from '../reduce/predict/lassoMemory.ts';
import { TaskRunner } from '../task/task.ts';
import { hasObject, inputSource, objectSource, rowReader } from './store.ts';

/** What a task made and what it cost. */
export interface TaskOutcome {
  object: Uint8Array | ReadableStream<Uint8Array>;
  bytes: number;
  /** Isolate: size of the wasm heap when the task ended; native: peak beyond what the runtime takes; null: unknown. */
  peakBytes: number | null;
  /** Seconds in the task itself, its turn and transfers left out; null: not told apart. */
  computeSeconds?: number | null;
}

let runner: TaskRunner | undefined;
let lasso: LassoMemory | undefined;
let busy = false;

// the same memory for tasks one after another: workerd lets a gigabyte of dropped ones stand before it collects them
async function openRunner(): Promise<TaskRunner> {
  const runtime = await loadWasmRuntime(wasm);
  const samples = new SampleMemory(sampleKernel);
  return new TaskRunner(
    runtime,
    () => samples,
    () => (lasso ??= new LassoMemory(rowKernel)),
  );
}

/**
 * Runs one task, after the one under way in this isolate; null where its object was made meanwhile.
 * @throws PipelineError as the stage says; `object-missing` for an input that isn't there
 */
export async function runIsolateTask(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  task: Task,
): Promise<TaskOutcome | null> {
  return alone(async (waited) => {
    if (waited && (await hasObject(bucket, task))) return null;
    const started = Date.now();
    runner ??= await openRunner();
    // what predictions grew it to isn't counted among an activation's; those of a run come after its activations
    if (isActivation(task)) lasso = undefined;
    const members = await runner.run(planHash, plan, task, {
      file: (sha256) => inputSource(bucket, plan, sha256),
      rows: rowReader(bucket, plan.data),
      object: (index) => objectSource(bucket, plan.tasks[index]!),
    });
    const object = await writeNpz(members);
    const computeSeconds = (Date.now() - started) / 1000;
    return { object, bytes: object.length, peakBytes: runner.runtime.heapBytes(), computeSeconds };
  });
}

/** Uses the runtime of this isolate, after the task under way in it. */
export function withIsolateRuntime<T>(act: (runtime: OnnxRuntime) => Promise<T>): Promise<T> {
  return alone(async () => act(await loadWasmRuntime(wasm)));
}

// one user of the wasm heap at a time; `act` hears whether it had to wait
async function alone<T>(act: (waited: boolean) => Promise<T>): Promise<T> {
  // a promise must not be awaited across requests, so waiting is by looking
  const waited = busy;
  while (busy) await scheduler.wait(20);
  busy = true;
  try {
    return await act(waited);
  } finally {
    busy = false;
  }
}
