// `node:url` (src/api/node/main.js).
module.exports = __holdfast.node('url');
