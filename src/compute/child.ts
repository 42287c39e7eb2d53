/** Entry of a child process of the compute server: tasks and inspections in native ONNX Runtime, jobs from the parent. */
import { TaskRunner } from '../task/task.ts';
import { serveJobs } from './jobs.ts';
import { loadNativeRuntime } from './native.ts';
import { inspectNetwork } from './network.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  return {
    version: runtime.version,
    runner: new TaskRunner(runtime),
    inspect: (network) => inspectNetwork(network, runtime),
  };
});
