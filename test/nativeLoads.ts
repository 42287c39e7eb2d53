/** Whether native ONNX Runtime is tested here: in a process of its own, since one that doesn't load may end it. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';

const LOADS_WITHIN_MS = 20_000;

/** Name and version of the native runtime, or null where it isn't installed or doesn't load on this machine. */
export async function nativeLoads(): Promise<string | null> {
  try {
    const path = createRequire(import.meta.url).resolve('onnxruntime-node');
    const script = 'process.stdout.write(require(process.argv[1]).env.versions.node)';
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, path], { timeout: LOADS_WITHIN_MS });
    return `onnxruntime-node ${stdout}`;
  } catch {
    return null;
  }
}
