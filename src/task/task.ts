/**
 * Run this task, give me its object: the one interface of both providers. Whoever implements it brings the inputs of a
 * task, an ONNX Runtime and the memories of its kernels; what is computed, and in which order, is the same everywhere.
 */
import { runActivationTask, runPilotTask } from '../accumulate/accumulate.ts';
import type { ActivationTask } from '../accumulate/accumulate.ts';
import { meansFrom } from '../accumulate/pilot.ts';
import type { SampleMemory } from '../accumulate/sampleMemory.ts';
import { openNetworks } from '../activate/activate.ts';
import type { OpenNetworks } from '../activate/activate.ts';
import { collectGarbage } from '../numeric/garbage.ts';
import { openNpz } from '../numeric/npz.ts';
import type { NpzMembers, NpzObject } from '../numeric/npz.ts';
import type { RangeSource } from '../numeric/range.ts';
import { openProduct } from '../onnx/product.ts';
import type { ProductSession } from '../onnx/product.ts';
import type { OnnxRuntime } from '../onnx/session.ts';
import type { RowRange } from '../plan/groups.ts';
import { isActivation } from '../plan/plan.ts';
import type { Plan, Task } from '../plan/plan.ts';
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
  const networks = plan.sets[task.set]!.networks.map((index) => plan.networks[index]!);
  const files = networks.flatMap((n) => [n.modelSha256, ...n.externalData.map((file) => file.sha256)]);
  const objects = task.needs.map((need) => ({ task: need, members: null }));
  return { files: [...new Set(files)], rows: task.ranges, objects };
}

/** Runs tasks one after another in one runtime; keeps its sessions from task to task, since opening them is slow. */
export class TaskRunner {
  readonly runtime: OnnxRuntime;
  readonly #samples: () => SampleMemory;
  readonly #lasso: () => LassoMemory;
  #networks: { key: string; value: OpenNetworks } | undefined;
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
    const networks = await this.#openNetworks(`${planHash} ${task.set}`, plan, task, inputs);
    if (task.kind === 'pilot') return runPilotTask(plan, task, networks, this.#samples(), inputs);
    const means = await meansFrom(await (await object(task.needs[0]!)).read(), plan, task.set);
    return runActivationTask(plan, task, networks, await this.#openProduct(), this.#samples(), means, inputs);
  }

  #openProduct(): Promise<ProductSession> {
    return (this.#product ??= openProduct(this.runtime));
  }

  async #openNetworks(key: string, plan: Plan, task: ActivationTask, inputs: TaskInputs): Promise<OpenNetworks> {
    if (this.#networks?.key !== key) {
      const before = this.#networks;
      this.#networks = undefined;
      await before?.value.close();
      this.#networks = { key, value: await openNetworks(plan, task.set, this.runtime, inputs) };
      // the files that the sessions were made from
      collectGarbage();
    }
    return this.#networks.value;
  }
}
