/**
 * Activation tasks in an isolate, with onnxruntime-web: everything from the stored model and rows to the
 * bytes of the object. The build hashes what this file reaches into the keys of activation tasks. One set of
 * sessions is kept from task to task, because the wasm heap never shrinks.
 */
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { openMoments, runActivationTask, runPilotTask } from '../accumulate/accumulate.ts';
import type { ActivationTask } from '../accumulate/accumulate.ts';
import { meansFrom } from '../accumulate/pilot.ts';
import { openNetworks } from '../activate/activate.ts';
import type { OpenNetworks, ProbeSource } from '../activate/activate.ts';
import type { OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { loadWasmRuntime } from '../onnx/wasm.ts';
import type { Plan } from '../plan/plan.ts';
import { getInput, getObject, rowReader } from './store.ts';

/** What a task made and what it cost. */
export interface TaskOutcome {
  object: Uint8Array;
  /** Size of the wasm heap when the task ended, bytes; 0 for tasks that don't start it. */
  heapBytes: number;
}

/** Sessions kept from task to task; each belongs to the key of what it was opened for. */
interface Kept<T> {
  key: string;
  value: T;
}
let networks: Kept<OpenNetworks> | undefined;
let moments: Kept<OnnxSession> | undefined;

/** Runs the pilot or an activation task. Not to be called while another is under way in this isolate. */
export async function runActivation(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  task: ActivationTask,
): Promise<TaskOutcome> {
  const runtime = await loadWasmRuntime(wasm);
  const source: ProbeSource = { model: (sha256) => getInput(bucket, sha256), rows: rowReader(bucket, plan.data) };
  const open = await keptNetworks(planHash, plan, runtime, source);
  if (task.kind === 'pilot') {
    const session = await keptMoments(`${planHash} pilot`, plan, runtime, null);
    return { object: await runPilotTask(plan, task, open, session, source), heapBytes: runtime.heapBytes() };
  }
  const means = await meansFrom(await getObject(bucket, plan.tasks[task.needs[0]!]!), plan);
  const session = await keptMoments(`${planHash} ${means.hash.join()}`, plan, runtime, means.byLayer);
  return { object: await runActivationTask(plan, task, open, session, means, source), heapBytes: runtime.heapBytes() };
}

async function keptNetworks(key: string, plan: Plan, runtime: OnnxRuntime, source: ProbeSource): Promise<OpenNetworks> {
  if (networks?.key !== key) {
    const before = networks;
    networks = undefined;
    await before?.value.close();
    networks = { key, value: await openNetworks(plan, runtime, source) };
  }
  return networks.value;
}

async function keptMoments(
  key: string,
  plan: Plan,
  runtime: OnnxRuntime,
  means: readonly Float32Array[] | null,
): Promise<OnnxSession> {
  if (moments?.key !== key) {
    const before = moments;
    moments = undefined;
    await before?.value.release();
    moments = { key, value: await openMoments(plan, runtime, means) };
  }
  return moments.value;
}
