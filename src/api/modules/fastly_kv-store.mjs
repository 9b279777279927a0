// `fastly:kv-store` (src/api/fastly.js).
export const { KVStore, KVStoreEntry } = __holdfast.modules['fastly:kv-store'];
