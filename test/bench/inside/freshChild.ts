/** A child process as src/compute/child.ts that runs one job: then a task's peak is its own, not what others left. */
import { readFile } from 'node:fs/promises';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { serveJobs } from '../../../src/compute/jobs.ts';
import { loadNativeRuntime } from '../../../src/compute/native.ts';
import { inspectNetwork } from '../../../src/compute/network.ts';
import { LassoMemory } from '../../../src/reduce/predict/lassoMemory.ts';
import { TaskRunner } from '../../../src/task/task.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  const [samples, rows] = [await kernel('samples'), await kernel('rows')];
  const runner = new TaskRunner(
    runtime,
    () => new SampleMemory(samples),
    () => new LassoMemory(rows),
  );
  return { version: runtime.version, runner, inspect: (network) => inspectNetwork(network, runtime) };
}, 1);

async function kernel(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`${name}.wasm`, import.meta.url)));
}
