// `node:console` (src/api/node/main.js).
module.exports = __holdfast.node('console');
