// `node:crypto` (src/api/node/main.js).
module.exports = __holdfast.node('crypto');
