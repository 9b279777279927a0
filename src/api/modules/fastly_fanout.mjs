// `fastly:fanout` (src/api/fastly.js).
export const { createFanoutHandoff } = __holdfast.modules['fastly:fanout'];
