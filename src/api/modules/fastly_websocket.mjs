// `fastly:websocket` (src/api/fastly.js).
export const { createWebsocketHandoff } = __holdfast.modules['fastly:websocket'];
