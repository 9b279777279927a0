// `node:querystring` (src/api/node/main.js).
module.exports = __holdfast.node('querystring');
