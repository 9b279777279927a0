// `node:process` (src/api/node/main.js).
module.exports = __holdfast.node('process');
