/** `convergent cancel`: ends a run; what is finished of it stays. */
import type { RunRecord } from '../service/documents.ts';
import { REMOTE_DETAILS, REMOTE_OPTIONS, STATE_DETAIL, STATE_OPTION } from './command.ts';
import type { Command } from './command.ts';
import { withService } from './local.ts';

export const cancelCommand: Command = {
  name: 'cancel',
  usage: 'cancel <run> [--remote <url>] [--token <token>] [--state <dir>] [--json]',
  summary: 'ends a run; a retry goes on with what was finished',
  details: [...REMOTE_DETAILS, STATE_DETAIL],
  operands: 1,
  options: { ...STATE_OPTION, ...REMOTE_OPTIONS },
  run: (invocation, { signal }) =>
    withService(invocation, { native: false, make: false }, async (service) => {
      const path = `/runs/${encodeURIComponent(invocation.positionals[0]!)}/cancel`;
      const run = await service.json<RunRecord>(path, { method: 'POST', signal });
      return { text: `run ${run.id} is ${run.state}; convergent retry ${run.id}${service.option} goes on`, json: run };
    }),
};
