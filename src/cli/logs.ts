/** `convergent logs`: what happened in a run, an event a line. */
import type { RunEvent } from '../service/documents.ts';
import { REMOTE_DETAILS, REMOTE_OPTIONS, STATE_DETAIL, STATE_OPTION } from './command.ts';
import type { Command } from './command.ts';
import { eventLine, followEvents, readEvents } from './follow.ts';
import { withService } from './local.ts';
import { leftText } from './remoteRun.ts';

export const logsCommand: Command = {
  name: 'logs',
  usage: 'logs <run> [--follow] [--remote <url>] [--token <token>] [--state <dir>] [--json]',
  summary: 'the events of a run, one a line',
  details: [
    '  --follow         goes on until the run has ended',
    ...REMOTE_DETAILS,
    STATE_DETAIL,
    '  --json           a JSON document a line',
  ],
  operands: 1,
  options: { ...STATE_OPTION, ...REMOTE_OPTIONS, follow: { type: 'boolean' } },
  run: (invocation, context) =>
    withService(invocation, { native: false, make: false }, async (service) => {
      const { signal, json } = context;
      const id = invocation.positionals[0]!;
      context.stopText = leftText(id, service);
      const print = (event: RunEvent): void =>
        void process.stdout.write(`${json ? JSON.stringify(event) : eventLine(event)}\n`);
      const last = await readEvents(service, id, 0, print, signal);
      if (invocation.options.follow === true) await followEvents(service, id, last, print, signal);
      return null;
    }),
};
