/**
 * Run this task, give me its object: the one interface of both providers. Whoever implements it brings the inputs of a
 * task, an ONNX Runtime and the memories of its kernels; what is computed, and in which order, is the same everywhere.
 */
import { runActivationTask, runPilotTask } from '../accumulate/accumulate.ts';
import { readMeans } from '../accumulate/pilot.ts';
import type { ProvisionalMeans } from '../accumulate/pilot.ts';
import type { SampleMemory } from '../accumulate/sampleMemory.ts';
import { openNetwork, readyNetworks } from '../activate/activate.ts';
import type { OpenNetworks } from '../activate/activate.ts';
import { collectGarbage } from '../numeric/garbage.ts';
import { openNpz } from '../numeric/npz.ts';
import type { NpzMembers, NpzObject } from '../numeric/npz.ts';
import type { RangeSource } from '../numeric/range.ts';
import { openProduct } from '../onnx/product.ts';
import type { ProductSession } from '../onnx/product.ts';
import type { OnnxRuntime, OnnxSession } from '../onnx/session.ts';
import type { RowRange } from '../plan/groups.ts';
import { isActivation, networksOf } from '../plan/plan.ts';
import type { ActivationTask, Plan, Task } from '../plan/plan.ts';
import type { LassoMemory } from '../reduce/predict/lassoMemory.ts';
import { neededMembers } from '../reduce/needs.ts';
import type { NeededObject } from '../reduce/needs.ts';
import { runReductionTask } from '../reduce/reduce.ts';

/** Where a task's inputs come from; everything that is read is verified. */
export interface TaskInputs {
  /** An ONNX file, or a file of its external data, by content hash. */
  file(sha256: string): Promise<RangeSource>;
  /** The raw bytes of rows [start, end) of the probe data. */
  rows(range: RowRange): Promise<Uint8Array>;
  /** The object of another task of the plan, an .npz whose readers check the members they take. */
  object(task: number): Promise<RangeSource>;
}

/** What a task reads, known from the plan alone, so that it can be sent ahead of the task. */
export interface TaskNeeds {
  /** Content hashes of ONNX files and external data. */
  files: string[];
  rows: readonly RowRange[];
  /** Objects of other tasks. */
  objects: NeededObject[];
}

export function taskNeeds(plan: Plan, task: Task): TaskNeeds {
  if (!isActivation(task)) return { files: [], rows: [], objects: neededMembers(plan, task) };
  const networks = networksOf(plan, task).map((index) => plan.networks[index]!);
  const files = networks.flatMap((n) => [n.modelSha256, ...n.externalData.map((file) => file.sha256)]);
  const objects = task.needs.map((need) => ({ task: need, members: null }));
  return { files: [...new Set(files)], rows: task.ranges, objects };
}

/** Runs tasks one after another in one runtime; keeps its sessions from task to task, since opening them is slow. */
export class TaskRunner {
  readonly runtime: OnnxRuntime;
  readonly #samples: () => SampleMemory;
  readonly #lasso: () => LassoMemory;
  // of one set of one plan; not every task of it runs all its networks
  #open: { key: string; sessions: Map<number, OnnxSession> } | undefined;
  #ready: OpenNetworks | undefined;
  // small beside sessions, and otherwise read by every task of a set
  #means: { key: string; value: ProvisionalMeans } | undefined;
  #product: Promise<ProductSession> | undefined;

  /** @param samples the memory of the next task's samples; `lasso` that of its sparse prediction */
  constructor(runtime: OnnxRuntime, samples: () => SampleMemory, lasso: () => LassoMemory) {
    this.runtime = runtime;
    this.#samples = samples;
    this.#lasso = lasso;
  }

  /** The members of the task's object. Not to be called while another task is under way. */
  async run(planHash: string, plan: Plan, task: Task, inputs: TaskInputs): Promise<NpzMembers> {
    const object = async (index: number): Promise<NpzObject> =>
      openNpz(await inputs.object(index), plan.tasks[index]!.id);
    if (!isActivation(task))
      return runReductionTask(plan, task, { object, product: () => this.#openProduct(), lasso: this.#lasso });
    const key = `${planHash} ${task.set}`;
    const networks = await this.#openNetworks(key, plan, task, inputs);
    if (task.kind === 'pilot') return runPilotTask(plan, task, networks, this.#samples(), inputs);
    if (this.#means?.key !== key) this.#means = { key, value: await readMeans(plan, task, object) };
    const means = this.#means.value;
    return runActivationTask(plan, task, networks, await this.#openProduct(), this.#samples(), means, inputs);
  }

  #openProduct(): Promise<ProductSession> {
    return (this.#product ??= openProduct(this.runtime));
  }

  async #openNetworks(key: string, plan: Plan, task: ActivationTask, inputs: TaskInputs): Promise<OpenNetworks> {
    const networks = networksOf(plan, task);
    if (this.#open?.key === key && this.#ready?.indices.join() === networks.join()) return this.#ready;
    // what the last batches were written to makes room for networks to be opened
    this.#ready = undefined;
    if (this.#open?.key !== key) {
      const before = this.#open;
      this.#open = undefined;
      for (const session of before?.sessions.values() ?? []) await session.release();
    }
    const { sessions } = (this.#open ??= { key, sessions: new Map() });
    const own = new Map<number, OnnxSession>();
    for (const network of networks) {
      const session = sessions.get(network) ?? (await openNetwork(plan, task.set, network, this.runtime, inputs));
      sessions.set(network, session);
      own.set(network, session);
    }
    // the files that sessions were made from
    collectGarbage();
    return (this.#ready = readyNetworks(plan, own));
  }
}
