// crypto: random bytes, digests, and SubtleCrypto (w3c.github.io/webcrypto). The work is done when it is asked for; promises only
// give the results their form.
import { algorithmFor, digestName } from './crypto_algorithms.js';
import { CryptoKey, isKey } from './crypto_key.js';
import { DOMException } from './domexception.js';
import { encodeText } from './encoding.js';
import { native } from './native.js';
import { WritableStream } from './streams.js';
import { bytesOf, finish, illegalConstructor, wrongArgument } from './webidl.js';

const inside = Symbol();

export { CryptoKey };

function data(value, method, n) {
  const bytes = bytesOf(value);
  if (bytes === undefined) throw wrongArgument(method, 'SubtleCrypto', n, 'BufferSource');
  return bytes;
}

function bufferOf(bytes) {
  return bytes.buffer;
}

/** Throws unless key may be used so with that algorithm. */
function checkKey(key, algorithm, usage, method) {
  if (!isKey(key)) throw wrongArgument(method, 'SubtleCrypto', 2, 'CryptoKey');
  const refuse = (text) => {
    throw new DOMException(text, 'InvalidAccessError');
  };
  if (key.algorithm.name !== algorithm.name) refuse(`Requested algorithm "${algorithm.name}" does not match this CryptoKey's algorithm "${key.algorithm.name}".`);
  if (!key.usages.includes(usage)) refuse(`Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`);
}

/** Runs operation (encrypt, sign…) of the named algorithm with a key that allows it. */
function operate(operation, given, key, ...rest) {
  const { algorithm, params } = algorithmFor(given, operation);
  checkKey(key, algorithm, operation, operation);
  return algorithm[operation](params, key, ...rest);
}

function exportOf(format, key) {
  if (!isKey(key)) throw wrongArgument('exportKey', 'SubtleCrypto', 2, 'CryptoKey');
  const { algorithm } = algorithmFor(key.algorithm.name, 'exportKey');
  if (!key.extractable) throw new DOMException(`Attempt to export non-extractable ${key.algorithm.name} key.`, 'InvalidAccessError');
  return algorithm.exportKey(String(format), key);
}

function importOf(format, keyData, given, extractable, usages) {
  const { algorithm, params } = algorithmFor(given, 'importKey');
  return algorithm.importKey(String(format), keyData, params, Boolean(extractable), usages);
}

// AES-KW wraps by its own operations, other algorithms by encrypting.
function wrapping(given, key, usage, own, other, bytes) {
  const name = typeof given === 'object' && given !== null ? given.name : given;
  const operation = String(name).toUpperCase() === 'AES-KW' ? own : other;
  const { algorithm, params } = algorithmFor(given, operation);
  checkKey(key, algorithm, usage, usage);
  return algorithm[operation](params, key, bytes);
}

// A JWK in text may need blanks at its end, so that AES-KW gets whole blocks.
function padded(text) {
  return encodeText(text + ' '.repeat((8 - (encodeText(text).length % 8)) % 8));
}

function derive(given, key, bits, usage) {
  const { algorithm, params } = algorithmFor(given, 'deriveBits');
  checkKey(key, algorithm, usage, usage);
  return algorithm.deriveBits(params, key, bits);
}

export class SubtleCrypto {
  constructor(key) {
    if (key !== inside) throw illegalConstructor();
  }

  async digest(algorithm, value) {
    const { algorithm: found } = algorithmFor(algorithm, 'digest');
    return bufferOf(found.digest(data(value, 'digest', 2)));
  }

  async encrypt(algorithm, key, value) {
    return bufferOf(operate('encrypt', algorithm, key, data(value, 'encrypt', 3)));
  }

  async decrypt(algorithm, key, value) {
    return bufferOf(operate('decrypt', algorithm, key, data(value, 'decrypt', 3)));
  }

  async sign(algorithm, key, value) {
    return bufferOf(operate('sign', algorithm, key, data(value, 'sign', 3)));
  }

  async verify(algorithm, key, signature, value) {
    return operate('verify', algorithm, key, data(signature, 'verify', 3), data(value, 'verify', 4));
  }

  async generateKey(algorithm, extractable, usages) {
    const { algorithm: found, params } = algorithmFor(algorithm, 'generate');
    return found.generate(params, Boolean(extractable), usages);
  }

