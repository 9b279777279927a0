// `node:events` (src/api/node/main.js).
module.exports = __holdfast.node('events');
