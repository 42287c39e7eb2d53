/** `convergent token`: makes, lists and revokes what opens a service. */
import { PipelineError } from '../errors.ts';
import { SCOPES } from '../service/documents.ts';
import type { MadeToken, TokenRecord } from '../service/documents.ts';
import { optionText, REMOTE_DETAILS, REMOTE_OPTIONS, STATE_DETAIL, STATE_OPTION } from './command.ts';
import type { Answer, Command, Invocation } from './command.ts';
import { withService } from './local.ts';
import type { Service } from './remote.ts';

const ACTIONS = ['create', 'list', 'revoke'] as const;

export const tokenCommand: Command = {
  name: 'token',
  usage: 'token create --name <name> --scope <read|run|admin> | list | revoke <id> [--remote <url>] [--json]',
  summary: 'makes, lists or revokes tokens of a service',
  details: [
    '  --name <name>    whose it is, or what for',
    '  --scope <scope>  read; run: also starts, cancels and retries runs; admin: everything',
    ...REMOTE_DETAILS,
    STATE_DETAIL,
    '',
    'A new token is shown once; the service keeps only its hash.',
  ],
  operands: [1, 2],
  options: { ...STATE_OPTION, ...REMOTE_OPTIONS, name: { type: 'string' }, scope: { type: 'string' } },
  run: (invocation, { signal }) => {
    const act = actionOf(invocation);
    return withService(invocation, { native: false, make: true }, (service) => act(service, signal));
  },
};

/** Makes a token; its secret is in the answer and nowhere else. */
export function createToken(
  service: Service,
  token: { name: string; scope: string },
  signal: AbortSignal,
): Promise<MadeToken> {
  return service.json<MadeToken>('/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: () => JSON.stringify(token),
    signal,
  });
}

export async function listTokens(service: Service, signal: AbortSignal): Promise<TokenRecord[]> {
  return (await service.json<{ tokens: TokenRecord[] }>('/tokens', { signal })).tokens;
}

type Act = (service: Service, signal: AbortSignal) => Promise<Answer>;

// everything that is wrong with the words is said before a service is asked
function actionOf(invocation: Invocation): Act {
  const [action, id, ...more] = invocation.positionals;
  const [name, scope] = [optionText(invocation, 'name'), optionText(invocation, 'scope')];
  const usage = (message: string): PipelineError =>
    new PipelineError('usage', message, { hint: `usage: convergent ${tokenCommand.usage}` });
  if (more.length > 0 || (id !== undefined) !== (action === 'revoke'))
    throw usage(
      `expected ${ACTIONS.join(', ')}, and an id for revoke alone; found ${invocation.positionals.join(' ')}`,
    );
  switch (action) {
    case 'create': {
      if (name === undefined || scope === undefined || !(SCOPES as readonly string[]).includes(scope))
        throw usage(`expected --name <name> and --scope ${SCOPES.join('|')}; found ${scope ?? 'no scope'}`);
      return async (service, signal) => {
        const made = await createToken(service, { name, scope }, signal);
        return { text: made.secret, json: made };
      };
    }
    case 'list':
      return async (service, signal) => {
        const tokens = await listTokens(service, signal);
        return { text: tokens.length === 0 ? 'no tokens' : tokens.map(tokenLine).join('\n'), json: { tokens } };
      };
    case 'revoke':
      return async (service, signal) => {
        const path = `/tokens/${encodeURIComponent(id!)}`;
        await service.ask(path, { method: 'DELETE', signal }, () => Promise.resolve());
        return { text: `token ${id} opens nothing any more`, json: { revoked: id } };
      };
    default:
      throw usage(`expected ${ACTIONS.join(', ')}; found ${action}`);
  }
}

function tokenLine({ id, name, scope, created, used }: TokenRecord): string {
  const day = (time: number | null): string => (time === null ? 'never' : new Date(time).toISOString().slice(0, 10));
  return [id, scope.padEnd(5), name, `made ${day(created)}`, `used ${day(used)}`].join('  ');
}
