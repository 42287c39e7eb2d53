/** The bench's own program over the product's code: one measurement a process, one JSON document on stdout. */
import { normalisedCut, timeCluster, timeLasso, timeMatch, writeGraph } from './alignments.ts';
import { writeRandom, writeRare, writeTiny } from './drawn.ts';
import { readParts } from './runtime.ts';

const [command, ...args] = process.argv.slice(2);

const COMMANDS: Record<string, () => unknown> = {
  parts: () => {
    const [file, provider, rows, rounds, parts, state] = args;
    return readParts(file!, provider as 'native', Number(rows), Number(rounds), parts!.split(','), state!);
  },
  match: () => timeMatch(args[0]!),
  lasso: () => timeLasso(args[0]!, args[1]!, args[2]!.split(',').map(Number)),
  cluster: () => timeCluster(args.slice(0, 3), Number(args[3]), Number(args[4])),
  graph: () => writeGraph(args.slice(0, 3), Number(args[3]), args[4]!),
  cut: () => normalisedCut(args[0]!, args[1]!),
  random: () => writeRandom(Number(args[0]), args[1]!),
  rare: () => writeRare(Number(args[0]), Number(args[1]), args[2]!, args[3]!),
  tiny: () => writeTiny(args[0]!),
};

const answer = await COMMANDS[command!]!();
process.stdout.write(JSON.stringify(answer ?? null));
