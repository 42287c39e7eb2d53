/** `convergent plan`: what a run would do, whether it fits, how long it takes here, and what it costs on Cloudflare. */
import { NATIVE_BUDGET_BYTES, poolSize } from '../compute/pool.ts';
import { describePlan } from '../plan/describe.ts';
import { CONSUMER_SECONDS } from '../plan/cloud.ts';
import { forecastHere } from '../plan/forecast.ts';
import type { Forecast } from '../plan/forecast.ts';
import { BUDGETS } from '../plan/providers.ts';
import { formatCost } from '../report/format.ts';
import { tasksByKind } from '../runtime/eta.ts';
import { COMPUTE_DETAIL, COMPUTE_OPTION, computeChoice, STATE_DETAIL, STATE_OPTION, stateFolder } from './command.ts';
import type { Command } from './command.ts';
import { planFile } from './prepare.ts';
import type { Prepared } from './prepare.ts';
import { duration, progressDisplay } from './progress.ts';

const MIB = 2 ** 20;

export const planCommand: Command = {
  name: 'plan',
  usage: 'plan <pipeline.yaml> [--state <dir>] [--compute <provider>] [--json]',
  summary: 'measures the layers and shows the tasks, memory, time and cost of a run',
  details: [
    STATE_DETAIL,
    COMPUTE_DETAIL,
    '  --json         the whole plan, with every task and its key, and the forecast',
  ],
  operands: 1,
  options: { ...STATE_OPTION, ...COMPUTE_OPTION },
  run: async (invocation) => {
    const display = progressDisplay(process.stderr);
    const [file, compute] = [invocation.positionals[0]!, computeChoice(invocation)];
    const prepared = await planFile(file, stateFolder(invocation), compute, display.show).finally(display.end);
    const { plan } = prepared;
    const here = expectedHere(prepared);
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
      '',
      ...hereLines(here),
      ...(plan.forecast ? cloudLines(plan.forecast.deployed) : []),
    ];
    return { text: lines.join('\n'), json: { ...plan, forecast: { ...plan.forecast, here } } };
  },
};

/** What a run is expected to take on this machine. */
interface ExpectedHere {
  /** Native tasks that run at once; those of an isolate run one by one. */
  cores: number;
  /** Wall seconds by kind of task, and of the report. */
  seconds: Record<string, number>;
}

function expectedHere({ plan, models }: Prepared): ExpectedHere {
  const cores = poolSize(NATIVE_BUDGET_BYTES);
  const seconds = Object.fromEntries(forecastHere(plan, models, cores));
  return { cores, seconds: { ...seconds, report: plan.forecast?.reportSeconds ?? 0 } };
}

function hereLines({ cores, seconds }: ExpectedHere): string[] {
  const all = Object.values(seconds).reduce((sum, own) => sum + own, 0);
  const native = `native tasks ${cores} at once, isolate tasks one by one`;
  return [
    `expected here, to a factor of about 2: ${duration(all)} with nothing else running, ${native}`,
    `  ${Object.entries(seconds)
      .map(([stage, own]) => `${stage} ${own < 60 ? formatCost(own, 's') : duration(own)}`)
      .join(', ')}`,
  ];
}

function cloudLines({ kinds, reportSeconds, cloud, ratesMeasured, pricesRead }: Forecast): string[] {
  const cpu = kinds.reduce((sum, { seconds }) => sum + seconds, reportSeconds);
  const of = (provider: string): number =>
    kinds.filter((kind) => kind.provider === provider).reduce((sum, { tasks }) => sum + tasks, 0);
  return [
    `forecast on Cloudflare, to a factor of about 2 (rates measured ${ratesMeasured}, prices read ${pricesRead}, waits assumed): ${of('isolate')} isolate and ${of('native')} native tasks, ${duration(cpu)} of CPU`,
    ...cloud.map(({ workers, instances, wallSeconds, dollars, idleDollars }) => {
      const containers = instances === 0 ? '' : `, ${instances} container${instances === 1 ? '' : 's'}`;
      const idle = instances === 0 ? '' : `, ${formatCost(idleDollars, '$')} of it for containers that wait to sleep`;
      return `  ${workers} Worker${workers === 1 ? '' : 's'}${containers}: ${duration(wallSeconds)}, ${formatCost(dollars, '$')}${idle}`;
    }),
    ...kinds
      .filter(({ longestSeconds }) => longestSeconds > CONSUMER_SECONDS)
      .map(
        ({ kind, longestSeconds }) =>
          `  the longest ${kind} task may take ${duration(longestSeconds)}, and a queue allows ${duration(CONSUMER_SECONDS)}`,
      ),
  ];
}
