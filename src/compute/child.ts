/** Entry of a child process of the compute server: tasks and inspections in native ONNX Runtime, jobs from the parent. */
import { readFile } from 'node:fs/promises';
import { SampleMemory } from '../accumulate/sampleMemory.ts';
import { TaskRunner } from '../task/task.ts';
import { serveJobs } from './jobs.ts';
import { loadNativeRuntime } from './native.ts';
import { inspectNetwork } from './network.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  // beside the bundle
  const kernel = await WebAssembly.compile(await readFile(new URL('samples.wasm', import.meta.url)));
  // a new one for each task: the last is collected before the next task, which may need its room for something else
  const runner = new TaskRunner(runtime, () => new SampleMemory(kernel));
  return { version: runtime.version, runner, inspect: (network) => inspectNetwork(network, runtime) };
});
