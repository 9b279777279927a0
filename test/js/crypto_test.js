import { digests, pairs, secrets } from './crypto_vectors.js';
import { equal, ok, rejects, test, throws } from './lib.js';

export { suite } from './lib.js';

const { subtle } = crypto;
const data = new TextEncoder().encode('holdfast');
const key = Uint8Array.from({ length: 32 }, (_, i) => i);
const iv = key.slice(0, 12);
const block = new Uint8Array(16).fill(255);

const b64 = (buffer) => new Uint8Array(buffer).toBase64({ alphabet: 'base64url', omitPadding: true });
const unb64 = (text) => Uint8Array.fromBase64(text, { alphabet: 'base64url' });

test('random: values and ids differ, and are refused where they make no sense', () => {
  const array = crypto.getRandomValues(new Uint8Array(64));
  ok(array.some((byte) => byte !== 0));
  const words = new Uint32Array(8);
  equal(crypto.getRandomValues(words.subarray(2, 4)).length, 2);
  equal([words[0], words[1], words[4]], [0, 0, 0]);
  throws(() => crypto.getRandomValues(new Float32Array(1)), 'TypeMismatchError');
  throws(() => crypto.getRandomValues(new Uint8Array(65537)), 'QuotaExceededError');
  const ids = new Set(Array.from({ length: 100 }, () => crypto.randomUUID()));
  equal(ids.size, 100);
  for (const id of ids) ok(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id);
});

test('digest: every algorithm, and as a stream', async () => {
  for (const [name, expected] of Object.entries(digests)) equal(b64(await subtle.digest(name, data)), expected, name);
  equal(b64(await subtle.digest({ name: 'sha-256' }, data.buffer)), digests['SHA-256']);
  await rejects(subtle.digest('SHA-3', data), 'NotSupportedError');
  await rejects(subtle.digest('SHA-1', 'text'), 'TypeError');
  const stream = new crypto.DigestStream('SHA-256');
  const writer = stream.getWriter();
  writer.write('hold');
  writer.write(new TextEncoder().encode('fast'));
  writer.close();
  equal([b64(await stream.digest), stream.bytesWritten], [digests['SHA-256'], 8n]);
});

test('secrets: known answers of AES, HMAC, HKDF and PBKDF2', async () => {
  const raw = (name, bytes, ...usages) => subtle.importKey('raw', bytes, name, usages[0] !== 'deriveBits', usages);
  const got = {
    gcm128: await subtle.encrypt({ name: 'AES-GCM', iv, additionalData: data }, await raw('AES-GCM', key.slice(0, 16), 'encrypt'), data),
    gcm256short: await subtle.encrypt({ name: 'AES-GCM', iv: block, tagLength: 96 }, await raw('AES-GCM', key, 'encrypt'), data),
    cbc: await subtle.encrypt({ name: 'AES-CBC', iv: block }, await raw('AES-CBC', key.slice(0, 24), 'encrypt'), data),
    ctr: await subtle.encrypt({ name: 'AES-CTR', counter: block, length: 64 }, await raw('AES-CTR', key, 'encrypt'), new Uint8Array(40)),
    ctr5: await subtle.encrypt({ name: 'AES-CTR', counter: block, length: 5 }, await raw('AES-CTR', key, 'encrypt'), new Uint8Array(40)),
    kw: await subtle.wrapKey('raw', await raw('AES-GCM', key.slice(0, 16), 'encrypt'), await raw('AES-KW', key, 'wrapKey'), 'AES-KW'),
    hmac: await subtle.sign('HMAC', await raw({ name: 'HMAC', hash: 'SHA-512' }, key, 'sign'), data),
    hkdf: await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: iv, info: data }, await raw('HKDF', key, 'deriveBits'), 400),
    hkdfEmpty: await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new Uint8Array() }, await raw('HKDF', new Uint8Array(), 'deriveBits'), 256),
    pbkdf2: await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-1', salt: iv, iterations: 1000 }, await raw('PBKDF2', data, 'deriveBits'), 256),
  };
  for (const [name, expected] of Object.entries(secrets)) equal(b64(got[name]), expected, name);
});

