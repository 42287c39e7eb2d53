/** `convergent plan`: what a run would do, and whether it fits, without doing it. */
import { BUDGETS } from '../plan/providers.ts';
import { describePlan } from '../plan/describe.ts';
import { tasksByKind } from './client.ts';
import { COMPUTE_DETAIL, COMPUTE_OPTION, computeChoice, STATE_DETAIL, STATE_OPTION, stateFolder } from './command.ts';
import type { Command } from './command.ts';
import { preparePlan } from './prepare.ts';

const MIB = 2 ** 20;

export const planCommand: Command = {
  name: 'plan',
  usage: 'plan <pipeline.yaml> [--state <dir>] [--compute <provider>] [--json]',
  summary: 'measures the layers and shows the tasks and memory of a run',
  details: [STATE_DETAIL, COMPUTE_DETAIL, '  --json         the whole plan, with every task and its key'],
  operands: 1,
  options: { ...STATE_OPTION, ...COMPUTE_OPTION },
  run: async (invocation) => {
    const { plan } = await preparePlan(invocation.positionals[0]!, stateFolder(invocation), computeChoice(invocation));
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
      `${plan.groups.count} image groups, the last ${plan.groups.count - plan.fitGroups} held out`,
      ...plan.sets.map((set) => {
        const { allowedBytes, reservedBytes } = BUDGETS[set.provider];
        const whole = set.networks.length === plan.networks.length && set.layers.length === plan.layers.length;
        const who = `${set.networks.map((index) => plan.networks[index]!.name).join(', ')} at ${set.layers.map((index) => plan.layers[index]!.name).join(', ')}`;
        return `${whole ? 'all networks and layers' : who}: ${set.provider} (${set.why}); ${set.shardRows} rows a task, ${set.batch} rows a batch; ${mib(set.projectedBytes)} projected + ${mib(reservedBytes)} reserved, ${mib(allowedBytes)} allowed`;
      }),
    ];
    return { text: lines.join('\n'), json: plan };
  },
};
