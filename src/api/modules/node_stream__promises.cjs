// `node:stream/promises` (src/api/node/main.js).
module.exports = __holdfast.node('stream/promises');
