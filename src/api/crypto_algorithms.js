// The algorithms of Web Crypto, one object each, with the operations it has. crypto.js looks them up by name, checks keys and
// usages, and calls them:
//
//   generate(params, extractable, usages) → key or pair     importKey(format, data, params, extractable, usages) → key
//   exportKey(format, key) → bytes or JWK                    sign(params, key, data)   verify(params, key, signature, data)
//   encrypt, decrypt(params, key, data)                      deriveBits(params, key, bits or null)
//   keyLength(params) → bits or null                         digest(data)
//
// params is the dictionary that the application gave; key material comes from crypto_key.js; bytes are Uint8Arrays.
import { checkJwk, checkUsages, dataError, fromBase64Url, isKey, keyMaterial, makeKey, toBase64Url } from './crypto_key.js';
import { DOMException } from './domexception.js';
import { native } from './native.js';
import { bytesOf } from './webidl.js';

const { crypto, crypto_key: pair } = native;
const nothing = new Uint8Array(0);

const digestBytes = { __proto__: null, 'SHA-1': 20, 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64, MD5: 16 };
const blockBytes = { __proto__: null, 'SHA-1': 64, 'SHA-256': 64, 'SHA-384': 128, 'SHA-512': 128 };

const operationError = (text) => new DOMException(text, 'OperationError');
const notSupported = (text) => new DOMException(text, 'NotSupportedError');

function bytesParam(value, name) {
  const bytes = bytesOf(value);
  if (bytes === undefined) throw new TypeError(`Algorithm parameter "${name}" must be an ArrayBuffer or a view.`);
  return bytes;
}

/** Random bytes. */
function randomBytes(n) {
  const bytes = new Uint8Array(n);
  crypto.random(bytes);
  return bytes;
}

function integerParam(value, name, max = 0xffffffff) {
  const n = Math.trunc(Number(value));
  if (!(n >= 0 && n <= max)) throw new TypeError(`Algorithm parameter "${name}" is missing or out of range.`);
  return n;
}

/** The name of a digest, from the name or the dictionary of one. */
export function digestName(value) {
  const name = String(typeof value === 'object' && value !== null ? value.name : value).toUpperCase();
  if (digestBytes[name] === undefined) throw notSupported(`Unrecognized or unimplemented digest algorithm requested: ${name}`);
  return name;
}

function hashParam(params) {
  if (params.hash === undefined) throw new TypeError('Algorithm parameter "hash" is missing.');
  return digestName(params.hash);
}

function unsupportedFormat(format) {
  return notSupported(`Unrecognized key format "${format}".`);
}

/* --- secrets: AES and HMAC ---------------------------------------------------------------------- */

function exportSecret(format, key, alg) {
  if (format === 'raw') return keyMaterial(key).slice();
  if (format !== 'jwk') throw unsupportedFormat(format);
  return { kty: 'oct', k: toBase64Url(keyMaterial(key)), alg, key_ops: key.usages, ext: key.extractable };
}

/** The bytes of a secret; algOf(bytes) is the JWK alg that they would have. */
function importSecret(format, data, { extractable, usages, use, algOf }) {
  if (format === 'raw') return bytesParam(data, 'keyData').slice();
  if (format !== 'jwk') throw unsupportedFormat(format);
  checkJwk(data, { kty: 'oct', usages, extractable, use });
  const bytes = fromBase64Url(data.k);
  checkJwk(data, { kty: 'oct', usages, extractable, use, alg: algOf(bytes) });
  return bytes;
}

