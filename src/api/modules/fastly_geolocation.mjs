// `fastly:geolocation` (src/api/fastly.js).
export const { getGeolocationForIpAddress } = __holdfast.modules['fastly:geolocation'];
