// `node:path` (src/api/node/main.js).
module.exports = __holdfast.node('path');