function aes(name, suffix, allowed, operations) {
  const algOf = (bytes) => `A${bytes.length * 8}${suffix}`;
  const algorithmOf = (bits) => ({ name, length: bits });
  return {
    name,
    ...operations,

    keyLength(params) {
      const bits = integerParam(params.length, 'length');
      if (![128, 192, 256].includes(bits)) throw operationError(`The AES key length must be 128, 192 or 256 bits, not ${bits}.`);
      return bits;
    },

    generate(params, extractable, usages) {
      const list = checkUsages(usages, allowed);
      const bits = this.keyLength(params);
      return makeKey('secret', extractable, algorithmOf(bits), list, randomBytes(bits / 8));
    },

    importKey(format, data, params, extractable, usages) {
      const list = checkUsages(usages, allowed);
      const bytes = importSecret(format, data, { extractable, usages: list, use: 'enc', algOf });
      if (![16, 24, 32].includes(bytes.length)) throw dataError(`Imported AES key length must be 128, 192, or 256 bits but provided ${bytes.length * 8}.`);
      return makeKey('secret', extractable, algorithmOf(bytes.length * 8), list, bytes);
    },

    exportKey: (format, key) => exportSecret(format, key, algOf(keyMaterial(key))),
  };
}

const cipherUsages = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];

function gcmParams({ iv, additionalData, tagLength }) {
  const tag = tagLength === undefined ? 128 : integerParam(tagLength, 'tagLength');
  if (![32, 64, 96, 104, 112, 120, 128].includes(tag)) throw operationError(`Invalid AES-GCM tag length ${tag}.`);
  const vector = bytesParam(iv, 'iv');
  if (vector.length === 0) throw operationError('AES-GCM IV must not be empty.');
  return [vector, additionalData === undefined ? nothing : bytesParam(additionalData, 'additionalData'), tag / 8];
}

function gcm(encrypts, params, key, data) {
  const [iv, additional, tag] = gcmParams(params);
  if (!encrypts && data.length < tag) throw operationError('Ciphertext is shorter than its tag.');
  return crypto.gcm(encrypts, keyMaterial(key), iv, data, additional, tag);
}

function blockParam(value, name) {
  const bytes = bytesParam(value, name);
  if (bytes.length !== 16) throw operationError(`Algorithm parameter "${name}" must have 16 bytes.`);
  return bytes;
}

function cbc(encrypts, params, key, data) {
  return crypto.cbc(encrypts, keyMaterial(key), blockParam(params.iv, 'iv'), data);
}

function ctr(encrypts, params, key, data) {
  const bits = integerParam(params.length, 'length');
  if (bits < 1 || bits > 128) throw operationError('The AES-CTR counter must have 1 to 128 bits.');
  return crypto.ctr(encrypts, keyMaterial(key), blockParam(params.counter, 'counter'), data, bits);
}

function cipher(run) {
  return { encrypt: (params, key, data) => run(true, params, key, data), decrypt: (params, key, data) => run(false, params, key, data) };
}

function kw(encrypts, key, data) {
  if (data.length % 8 !== 0 || data.length < (encrypts ? 16 : 24)) throw operationError('AES-KW data must be a multiple of 64 bits.');
  return crypto.kw(encrypts, keyMaterial(key), nothing, data);
}

const aesKw = aes('AES-KW', 'KW', ['wrapKey', 'unwrapKey'], {
  wrap: (params, key, data) => kw(true, key, data),
  unwrap: (params, key, data) => kw(false, key, data),
});

