/** `convergent plan`: what a run would do, and whether it fits, without doing it. */
import { describePlan } from '../plan/describe.ts';
import { tasksByKind } from './client.ts';
import { STATE_DETAIL, STATE_OPTION, stateFolder } from './command.ts';
import type { Command } from './command.ts';
import { preparePlan } from './prepare.ts';

const MIB = 2 ** 20;

export const planCommand: Command = {
  name: 'plan',
  usage: 'plan <pipeline.yaml> [--state <dir>] [--json]',
  summary: 'measures the layers and shows the tasks and memory of a run',
  details: [STATE_DETAIL, '  --json         the whole plan, with every task and its key'],
  operands: 1,
  options: STATE_OPTION,
  run: async (invocation) => {
    const { plan } = await preparePlan(invocation.positionals[0]!, stateFolder(invocation));
    const { batch, projectedBytes, reservedBytes, allowedBytes } = plan.memory;
    const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
    const lines = [
      describePlan(plan),
      '',
      ...plan.layers.map(({ name, taps, positionShape, positions }) => {
        const units = taps.map((tap) => tap.units).join(' + ');
        return `  ${name}: ${units} units at ${positions} position${positions === 1 ? '' : 's'}${positionShape.length > 0 ? ` of ${positionShape.join(' × ')}` : ''}`;
      }),
      '',
      ...[...tasksByKind(plan)].map(([kind, count]) => `  ${String(count).padStart(6)} ${kind}`),
      '',
      `${plan.groups.count} image groups, the last ${plan.groups.count - plan.fitGroups} held out; ${plan.shardRows} rows a task, ${batch} rows a batch`,
      `memory of a task: ${mib(projectedBytes)} projected + ${mib(reservedBytes)} reserved, ${mib(allowedBytes)} allowed (${plan.provider.name})`,
    ];
    return { text: lines.join('\n'), json: plan };
  },
};
