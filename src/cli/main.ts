/** Command line entry: reads the arguments, runs one command, prints its answer, and sets the exit code. */
import { parseArgs } from 'node:util';
import { fromUnknown, nearest, PipelineError } from '../errors.ts';
import type { Command, Invocation } from './command.ts';
import { formatError } from './errors.ts';
import { initCommand } from './init.ts';
import { layersCommand } from './layers.ts';
import { planCommand } from './plan.ts';
import { runCommand } from './run.ts';
import { validateCommand } from './validate.ts';

declare const CONVERGENT_VERSION: string;

const COMMANDS: readonly Command[] = [runCommand, planCommand, validateCommand, layersCommand, initCommand];

/** Exit codes of a process ended by a signal are 128 + its number. */
const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

class Stopped extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('stopped');
    this.exitCode = exitCode;
  }
}

process.exitCode = await main(process.argv.slice(2));
// workerd's pipes and kept sessions must not hold the process
process.exit();

async function main(argv: string[]): Promise<number> {
  const json = argv.includes('--json');
  const color = process.stderr.isTTY && !process.env.NO_COLOR;
  const stop = new AbortController();
  for (const [signal, exitCode] of Object.entries(SIGNAL_EXITS)) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCode);
      stop.abort(new Stopped(exitCode));
    });
  }
  // a launcher that is gone takes this process with it
  process.on('disconnect', () => stop.abort(new Stopped(SIGNAL_EXITS.SIGHUP)));

  const soFar: Record<string, unknown> = {};
  try {
    const chosen = choose(argv);
    if (typeof chosen === 'string') {
      process.stdout.write(`${chosen}\n`);
      return 0;
    }
    const answer = await chosen.command.run(chosen.invocation, { signal: stop.signal, soFar });
    process.stdout.write(json ? `${JSON.stringify(answer.json)}\n` : answer.text && `${answer.text}\n`);
    return 0;
  } catch (thrown) {
    if (stop.signal.aborted) {
      if (json)
        process.stdout.write(
          `${JSON.stringify({ ...soFar, error: { code: 'stopped', message: 'stopped before the end; the same command goes on' } })}\n`,
        );
      process.stderr.write('stopped; no finished task is lost, the same command goes on\n');
      return (stop.signal.reason as Stopped).exitCode;
    }
    const error = fromUnknown(thrown);
    if (json) process.stdout.write(`${JSON.stringify({ ...soFar, error: error.toJSON() })}\n`);
    process.stderr.write(`${formatError(error, Boolean(color))}\n`);
    if (error.code === 'internal' && process.env.CONVERGENT_DEBUG)
      process.stderr.write(`${String((thrown as Error).stack)}\n`);
    return error.exitCode;
  }
}

function choose(argv: string[]): string | { command: Command; invocation: Invocation } {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return usage();
  if (name === '--version' || name === '-v') return CONVERGENT_VERSION;
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (!command) {
    const known = COMMANDS.map((candidate) => candidate.name);
    throw new PipelineError('usage', `expected a command: ${known.join(', ')}; found ${name}`, {
      hint: `did you mean ${nearest(name, known, 1)[0]}? See convergent --help`,
    });
  }
  if (rest.includes('--help') || rest.includes('-h')) return helpOf(command);
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(command, rest);
  } catch (error) {
    throw new PipelineError('usage', (error as Error).message, {
      hint: `usage: convergent ${command.usage}`,
      cause: error,
    });
  }
  const { positionals, values } = parsed;
  if (positionals.length !== command.operands) {
    throw new PipelineError(
      'usage',
      `expected ${command.operands} file${command.operands === 1 ? '' : 's'} after ${name}; found ${positionals.length}`,
      { hint: `usage: convergent ${command.usage}` },
    );
  }
  return { command, invocation: { positionals, options: values as Invocation['options'] } };
}

function parse(command: Command, args: string[]): { positionals: string[]; values: Record<string, unknown> } {
  const options = { ...command.options, json: { type: 'boolean' as const } };
  return parseArgs({ args, options, allowPositionals: true, strict: true });
}

function usage(): string {
  const width = Math.max(...COMMANDS.map((command) => command.usage.length));
  return [
    'convergent: what have these neural networks learned in common?',
    '',
    ...COMMANDS.map((command) => `  convergent ${command.usage.padEnd(width)}  ${command.summary}`),
    '',
    '  --json on any command prints one JSON document; --help on any command explains it; --version',
    '',
    'exit codes: 0 done · 1 failed · 2 the input is wrong · 3 a gate failed · 130 after Ctrl-C',
  ].join('\n');
}

function helpOf(command: Command): string {
  return [
    `convergent ${command.usage}`,
    '',
    command.summary,
    ...(command.details.length > 0 ? ['', ...command.details] : []),
  ].join('\n');
}