const hmac = {
  name: 'HMAC',

  keyLength(params) {
    if (params.length === undefined) return blockBytes[hashParam(params)] * 8;
    const bits = integerParam(params.length, 'length');
    if (bits === 0) throw new TypeError('An HMAC key must have at least one bit.');
    return bits;
  },

  generate(params, extractable, usages) {
    const list = checkUsages(usages, ['sign', 'verify']);
    const hash = hashParam(params);
    const length = this.keyLength(params);
    if (length % 8 !== 0) throw operationError('The length of an HMAC key must be a multiple of 8 bits.');
    return makeKey('secret', extractable, { name: 'HMAC', hash: { name: hash }, length }, list, randomBytes(length / 8));
  },

  importKey(format, data, params, extractable, usages) {
    const list = checkUsages(usages, ['sign', 'verify']);
    const hash = hashParam(params);
    const bytes = importSecret(format, data, { extractable, usages: list, use: 'sig', algOf: () => `HS${hash.slice(4)}` });
    if (bytes.length === 0) throw dataError('HMAC key length must not be zero.');
    const length = params.length === undefined ? bytes.length * 8 : integerParam(params.length, 'length');
    if (length > bytes.length * 8 || length <= bytes.length * 8 - 8) throw dataError('The length of the HMAC key does not fit its data.');
    return makeKey('secret', extractable, { name: 'HMAC', hash: { name: hash }, length }, list, bytes);
  },

  exportKey: (format, key) => exportSecret(format, key, `HS${key.algorithm.hash.name.slice(4)}`),
  sign: (params, key, data) => crypto.hmac(key.algorithm.hash.name, keyMaterial(key), data),
  verify: (params, key, signature, data) => crypto.equal(crypto.hmac(key.algorithm.hash.name, keyMaterial(key), data), signature),
};

/* --- derivation: HKDF and PBKDF2 ---------------------------------------------------------------- */

function derivation(name, derive) {
  return {
    name,
    keyLength: () => null,

    importKey(format, data, params, extractable, usages) {
      if (format !== 'raw') throw unsupportedFormat(format);
      const list = checkUsages(usages, ['deriveKey', 'deriveBits']);
      if (extractable) throw new DOMException(`${name} keys cannot be extractable.`, 'SyntaxError');
      return makeKey('secret', false, { name }, list, bytesParam(data, 'keyData').slice());
    },

    deriveBits(params, key, bits) {
      if (bits === null || bits % 8 !== 0) throw operationError(`${name} needs a length that is a multiple of 8 bits.`);
      return derive(params, keyMaterial(key), bits / 8);
    },
  };
}

const hkdf = derivation('HKDF', (params, secret, n) => {
  const hash = hashParam(params);
  if (n > 255 * digestBytes[hash]) throw operationError('HKDF cannot derive that many bits.');
  return crypto.hkdf(hash, secret, bytesParam(params.salt, 'salt'), bytesParam(params.info, 'info'), n);
});

const pbkdf2 = derivation('PBKDF2', (params, secret, n) => {
  const hash = hashParam(params);
  const iterations = integerParam(params.iterations, 'iterations');
  if (iterations === 0) throw operationError('PBKDF2 requires a positive number of iterations.');
  return crypto.pbkdf2(hash, secret, bytesParam(params.salt, 'salt'), iterations, n);
});

/* --- key pairs ----------------------------------------------------------------------------------- */

function isPrivate(key) {
  return key.type === 'private';
}

function keyPair(der, algorithm, extractable, usages, publicUsages, privateUsages) {
  const of = (allowed) => usages.filter((usage) => allowed.includes(usage));
  return {
    publicKey: makeKey('public', true, algorithm, of(publicUsages), pair.publicOf(der)),
    privateKey: makeKey('private', extractable, algorithm, of(privateUsages), der),
  };
}

/**
 * The DER of imported data and which kind of key it is; jwk(data) turns a JWK into { kind, parts }, raw(bytes) a raw public
 * key (undefined: there is no such form).
 */
function importPair(format, data, { jwk, raw }) {
  if (format === 'jwk') {
    const secret = data?.d !== undefined;
    const { kind, parts } = jwk(data, secret);
    return { der: pair.assemble(kind, parts, secret), secret };
  }
  if (format === 'raw' && raw !== undefined) {
    const { kind, parts } = raw(bytesParam(data, 'keyData'));
    return { der: pair.assemble(kind, parts, false), secret: false };
  }
  if (format !== 'pkcs8' && format !== 'spki') throw unsupportedFormat(format);
  return { der: bytesParam(data, 'keyData').slice(), secret: format === 'pkcs8' };
}

function exportDer(format, key) {
  if ((format === 'pkcs8') !== isPrivate(key)) throw new DOMException(`A ${key.type} key cannot be exported as ${format}.`, 'InvalidAccessError');
  return keyMaterial(key).slice();
}

