/**
 * The files of every pair and layer, each written by a step of its own as soon as its objects are there, so that a
 * run shows what it has while it goes on. One object for one round of the workflow.
 */
import type { WorkflowStep } from 'cloudflare:workers';
import { fromUnknown } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { setOf } from '../plan/tasks.ts';
import { progressOf } from './consumer.ts';
import type { Env, RunParameters } from './env.ts';
import { STEP } from './limits.ts';
import { inParallel } from './requests.ts';
import { writeLayerReport } from './results.ts';
import type { LayerManifest } from './results.ts';
import { verifyObject } from './store.ts';

/** Written while tasks run, at one look: the tasks come first. */
const MOST_AT_A_LOOK = 8;

export class LayerReports {
  readonly #env: Env;
  readonly #parameters: RunParameters;
  readonly #plan: Plan;
  readonly #planHash: string;
  readonly #step: WorkflowStep;
  readonly #written = new Map<number, LayerManifest>();
  /** Tasks whose objects a report reads, by pair and layer: index pair × layers + layer. */
  readonly #needs: number[][];
  readonly round: number;

  constructor(env: Env, parameters: RunParameters, plan: Plan, planHash: string, step: WorkflowStep, round: number) {
    this.#env = env;
    this.#parameters = parameters;
    this.#plan = plan;
    this.#planHash = planHash;
    this.#step = step;
    this.round = round;
    this.#needs = needsOf(plan);
  }

  /** Some of the pairs and layers that are not written yet and could be; `present` by task. */
  complete(present: readonly boolean[]): number[] {
    const complete: number[] = [];
    for (const [index, needs] of this.#needs.entries()) {
      if (complete.length === MOST_AT_A_LOOK) break;
      if (!this.#written.has(index) && needs.every((task) => present[task])) complete.push(index);
    }
    return complete;
  }

  /** Writes one; where an object of it turns out damaged it is left to {@link all}. */
  async write(index: number): Promise<void> {
    const manifest = await this.#writeStep(index, 'early', true);
    if (manifest) this.#written.set(index, manifest);
  }

  /**
   * All of them, those that are missing written now; null where an object turned out damaged and was deleted.
   * @param again whether a damaged object may be made anew; else it is an error
   */
  async all(again: boolean): Promise<LayerManifest[] | null> {
    const manifests: LayerManifest[] = [];
    for (const index of this.#needs.keys()) {
      const manifest = this.#written.get(index) ?? (await this.#writeStep(index, 'last', again));
      if (manifest === null) return null;
      manifests.push(manifest);
    }
    return manifests;
  }

  #writeStep(index: number, when: string, again: boolean): Promise<LayerManifest | null> {
    const [pair, layer] = [Math.floor(index / this.#plan.layers.length), index % this.#plan.layers.length];
    const { BUCKET } = this.#env;
    const { run, attempt } = this.#parameters;
    return this.#step.do(`report-${this.round}-${pair}-${layer}-${when}`, STEP, async () => {
      try {
        const manifest = await writeLayerReport(BUCKET, this.#planHash, this.#plan, pair, layer);
        const told = { pair: this.#plan.pairs[pair]!.folder, layer: this.#plan.layers[layer]!.name };
        await progressOf(this.#env, run).tell(attempt, { type: 'layer', ...told });
        return manifest;
      } catch (error) {
        if (!again || !['object-damaged', 'object-missing'].includes(fromUnknown(error).code)) throw error;
        await inParallel(this.#plan.tasks, (task) => verifyObject(BUCKET, task));
        return null;
      }
    });
  }
}

function needsOf(plan: Plan): number[][] {
  const reductions = new Map<string, number[]>();
  for (const [index, task] of plan.tasks.entries()) {
    if (!('layer' in task)) continue;
    const own = 'pair' in task ? `${task.pair} ${task.layer}` : `set ${task.set} ${task.layer}`;
    reductions.set(own, [...(reductions.get(own) ?? []), index]);
  }
  return plan.pairs.flatMap((_, pair) =>
    plan.layers.map((__, layer) => [
      ...(reductions.get(`${pair} ${layer}`) ?? []),
      ...(reductions.get(`set ${setOf(plan, layer, pair)} ${layer}`) ?? []),
    ]),
  );
}
