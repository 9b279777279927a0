// WebAssembly's asynchronous functions. The engine compiles on threads and answers through an event loop that is not ours, so
// here they do the synchronous work and answer with a promise.
const { Instance, Module } = WebAssembly;

const functions = {
  async compile(bytes) {
    return new Module(bytes);
  },

  async instantiate(source, imports) {
    if (source instanceof Module) return new Instance(source, imports);
    const module = new Module(source);
    return { module, instance: new Instance(module, imports) };
  },
};

/** Puts them in place of the engine's. */
export function installWebAssembly() {
  for (const name of Object.keys(functions)) {
    Object.defineProperty(WebAssembly, name, { value: functions[name], writable: true, configurable: true, enumerable: false });
  }
  delete WebAssembly.compileStreaming;
  delete WebAssembly.instantiateStreaming;
}
