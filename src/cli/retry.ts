/**
 * `convergent retry`: the next attempt of a run that failed or was cancelled, which repeats only what is missing. A
 * service goes on by itself; without one, the run is followed to its end here.
 */
import type { RunRecord } from '../service/documents.ts';
import { optionText, REMOTE_DETAILS, REMOTE_OPTIONS, STATE_DETAIL, STATE_OPTION } from './command.ts';
import type { Command } from './command.ts';
import { followRun } from './follow.ts';
import { withService } from './local.ts';
import { requireOurs } from './out.ts';
import { progressDisplay } from './progress.ts';
import { fetchRun } from './remoteRun.ts';
import { answerOf } from './run.ts';

export const retryCommand: Command = {
  name: 'retry',
  usage: 'retry <run> [--out <dir>] [--remote <url>] [--token <token>] [--state <dir>] [--json]',
  summary: 'tries a failed or cancelled run again; repeats only what is missing',
  details: [
    ...REMOTE_DETAILS,
    STATE_DETAIL,
    '  --out <dir>      without a service: output folder (default convergent-out/<name>)',
  ],
  operands: 1,
  options: { ...STATE_OPTION, ...REMOTE_OPTIONS, out: { type: 'string' } },
  run: (invocation, { signal }) =>
    withService(invocation, { native: true, make: false }, async (service, lasting) => {
      const path = `/runs/${encodeURIComponent(invocation.positionals[0]!)}`;
      const started = Date.now();
      const before = await service.json<RunRecord>(path, { signal });
      const out = optionText(invocation, 'out') ?? `convergent-out/${before.pipeline}`;
      if (!lasting) requireOurs(out);
      const run = await service.json<RunRecord>(`${path}/retry`, { method: 'POST', signal });
      if (lasting) {
        const follow = `convergent logs ${run.id} --follow${service.option}`;
        return { text: `run ${run.id}, attempt ${run.attempt}: ${follow}`, json: run };
      }
      const display = progressDisplay(process.stderr);
      try {
        display.say(`run ${run.id} goes on, attempt ${run.attempt}`);
        const followed = await followRun(service, run.id, display, signal);
        return answerOf(await fetchRun(service, followed, out, { started }, signal));
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        display.end();
      }
    }),
};
