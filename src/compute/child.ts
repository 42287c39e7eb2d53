/** Entry of a child process of the compute server: tasks and inspections in native ONNX Runtime, jobs from the parent. */
import { readFile } from 'node:fs/promises';
import { SampleMemory } from '../accumulate/sampleMemory.ts';
import { LassoMemory } from '../reduce/predict/lassoMemory.ts';
import { TaskRunner } from '../task/task.ts';
import { serveJobs } from './jobs.ts';
import { loadNativeRuntime } from './native.ts';
import { inspectNetwork } from './network.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  const [samples, rows] = [await kernel('samples'), await kernel('rows')];
  // new memories for each task: the last are collected before the next task, which may need their room for something else
  const runner = new TaskRunner(
    runtime,
    () => new SampleMemory(samples),
    () => new LassoMemory(rows),
  );
  return { version: runtime.version, runner, inspect: (network) => inspectNetwork(network, runtime) };
});

// beside the bundle
async function kernel(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`${name}.wasm`, import.meta.url)));
}
