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
}

/** What a command answers: lines for people, and one JSON document for programs. */
export interface Answer {
  text: string;
  json: unknown;
}

export interface Command {
  name: string;
  usage: string;
  summary: string;
  details: readonly string[];
  /** How many files it takes. */
  operands: number;
  options: ParseArgsOptionsConfig;
  run(invocation: Invocation, context: CommandContext): Promise<Answer>;
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
