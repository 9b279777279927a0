// `node:os` (src/api/node/main.js).
module.exports = __holdfast.node('os');
