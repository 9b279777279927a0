// `fastly:cache-override` (src/api/fastly.js).
export const { CacheOverride } = __holdfast.modules['fastly:cache-override'];
