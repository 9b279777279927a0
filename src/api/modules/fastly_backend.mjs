// `fastly:backend` (src/api/fastly.js).
export const { Backend, setDefaultDynamicBackendConfig, enforceExplicitBackends } = __holdfast.modules['fastly:backend'];