function partsToJwk(parts, names) {
  return Object.fromEntries(names.filter((name) => parts[name] !== undefined).map((name) => [name, toBase64Url(parts[name])]));
}

function jwkToParts(jwk, names) {
  return Object.fromEntries(names.map((name) => [name, fromBase64Url(jwk[name])]));
}

const rsaPublic = ['n', 'e'];
const rsaPrivate = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'];

function rsa(name, use, publicUsages, privateUsages, jwkAlg, operations) {
  const allowed = [...publicUsages, ...privateUsages];

  const algorithmOf = ({ bits, e }, hash) => ({ name, modulusLength: bits, publicExponent: e, hash: { name: hash } });

  return {
    name,
    ...operations,

    generate(params, extractable, usages) {
      const list = checkUsages(usages, allowed);
      const hash = hashParam(params);
      const bits = integerParam(params.modulusLength, 'modulusLength');
      if (bits < 512 || bits > 16384) throw operationError(`Unsupported RSA modulus length ${bits}.`);
      const der = pair.generate('RSA', bits, bytesParam(params.publicExponent, 'publicExponent'));
      return keyPair(der, algorithmOf(pair.describe(der, true), hash), extractable, list, publicUsages, privateUsages);
    },

    importKey(format, data, params, extractable, usages) {
      const hash = hashParam(params);
      const jwk = (value, secret) => {
        checkJwk(value, { kty: 'RSA', usages: [...usages], extractable, use, alg: jwkAlg(hash) });
        if (value.oth !== undefined) throw notSupported('RSA keys of more than two primes are not supported.');
        return { kind: 'RSA', parts: jwkToParts(value, secret ? rsaPrivate : rsaPublic) };
      };
      const { der, secret } = importPair(format, data, { jwk });
      const list = checkUsages(usages, secret ? privateUsages : publicUsages);
      const parts = pair.describe(der, secret);
      if (parts.kind !== 'RSA') throw dataError();
      return makeKey(secret ? 'private' : 'public', extractable, algorithmOf(parts, hash), list, der);
    },

    exportKey(format, key) {
      if (format !== 'jwk') return exportPairDer(format, key);
      const names = isPrivate(key) ? rsaPrivate : rsaPublic;
      const parts = partsToJwk(pair.describe(keyMaterial(key), isPrivate(key)), names);
      return { kty: 'RSA', ...parts, alg: jwkAlg(key.algorithm.hash.name), key_ops: key.usages, ext: key.extractable };
    },
  };
}

function exportPairDer(format, key) {
  if (format !== 'pkcs8' && format !== 'spki') throw unsupportedFormat(format);
  return exportDer(format, key);
}

function signing(schemeOf) {
  return {
    sign(params, key, data) {
      const [scheme, hash, salt] = schemeOf(params, key);
      return pair.sign(keyMaterial(key), data, scheme, hash, salt);
    },
    verify(params, key, signature, data) {
      const [scheme, hash, salt] = schemeOf(params, key);
      return pair.verify(keyMaterial(key), data, scheme, hash, salt, signature);
    },
  };
}

const shaNumber = (hash) => hash.slice(4);

const pkcs1Scheme = (params, key) => ['PKCS1', key.algorithm.hash.name, 0];
const rsaPkcs1 = rsa('RSASSA-PKCS1-v1_5', 'sig', ['verify'], ['sign'], (hash) => `RS${shaNumber(hash)}`, signing(pkcs1Scheme));

const pssScheme = (params, key) => ['PSS', key.algorithm.hash.name, integerParam(params.saltLength, 'saltLength')];
const rsaPss = rsa('RSA-PSS', 'sig', ['verify'], ['sign'], (hash) => `PS${shaNumber(hash)}`, signing(pssScheme));

function oaep(encrypts, params, key, data) {
  const label = params.label === undefined ? nothing : bytesParam(params.label, 'label');
  return pair.oaep(encrypts, keyMaterial(key), key.algorithm.hash.name, label, data);
}

