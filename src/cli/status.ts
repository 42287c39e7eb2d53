/** `convergent status`: how a run stands, or the latest ones. */
import type { RunList, RunRecord } from '../service/documents.ts';
import { REMOTE_DETAILS, REMOTE_OPTIONS, STATE_DETAIL, STATE_OPTION } from './command.ts';
import type { Command } from './command.ts';
import { withService } from './local.ts';
import { duration } from './progress.ts';

const LATEST = 10;

export const statusCommand: Command = {
  name: 'status',
  usage: 'status [<run>] [--remote <url>] [--token <token>] [--state <dir>] [--json]',
  summary: `how a run stands; without a run, the latest ${LATEST}`,
  details: [...REMOTE_DETAILS, STATE_DETAIL],
  operands: [0, 1],
  options: { ...STATE_OPTION, ...REMOTE_OPTIONS },
  run: (invocation, { signal }) =>
    withService(invocation, { native: false, make: false }, async (service) => {
      const [id] = invocation.positionals;
      if (id !== undefined) {
        const run = await service.json<RunRecord>(`/runs/${encodeURIComponent(id)}`, { signal });
        return { text: runText(run), json: run };
      }
      const list = await service.json<RunList>(`/runs?limit=${LATEST}`, { signal });
      return { text: list.runs.length === 0 ? 'no runs' : list.runs.map(runLine).join('\n'), json: list };
    }),
};

/** A run in a line. */
export function runLine(run: RunRecord): string {
  return [run.id, stateText(run).padEnd(16), run.pipeline, `by ${run.trigger.kind}`, ...tookText(run)].join('  ');
}

/** A run in lines. */
export function runText(run: RunRecord): string {
  const { error, gate, digest } = run;
  const failed = gate?.rules.filter(({ passed }) => !passed) ?? [];
  return [
    runLine(run),
    ...(run.attempt > 1 ? [`  attempt ${run.attempt}`] : []),
    ...(error ? [`  ${error.code}: ${error.message}`] : []),
    ...(error?.hint === undefined ? [] : [`  hint: ${error.hint}`]),
    ...(digest === null ? [] : [`  digest ${digest}`]),
    ...failed.map(({ text }) => `  ${text}`),
  ].join('\n');
}

function stateText({ state, gate }: RunRecord): string {
  if (state !== 'done' || !gate) return state;
  return gate.passed ? 'done, gate passed' : 'done, gate failed';
}

function tookText({ started, ended }: RunRecord): string[] {
  if (started === null) return [];
  const from = new Date(started).toISOString().slice(0, 19);
  return ended === null ? [`since ${from}Z`] : [`${from}Z`, `in ${duration((ended - started) / 1000)}`];
}
