// `node:buffer` (src/api/node/main.js).
module.exports = __holdfast.node('buffer');
