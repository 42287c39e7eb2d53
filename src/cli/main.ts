/** Command line entry: reads the arguments, runs one command, prints its answer, and sets the exit code. */
import { parseArgs } from 'node:util';
import { fromUnknown, nearest, PipelineError } from '../errors.ts';
import { cancelCommand } from './cancel.ts';
import type { Answer, Command, CommandContext, Invocation } from './command.ts';
import { formatError } from './errors.ts';
import { initCommand } from './init.ts';
import { layersCommand } from './layers.ts';
import { logsCommand } from './logs.ts';
import { planCommand } from './plan.ts';
import { pushCommand } from './push.ts';
import { retryCommand } from './retry.ts';
import { runCommand } from './run.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { validateCommand } from './validate.ts';

declare const CONVERGENT_VERSION: string;

const COMMANDS: readonly Command[] = [
  runCommand,
  planCommand,
  validateCommand,
  layersCommand,
  initCommand,
  serveCommand,
  pushCommand,
  statusCommand,
  logsCommand,
  cancelCommand,
  retryCommand,
  tokenCommand,
];

/** Exit codes of a process ended by a signal are 128 + its number. */
const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal within this time of the first is the same one, sent to the process group and by a launcher. */
const SAME_SIGNAL_MS = 1_000;

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
  const color = Boolean(process.stderr.isTTY && !process.env.NO_COLOR);
  const stop = stopOnSignals();
  const context: CommandContext = {
    signal: stop,
    soFar: {},
    json,
    stopText: 'stopped; no finished task is lost, the same command goes on',
  };
  try {
    const chosen = choose(argv.filter((argument) => argument !== '--json'));
    const answer = 'answer' in chosen ? chosen.answer : await chosen.command.run(chosen.invocation, context);
    if (answer === null) return 0;
    stop.throwIfAborted();
    await write(process.stdout, json ? JSON.stringify(answer.json) : answer.text);
    if (!answer.error) return 0;
    await write(process.stderr, formatError(answer.error, color));
    return answer.error.exitCode;
  } catch (thrown) {
    const stopped = stop.aborted ? (stop.reason as Stopped) : undefined;
    const error = fromUnknown(thrown);
    const record = stopped
      ? { code: 'stopped', message: context.stopText.replace(/^stopped[;,] /, '') }
      : error.toJSON();
    if (json) await write(process.stdout, JSON.stringify({ ...context.soFar, error: record }));
    await write(process.stderr, stopped ? context.stopText : formatError(error, color));
    return stopped ? stopped.exitCode : error.exitCode;
  }
}

// Ctrl-C and its like ask the command to stop; asked again, the process ends at once
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const [signal, exitCode] of Object.entries(SIGNAL_EXITS)) {
    process.on(signal, () => {
      if (!stop.signal.aborted) first = Date.now();
      else if (Date.now() - first > SAME_SIGNAL_MS) process.exit(exitCode);
      stop.abort(new Stopped(exitCode));
    });
  }
  // a launcher that is gone takes this process with it
  process.on('disconnect', () => stop.abort(new Stopped(SIGNAL_EXITS.SIGHUP)));
  return stop.signal;
}

// resolves when all is written: the process ends right after
function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((done) => {
    stream.write(`${text}\n`, () => done());
  });
}

type Chosen = { answer: Answer } | { command: Command; invocation: Invocation };

function choose(argv: string[]): Chosen {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    return { answer: { text: usage(), json: { commands: COMMANDS.map((command) => command.usage) } } };
  }
  if (name === '--version' || name === '-v') {
    return { answer: { text: CONVERGENT_VERSION, json: { version: CONVERGENT_VERSION } } };
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (!command) {
    const known = COMMANDS.map((candidate) => candidate.name);
    throw new PipelineError('usage', `expected a command: ${known.join(', ')}; found ${name}`, {
      hint: `did you mean ${nearest(name, known, 1)[0]}? See convergent --help`,
    });
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    return { answer: { text: helpOf(command), json: { usage: command.usage, summary: command.summary } } };
  }
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
  const [fewest, most] = typeof command.operands === 'number' ? [command.operands, command.operands] : command.operands;
  if (positionals.length < fewest || positionals.length > most) {
    const count = fewest === most ? `${fewest}` : `${fewest} to ${most}`;
    throw new PipelineError(
      'usage',
      `expected ${count} argument${count === '1' ? '' : 's'} after ${name}; found ${positionals.length}`,
      { hint: `usage: convergent ${command.usage}` },
    );
  }
  return { command, invocation: { positionals, options: values as Invocation['options'] } };
}

function parse(command: Command, args: string[]): { positionals: string[]; values: Record<string, unknown> } {
  return parseArgs({ args, options: command.options, allowPositionals: true, strict: true });
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
