/**
 * ONNX Runtime as WebAssembly: the `isolate` provider, in workerd and in Node. The only file that
 * names onnxruntime-web. workerd forbids compiling bytes at run time, so the runtime is handed a
 * compiled module: given a placeholder for its binary, it calls `WebAssembly.instantiate` with that
 * placeholder, and this one call is answered with the module.
 */
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { runtimeOver, type OnnxRuntime } from './session.ts';

/** Name and version of the runtime, known before it is loaded. */
export const WASM_VERSION = `onnxruntime-web ${env.versions.web}`;

// the runtime initialises itself once per isolate, so there is one of it, whatever module comes second
let loaded: Promise<OnnxRuntime> | undefined;

/**
 * The runtime of this isolate, from the compiled `ort-wasm-simd-threaded.wasm` (workerd: imported)
 * or its bytes (Node). Single-threaded; its first session takes a second or more to make.
 */
export function loadWasmRuntime(wasm: WebAssembly.Module | Uint8Array): Promise<OnnxRuntime> {
  loaded ??= load(wasm);
  return loaded;
}

async function load(wasm: WebAssembly.Module | Uint8Array): Promise<OnnxRuntime> {
  const module = wasm instanceof Uint8Array ? await compiler.compile(wasm) : wasm;
  const placeholder = new ArrayBuffer(8);
  const memory = answerInstantiate(placeholder, module);
  env.logLevel = 'error';
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = placeholder;
  return runtimeOver({
    InferenceSession,
    Tensor,
    version: WASM_VERSION,
    heapBytes: () => memory.found?.buffer.byteLength ?? 0,
    writesInto: false,
    sessionOptions: { executionProviders: ['wasm'] },
  });
}

interface Compiler {
  // missing from the platform's types, because workerd itself has no working `compile`
  compile: (this: void, bytes: Uint8Array) => Promise<WebAssembly.Module>;
  instantiate: (this: void, source: unknown, imports?: WebAssembly.Imports) => Promise<unknown>;
}
const compiler = WebAssembly as unknown as Compiler;

// answers the first instantiate of `placeholder` with an instance of `module`, then steps aside;
// gives the memory that instance works in
function answerInstantiate(placeholder: ArrayBuffer, module: WebAssembly.Module): { found?: WebAssembly.Memory } {
  const memory: { found?: WebAssembly.Memory } = {};
  const original = compiler.instantiate;
  compiler.instantiate = async (source, imports = {}) => {
    // the runtime passes a view of its binary
    const bytes = ArrayBuffer.isView(source) ? source.buffer : source;
    if (bytes !== placeholder) return original(source, imports);
    compiler.instantiate = original;
    const instance = (await original(module, imports)) as WebAssembly.Instance;
    const values = [
      ...Object.values(imports).flatMap((group) => Object.values(group)),
      ...Object.values(instance.exports),
    ];
    const found = values.find((value) => value instanceof WebAssembly.Memory);
    if (found) memory.found = found;
    return { instance, module };
  };
  return memory;
}
