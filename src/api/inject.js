// What libraries in the bundle find under these names instead of looking for globals (tools/bundle-api.mjs).
export { AbortController } from './abort.js';
export { DOMException } from './domexception.js';
export { TextDecoder, TextEncoder } from './encoding.js';
export { URL } from './url.js';
