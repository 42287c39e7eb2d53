import { expect, test } from 'vitest';
import { loadWasmRuntime } from '../../../src/onnx/wasm.ts';
import { fixture, noise, wasmBytes } from './fixtures.ts';

// workerd: modules come compiled, and compiling bytes at run time is forbidden
test('loadWasmRuntime(module) needs no compiler', async () => {
  const { compile, instantiate } = WebAssembly as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
  const module = (await compile!(wasmBytes())) as WebAssembly.Module;
  const forbidding = async (source: unknown, imports?: WebAssembly.Imports) => {
    if (!(source instanceof WebAssembly.Module)) throw new WebAssembly.CompileError('code generation disallowed');
    return instantiate!(source, imports);
  };
  Object.assign(WebAssembly, { compile: forbidding, instantiate: forbidding });
  try {
    const runtime = await loadWasmRuntime(module);
    expect(runtime.version).toMatch(/^onnxruntime-web \d+\.\d+\.\d+/);
    expect(runtime.heapBytes()).toBe(0);
    const session = await runtime.createSession(fixture('unnamed'));
    expect((await session.run({ x: noise([5, 3]) })).y!.dims).toEqual([5, 3]);
    expect(runtime.heapBytes()).toBeGreaterThanOrEqual(2 ** 24);

    // the runtime steps aside again, and there is one of it
    expect(WebAssembly.instantiate).toBe(forbidding);
    expect(await loadWasmRuntime(module)).toBe(runtime);
  } finally {
    Object.assign(WebAssembly, { compile, instantiate });
  }
});
