// `node:async_hooks` (src/api/node/main.js).
module.exports = __holdfast.node('async_hooks');
