/** A plan in words. */
import type { Plan } from './plan.ts';

/** One sentence on what is going to happen. */
export function describePlan(plan: Plan): string {
  const { networks, layers, pairs, tasks, rows } = plan;
  const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
  return `${plan.definition.name}: ${count(networks.length, 'network')}, ${count(layers.length, 'layer')}, ${count(pairs.length, 'pair')}, ${count(rows, 'row')} in ${count(tasks.length, 'task')}`;
}
