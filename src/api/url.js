// URL and URLSearchParams (url.spec.whatwg.org).
//
// Most URLs of a server are absolute, http-like, lower-case, and need no escaping: their serialisation is the input itself.
// A scan recognises them (`isPlain`), and their parts are cut out when somebody asks. Everything else goes through whatwg-url's
// state machine, loaded on first use. test/js/url_test.js holds both against each other.
import { makeIterable } from './iterate.js';
import { finish, usv, wrongArgument, wrongConstructorArgument } from './webidl.js';

// Where an ASCII character stands for itself.
const HOST = 1;
const PATH = 2;
const QUERY = 4;
const FRAGMENT = 8;
const DIGIT = 16;
const places = new Uint8Array(256);

function mark(place, characters) {
  for (const c of characters) places[c.charCodeAt(0)] |= place;
}

const digits = '0123456789';
const letters = 'abcdefghijklmnopqrstuvwxyz';
mark(DIGIT, digits);
mark(HOST, `${letters}${digits}-_.`);
mark(PATH, `${letters}${letters.toUpperCase()}${digits}/!$%&'()*+,-.:;=@_~|[]`);
mark(QUERY, `${letters}${letters.toUpperCase()}${digits}!$%&()*+,-./:;=?@[]\\^_\`{|}~`);
mark(FRAGMENT, `${letters}${letters.toUpperCase()}${digits}!#$%&'()*+,-./:;=?@[]\\^_{|}~`);

const SLASH = 47;
const DOT = 46;
const COLON = 58;
const QUESTION = 63;
const HASH = 35;
const ZERO = 48;
const PORT_MAX = 65535;

const dotSegment = /^(?:\.|%2[eE]){1,2}(?:[/?#]|$)/;
const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/;

/** The place behind a host that needs no change, from `at`; -1 for others. */
function scanHost(text, at) {
  const start = at;
  let label = at; // where the last one begins
  let c = 0;
  for (; at < text.length; at++) {
    c = text.charCodeAt(at);
    if ((places[c] & HOST) === 0 || c > 255) break;
    if (c !== DOT) continue;
    if (at === label || isPunycode(text, label)) return -1;
    label = at + 1;
  }
  if (at === label || isPunycode(text, label)) return -1;
  // A host whose last label begins with a digit may be an IPv4 address.
  if (places[text.charCodeAt(label)] & DIGIT && !ipv4.test(text.slice(start, at))) return -1;
  return at;
}

function isPunycode(text, at) {
  return text.charCodeAt(at) === 120 && text.startsWith('xn--', at);
}

/** The place behind a port that needs no change, from its colon; -1 for others. */
function scanPort(text, at, secure) {
  const end = scanAll(text, at + 1, DIGIT);
  const port = Number(text.slice(at + 1, end));
  return text.charCodeAt(at + 1) === ZERO || port === 0 || port > PORT_MAX || port === (secure ? 443 : 80) ? -1 : end;
}

/** The place behind a path (from its slash); -1 when something in it would be escaped or is a dot segment. */
function scanPath(text, at) {
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c > 255 || (places[c] & PATH) === 0) return c === QUESTION || c === HASH ? at : -1;
    if (c !== SLASH) continue;
    const next = text.charCodeAt(at + 1);
    if ((next === DOT || next === 37) && dotSegment.test(text.slice(at + 1, at + 8))) return -1;
  }
  return at;
}

/** The place behind characters of `place`, from at. */
function scanAll(text, at, place) {
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c > 255 || (places[c] & place) === 0) break;
  }
  return at;
}

/** Whether text from `at`, a slash, is a path with perhaps a query and a fragment, none of them empty, that need no change. */
function isPlainTail(text, at) {
  at = scanPath(text, at);
  if (at === -1) return false;
  if (text.charCodeAt(at) === QUESTION) {
    const end = scanAll(text, at + 1, QUERY);
    if (end === at + 1) return false;
    at = end;
  }
  if (text.charCodeAt(at) === HASH) {
    const end = scanAll(text, at + 1, FRAGMENT);
    if (end === at + 1) return false;
    at = end;
  }
  return at === text.length;
}

