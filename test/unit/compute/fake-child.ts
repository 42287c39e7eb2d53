/** A child process as the server's, with a runner that does what the plan's tasks say, good or bad. */
import { open, readFile } from 'node:fs/promises';
import { existsSync, writeFileSync, writeSync, openSync } from 'node:fs';
import { PipelineError } from '../../../src/errors.ts';
import { serveJobs } from '../../../src/compute/jobs.ts';
import type { InspectedNetwork, NetworkRequest } from '../../../src/compute/network.ts';
import type { ModelInspection } from '../../../src/inspect/inspect.ts';
import type { NpzMembers } from '../../../src/numeric/npz.ts';
import type { RowRange } from '../../../src/plan/groups.ts';
import type { TaskInputs } from '../../../src/task/task.ts';

/** What a task of a fake plan does. */
export type FakeTask =
  | { do: 'read'; file?: string; rows?: RowRange; object?: { task: number; range: [number, number] } }
  | { do: 'crash' | 'exit' | 'heap' | 'hog' | 'not-finite' | 'damaged' | 'internal' | 'no-memory' | 'pid' | 'hang' }
  /** Crashes unless the file exists, which it makes. */
  | { do: 'crash-once'; mark: string }
  /** Opens the pipe `begun` for writing, holds it open, and hangs. */
  | { do: 'hang-holding'; begun: string }
  /** Ends when something was written into the pipe. */
  | { do: 'wait'; pipe: string }
  /** Takes memory, gives it back. */
  | { do: 'take'; bytes: number };

const HOG_MOST = 2 ** 30;

await serveJobs(() => Promise.resolve({ version: 'fake 1', runner: { run }, inspect }));

const held: Buffer[] = [];

// a fake network's path says what inspecting it does
function inspect({ path }: NetworkRequest): Promise<InspectedNetwork> {
  if (path === 'crash') process.kill(process.pid, 'SIGSEGV');
  if (path === 'invalid') throw new PipelineError('model-invalid', 'expected a model; found none');
  if (path === 'hang') for (;;);
  if (path === 'hold') held.push(Buffer.alloc(2 ** 27, 1));
  const external = { path, location: path, sha256: '', sizeBytes: process.pid, chunksSha256: '' };
  return Promise.resolve({
    model: { sha256: path } as ModelInspection,
    external: [{ ...external, chunkHashes: Uint8Array.of(1, 2) }],
  });
}

async function run(_hash: string, _plan: unknown, task: unknown, inputs: TaskInputs): Promise<NpzMembers> {
  const fake = task as FakeTask;
  const bytes = (data: Uint8Array): NpzMembers => ({ bytes: { data, shape: [data.length] } });
  switch (fake.do) {
    case 'read': {
      if (fake.rows) return bytes(await inputs.rows(fake.rows));
      const source = fake.object ? await inputs.object(fake.object.task) : await inputs.file(fake.file!);
      const [start, end] = fake.object?.range ?? [0, source.size];
      return bytes(await source.read(start, end));
    }
    case 'crash':
      process.kill(process.pid, 'SIGSEGV');
      return bytes(await readFile('/dev/zero'));
    case 'crash-once':
      if (!existsSync(fake.mark)) {
        writeFileSync(fake.mark, '');
        process.kill(process.pid, 'SIGKILL');
      }
      return pid();
    case 'exit':
      writeSync(2, 'last words\n');
      return process.exit(3);
    case 'heap':
      // what V8 does when the heap of JavaScript is full
      writeSync(2, '\n<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit - JavaScript heap out of memory\n');
      return process.abort();
    case 'hog': {
      const held: Buffer[] = [];
      while (held.length * 2 ** 24 < HOG_MOST) {
        held.push(Buffer.alloc(2 ** 24, 1));
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (;;);
    }
    case 'take': {
      const taken = Buffer.alloc(fake.bytes, 1);
      return bytes(new Uint8Array(taken.subarray(0, 1)));
    }
    case 'hang':
      for (;;);
    case 'hang-holding':
      openSync(fake.begun, 'w');
      for (;;);
    case 'wait': {
      const pipe = await open(fake.pipe);
      await pipe.readFile();
      await pipe.close();
      return pid();
    }
    case 'not-finite':
      throw new PipelineError('not-finite', 'expected numbers; found NaN', { hint: 'look at the data' });
    case 'damaged':
      throw new PipelineError('object-damaged', 'expected the object of task 4 as it was written; found other bytes');
    case 'internal':
      throw new TypeError('cannot read properties of undefined');
    case 'no-memory':
      throw new RangeError('Array buffer allocation failed');
    case 'pid':
      return pid();
  }
}

function pid(): NpzMembers {
  return { pid: { data: Int32Array.of(process.pid), shape: [1] } };
}
