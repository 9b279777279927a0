// `node:perf_hooks` (src/api/node/main.js).
module.exports = __holdfast.node('perf_hooks');
