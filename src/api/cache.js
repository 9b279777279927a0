// The Cache API: caches.default and caches.open(name). What is put lives in the memory of this process, so it is gone when the
// process ends, and may be any time before: the least used leaves when there is no room.
import { Headers } from './headers.js';
import { host } from './host.js';
import { isRequest, Request } from './request.js';
import { Response } from './response.js';
import { finish, illegalConstructor } from './webidl.js';

const inside = Symbol();
const BYTES_MAX = 16 << 20; // of all caches
const ENTRY_BYTES = 1024; // what an entry takes beside its body, about
const LIFE_MS = 2 * 3600 * 1000; // of a response that says nothing about it

const entries = new Map(); // "NAME URL" -> { body, status, statusText, headers, bytes, since, until }; the least used first
let total = 0;

function drop(key) {
  const entry = entries.get(key);
  if (entry === undefined) return false;
  entries.delete(key);
  total -= entry.bytes;
  return entry.until > host.now();
}

function keep(key, entry) {
  drop(key);
  if (entry.bytes > BYTES_MAX) return;
  entries.set(key, entry);
  total += entry.bytes;
  while (total > BYTES_MAX) drop(entries.keys().next().value);
}

function find(key) {
  const entry = entries.get(key);
  if (entry === undefined || entry.until <= host.now()) {
    drop(key);
    return undefined;
  }
  entries.delete(key);
  entries.set(key, entry); // used last
  return entry;
}

/** For how many milliseconds a response may be kept (RFC 9111 4.2.1, for a shared cache); 0: not at all. */
function lifeOf(headers) {
  const control = (headers.get('cache-control') ?? '').toLowerCase();
  if (/\b(no-store|no-cache|private)\b(?!=)/.test(control) || headers.has('set-cookie')) return 0;
  const age = /\bs-maxage="?(\d+)/.exec(control) ?? /\bmax-age="?(\d+)/.exec(control);
  if (age !== null) return Number(age[1]) * 1000;
  const expires = headers.get('expires');
  return expires === null ? LIFE_MS : Math.max(0, Date.parse(expires) - Date.now()) || 0;
}

// Whether the client has it already (RFC 9110 13.1): its tag, or else its date.
function isUnchanged(request, headers) {
  const tags = request.headers.get('if-none-match');
  const bare = (tag) => tag.trim().replace(/^W\//, '');
  if (tags !== null) return headers.has('etag') && tags.split(',').map(bare).some((tag) => tag === '*' || tag === bare(headers.get('etag')));
  return Date.parse(headers.get('last-modified')) <= Date.parse(request.headers.get('if-modified-since'));
}

function answer(entry, request) {
  const { body, status, statusText } = entry;
  const headers = new Headers(entry.headers);
  headers.set('Age', Math.floor((host.now() - entry.since) / 1000));
  headers.set('CF-Cache-Status', 'HIT');
  if (status === 200 && isUnchanged(request, headers)) return new Response(null, { status: 304, headers });
  return new Response(body, { status, statusText, headers });
}

const refuse = (text) => new TypeError(`Cannot cache response ${text}.`);

export class Cache {
  #name;

  constructor(key, name) {
    if (key !== inside) throw illegalConstructor();
    this.#name = name;
  }

  // The key of a request and the request; no key when its method has no answer here.
  #seek(input, options) {
    const request = isRequest(input) ? input : new Request(input);
    const key = request.method === 'GET' || options?.ignoreMethod === true ? `${this.#name} ${request.url.replace(/#.*/s, '')}` : undefined;
    return { key, request };
  }

  async put(input, response) {
    const { key } = this.#seek(input);
    if (key === undefined) throw refuse('to non-GET request');
    if (response.webSocket) throw refuse('to a WebSocket handshake');
    if (response.status === 206) throw refuse('to a range request (206 Partial Content)');
    if (response.status === 304) throw refuse('with status 304');
    if (response.headers.get('vary')?.includes('*')) throw refuse("with 'Vary: *' header");
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    if (/\bprivate="?set-cookie/i.test(headers.get('cache-control') ?? '')) headers.delete('set-cookie');
    const body = response.body === null ? null : await response.arrayBuffer();
    const since = host.now();
    const life = lifeOf(headers);
    if (life > 0) keep(key, { body, status, statusText, headers, bytes: ENTRY_BYTES + (body?.byteLength ?? 0), since, until: since + life });
  }

  async match(input, options = undefined) {
    const { key, request } = this.#seek(input, options);
    const entry = key === undefined ? undefined : find(key);
    return entry && answer(entry, request);
  }

  async delete(input, options = undefined) {
    const { key } = this.#seek(input, options);
    return key !== undefined && drop(key);
  }
}

export class CacheStorage {
  #default = new Cache(inside, '');

  constructor(key) {
    if (key !== inside) throw illegalConstructor();
  }

  get default() {
    return this.#default;
  }

  async open(name) {
    return new Cache(inside, `=${name}`);
  }
}

for (const ctor of [Cache, CacheStorage]) finish(ctor);

export const caches = new CacheStorage(inside);
