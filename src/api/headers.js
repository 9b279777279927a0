// Headers (Fetch 5.1).
//
// A head that came over the link ("Name: value\n" a line, Latin-1) is kept as text until somebody looks. Then each name has one
// entry, { name, value }, name as first written; values of repeated fields are joined, but Set-Cookie's also stay apart.
import { KEYS, pairIterators, VALUES } from './iterate.js';
import { finish, illegalInvocation, wrongArgument, wrongConstructorArgument } from './webidl.js';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const lowerToken = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const plainValue = /^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/;
const fieldValue = /^[\x01-\x09\x0b\x0c\x0e-\xff]*$/;

function checkedName(name) {
  if (typeof name !== 'string') name = String(name);
  if (!token.test(name)) throw new TypeError('Invalid header name.');
  return name;
}

function checkedValue(value) {
  if (typeof value !== 'string') value = String(value);
  if (plainValue.test(value)) return value;
  value = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (!fieldValue.test(value)) throw new TypeError('Invalid header value.');
  return value;
}

function lower(name) {
  return lowerToken.test(name) ? name : name.toLowerCase();
}

let fromHead;
let mapOf;
let textOf;
let copyOf;
let freeze;

export class Headers {
  #head = null; // not parsed yet
  #map = null; // lower-case name → { name, value, list }; list: the values of set-cookie
  #immutable = false;

  constructor(init = undefined) {
    if (init === undefined || init === null) return;
    if (typeof init !== 'object' && typeof init !== 'function') throw wrongConstructorArgument('Headers', 1, 'HeadersInit');
    if (#head in init) {
      this.#head = init.#head;
      if (init.#map !== null) for (const [key, entry] of init.#map) this.#entries().set(key, { ...entry, list: entry.list?.slice() });
    } else if (init[Symbol.iterator] !== undefined) {
      for (const pair of init) this.#appendPair([...pair]);
    } else {
      for (const key of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, key)?.enumerable) this.#add(checkedName(key), checkedValue(init[key]));
      }
    }
  }

  static {
    fromHead = (head, immutable) => {
      const headers = new Headers();
      headers.#head = head;
      headers.#immutable = immutable;
      return headers;
    };
    mapOf = (headers) => headers.#entries();
    textOf = (headers) => headers.#head ?? headers.#text();
    copyOf = (value) => (typeof value === 'object' && value !== null && #head in value ? value : null);
    freeze = (headers) => {
      headers.#immutable = true;
    };
  }

  #entries() {
    if (this.#head !== null) this.#parse();
    return (this.#map ??= new Map());
  }

  #parse() {
    const head = this.#head;
    this.#head = null;
    this.#map = new Map();
    for (let at = 0; at < head.length; ) {
      let end = head.indexOf('\n', at);
      if (end === -1) end = head.length;
      const colon = head.indexOf(':', at);
      if (colon < end && colon > at) this.#add(head.slice(at, colon), head.slice(head.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1, end));
      at = end + 1;
    }
  }

  #text() {
    let text = '';
    if (this.#map === null) return text;
    for (const { name, value, list } of this.#map.values()) {
      if (list === undefined) text += `${name}: ${value}\n`;
      else for (const item of list) text += `${name}: ${item}\n`;
    }
    return text;
  }

  #add(name, value) {
    const map = this.#entries();
    const key = lower(name);
    const entry = map.get(key);
    if (entry === undefined) {
      map.set(key, { name, value, list: key === 'set-cookie' ? [value] : undefined });
    } else {
      entry.value = `${entry.value}, ${value}`;
      entry.list?.push(value);
    }
  }

  #appendPair(pair) {
    if (pair.length !== 2) throw new TypeError('Sequence initializer must only contain pairs of name and value.');
    this.#add(checkedName(pair[0]), checkedValue(pair[1]));
  }

  #mutable() {
    if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
  }

  append(name, value) {
    if (arguments.length < 2) throw wrongArgument('append', 'Headers', arguments.length + 1, 'string');
    this.#mutable();
    this.#add(checkedName(name), checkedValue(value));
  }

  delete(name) {
    if (arguments.length < 1) throw wrongArgument('delete', 'Headers', 1, 'string');
    this.#mutable();
    this.#entries().delete(lower(checkedName(name)));
  }

  get(name) {
    if (arguments.length < 1) throw wrongArgument('get', 'Headers', 1, 'string');
    return this.#entries().get(lower(checkedName(name)))?.value ?? null;
  }

  getAll(name) {
    if (lower(checkedName(name)) !== 'set-cookie') {
      throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    }
    return this.getSetCookie();
  }

  getSetCookie() {
    return this.#entries().get('set-cookie')?.list.slice() ?? [];
  }

  has(name) {
    if (arguments.length < 1) throw wrongArgument('has', 'Headers', 1, 'string');
    return this.#entries().has(lower(checkedName(name)));
  }

  set(name, value) {
    if (arguments.length < 2) throw wrongArgument('set', 'Headers', arguments.length + 1, 'string');
    this.#mutable();
    const given = checkedName(name);
    const text = checkedValue(value);
    const key = lower(given);
    const list = key === 'set-cookie' ? [text] : undefined;
    this.#entries().set(key, { name: given, value: text, list });
  }

  forEach(callback, self = undefined) {
    if (typeof callback !== 'function') throw wrongArgument('forEach', 'Headers', 1, 'Function');
    for (const [name, value] of iterator(this.#own(), undefined)) callback.call(self, value, name, this);
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
    if (!(#head in this)) throw illegalInvocation();
    return this;
  }
}

/** [lower-case name, value] sorted by name, set-cookie once a value. */
function sortedPairs(headers) {
  const map = mapOf(headers);
  const pairs = [];
  for (const key of [...map.keys()].sort()) {
    const { value, list } = map.get(key);
    if (list === undefined) pairs.push([key, value]);
    else for (const item of list) pairs.push([key, item]);
  }
  return pairs;
}

// An iteration sorts once and again only after a change of size, which is what a loop that edits while it reads can notice.
const sorted = new WeakMap();

const iterator = pairIterators('Headers', (headers, index) => {
  let found = index === 0 ? undefined : sorted.get(headers);
  if (found === undefined || found.size !== mapOf(headers).size) {
    found = { size: mapOf(headers).size, pairs: sortedPairs(headers) };
    sorted.set(headers, found);
  }
  return found.pairs[index];
});

finish(Headers);
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: Headers.prototype.entries, writable: true, configurable: true });

/** Headers of a head from the link, parsed when needed. Their owner decides whether the application may change them. */
export function headersOfHead(head, immutable) {
  return fromHead(head, immutable);
}

/** "Name: value\n" a field, as the link takes it. */
export function headersText(headers) {
  return textOf(headers);
}

export function isHeaders(value) {
  return copyOf(value) !== null;
}

export function makeImmutable(headers) {
  freeze(headers);
}

/** The value of a field by its lower-case name, or null; without checks. */
export function headerValue(headers, key) {
  return mapOf(headers).get(key)?.value ?? null;
}

/** Sets a field that is not there yet. */
export function defaultHeader(headers, name, key, value) {
  const map = mapOf(headers);
  if (!map.has(key)) map.set(key, { name, value, list: undefined });
}
