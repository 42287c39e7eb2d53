/** A child process as src/compute/child.ts that runs one job: then a task's peak is its own, not what others left. */
import { readFile } from 'node:fs/promises';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { serveJobs } from '../../../src/compute/jobs.ts';
import { loadNativeRuntime } from '../../../src/compute/native.ts';
import { inspectNetwork } from '../../../src/compute/network.ts';
import { TaskRunner } from '../../../src/task/task.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  const kernel = await WebAssembly.compile(await readFile(new URL('samples.wasm', import.meta.url)));
  const runner = new TaskRunner(runtime, () => new SampleMemory(kernel));
  return { version: runtime.version, runner, inspect: (network) => inspectNetwork(network, runtime) };
}, 1);
