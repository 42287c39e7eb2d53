import { assembleKernel } from '../../../build.js';

/** rows.wat, compiled, as the shell gives it to tasks. */
export async function rowKernel(): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await assembleKernel('rows'));
}
