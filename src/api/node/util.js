// node:util, on the npm package "util"; inspect and format are those of console.log.
import npm from 'util/';
import assert from 'assert';
import { platform } from './platform.js';

const custom = Symbol.for('nodejs.util.inspect.custom');

function inspect(value, options) {
  const depth = typeof options === 'object' && options !== null ? options.depth : undefined;
  return platform.inspect(value, depth === null ? Infinity : depth);
}
inspect.custom = custom;
inspect.defaultOptions = { depth: 2 };

function isDeepStrictEqual(a, b) {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

const { promisify } = npm;
const types = { ...npm.types, isNativeError: (value) => Error.isError?.(value) ?? value instanceof Error, isProxy: () => false };
const debuglog = () => Object.assign(() => {}, { enabled: false });
// eslint-disable-next-line no-control-regex
const escapes = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

export default {
  ...npm,
  aborted: (signal) => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }))),
  debug: debuglog,
  debuglog,
  format: (...args) => platform.format(args),
  inspect,
  isArray: Array.isArray,
  isDeepStrictEqual,
  promisify,
  stripVTControlCharacters: (text) => String(text).replace(escapes, ''),
  styleText: (style, text) => text,
  TextDecoder: globalThis.TextDecoder,
  TextEncoder: globalThis.TextEncoder,
  toUSVString: (text) => String(text).toWellFormed(),
  types,
};
