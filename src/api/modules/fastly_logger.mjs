// `fastly:logger` (src/api/fastly.js).
export const { Logger, configureConsole } = __holdfast.modules['fastly:logger'];
