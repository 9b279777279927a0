// `node:stream/web` (src/api/node/main.js).
module.exports = __holdfast.node('stream/web');
