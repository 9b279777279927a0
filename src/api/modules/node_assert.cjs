// `node:assert` (src/api/node/main.js).
module.exports = __holdfast.node('assert');