test('AES: decryption undoes encryption and refuses changed text', async () => {
  for (const params of [{ name: 'AES-GCM', iv }, { name: 'AES-GCM', iv, tagLength: 32, additionalData: data }, { name: 'AES-CBC', iv: block }, { name: 'AES-CTR', counter: block, length: 3 }]) {
    const secret = await subtle.generateKey({ name: params.name, length: 256 }, false, ['encrypt', 'decrypt']);
    for (const n of [0, 1, 15, 16, 17, 100]) {
      const text = key.slice(0, n);
      const cipher = await subtle.encrypt(params, secret, text);
      equal(new Uint8Array(await subtle.decrypt(params, secret, cipher)), text, `${params.name} ${n}`);
    }
    const changed = new Uint8Array(await subtle.encrypt(params, secret, data));
    changed[changed.length - 1] ^= 1;
    if (params.name === 'AES-GCM') await rejects(subtle.decrypt(params, secret, changed), 'OperationError');
    await rejects(subtle.exportKey('raw', secret), 'InvalidAccessError');
  }
  const secret = await subtle.importKey('raw', key, 'AES-CTR', true, ['encrypt']);
  await rejects(subtle.encrypt({ name: 'AES-CTR', counter: block, length: 2 }, secret, new Uint8Array(80)), 'OperationError');
  await rejects(subtle.encrypt({ name: 'AES-CTR', counter: iv, length: 2 }, secret, data), 'OperationError');
  await rejects(subtle.encrypt({ name: 'AES-GCM', iv }, secret, data), 'InvalidAccessError');
  await rejects(subtle.decrypt({ name: 'AES-CTR', counter: block, length: 2 }, secret, data), 'InvalidAccessError');
  await rejects(subtle.importKey('raw', iv, 'AES-GCM', true, ['encrypt']), 'DataError');
  await rejects(subtle.importKey('raw', key, 'AES-GCM', true, []), 'SyntaxError');
  await rejects(subtle.importKey('raw', key, 'AES-GCM', true, ['sign']), 'SyntaxError');
  await rejects(subtle.importKey('raw', key, 'ROT13', true, ['sign']), 'NotSupportedError');
});

