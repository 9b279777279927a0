// `node:path/posix` (src/api/node/main.js).
module.exports = __holdfast.node('path/posix');
