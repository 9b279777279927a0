// `node:diagnostics_channel` (src/api/node/main.js).
module.exports = __holdfast.node('diagnostics_channel');
