// `node:timers` (src/api/node/main.js).
module.exports = __holdfast.node('timers');
