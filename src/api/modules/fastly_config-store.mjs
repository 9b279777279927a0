// `fastly:config-store` (src/api/fastly.js).
export const { ConfigStore } = __holdfast.modules['fastly:config-store'];
