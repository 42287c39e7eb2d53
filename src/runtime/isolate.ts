/**
 * The `isolate` provider: runs a task inside this Worker with onnxruntime-web. One task at a time, since
 * wasm runs on one core and an isolate has 128 MB; one set of sessions, because the wasm heap never shrinks.
 */
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { openMoments, runActivationTask, runPilotTask } from '../accumulate/accumulate.ts';
import { meansFrom } from '../accumulate/pilot.ts';
import { openNetworks } from '../activate/activate.ts';
import type { OpenNetworks, ProbeSource } from '../activate/activate.ts';
import { PipelineError } from '../errors.ts';
import type { OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import { loadWasmRuntime } from '../onnx/wasm.ts';
import { isActivation } from '../plan/plan.ts';
import type { CodeHashes, Plan, Task } from '../plan/plan.ts';
import { runReductionTask } from '../reduce/reduce.ts';
import { getInput, getObject, rowReader } from './store.ts';

/** The hash of this build's code, by kind of task; the bundler fills it in. */
declare const CODE_HASHES: CodeHashes;

/** What a task made and what it cost. */
export interface TaskOutcome {
  object: Uint8Array;
  /** Size of the wasm heap when the task ended, bytes; 0 for tasks that don't start it. */
  heapBytes: number;
}

/** Sessions kept from task to task; each belongs to the hash of what it was opened for. */
interface Kept<T> {
  key: string;
  value: T;
}
let networks: Kept<OpenNetworks> | undefined;
let moments: Kept<OnnxSession> | undefined;
let busy = false;

/**
 * Runs one task, after the one under way in this isolate.
 * @throws PipelineError as the stage says; `object-missing` for an input that isn't there
 */
export async function runTask(bucket: R2Bucket, planHash: string, plan: Plan, task: Task): Promise<TaskOutcome> {
  requireSameCode(plan, task);
  // a promise must not be awaited across requests, so waiting is by looking
  while (busy) await scheduler.wait(20);
  busy = true;
  try {
    if (!isActivation(task)) {
      const object = await runReductionTask(plan, task, (index) => getObject(bucket, plan.tasks[index]!));
      return { object, heapBytes: 0 };
    }
    const runtime = await loadWasmRuntime(wasm);
    const source: ProbeSource = { model: (sha256) => getInput(bucket, sha256), rows: rowReader(bucket, plan.data) };
    const open = await keptNetworks(planHash, plan, runtime, source);
    const object =
      task.kind === 'pilot'
        ? await runPilotTask(plan, task, open, await keptMoments(`${planHash} pilot`, plan, runtime, null), source)
        : await activateWithMeans(bucket, planHash, plan, task, runtime, open, source);
    return { object, heapBytes: runtime.heapBytes() };
  } finally {
    busy = false;
  }
}

async function activateWithMeans(
  bucket: R2Bucket,
  planHash: string,
  plan: Plan,
  task: Extract<Task, { kind: 'activate' }>,
  runtime: OnnxRuntime,
  open: OpenNetworks,
  source: ProbeSource,
): Promise<Uint8Array> {
  const means = await meansFrom(await getObject(bucket, plan.tasks[task.needs[0]!]!), plan);
  const session = await keptMoments(`${planHash} ${means.hash.join()}`, plan, runtime, means.byLayer);
  return runActivationTask(plan, task, open, session, means, source);
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

// a plan of another build has keys that promise other bytes than this code writes
function requireSameCode(plan: Plan, task: Task): void {
  const kind = isActivation(task) ? 'activate' : 'reduce';
  if (plan.code[kind] === CODE_HASHES[kind]) return;
  throw new PipelineError(
    'internal',
    `expected a plan made by this build; found code ${plan.code[kind]} for ${task.id}, this is ${CODE_HASHES[kind]}`,
    {
      hint: 'start the run again with this version',
    },
  );
}
