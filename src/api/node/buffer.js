// node:buffer, on the npm package "buffer".
import * as npm from 'buffer/';

const { Buffer, SlowBuffer } = npm;
const { atob, Blob, btoa, File } = globalThis;
const LENGTH_MAX = 2 ** 31 - 1;

const url = (text) => text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

// The package is older than the encoding "base64url". It reads it as base64 does: both alphabets are decoded.
const known = new Map([['base64url', 'base64']]);
const plain = (encoding) => known.get(typeof encoding === 'string' ? encoding.toLowerCase() : '') ?? encoding;
const { isEncoding, byteLength, from, alloc } = Buffer;
const { toString, write, fill, indexOf, lastIndexOf, includes } = Buffer.prototype;

Object.assign(Buffer, {
  isEncoding: (encoding) => isEncoding(plain(encoding)),
  byteLength: (text, encoding) => byteLength(text, plain(encoding)),
  from: (value, second, third) => from.call(Buffer, value, typeof value === 'string' ? plain(second) : second, third),
  alloc: (size, value, encoding) => alloc.call(Buffer, size, value, plain(encoding)),
});

const methods = {
  toString(encoding, start, end) {
    if (arguments.length === 0) return toString.call(this);
    const text = toString.call(this, plain(encoding), start, end);
    return plain(encoding) === encoding ? text : url(text);
  },
  write(text, ...rest) {
    return write.call(this, text, ...rest.map(plain));
  },
  fill(value, ...rest) {
    return fill.call(this, value, ...rest.map(plain));
  },
  indexOf(value, from, encoding) {
    return indexOf.call(this, value, plain(from), plain(encoding));
  },
  lastIndexOf(value, from, encoding) {
    return lastIndexOf.call(this, value, plain(from), plain(encoding));
  },
  includes(value, from, encoding) {
    return includes.call(this, value, plain(from), plain(encoding));
  },
};
for (const [name, value] of Object.entries(methods)) Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true });

// readUint8 is readUInt8.
for (const name of Object.getOwnPropertyNames(Buffer.prototype)) {
  if (!/^(read|write)U?Big?U?Int|^(read|write)UInt/.test(name)) continue;
  const other = name.replace('UInt', 'Uint');
  if (!(other in Buffer.prototype)) Object.defineProperty(Buffer.prototype, other, { value: Buffer.prototype[name], writable: true, configurable: true });
}

function isUtf8(bytes) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function isAscii(bytes) {
  return Buffer.from(bytes.buffer ?? bytes, bytes.byteOffset, bytes.byteLength).every((byte) => byte < 128);
}

export default {
  atob,
  Blob,
  btoa,
  Buffer,
  constants: { MAX_LENGTH: LENGTH_MAX, MAX_STRING_LENGTH: 2 ** 29 - 24 },
  File,
  INSPECT_MAX_BYTES: 50,
  isAscii,
  isUtf8,
  kMaxLength: LENGTH_MAX,
  kStringMaxLength: 2 ** 29 - 24,
  SlowBuffer,
};