let lastPlain = ''; // request.url is often the next URL

/** Whether text is its own serialisation, and of the shape that cutParts understands. */
function isPlain(text) {
  if (text === lastPlain) return true;
  let at;
  if (text.startsWith('http://')) at = 7;
  else if (text.startsWith('https://')) at = 8;
  else if (text.startsWith('ws://')) at = 5;
  else if (text.startsWith('wss://')) at = 6;
  else return false;
  const secure = at === 8 || at === 6;
  at = scanHost(text, at);
  if (at !== -1 && text.charCodeAt(at) === COLON) at = scanPort(text, at, secure);
  if (at === -1 || text.charCodeAt(at) !== SLASH || !isPlainTail(text, at)) return false;
  lastPlain = text;
  return true;
}

function cutParts(href) {
  const colon = href.indexOf(':');
  const slash = href.indexOf('/', colon + 3);
  const authority = href.slice(colon + 3, slash);
  const portAt = authority.indexOf(':');
  const hashAt = href.indexOf('#', slash);
  const end = hashAt === -1 ? href.length : hashAt;
  const queryAt = href.lastIndexOf('?', end - 1) === -1 ? -1 : href.indexOf('?', slash);
  const pathEnd = queryAt === -1 || queryAt > end ? end : queryAt;
  return {
    protocol: href.slice(0, colon + 1),
    username: '',
    password: '',
    hostname: portAt === -1 ? authority : authority.slice(0, portAt),
    port: portAt === -1 ? '' : authority.slice(portAt + 1),
    pathname: href.slice(slash, pathEnd),
    search: href.slice(pathEnd, end),
    hash: href.slice(end),
    origin: href.slice(0, slash),
    plain: true,
  };
}

let machine;

/** The state machine of whatwg-url. */
function full() {
  machine ??= require('whatwg-url/lib/url-state-machine.js');
  return machine;
}

function recordParts(record) {
  const { serializeHost, serializePath, serializeURLOrigin } = full();
  return {
    protocol: `${record.scheme}:`,
    username: record.username,
    password: record.password,
    hostname: record.host === null ? '' : serializeHost(record.host),
    port: record.port === null ? '' : String(record.port),
    pathname: serializePath(record),
    search: record.query === null || record.query === '' ? '' : `?${record.query}`,
    hash: record.fragment === null || record.fragment === '' ? '' : `#${record.fragment}`,
    origin: serializeURLOrigin(record),
    plain: false,
  };
}

/** { href, parts | null } or null when input is no URL. parts null: cut them when needed. */
function parse(input, base) {
  if (base === undefined) {
    if (isPlain(input)) return { href: input, parts: null };
  } else if (isPlain(base)) {
    if (isPlain(input)) return { href: input, parts: null };
    if (input.charCodeAt(0) === SLASH && input.charCodeAt(1) !== SLASH && isPlainTail(input, 0)) return { href: base.slice(0, base.indexOf('/', 8)) + input, parts: null };
  }
  const { basicURLParse, serializeURL } = full();
  const baseURL = base === undefined ? null : basicURLParse(usv(base));
  if (base !== undefined && baseURL === null) return null;
  const record = basicURLParse(usv(input), { baseURL });
  return record === null ? null : { href: serializeURL(record), parts: recordParts(record) };
}

/** The serialisation of an absolute URL, or null. What fetch and Request need. */
export function normalUrl(input) {
  return isPlain(input) ? input : (parse(input)?.href ?? null);
}

let setQuery;
let isUrl;
const inside = Symbol();

export class URL {
  #href;
  #parts = null;
  #params = null;

