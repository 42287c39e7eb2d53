/** Modules that the bundler makes of files that aren't TypeScript. */
declare module 'onnxruntime-web/ort-wasm-simd-threaded.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
declare module '*.wat' {
  const module: WebAssembly.Module;
  export default module;
}
declare module '*.iife' {
  const text: string;
  export default text;
}
declare module '*.css' {
  const text: string;
  export default text;
}
