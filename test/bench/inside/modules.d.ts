/** As src/runtime/modules.d.ts has it for the Worker. */
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
declare module '*.wat' {
  const module: WebAssembly.Module;
  export default module;
}