test('secrets: JWK goes there and back', async () => {
  const secret = await subtle.importKey('jwk', { kty: 'oct', k: b64(key), alg: 'A256GCM', key_ops: ['encrypt'] }, 'AES-GCM', true, ['encrypt']);
  equal([secret.type, secret.extractable, secret.algorithm, secret.usages], ['secret', true, { name: 'AES-GCM', length: 256 }, ['encrypt']]);
  equal(await subtle.exportKey('jwk', secret), { kty: 'oct', k: b64(key), alg: 'A256GCM', key_ops: ['encrypt'], ext: true });
  equal(new Uint8Array(await subtle.exportKey('raw', secret)), key);
  const jwk = { kty: 'oct', k: b64(key), alg: 'HS256', ext: true };
  const mac = await subtle.importKey('jwk', jwk, { name: 'HMAC', hash: 'SHA-256' }, true, ['verify', 'sign']);
  equal([mac.usages, mac.algorithm], [['sign', 'verify'], { name: 'HMAC', hash: { name: 'SHA-256' }, length: 256 }]);
  equal(await subtle.verify('HMAC', mac, await subtle.sign('HMAC', mac, data), data), true);
  equal(await subtle.verify('HMAC', mac, new Uint8Array(32), data), false);
  await rejects(subtle.importKey('jwk', jwk, { name: 'HMAC', hash: 'SHA-512' }, true, ['sign']), 'DataError');
  await rejects(subtle.importKey('jwk', { ...jwk, kty: 'RSA' }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']), 'DataError');
  await rejects(subtle.importKey('jwk', { ...jwk, ext: false }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']), 'DataError');
  await rejects(subtle.importKey('jwk', { ...jwk, k: '*' }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']), 'DataError');
});

const operationOf = ({ operation }) => (operation.label ? { ...operation, label: new Uint8Array(operation.label) } : operation);

test('pairs: keys of others are imported, and their signatures hold', async () => {
  for (const [name, vector] of Object.entries(pairs)) {
    if (vector.spki === undefined) continue;
    const encrypts = vector.algorithm.name === 'RSA-OAEP';
    const publicKey = await subtle.importKey('spki', unb64(vector.spki), vector.algorithm, true, [encrypts ? 'encrypt' : 'verify']);
    const privateKey = await subtle.importKey('pkcs8', unb64(vector.pkcs8), vector.algorithm, true, [encrypts ? 'decrypt' : 'sign']);
    equal([publicKey.type, privateKey.type], ['public', 'private']);
    equal(b64(await subtle.exportKey('spki', publicKey)), vector.spki, name);
    equal(b64(await subtle.exportKey('pkcs8', privateKey)), vector.pkcs8, name);
    const { key_ops, ext, ...jwk } = await subtle.exportKey('jwk', privateKey);
    equal(Object.fromEntries(Object.entries(jwk).filter(([member]) => member !== 'alg').sort()), Object.fromEntries(Object.entries(vector.jwk).filter(([member]) => member !== 'alg').sort()), name);
    const operation = operationOf(vector);
    if (encrypts) {
      equal(new Uint8Array(await subtle.decrypt(operation, privateKey, unb64(vector.made))), data);
      equal(new Uint8Array(await subtle.decrypt(operation, privateKey, await subtle.encrypt(operation, publicKey, data))), data);
      await rejects(subtle.decrypt(operation, privateKey, data), 'OperationError');
      continue;
    }
    equal(await subtle.verify(operation, publicKey, unb64(vector.made), data), true, name);
    const signature = await subtle.sign(operation, privateKey, data);
    equal(await subtle.verify(operation, publicKey, signature, data), true, name);
    equal(await subtle.verify(operation, publicKey, signature, key), false, name);
    equal(await subtle.verify(operation, publicKey, data, data), false, name);
    equal(await subtle.verify(operation, publicKey, new Uint8Array(signature.byteLength), data), false, name);
  }
});

test('pairs: JWKs of both kinds are imported', async () => {
  for (const [name, { algorithm, jwk, spki }] of Object.entries(pairs)) {
    const usages = { 'RSA-OAEP': [['encrypt'], ['decrypt']], ECDH: [[], ['deriveBits']], X25519: [[], ['deriveBits']] }[algorithm.name] ?? [['verify'], ['sign']];
    const { d, p, q, dp, dq, qi, ...open } = jwk;
    const publicKey = await subtle.importKey('jwk', open, algorithm, true, usages[0]);
    const privateKey = await subtle.importKey('jwk', jwk, algorithm, true, usages[1]);
    equal([publicKey.type, privateKey.type, publicKey.algorithm.name], ['public', 'private', algorithm.name]);
    if (spki !== undefined) equal(b64(await subtle.exportKey('spki', publicKey)), spki, name);
    equal((await subtle.exportKey('jwk', privateKey)).d, d, name);
    await rejects(subtle.importKey('jwk', { ...open, kty: 'oct' }, algorithm, true, usages[0]), 'DataError');
    const broken = open.x === undefined ? { ...open, n: '' } : { ...open, x: b64(block) };
    await rejects(subtle.importKey('jwk', broken, algorithm, true, usages[0]), 'DataError');
  }
});

test('pairs: secrets are agreed on', async () => {
  for (const vector of [pairs.ECDH, pairs.X25519]) {
    const { name } = vector.algorithm;
    const privateKey = await subtle.importKey('jwk', vector.jwk, vector.algorithm, false, ['deriveBits', 'deriveKey']);
    const publicKey = await subtle.importKey('raw', unb64(vector.raw), vector.algorithm, true, []);
    equal(b64(await subtle.exportKey('raw', publicKey)), vector.raw);
    const params = { name, public: publicKey };
    equal(b64(await subtle.deriveBits(params, privateKey, 256)), vector.made);
    equal(b64(await subtle.deriveBits(params, privateKey, null)), vector.made);
    equal((await subtle.deriveBits(params, privateKey, 13)).byteLength, 2);
    await rejects(subtle.deriveBits(params, privateKey, 1024), 'OperationError');
    const secret = await subtle.deriveKey(params, privateKey, { name: 'AES-GCM', length: 256 }, true, ['encrypt']);
    equal(b64(await subtle.exportKey('raw', secret)), vector.made);
  }
});

test('pairs: generated ones work, and exports obey extractable', async () => {
  const rsa = { modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
  for (const algorithm of [{ name: 'RSASSA-PKCS1-v1_5', ...rsa }, { name: 'ECDSA', namedCurve: 'P-384' }, { name: 'Ed25519' }]) {
    const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ['sign', 'verify']);
    equal([publicKey.usages, privateKey.usages, publicKey.extractable, privateKey.extractable], [['verify'], ['sign'], true, false]);
    const operation = { name: algorithm.name, hash: 'SHA-256' };
    equal(await subtle.verify(operation, publicKey, await subtle.sign(operation, privateKey, data), data), true);
    await rejects(subtle.exportKey('jwk', privateKey), 'InvalidAccessError');
    equal((await subtle.exportKey('jwk', publicKey)).d, undefined);
  }
  await rejects(subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-1' }, true, ['sign']), 'NotSupportedError');
  await rejects(subtle.importKey('spki', data, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']), 'DataError');
  const spki = unb64(pairs['P-256'].spki);
  await rejects(subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-384' }, true, ['verify']), 'DataError');
  await rejects(subtle.importKey('spki', spki, { name: 'Ed25519' }, true, ['verify']), 'DataError');
});

test('wrapping: keys of any form travel inside others', async () => {
  const kw = await subtle.generateKey({ name: 'AES-KW', length: 256 }, false, ['wrapKey', 'unwrapKey']);
  const gcm = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['wrapKey', 'unwrapKey']);
  const { privateKey } = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  for (const [wrapper, algorithm] of [[kw, 'AES-KW'], [gcm, { name: 'AES-GCM', iv }]]) {
    const wrapped = await subtle.wrapKey('jwk', privateKey, wrapper, algorithm);
    const back = await subtle.unwrapKey('jwk', wrapped, wrapper, algorithm, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
    equal(await subtle.exportKey('jwk', back), await subtle.exportKey('jwk', privateKey));
  }
  await rejects(subtle.unwrapKey('raw', new Uint8Array(24), kw, 'AES-KW', 'AES-GCM', true, ['encrypt']), 'OperationError');
});

test('timingSafeEqual: bytes of one length', () => {
  equal(subtle.timingSafeEqual(data, data.slice()), true);
  equal(subtle.timingSafeEqual(key.slice(0, 8), data), false);
  throws(() => subtle.timingSafeEqual(key, data), 'TypeError', 'Input buffers must have the same byte length.');
});

test('classes: nobody else makes keys', () => {
  throws(() => new CryptoKey(), 'TypeError', 'Illegal constructor');
  throws(() => new Crypto(), 'TypeError', 'Illegal constructor');
  throws(() => new SubtleCrypto(), 'TypeError', 'Illegal constructor');
  throws(() => subtle.timingSafeEqual('a', 'a'), 'TypeError');
});
