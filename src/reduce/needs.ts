/**
 * What a reduction reads: which members of which objects, known from the plan alone, so that they can be sent ahead of
 * the task. `runReductionTask` (reduce.ts) reads no others.
 */
import { unitsInSet } from '../accumulate/accumulate.ts';
import { blockName } from '../accumulate/moments.ts';
import { formOf, HEAD_MEMBERS, partialMemberNames } from '../accumulate/partial.ts';
import type { Form } from '../accumulate/partial.ts';
import { PipelineError } from '../errors.ts';
import { pilotsAndPartials } from '../plan/plan.ts';
import type { ActivationTask, Plan, Task } from '../plan/plan.ts';
import { rowsOf } from '../plan/work.ts';
import { statsMemberNames } from './objects.ts';

export type ReductionTask = Exclude<Task, ActivationTask>;
export type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>;

/** An object by its task, and the members that are read of it, in reading order; null: all. */
export interface NeededObject {
  task: number;
  members: string[] | null;
}

/** What a task reads, in reading order. */
export function neededMembers(plan: Plan, task: ReductionTask): NeededObject[] {
  const heldOut = plan.fitGroups < plan.groups.count;
  switch (task.kind) {
    case 'merge':
      return task.needs.map((need) => ({ task: need, members: null }));
    case 'correlate': {
      const { pilots, partials } = pilotsAndPartials(plan, task);
      return [
        ...pilots.map((need) => ({ task: need, members: null })),
        ...partials.map((need) => ({ task: need, members: groupMembers(plan, task, need).names })),
      ];
    }
    case 'match': {
      const { a, b } = plan.pairs[task.pair]!;
      return gather(plan, task, [[a, b]], (block) => [`r_${block}`]);
    }
    case 'predict-part':
    case 'predict': {
      if (isJoined(plan, task)) return task.needs.map((need) => ({ task: need, members: null }));
      const { a, b } = plan.pairs[task.pair]!;
      const from = task.direction === 'aToB' ? a : b;
      const names = (block: string): string[] => (heldOut ? [`fit_r_${block}`, `held_out_${block}`] : [`r_${block}`]);
      const needed = gather(
        plan,
        task,
        [
          [from, from],
          [a, b],
        ],
        names,
      );
      return withStats(plan, task, needed, [a, b], heldOut);
    }
    case 'cluster': {
      const { a, b } = plan.pairs[task.pair]!;
      const needed = gather(
        plan,
        task,
        [
          [a, a],
          [a, b],
          [b, b],
        ],
        (block) => [`r_${block}`],
      );
      return withStats(plan, task, needed, [a, b], heldOut);
    }
  }
}

/** The task among `needs` that makes a block, by index. */
export function blockTask(plan: Plan, needs: readonly number[], i: number, j: number): number {
  const found = needs.find((need) => {
    const task = plan.tasks[need]!;
    return task.kind === 'correlate' && task.blocks.some((block) => block[0] === i && block[1] === j);
  });
  if (found === undefined) throw new PipelineError('internal', `expected a task that makes block ${blockName(i, j)}`);
  return found;
}

/** The members of one image group that a task correlates, and the form they have. */
export function groupMembers(plan: Plan, task: TaskOf<'correlate'>, group: number): { names: string[]; form: Form } {
  const { networks, blocks } = blocksOf(task);
  const form = formOf(samplesOf(plan, group, task.layer), unitsInSet(plan, task.set, task.layer));
  return { names: [...HEAD_MEMBERS, ...partialMemberNames(task.layer, networks, blocks, form)], form };
}

/** The networks that a task's blocks are between, rising, and the blocks' names. */
export function blocksOf(task: TaskOf<'correlate'>): { networks: number[]; blocks: string[] } {
  const networks = [...new Set(task.blocks.flat())].sort((x, y) => x - y);
  return { networks, blocks: task.blocks.map(([i, j]) => blockName(i, j)) };
}

/** Whether a prediction was cut by targets, and its task joins the parts. */
export function isJoined(plan: Plan, task: ReductionTask): boolean {
  return plan.tasks[task.needs[0]!]!.kind === 'predict-part';
}

/** Samples of a layer that an activation or merge task sums up. */
export function samplesOf(plan: Plan, index: number, layer: number): number {
  const task = plan.tasks[index]!;
  if (task.kind === 'merge') return task.needs.reduce((sum, need) => sum + samplesOf(plan, need, layer), 0);
  if (task.kind !== 'activate') throw new PipelineError('internal', `expected partials; found ${task.id}`);
  return rowsOf(task.ranges) * plan.layers[layer]!.positions;
}

// the members of these blocks by the task that makes them
function gather(
  plan: Plan,
  task: ReductionTask,
  blocks: readonly (readonly [number, number])[],
  names: (block: string) => string[],
): { task: number; members: string[] }[] {
  const byTask = new Map<number, string[]>();
  for (const [i, j] of blocks) {
    const need = blockTask(plan, task.needs, i, j);
    byTask.set(need, [...(byTask.get(need) ?? []), ...names(blockName(i, j))]);
  }
  return [...byTask].map(([need, members]) => ({ task: need, members }));
}

// statistics stand with the block between the pair
function withStats(
  plan: Plan,
  task: ReductionTask,
  needed: { task: number; members: string[] }[],
  [a, b]: readonly [number, number],
  heldOut: boolean,
): { task: number; members: string[] }[] {
  const between = blockTask(plan, task.needs, a, b);
  const own = needed.find((entry) => entry.task === between)!;
  own.members.push(...new Set([...statsMemberNames(a, heldOut), ...statsMemberNames(b, heldOut)]));
  return needed;
}
