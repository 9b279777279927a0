// node:perf_hooks: the clock.
export default { performance: globalThis.performance, constants: {} };
