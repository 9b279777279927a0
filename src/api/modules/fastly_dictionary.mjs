// `fastly:dictionary` (src/api/fastly.js).
export const { Dictionary } = __holdfast.modules['fastly:dictionary'];
