/** Entry of a child process of the compute server: tasks in native ONNX Runtime, jobs from the parent. */
import { TaskRunner } from '../task/task.ts';
import { serveJobs } from './jobs.ts';
import { loadNativeRuntime } from './native.ts';

await serveJobs(async () => {
  const runtime = await loadNativeRuntime();
  return { version: runtime.version, runner: new TaskRunner(runtime) };
});
