// Config stores (which were called dictionaries) and secret stores: what the configuration says, for reading.
import { inEvent } from './context.js';
import { atob, decodeText, encodeText } from './encoding.js';
import { bytesOf, finish } from './webidl.js';

const LENGTH_MAX = 255;

let configStores = new Map();
let secretStores = new Map();

/** configs: { NAME: { key: text } }; secrets: { NAME: { key: value } }, see bytesOfValue(). */
export function setStores(configs, secrets) {
  configStores = new Map(Object.entries(configs).map(([name, items]) => [name, new Map(Object.entries(items))]));
  secretStores = new Map(Object.entries(secrets).map(([name, items]) => [name, new Map(Object.entries(items))]));
}

/** The store of that name; what the class is called appears in the texts. */
export function openStore(stores, kind, name) {
  if (!inEvent()) throw new Error(`The ${kind} builtin can only be used during request handling, not during initialization`);
  const store = stores.get(name);
  if (store === undefined) throw new TypeError(`${kind} constructor: No ${kind} named '${name}' exists`);
  return store;
}

/** Text of 1 … most bytes. */
export function checkedLength(what, value, most = LENGTH_MAX) {
  const text = `${value}`;
  if (text === '') throw new TypeError(`${what} can not be an empty string`);
  if (encodeText(text).length > most) throw new TypeError(`${what} can not be more than ${most} characters`);
  return text;
}

function configName(kind, value) {
  const name = checkedLength(`${kind} constructor: name`, value);
  if (!/^[A-Za-z]/.test(name)) throw new TypeError(`${kind} constructor: name must start with an ascii alpabetical character`);
  if (!/^[\w ]+$/.test(name)) throw new TypeError(`${kind} constructor: name can contain only ascii alphanumeric characters, underscores, and ascii whitespace`);
  return name;
}

function secretName(what, value) {
  const name = checkedLength(what, value);
  if (!/^[\w.-]+$/.test(name)) throw new TypeError(`${what} can contain only ascii alphanumeric characters, underscores, dashes, and ascii whitespace`);
  return name;
}

export class ConfigStore {
  #items;

  constructor(name) {
    this.#items = openStore(configStores, 'ConfigStore', configName('ConfigStore', name));
  }

  get(key) {
    return this.#items.get(checkedLength('ConfigStore key', key)) ?? null;
  }
}

export class Dictionary {
  #items;

  constructor(name) {
    this.#items = openStore(configStores, 'Dictionary', configName('Dictionary', name));
  }

  get(key) {
    return this.#items.get(checkedLength('Dictionary key', key)) ?? null;
  }
}

const make = Symbol('make');

export class SecretStoreEntry {
  #bytes;

  constructor(token, bytes) {
    if (token !== make) throw new TypeError("SecretStoreEntry can't be instantiated directly");
    this.#bytes = bytes;
  }

  plaintext() {
    return decodeText(this.#bytes);
  }

  rawBytes() {
    return this.#bytes.slice();
  }
}

/** Bytes of a value of the configuration: { data: text } or { base64 }. */
export const bytesOfValue = ({ data, base64 }) => (data === undefined ? Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) : encodeText(data));

export class SecretStore {
  #items;

  constructor(name) {
    this.#items = openStore(secretStores, 'SecretStore', secretName('SecretStore constructor: name', name));
  }

  async get(key) {
    const value = this.#items.get(secretName('SecretStore key', key));
    return value === undefined ? null : new SecretStoreEntry(make, bytesOfValue(value));
  }

  static fromBytes(bytes) {
    const given = bytesOf(bytes);
    if (given === undefined) throw new TypeError('SecretStore.fromBytes: bytes must be an ArrayBuffer or ArrayBufferView object');
    return new SecretStoreEntry(make, given.slice());
  }
}

for (const ctor of [ConfigStore, Dictionary, SecretStore, SecretStoreEntry]) finish(ctor);