const oaepAlg = (hash) => (hash === 'SHA-1' ? 'RSA-OAEP' : `RSA-OAEP-${shaNumber(hash)}`);
const rsaOaep = rsa('RSA-OAEP', 'enc', ['encrypt', 'wrapKey'], ['decrypt', 'unwrapKey'], oaepAlg, cipher(oaep));

const curves = { __proto__: null, 'P-256': { bytes: 32, alg: 'ES256' }, 'P-384': { bytes: 48, alg: 'ES384' }, 'P-521': { bytes: 66, alg: 'ES512' } };

function curveParam(params) {
  const name = String(params.namedCurve);
  if (curves[name] === undefined) throw notSupported(`Unrecognized or unimplemented EC curve "${name}" requested.`);
  return name;
}

// SEC 1 2.3.3: 4, x, y.
function pointParts(curve, bytes) {
  const n = curves[curve].bytes;
  if (bytes.length !== 1 + 2 * n || bytes[0] !== 4) throw dataError('Raw EC keys must be uncompressed points.');
  return { kind: curve, parts: { x: bytes.subarray(1, 1 + n), y: bytes.subarray(1 + n) } };
}

function ec(name, use, publicUsages, privateUsages, operations) {
  const hasAlg = name === 'ECDSA';

  return {
    name,
    ...operations,

    generate(params, extractable, usages) {
      const list = checkUsages(usages, [...publicUsages, ...privateUsages]);
      const namedCurve = curveParam(params);
      return keyPair(pair.generate(namedCurve), { name, namedCurve }, extractable, list, publicUsages, privateUsages);
    },

    importKey(format, data, params, extractable, usages) {
      const namedCurve = curveParam(params);
      const jwk = (value, secret) => {
        checkJwk(value, { kty: 'EC', usages: [...usages], extractable, use, alg: hasAlg ? curves[namedCurve].alg : undefined });
        if (value.crv !== namedCurve) throw dataError(`Invalid JSON Web Key: crv is "${value.crv}", expected "${namedCurve}".`);
        const parts = jwkToParts(value, secret ? ['x', 'y', 'd'] : ['x', 'y']);
        if (Object.values(parts).some((part) => part.length !== curves[namedCurve].bytes)) throw dataError();
        return { kind: namedCurve, parts };
      };
      const { der, secret } = importPair(format, data, { jwk, raw: (bytes) => pointParts(namedCurve, bytes) });
      const list = checkUsages(usages, secret ? privateUsages : publicUsages);
      if (pair.describe(der, secret).curve !== namedCurve) throw dataError();
      return makeKey(secret ? 'private' : 'public', extractable, { name, namedCurve }, list, der);
    },

    exportKey(format, key) {
      const parts = pair.describe(keyMaterial(key), isPrivate(key));
      if (format === 'jwk') return { kty: 'EC', crv: parts.curve, ...partsToJwk(parts, ['x', 'y', 'd']), key_ops: key.usages, ext: key.extractable };
      return format === 'raw' ? exportRaw(key, [4, ...parts.x, ...parts.y]) : exportPairDer(format, key);
    },
  };
}

function exportRaw(key, bytes) {
  if (isPrivate(key)) throw new DOMException('A private key cannot be exported as raw.', 'InvalidAccessError');
  return Uint8Array.from(bytes);
}

const ecdsa = ec('ECDSA', 'sig', ['verify'], ['sign'], signing((params) => ['ECDSA', hashParam(params), 0]));

