// `fastly:secret-store` (src/api/fastly.js).
export const { SecretStore, SecretStoreEntry } = __holdfast.modules['fastly:secret-store'];
