// URL and URLSearchParams (url.spec.whatwg.org).
//
// Most URLs of a server are absolute, http-like, lower-case, and need no escaping: their serialisation is the input itself.
// One regular expression recognises them (`plain`), and their parts are cut out when somebody asks. Everything else goes
// through whatwg-url's state machine, loaded on first use. test/js/url.js holds both against each other.
import { KEYS, pairIterators, VALUES } from './iterate.js';
import { finish, illegalInvocation, usv, wrongArgument, wrongConstructorArgument } from './webidl.js';

// A host whose last label begins with a digit may be an IPv4 address and must be canonical; `xn--` labels need a check.
const label = '(?!xn--)[a-z0-9_-]+';
const name = `(?:${label}\\.)*(?!xn--)[a-z_][a-z0-9_-]*`;
const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const host = `(?:${name}|${byte}(?:\\.${byte}){3})`;
const dots = '(?:\\.|%2[eE]){1,2}(?:[/?#]|$)';
const pathChars = "[!$%&'()*+,\\-.0-9:;=@A-Z_a-z~|[\\]]";
const path = `(?:/(?!${dots})${pathChars}*)+`;
const query = '\\?[!$%&()*+,\\-./0-9:;=?@A-Z[\\\\\\]^_`a-z{|}~]+';
const fragment = '#[!#$%&\'()*+,\\-./0-9:;=?@A-Z[\\\\\\]^_a-z{|}~]+';
const port = '(?::[1-9]\\d{0,3})?';

const plain = new RegExp(`^(?:http|ws)s?://${host}${port}${path}(?:${query})?(?:${fragment})?$`);
const plainPath = new RegExp(`^${path}$`);
const plainQuery = new RegExp(`^${query}$`);
const plainReference = new RegExp(`^${path}(?:${query})?(?:${fragment})?$`);

const defaultPorts = { __proto__: null, 'http:': '80', 'ws:': '80', 'https:': '443', 'wss:': '443' };

/** Whether text is its own serialisation, and of the shape that cutParts understands. */
function isPlain(text) {
  if (!plain.test(text)) return false;
  const at = text.indexOf(':', 6);
  return at === -1 || !hasDefaultPort(text, at);
}

// at: the first colon behind the scheme's own, which may also be part of the path.
function hasDefaultPort(text, at) {
  const end = text.indexOf('/', 8);
  if (at > end) return false;
  const number = text.slice(at + 1, end);
  return number === (text.charCodeAt(4) === 115 || text.charCodeAt(2) === 115 ? '443' : '80');
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
    if (plainReference.test(input) && !input.startsWith('//')) return { href: base.slice(0, base.indexOf('/', 8)) + input, parts: null };
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

/** The parts of a URL that normalUrl or URL gave: { protocol, hostname, port, pathname, search, hash, username, password, … }. */
export function urlParts(href) {
  return isPlain(href) ? cutParts(href) : parse(href).parts;
}

let setQuery;
let isUrl;
const inside = Symbol();

export class URL {
  #href;
  #parts = null;
  #params = null;

  constructor(url, base = undefined) {
    if (arguments.length === 0) throw wrongConstructorArgument('URL', 1, 'string');
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
    if (arguments.length === 0) throw wrongArgument('canParse', 'URL', 1, 'string');
    return parse(String(url), base === undefined ? undefined : String(base)) !== null;
  }

  static parse(url, base = undefined) {
    if (arguments.length === 0) throw wrongArgument('parse', 'URL', 1, 'string');
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
    if (this.#partsNow().plain && plainPath.test(text)) {
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
    if (this.#partsNow().plain && (text === '' || plainQuery.test(`?${input}`))) {
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

export function serializeUrlencoded(list) {
  let text = '';
  for (let i = 0; i < list.length; i += 2) {
    text += `${i === 0 ? '' : '&'}${encode(list[i])}=${encode(list[i + 1])}`;
  }
  return text;
}

let paramsOf;
let resetParams;
let listOf;

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
  }

  #addPair(pair) {
    if (pair.length !== 2) {
      throw new TypeError('Sequence initializer must only contain pairs of name and value.');
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
    if (arguments.length < 2) throw wrongArgument('append', 'URLSearchParams', arguments.length + 1, 'string');
    this.#list.push(usv(key), usv(value));
    this.#changed();
  }

  delete(key, value = undefined) {
    if (arguments.length < 1) throw wrongArgument('delete', 'URLSearchParams', 1, 'string');
    const wanted = usv(key);
    const exact = value === undefined ? undefined : usv(value);
    this.#remove((k, v) => k === wanted && (exact === undefined || v === exact));
    this.#changed();
  }

  get(key) {
    if (arguments.length < 1) throw wrongArgument('get', 'URLSearchParams', 1, 'string');
    const wanted = usv(key);
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === wanted) return this.#list[i + 1];
    return null;
  }

  getAll(key) {
    if (arguments.length < 1) throw wrongArgument('getAll', 'URLSearchParams', 1, 'string');
    const wanted = usv(key);
    const values = [];
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === wanted) values.push(this.#list[i + 1]);
    return values;
  }

  has(key, value = undefined) {
    if (arguments.length < 1) throw wrongArgument('has', 'URLSearchParams', 1, 'string');
    const wanted = usv(key);
    const exact = value === undefined ? undefined : usv(value);
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === wanted && (exact === undefined || this.#list[i + 1] === exact)) return true;
    }
    return false;
  }

  set(key, value) {
    if (arguments.length < 2) throw wrongArgument('set', 'URLSearchParams', arguments.length + 1, 'string');
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

  forEach(callback, self = undefined) {
    if (typeof callback !== 'function') throw wrongArgument('forEach', 'URLSearchParams', 1, 'Function');
    for (let i = 0; i < this.#list.length; i += 2) callback.call(self, this.#list[i + 1], this.#list[i], this);
  }

  entries() {
    return iterator(this.#own(), undefined);
  }

  keys() {
    return iterator(this.#own(), KEYS);
  }

  values() {
    return iterator(this.#own(), VALUES);
  }

  #own() {
    if (!(#list in this)) throw illegalInvocation();
    return this;
  }

  toString() {
    return serializeUrlencoded(this.#list);
  }
}

const iterator = pairIterators('URLSearchParams', (params, index) => {
  const list = listOf(params);
  return 2 * index < list.length ? [list[2 * index], list[2 * index + 1]] : undefined;
});

finish(URLSearchParams);
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, { value: URLSearchParams.prototype.entries, writable: true, configurable: true });