  async importKey(format, keyData, algorithm, extractable, usages) {
    return importOf(format, keyData, algorithm, extractable, usages);
  }

  async exportKey(format, key) {
    const exported = exportOf(format, key);
    return exported instanceof Uint8Array ? bufferOf(exported) : exported;
  }

  async deriveBits(algorithm, key, length = null) {
    const bits = length === null ? null : Math.trunc(Number(length));
    return bufferOf(derive(algorithm, key, bits, 'deriveBits'));
  }

  async deriveKey(algorithm, key, derivedKeyAlgorithm, extractable, usages) {
    const { algorithm: target, params } = algorithmFor(derivedKeyAlgorithm, 'keyLength');
    const bytes = derive(algorithm, key, target.keyLength(params), 'deriveKey');
    return target.importKey('raw', bytes, params, Boolean(extractable), usages);
  }

  async wrapKey(format, key, wrappingKey, algorithm) {
    const exported = exportOf(format, key);
    const bytes = exported instanceof Uint8Array ? exported : padded(JSON.stringify(exported));
    return bufferOf(wrapping(algorithm, wrappingKey, 'wrapKey', 'wrap', 'encrypt', bytes));
  }

  async unwrapKey(format, wrappedKey, unwrappingKey, algorithm, keyAlgorithm, extractable, usages) {
    const bytes = wrapping(algorithm, unwrappingKey, 'unwrapKey', 'unwrap', 'decrypt', data(wrappedKey, 'unwrapKey', 2));
    const keyData = String(format) === 'jwk' ? parseJwk(bytes) : bytes;
    return importOf(format, keyData, keyAlgorithm, extractable, usages);
  }

  timingSafeEqual(a, b) {
    const [x, y] = [data(a, 'timingSafeEqual', 1), data(b, 'timingSafeEqual', 2)];
    if (x.length !== y.length) throw new TypeError('Input buffers must have the same byte length.');
    return native.crypto.equal(x, y);
  }
}

function parseJwk(bytes) {
  try {
    return JSON.parse(native.encoding.utf8Decode(bytes));
  } catch {
    throw new DOMException('The unwrapped key is not a JSON Web Key.', 'DataError');
  }
}

finish(SubtleCrypto);

/** A WritableStream that digests what is written: `digest` is a promise of the result. */
class DigestStream extends WritableStream {
  #digest;
  #written = 0;

  constructor(algorithm) {
    const handle = native.crypto.digestOpen(digestName(algorithm));
    const { promise, resolve, reject } = Promise.withResolvers();
    promise.catch(() => {});
    const count = (n) => {
      this.#written += n;
    };
    super({
      write(chunk) {
        const bytes = typeof chunk === 'string' ? encodeText(chunk) : bytesOf(chunk);
        if (bytes === undefined) {
          const error = new TypeError('DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.');
          reject(error);
          throw error;
        }
        native.crypto.digestUpdate(handle, bytes);
        count(bytes.length);
      },
      close: () => resolve(bufferOf(native.crypto.digestEnd(handle))),
      abort: (reason) => reject(reason),
    });
    this.#digest = promise;
  }

  get digest() {
    return this.#digest;
  }

  get bytesWritten() {
    return BigInt(this.#written);
  }
}

finish(DigestStream);

const integerViews = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array];

export class Crypto {
  #subtle = new SubtleCrypto(inside);

  constructor(key) {
    if (key !== inside) throw illegalConstructor();
  }

  get subtle() {
    return this.#subtle;
  }

  get DigestStream() {
    return DigestStream;
  }

  getRandomValues(array) {
    if (!integerViews.some((ctor) => array instanceof ctor)) {
      throw new DOMException('ArrayBufferView argument to getRandomValues() must be an integer-typed view.', 'TypeMismatchError');
    }
    if (array.byteLength > 65536) {
      throw new DOMException(`getRandomValues() only accepts buffers of size <= 64K but provided ${array.byteLength} bytes.`, 'QuotaExceededError');
    }
    native.crypto.random(array);
    return array;
  }

  randomUUID() {
    return native.crypto.uuid();
  }
}

finish(Crypto);

export const crypto = new Crypto(inside);

