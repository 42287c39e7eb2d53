/** What a command is, and the option that most of them share. */
import type { ParseArgsOptionsConfig } from 'node:util';
import { PipelineError } from '../errors.ts';
import type { ProviderName } from '../plan/providers.ts';

export interface Invocation {
  positionals: string[];
  options: Record<string, string | boolean | undefined>;
}

export interface CommandContext {
  /** Aborted by Ctrl-C and its like. */
  signal: AbortSignal;
  /** What `--json` prints beside the error when the command fails. */
  soFar: Record<string, unknown>;
  /** Whether `--json` was asked for. */
  json: boolean;
  /** What a person reads after Ctrl-C. */
  stopText: string;
}

/** What a command answers: lines for people, and one JSON document for programs. */
export interface Answer {
  text: string;
  json: unknown;
  /** Said after the answer, and decides the exit code: the work was done and something is wrong with its outcome. */
  error?: PipelineError;
}

export interface Command {
  name: string;
  usage: string;
  summary: string;
  details: readonly string[];
  /** How many operands it takes, or the fewest and the most. */
  operands: number | readonly [fewest: number, most: number];
  options: ParseArgsOptionsConfig;
  /** Null: it has said everything itself. */
  run(invocation: Invocation, context: CommandContext): Promise<Answer | null>;
}

export const STATE_OPTION = { state: { type: 'string' } } as const;
export const STATE_DETAIL = '  --state <dir>  where finished tasks are kept (default .convergent, or CONVERGENT_STATE)';

/** The state folder a command works on. */
export function stateFolder({ options }: Invocation): string {
  return (options.state as string | undefined) ?? process.env.CONVERGENT_STATE ?? '.convergent';
}

export const COMPUTE_OPTION = { compute: { type: 'string' } } as const;
export const COMPUTE_DETAIL =
  '  --compute <isolate|native>  who runs the networks (default: the file, else natively where it loads)';

/** The provider asked for. @throws PipelineError `usage` */
export function computeChoice({ options }: Invocation): ProviderName | undefined {
  const asked = options.compute as string | undefined;
  if (asked === undefined || asked === 'isolate' || asked === 'native') return asked;
  throw new PipelineError('usage', `expected --compute isolate or --compute native; found ${asked}`);
}

export const REMOTE_OPTIONS = { remote: { type: 'string' }, token: { type: 'string' } } as const;
export const REMOTE_DETAILS = [
  '  --remote <url>   the service to ask; without, the one of the state folder',
  '  --token <token>  what it asks for (default CONVERGENT_TOKEN)',
] as const;

/** An option's text. */
export function optionText({ options }: Invocation, name: string): string | undefined {
  return options[name] as string | undefined;
}