  constructor(url, base = undefined) {
    if (arguments.length === 0) throw wrongConstructorArgument('URL', 1, 'USVString');
    if (url === inside) {
      this.#adopt(base);
      return;
    }
    const input = typeof url === 'string' ? url : String(url);
    if (base === undefined && isPlain(input)) {
      this.#href = input;
      return;
    }
    const parsed = parse(input, base === undefined || typeof base === 'string' ? base : String(base));
    if (parsed === null) throw new TypeError('Invalid URL string.');
    this.#adopt(parsed);
  }

  static {
    isUrl = (value) => typeof value === 'object' && value !== null && #href in value;

    // A query that URLSearchParams serialised contains nothing that needs escaping.
    setQuery = (url, text) => {
      const parts = url.#partsNow();
      if (parts.plain) url.#replacePart('search', text === '' ? '' : `?${text}`);
      else url.#change((record) => {
        record.query = text === '' ? null : text;
      });
    };
  }

  static canParse(url, base = undefined) {
    if (arguments.length === 0) throw wrongArgument('canParse', 'URL', 1, 'USVString');
    return parse(String(url), base === undefined ? undefined : String(base)) !== null;
  }

  static parse(url, base = undefined) {
    if (arguments.length === 0) throw wrongArgument('parse', 'URL', 1, 'USVString');
    const parsed = parse(String(url), base === undefined ? undefined : String(base));
    return parsed === null ? null : new URL(inside, parsed);
  }

  #adopt({ href, parts }) {
    this.#href = href;
    this.#parts = parts;
  }

  #partsNow() {
    return (this.#parts ??= cutParts(this.#href));
  }

  #replacePart(part, text) {
    const parts = this.#parts;
    parts[part] = text;
    this.#href = parts.origin + parts.pathname + parts.search + parts.hash;
  }

  /** Lets edit(record, machine) change the parsed URL, then reads it back. */
  #change(edit) {
    const urls = full();
    const record = urls.basicURLParse(this.#href);
    edit(record, urls);
    this.#href = urls.serializeURL(record);
    this.#parts = recordParts(record);
  }

  #override(value, stateOverride) {
    this.#change((record, { basicURLParse }) => basicURLParse(value, { url: record, stateOverride }));
  }

  get href() {
    return this.#href;
  }

  set href(value) {
    const parsed = parse(String(value));
    if (parsed === null) throw new TypeError('Invalid URL string.');
    this.#adopt(parsed);
    this.#readQuery();
  }

  get origin() {
    return this.#partsNow().origin;
  }

  get protocol() {
    return this.#partsNow().protocol;
  }

  set protocol(value) {
    this.#override(`${usv(value)}:`, 'scheme start');
  }

  get username() {
    return this.#partsNow().username;
  }

  set username(value) {
    const text = usv(value);
    this.#change((record, urls) => urls.cannotHaveAUsernamePasswordPort(record) || urls.setTheUsername(record, text));
  }

  get password() {
    return this.#partsNow().password;
  }

  set password(value) {
    const text = usv(value);
    this.#change((record, urls) => urls.cannotHaveAUsernamePasswordPort(record) || urls.setThePassword(record, text));
  }

  get host() {
    const { hostname, port: number } = this.#partsNow();
    return number === '' ? hostname : `${hostname}:${number}`;
  }

  set host(value) {
    const text = usv(value);
    this.#change((record, urls) => urls.hasAnOpaquePath(record) || urls.basicURLParse(text, { url: record, stateOverride: 'host' }));
  }

  get hostname() {
    return this.#partsNow().hostname;
  }

  set hostname(value) {
    const text = usv(value);
    this.#change((record, urls) => urls.hasAnOpaquePath(record) || urls.basicURLParse(text, { url: record, stateOverride: 'hostname' }));
  }

  get port() {
    return this.#partsNow().port;
  }

  set port(value) {
    const text = usv(value);
    this.#change((record, urls) => {
      if (urls.cannotHaveAUsernamePasswordPort(record)) return;
      if (text === '') record.port = null;
      else urls.basicURLParse(text, { url: record, stateOverride: 'port' });
    });
  }

  get pathname() {
    return this.#partsNow().pathname;
  }

  set pathname(value) {
    const text = usv(value);
    if (this.#partsNow().plain && text.charCodeAt(0) === SLASH && scanPath(text, 0) === text.length) {
      this.#replacePart('pathname', text);
      return;
    }
    this.#change((record, urls) => {
      if (urls.hasAnOpaquePath(record)) return;
      record.path = [];
      urls.basicURLParse(text, { url: record, stateOverride: 'path start' });
    });
  }

  get search() {
    return this.#partsNow().search;
  }

  set search(value) {
    const text = usv(value);
    const input = text.startsWith('?') ? text.slice(1) : text;
    if (this.#partsNow().plain && (text === '' || (input !== '' && scanAll(input, 0, QUERY) === input.length))) {
      this.#replacePart('search', text === '' ? '' : `?${input}`);
    } else {
      this.#change((record, urls) => {
        record.query = text === '' ? null : '';
        if (text !== '') urls.basicURLParse(input, { url: record, stateOverride: 'query' });
      });
    }
    this.#readQuery();
  }

  get searchParams() {
    return (this.#params ??= paramsOf(this, this.#partsNow().search));
  }

  #readQuery() {
    if (this.#params !== null) resetParams(this.#params, this.#partsNow().search);
  }

  get hash() {
    return this.#partsNow().hash;
  }

  set hash(value) {
    const text = usv(value);
    this.#change((record, urls) => {
      record.fragment = text === '' ? null : '';
      if (text !== '') urls.basicURLParse(text.startsWith('#') ? text.slice(1) : text, { url: record, stateOverride: 'fragment' });
    });
  }

  toString() {
    return this.#href;
  }

  toJSON() {
    return this.#href;
  }
}

