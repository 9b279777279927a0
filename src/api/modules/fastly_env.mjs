// `fastly:env` (src/api/fastly.js).
export const { env } = __holdfast.modules['fastly:env'];
