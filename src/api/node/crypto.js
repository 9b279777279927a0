// node:crypto: digests, HMAC, random bytes, derivation of keys; the rest is what crypto.subtle is for.
import { native } from '../native.js';
import node from './buffer.js';
import { platform } from './platform.js';
import stream from './stream.js';

const { Buffer } = node;
const webcrypto = platform.crypto;
const RANDOM_MAX = 65536; // of one getRandomValues()

const names = { md5: 'MD5', sha1: 'SHA-1', sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' };

function digestName(name) {
  const known = names[String(name).toLowerCase().replace('-', '').replace('rsa', '').replace(/^-/, '')];
  if (known !== undefined) return known;
  throw Object.assign(new Error(`Digest method not supported: ${name} (there are ${Object.keys(names).join(', ')})`), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
}

function bytesOf(data, encoding) {
  if (typeof data === 'string') return Buffer.from(data, encoding === 'buffer' ? 'utf8' : encoding);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw Object.assign(new TypeError('The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView.'), { code: 'ERR_INVALID_ARG_TYPE' });
}

const shown = (bytes, encoding) => {
  const buffer = Buffer.from(bytes);
  return encoding === undefined || encoding === 'buffer' ? buffer : buffer.toString(encoding);
};

/** What Hash and Hmac share: update() and digest(), and a stream of both. */
class Digester extends stream.Transform {
  #over = false;

  update(data, encoding) {
    this.#open();
    this.take(bytesOf(data, encoding));
    return this;
  }

  digest(encoding) {
    this.#open();
    this.#over = true;
    return shown(this.finish(), encoding);
  }

  #open() {
    if (this.#over) throw Object.assign(new Error('Digest already called'), { code: 'ERR_CRYPTO_HASH_FINALIZED' });
  }

  _transform(chunk, encoding, done) {
    this.update(chunk, encoding);
    done();
  }

  _flush(done) {
    this.push(this.digest());
    done();
  }
}

class Hash extends Digester {
  #handle;

  constructor(name) {
    super();
    this.#handle = native.crypto.digestOpen(digestName(name));
  }

  take(bytes) {
    native.crypto.digestUpdate(this.#handle, bytes);
  }

  finish() {
    return native.crypto.digestEnd(this.#handle);
  }
}

class Hmac extends Digester {
  #name;
  #key;
  #parts = [];

  constructor(name, key) {
    super();
    this.#name = digestName(name);
    this.#key = bytesOf(key);
  }

  take(bytes) {
    this.#parts.push(Buffer.from(bytes));
  }

  finish() {
    return native.crypto.hmac(this.#name, this.#key, Buffer.concat(this.#parts));
  }
}

function fillRandom(view) {
  const bytes = bytesOf(view);
  for (let at = 0; at < bytes.length; at += RANDOM_MAX) webcrypto.getRandomValues(bytes.subarray(at, at + RANDOM_MAX));
  return view;
}

// The answer, or its error, to a callback in a microtask of its own.
function answer(make, callback) {
  if (callback === undefined) return make();
  queueMicrotask(() => {
    let value;
    try {
      value = make();
    } catch (error) {
      callback(error);
      return;
    }
    callback(null, value);
  });
  return undefined;
}

const randomBytes = (size, callback) => answer(() => fillRandom(Buffer.alloc(size)), callback);
const randomFillSync = (view, offset = 0, size = view.byteLength - offset) => {
  fillRandom(bytesOf(view).subarray(offset, offset + size));
  return view;
};

function randomFill(view, ...rest) {
  const callback = rest.pop();
  answer(() => randomFillSync(view, ...rest), callback);
}

function randomInt(...args) {
  const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
  const [low, high] = args.length < 2 ? [0, args[0]] : args;
  const range = high - low;
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || range <= 0 || range > 2 ** 48) {
    throw Object.assign(new RangeError(`The value of "max" is out of range: ${high}`), { code: 'ERR_OUT_OF_RANGE' });
  }
  return answer(() => {
    const limit = 2 ** 48 - (2 ** 48 % range);
    for (;;) {
      const value = randomBytes(6).readUIntBE(0, 6);
      if (value < limit) return low + (value % range);
    }
  }, callback);
}

function timingSafeEqual(a, b) {
  const [x, y] = [bytesOf(a), bytesOf(b)];
  if (x.length === y.length) return native.crypto.equal(x, y);
  throw Object.assign(new RangeError('Input buffers must have the same byte length'), { code: 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH' });
}

const pbkdf2Sync = (password, salt, iterations, length, digest) =>
  Buffer.from(native.crypto.pbkdf2(digestName(digest), bytesOf(password), bytesOf(salt), iterations, length));
const pbkdf2 = (password, salt, iterations, length, digest, callback) => answer(() => pbkdf2Sync(password, salt, iterations, length, digest), callback);
const hkdfSync = (digest, key, salt, info, length) =>
  new Uint8Array(native.crypto.hkdf(digestName(digest), bytesOf(key), bytesOf(salt), bytesOf(info), length)).slice().buffer;
const hkdf = (digest, key, salt, info, length, callback) => answer(() => hkdfSync(digest, key, salt, info, length), callback);

export default {
  createHash: (name) => new Hash(name),
  createHmac: (name, key) => new Hmac(name, key),
  getCiphers: () => [],
  getHashes: () => Object.keys(names),
  getRandomValues: (view) => webcrypto.getRandomValues(view),
  hash: (name, data, encoding = 'hex') => new Hash(name).update(data).digest(encoding),
  Hash,
  hkdf,
  hkdfSync,
  Hmac,
  pbkdf2,
  pbkdf2Sync,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID: () => webcrypto.randomUUID(),
  subtle: webcrypto.subtle,
  timingSafeEqual,
  webcrypto,
};
