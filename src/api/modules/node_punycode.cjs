// `node:punycode` (src/api/node/main.js).
module.exports = __holdfast.node('punycode');