// Bits in front of the secret, all of it for null.
function agreement(params, key, bits) {
  const peer = params.public;
  if (!isKey(peer) || peer.type !== 'public') throw new TypeError('Algorithm parameter "public" must be a public CryptoKey.');
  if (peer.algorithm.name !== key.algorithm.name || peer.algorithm.namedCurve !== key.algorithm.namedCurve) {
    throw new DOMException('The public and the private key belong to different algorithms or curves.', 'InvalidAccessError');
  }
  const secret = pair.agree(keyMaterial(key), keyMaterial(peer));
  if (bits === null) return secret;
  if (bits > secret.length * 8) throw operationError('The derived secret has fewer bits than were asked for.');
  const part = secret.slice(0, Math.ceil(bits / 8));
  if (bits % 8 !== 0) part[part.length - 1] &= 0xff << (8 - (bits % 8));
  return part;
}

const ecdh = ec('ECDH', 'enc', [], ['deriveKey', 'deriveBits'], { deriveBits: agreement });

/** Ed25519 and X25519: keys that are 32 bytes. */
function octet(name, use, publicUsages, privateUsages, operations) {
  return {
    name,
    ...operations,

    generate(params, extractable, usages) {
      const list = checkUsages(usages, [...publicUsages, ...privateUsages]);
      return keyPair(pair.generate(name), { name }, extractable, list, publicUsages, privateUsages);
    },

    importKey(format, data, params, extractable, usages) {
      const jwk = (value, secret) => {
        checkJwk(value, { kty: 'OKP', usages: [...usages], extractable, use, alg: name === 'Ed25519' && value.alg !== 'EdDSA' ? 'Ed25519' : undefined });
        if (value.crv !== name) throw dataError(`Invalid JSON Web Key: crv is "${value.crv}", expected "${name}".`);
        return { kind: name, parts: jwkToParts(value, secret ? ['x', 'd'] : ['x']) };
      };
      const { der, secret } = importPair(format, data, { jwk, raw: (bytes) => ({ kind: name, parts: { x: bytes } }) });
      const list = checkUsages(usages, secret ? privateUsages : publicUsages);
      if (pair.describe(der, secret).kind !== name) throw dataError();
      return makeKey(secret ? 'private' : 'public', extractable, { name }, list, der);
    },

    exportKey(format, key) {
      const parts = pair.describe(keyMaterial(key), isPrivate(key));
      if (format === 'jwk') return { kty: 'OKP', crv: name, ...partsToJwk(parts, ['x', 'd']), key_ops: key.usages, ext: key.extractable };
      return format === 'raw' ? exportRaw(key, parts.x) : exportPairDer(format, key);
    },
  };
}

const ed25519 = octet('Ed25519', 'sig', ['verify'], ['sign'], signing(() => ['EdDSA', '', 0]));
const x25519 = octet('X25519', 'enc', [], ['deriveKey', 'deriveBits'], { deriveBits: agreement });

/* --- by name --------------------------------------------------------------------------------------- */

const algorithms = new Map();
for (const algorithm of [
  aes('AES-GCM', 'GCM', cipherUsages, cipher(gcm)), aes('AES-CBC', 'CBC', cipherUsages, cipher(cbc)), aes('AES-CTR', 'CTR', cipherUsages, cipher(ctr)),
  aesKw, hmac, hkdf, pbkdf2, rsaPkcs1, rsaPss, rsaOaep, ecdsa, ecdh, ed25519, x25519,
  ...Object.keys(digestBytes).map((name) => ({ name, digest: (data) => crypto.digest(name, data) })),
]) algorithms.set(algorithm.name.toUpperCase(), algorithm);

/**
 * { algorithm, params } of what the application gave: a name or a dictionary with one. operation: what it must be able to do.
 * NotSupportedError when there is no such algorithm or it cannot.
 */
export function algorithmFor(value, operation) {
  const params = typeof value === 'object' && value !== null ? value : { name: value };
  if (params.name === undefined) throw new TypeError('Algorithm: name is missing.');
  const algorithm = algorithms.get(String(params.name).toUpperCase());
  if (algorithm === undefined || algorithm[operation] === undefined) {
    throw notSupported(`Unrecognized or unimplemented algorithm "${params.name}" requested for ${operation}.`);
  }
  return { algorithm, params };
}
