// CryptoKey (Web Crypto 13), and what every algorithm needs of keys: usages, JWK, base64url.
import { DOMException } from './domexception.js';
import { finish, illegalConstructor } from './webidl.js';

const inside = Symbol();
const toBase64 = Function.prototype.call.bind(Uint8Array.prototype.toBase64);
const fromBase64 = Uint8Array.fromBase64;

let materialOf;

export class CryptoKey {
  #type;
  #extractable;
  #algorithm;
  #usages;
  #material; // secret: the bytes; private and public: DER

  constructor(key, type, extractable, algorithm, usages, material) {
    if (key !== inside) throw illegalConstructor();
    this.#type = type;
    this.#extractable = extractable;
    this.#algorithm = algorithm;
    this.#usages = usages;
    this.#material = material;
  }

  static {
    materialOf = (value) => (typeof value === 'object' && value !== null && #material in value ? value.#material : undefined);
  }

  get type() {
    return this.#type;
  }

  get extractable() {
    return this.#extractable;
  }

  get algorithm() {
    return this.#algorithm;
  }

  get usages() {
    return this.#usages;
  }
}

finish(CryptoKey);

const allUsages = ['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'];

/** A key. usages are put in their order, once each; a secret or private key without any is a SyntaxError. */
export function makeKey(type, extractable, algorithm, usages, material) {
  const sorted = allUsages.filter((usage) => usages.includes(usage));
  if (sorted.length === 0 && type !== 'public') throw new DOMException('Secret/private CryptoKeys must have at least one usage.', 'SyntaxError');
  return new CryptoKey(inside, type, Boolean(extractable), algorithm, sorted, material);
}

export function isKey(value) {
  return materialOf(value) !== undefined;
}

/** The bytes or the DER of a key. */
export function keyMaterial(key) {
  return materialOf(key);
}

/** Usages as an array of known words, all of which are in `allowed`. */
export function checkUsages(usages, allowed) {
  if (usages === null || typeof usages !== 'object' || typeof usages[Symbol.iterator] !== 'function') {
    throw new TypeError('Key usages must be an array of strings.');
  }
  const list = [...usages].map(String);
  for (const usage of list) {
    if (!allUsages.includes(usage)) throw new TypeError(`Invalid key usage: ${usage}`);
    if (!allowed.includes(usage)) throw new DOMException(`Attempt to make a key with invalid usage "${usage}".`, 'SyntaxError');
  }
  return list;
}

export function dataError(text = 'Invalid key data.') {
  return new DOMException(text, 'DataError');
}

export function toBase64Url(bytes) {
  return toBase64(bytes, { alphabet: 'base64url', omitPadding: true });
}

export function fromBase64Url(text) {
  if (typeof text !== 'string') throw dataError('Invalid JSON Web Key: a member is missing.');
  try {
    return fromBase64.call(Uint8Array, text, { alphabet: 'base64url' });
  } catch {
    throw dataError('Invalid JSON Web Key: a member is not base64url.');
  }
}

/**
 * Checks the members that every JWK has (RFC 7517) against what is wanted: kty, the usages, extractable, use ('sig' or 'enc'),
 * and alg (undefined: not looked at).
 */
export function checkJwk(jwk, { kty, usages, extractable, use, alg }) {
  if (typeof jwk !== 'object' || jwk === null) throw new TypeError('A JSON Web Key must be an object.');
  if (jwk.kty !== kty) throw dataError(`Invalid JSON Web Key: kty is "${jwk.kty}", expected "${kty}".`);
  if (usages.length > 0 && jwk.use !== undefined && jwk.use !== use) throw dataError(`Invalid JSON Web Key: use is "${jwk.use}", expected "${use}".`);
  if (jwk.key_ops !== undefined && !usages.every((usage) => jwk.key_ops.includes(usage))) throw dataError('Invalid JSON Web Key: key_ops does not allow these usages.');
  if (jwk.ext === false && extractable) throw dataError('Invalid JSON Web Key: the key is not extractable.');
  if (alg !== undefined && jwk.alg !== undefined && jwk.alg !== alg) throw dataError(`Invalid JSON Web Key: alg is "${jwk.alg}", expected "${alg}".`);
}
