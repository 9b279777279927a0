// `node:string_decoder` (src/api/node/main.js).
module.exports = __holdfast.node('string_decoder');
