/** Entry of the compute server as a process of its own, in a container or by hand: `node dist/compute.js`. */
import { fromUnknown } from '../errors.ts';
import { readSettings } from './settings.ts';
import { startCompute } from './server.ts';

process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        resolve();
        // asked again, the process ends at once; its children follow
        process.on(signal, () => process.exit(1));
      });
    }
  });
  try {
    const server = await startCompute(readSettings(process.env));
    const count = `${server.children} ${server.children === 1 ? 'child process' : 'child processes'}`;
    process.stdout.write(`convergent compute at ${server.url}: ${server.runtime}, up to ${count}\n`);
    await stop;
    await server.close();
    return 0;
  } catch (thrown) {
    const error = fromUnknown(thrown);
    process.stderr.write(`error: ${error.message}${error.hint === undefined ? '' : `\nhint: ${error.hint}`}\n`);
    return error.exitCode;
  }
}