finish(URL);

export function isURL(value) {
  return isUrl(value);
}

/* application/x-www-form-urlencoded */

function decode(text) {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return decodeLoosely(spaced);
  }
}

/** Percent escapes that are no UTF-8, or no escapes at all, pass as the standard's lossy decoder has it. */
function decodeLoosely(text) {
  const bytes = new TextEncoder().encode(text);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    const value = bytes[i] === 0x25 ? hexPair(bytes, i + 1) : -1;
    bytes[n++] = value === -1 ? bytes[i] : value;
    if (value !== -1) i += 2;
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, n));
}

function hexPair(bytes, at) {
  if (at + 1 >= bytes.length) return -1;
  const pair = String.fromCharCode(bytes[at], bytes[at + 1]);
  return /^[0-9a-fA-F]{2}$/.test(pair) ? parseInt(pair, 16) : -1;
}

function encode(text) {
  if (/^[A-Za-z0-9*\-._]*$/.test(text)) return text;
  return encodeURIComponent(text).replace(/%20|[!'()~]/g, (found) => (found === '%20' ? '+' : `%${found.charCodeAt(0).toString(16).toUpperCase()}`));
}

/** [name, value, name, value, …] of a query string without its question mark. */
export function parseUrlencoded(text) {
  const list = [];
  if (text === '') return list;
  for (const piece of text.split('&')) {
    if (piece === '') continue;
    const at = piece.indexOf('=');
    if (at === -1) list.push(decode(piece), '');
    else list.push(decode(piece.slice(0, at)), decode(piece.slice(at + 1)));
  }
  return list;
}

function serializeUrlencoded(list) {
  let text = '';
  for (let i = 0; i < list.length; i += 2) {
    text += `${i === 0 ? '' : '&'}${encode(list[i])}=${encode(list[i + 1])}`;
  }
  return text;
}

let paramsOf;
let resetParams;
let listOf;
let isParams;

export class URLSearchParams {
  #list = []; // name, value, name, value
  #url = null;

  constructor(init = '') {
    if (init === null || (typeof init !== 'object' && typeof init !== 'function')) {
      const text = usv(init);
      this.#list = parseUrlencoded(text.startsWith('?') ? text.slice(1) : text);
    } else if (#list in init && init[Symbol.iterator] === URLSearchParams.prototype[Symbol.iterator]) {
      this.#list = init.#list.slice();
    } else if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null) {
      for (const pair of init) this.#addPair([...pair]);
    } else {
      for (const key of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, key)?.enumerable) this.#putUnique(usv(key), usv(init[key]));
      }
    }
  }

  static {
    paramsOf = (url, search) => {
      const params = new URLSearchParams(search);
      params.#url = url;
      return params;
    };
    resetParams = (params, search) => {
      params.#list = parseUrlencoded(search.slice(1));
    };
    listOf = (params) => params.#list;
    isParams = (value) => typeof value === 'object' && value !== null && #list in value;
  }

  #addPair(pair) {
    if (pair.length !== 2) {
      throw new TypeError('Invalid URL search params sequence.');
    }
    this.#list.push(usv(pair[0]), usv(pair[1]));
  }

  // Two keys of a record may become the same USVString; the later one wins.
  #putUnique(key, value) {
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === key) {
        this.#list[i + 1] = value;
        return;
      }
    }
    this.#list.push(key, value);
  }

  #changed() {
    if (this.#url !== null) setQuery(this.#url, serializeUrlencoded(this.#list));
  }

  #remove(matches) {
    const kept = [];
    for (let i = 0; i < this.#list.length; i += 2) {
      if (!matches(this.#list[i], this.#list[i + 1])) kept.push(this.#list[i], this.#list[i + 1]);
    }
    this.#list = kept;
  }

  get size() {
    return this.#list.length / 2;
  }

  append(key, value) {
    if (arguments.length < 2) throw wrongArgument('append', 'URLSearchParams', arguments.length + 1, 'USVString');
    this.#list.push(usv(key), usv(value));
    this.#changed();
  }

  delete(key, value = undefined) {
    if (arguments.length < 1) throw wrongArgument('delete', 'URLSearchParams', 1, 'USVString');
    const wanted = usv(key);
    const exact = value === undefined ? undefined : usv(value);
    this.#remove((k, v) => k === wanted && (exact === undefined || v === exact));
    this.#changed();
  }

  get(key) {
    if (arguments.length < 1) throw wrongArgument('get', 'URLSearchParams', 1, 'USVString');
    const wanted = usv(key);
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === wanted) return this.#list[i + 1];
    return null;
  }

  getAll(key) {
    if (arguments.length < 1) throw wrongArgument('getAll', 'URLSearchParams', 1, 'USVString');
    const wanted = usv(key);
    const values = [];
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === wanted) values.push(this.#list[i + 1]);
    return values;
  }

  has(key, value = undefined) {
    if (arguments.length < 1) throw wrongArgument('has', 'URLSearchParams', 1, 'USVString');
    const wanted = usv(key);
    const exact = value === undefined ? undefined : usv(value);
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === wanted && (exact === undefined || this.#list[i + 1] === exact)) return true;
    }
    return false;
  }

  set(key, value) {
    if (arguments.length < 2) throw wrongArgument('set', 'URLSearchParams', arguments.length + 1, 'USVString');
    const wanted = usv(key);
    const text = usv(value);
    let found = false;
    this.#remove((k) => {
      if (k !== wanted || !found) {
        found ||= k === wanted;
        return false;
      }
      return true;
    });
    if (found) this.#putUnique(wanted, text);
    else this.#list.push(wanted, text);
    this.#changed();
  }

  sort() {
    const pairs = [];
    for (let i = 0; i < this.#list.length; i += 2) pairs.push([this.#list[i], this.#list[i + 1]]);
    pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#list = pairs.flat();
    this.#changed();
  }

  toString() {
    return serializeUrlencoded(this.#list);
  }
}

finish(URLSearchParams);
makeIterable(URLSearchParams, isParams, (params, index) => {
  const list = listOf(params);
  return 2 * index < list.length ? [list[2 * index], list[2 * index + 1]] : undefined;
});
