import { assembleKernel } from '../../../build.js';

/** samples.wat, compiled, as the shell gives it to tasks. */
export async function sampleKernel(): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await assembleKernel('samples'));
}
