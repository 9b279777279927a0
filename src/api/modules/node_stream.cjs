// `node:stream` (src/api/node/main.js).
module.exports = __holdfast.node('stream');
