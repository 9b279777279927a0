// KV stores. What an application puts is kept in a database of the application's state folder and is committed when put()
// resolves; what the configuration says a store begins with lies below that, and can be covered or deleted.
import { deserialize, serialize } from './clone.js';
import { decodeText, encodeText } from './encoding.js';
import { bytesOfValue, checkedLength, openStore } from './fastly_stores.js';
import { native } from './native.js';
import { Response } from './response.js';
import { bytesOf, finish } from './webidl.js';

const KV = native.storage;
const NAME_MAX = 255;
const KEY_MAX = 1024;
const BYTES_MAX = 30 << 20;
const LIST_MAX = 1000;

const stores = new Map(); // by name: Map of the values it begins with
const handles = new Map(); // by name: of its database
let application = '';

/** kv: { NAME: { key: value } }: a value has bytes (bytesOfValue) and perhaps metadata. */
export function setKVStores(name, kv) {
  application = name;
  for (const [store, items] of Object.entries(kv)) stores.set(store, new Map(Object.entries(items)));
}

const badCharacters = { '\n': 'newline', '\r': 'carriage return' };

function checkedKey(value) {
  const key = checkedLength('KVStore key', value, KEY_MAX);
  const bad = /[#;?^|\n\r]/.exec(key)?.[0];
  if (bad !== undefined) throw new TypeError(`KVStore key can not contain ${badCharacters[bad] ?? bad} character`);
  if (key.startsWith('.well-known/acme-challenge/')) throw new TypeError('KVStore key can not start with .well-known/acme-challenge/');
  if (key === '.' || key === '..') throw new TypeError("KVStore key can not be '.' or '..'");
  return key;
}

function checkedStore(value) {
  const name = checkedLength('KVStore constructor: name', value, NAME_MAX);
  if (/[\0-\x1f]/.test(name)) throw new TypeError('KVStore constructor: name can not contain control characters (\\u0000-\\u001F)');
  return name;
}

// A file's name: 64 hex digits, of the name's own bytes and, when it is longer, of a hash of the rest.
function fileOf(name) {
  const bytes = encodeText(name);
  const hex = (list) => Array.from(list, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (bytes.length < 32) return `${hex(bytes)}${'0'.repeat(64)}`.slice(0, 64);
  let hash = 14695981039346656037n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 1099511628211n) & 0xffffffffffffffffn;
  return `${hex(bytes.subarray(0, 24))}${hash.toString(16).padStart(16, '0')}`;
}

function handleOf(name) {
  let handle = handles.get(name);
  if (handle === undefined) {
    handle = KV.open(`${application}-fastly-kv`, fileOf(name), '');
    handles.set(name, handle);
  }
  return handle;
}

const isOver = ({ expires }) => expires !== 0 && expires <= Date.now();

const textOrBytes = (value) => (typeof value === 'string' ? encodeText(value) : bytesOf(value)?.slice() ?? encodeText(`${value}`));

function ttlOf(value) {
  if (value === undefined) return 0;
  const seconds = Number(value);
  if (Number.isNaN(seconds)) throw new RangeError('KVStore.put: ttl is not a valid number');
  if (seconds < 0) throw new RangeError('KVStore.put: ttl can not be a negative number');
  return Math.trunc(seconds);
}

function modeOf(value) {
  const mode = value === undefined ? 'overwrite' : `${value}`;
  if (['overwrite', 'add', 'append', 'prepend'].includes(mode)) return mode;
  throw new TypeError('KVStore.put: mode must be one of "overwrite", "add", "append" or "prepend"');
}

const make = Symbol('make');

export class KVStoreEntry {
  #body;
  #metadata;

  constructor(token, { bytes, metadata }) {
    if (token !== make) throw new TypeError("KVStoreEntry can't be instantiated directly");
    this.#body = new Response(bytes);
    this.#metadata = metadata;
  }

  get body() {
    return this.#body.body;
  }

  get bodyUsed() {
    return this.#body.bodyUsed;
  }

  text() {
    return this.#body.text();
  }

  json() {
    return this.#body.json();
  }

  arrayBuffer() {
    return this.#body.arrayBuffer();
  }

  metadata() {
    return this.#metadata;
  }

  metadataText() {
    return this.#metadata === null ? null : decodeText(this.#metadata);
  }
}

export class KVStore {
  #name;
  #first; // what the store began with

  constructor(name) {
    this.#name = checkedStore(name);
    this.#first = openStore(stores, 'KVStore', this.#name);
  }

  #find(key) {
    const stored = KV.get(handleOf(this.#name), key);
    if (stored !== undefined) {
      const entry = deserialize(stored);
      return entry.deleted === true || isOver(entry) ? undefined : entry;
    }
    const first = this.#first.get(key);
    return first === undefined ? undefined : { bytes: bytesOfValue(first), metadata: first.metadata === undefined ? null : encodeText(first.metadata), expires: 0 };
  }

  #write(key, entry) {
    const handle = handleOf(this.#name);
    if (entry === null) KV.delete(handle, key);
    else KV.put(handle, key, serialize(entry));
    KV.commit(handle);
  }

  async get(key) {
    const entry = this.#find(checkedKey(key));
    return entry === undefined ? null : new KVStoreEntry(make, entry);
  }

  async put(key, value, options = {}) {
    const name = checkedKey(key);
    const mode = modeOf(options?.mode);
    const ttl = ttlOf(options?.ttl);
    const given = new Uint8Array(await new Response(value).arrayBuffer());
    const old = this.#find(name);
    if (mode === 'add' && old !== undefined) throw new TypeError('KVStore insert: Precondition failed');
    const bytes = old === undefined || mode === 'overwrite' ? given : mode === 'append' ? joined(old.bytes, given) : joined(given, old.bytes);
    if (bytes.length > BYTES_MAX) throw new TypeError('KVStore value can not be more than 30 Megabytes in size');
    const metadata = options?.metadata === undefined ? null : textOrBytes(options.metadata);
    this.#write(name, { bytes, metadata, expires: ttl === 0 ? 0 : Date.now() + ttl * 1000 });
  }

  async delete(key) {
    const name = checkedKey(key);
    this.#write(name, this.#first.has(name) ? { deleted: true } : null);
  }

  /** { list: names, cursor }: cursor is undefined behind the last. */
  async list(options = {}) {
    const { prefix = '', limit = 100, cursor = '' } = options ?? {};
    const names = new Set([...this.#first.keys(), ...namesIn(handleOf(this.#name), `${prefix}`)]);
    const found = [...names].filter((name) => name.startsWith(`${prefix}`) && name > cursor && this.#find(name) !== undefined).sort();
    const most = Math.max(1, Math.min(LIST_MAX, Math.trunc(Number(limit)) || 0));
    return { list: found.slice(0, most), cursor: found.length > most ? found[most - 1] : undefined };
  }
}

function joined(a, b) {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function namesIn(handle, prefix) {
  const flat = KV.list(handle, null, false, null, prefix, false, 0);
  return flat.filter((_, i) => i % 2 === 0);
}

for (const ctor of [KVStore, KVStoreEntry]) finish(ctor);
