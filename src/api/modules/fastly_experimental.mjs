// `fastly:experimental` (src/api/fastly.js).
export const { allowDynamicBackends, enableDebugLogging, setDefaultBackend } = __holdfast.modules['fastly:experimental'];
