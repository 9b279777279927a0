// `node:util` (src/api/node/main.js).
module.exports = __holdfast.node('util');
