// Headers (Fetch 5.1).
//
// A head that came over the link ("Name: value\n" a line, Latin-1) is kept as text until somebody looks. Then each name has one
// entry, { name, value }, name as first written; values of repeated fields are joined, but Set-Cookie's also stay apart.
import { encodeText, latin1Decode } from './encoding.js';
import { makeIterable } from './iterate.js';
import { finish, wrongArgument, wrongConstructorArgument } from './webidl.js';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const plainValue = /^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/;
const noFieldValue = /[\0\n\r]/;

const keys = new Map(); // of names that were checked: name → lower case
const KEYS_MAX = 512;

/** The lower-case form of a name that may be a field's. */
function keyOf(name) {
  const known = keys.get(name);
  if (known !== undefined) return known;
  const text = String(name);
  if (!token.test(text)) throw new TypeError('Invalid header name.');
  const key = text.toLowerCase();
  if (keys.size < KEYS_MAX) keys.set(text, key);
  return key;
}

const wide = /[^\0-\xff]/;

/** A value with characters beyond Latin-1 leaves as UTF-8. */
function utf8Units(value) {
  return wide.test(value) ? latin1Decode(encodeText(value)) : value;
}

function checkedValue(value) {
  if (typeof value !== 'string') value = String(value);
  if (plainValue.test(value)) return value;
  value = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (noFieldValue.test(value)) throw new TypeError('Invalid header value.');
  return value;
}

const SEARCHES_MAX = 3;
const COLON = 58;
const SPACE = 32;

function valueIn(head, colon, end) {
  return head.slice(head.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1, end);
}

/** Whether the name that begins at `at` is key but for its case. Both are tokens; letters differ in one bit. */
function isNameAt(head, at, key) {
  for (let i = 0; i < key.length; i++) {
    const c = head.charCodeAt(at + i);
    const k = key.charCodeAt(i);
    if (c !== k && (c | 32) !== k) return false;
    if (c !== k && (k < 97 || k > 122)) return false;
  }
  return true;
}

/** The value, or the joined values, of the fields with that lower-case name; null without one. */
function searchHead(head, key) {
  let value = null;
  for (let at = 0; at < head.length; ) {
    let end = head.indexOf('\n', at);
    if (end === -1) end = head.length;
    const colon = at + key.length;
    if (head.charCodeAt(colon) === COLON && colon < end && isNameAt(head, at, key)) {
      const found = valueIn(head, colon, end);
      value = value === null ? found : `${value}, ${found}`;
    }
    at = end + 1;
  }
  return value;
}

let fromHead;
let mapOf;
let valueOf;
let textOf;
let copyOf;
let freeze;

export class Headers {
  #head = null; // not parsed yet
  #map = null; // lower-case name → { name, value, list }; list: the values of set-cookie
  #immutable = false;
  #searches = 0; // of #head, so far

  constructor(init = undefined) {
    if (init === undefined || init === null) return;
    if (typeof init !== 'object' && typeof init !== 'function') throw wrongConstructorArgument('Headers', 1, 'Headers or Sequence or object');
    if (#head in init) {
      this.#head = init.#head;
      if (init.#map !== null) for (const [key, entry] of init.#map) this.#entries().set(key, { ...entry, list: entry.list?.slice() });
    } else if (init[Symbol.iterator] !== undefined) {
      for (const pair of init) this.#appendPair([...pair]);
    } else {
      for (const name of Object.keys(init)) this.#add(name, keyOf(name), checkedValue(init[name]));
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
    valueOf = (headers, key) => headers.#value(key);
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
      if (colon < end && colon > at) {
        const name = head.slice(at, colon);
        this.#add(name, name.toLowerCase(), valueIn(head, colon, end));
      }
      at = end + 1;
    }
  }

  // The first few reads of a head search it, which is cheaper than making all its entries.
  #value(key) {
    if (this.#head !== null && this.#searches < SEARCHES_MAX) {
      this.#searches++;
      return searchHead(this.#head, key);
    }
    return this.#entries().get(key)?.value ?? null;
  }

  #text() {
    const text = this.#lines((value) => value);
    return wide.test(text) ? this.#lines(utf8Units) : text;
  }

  #lines(form) {
    let text = '';
    if (this.#map === null) return text;
    for (const { name, value, list } of this.#map.values()) {
      if (list === undefined) text += `${name}: ${form(value)}\n`;
      else for (const item of list) text += `${name}: ${form(item)}\n`;
    }
    return text;
  }

  #add(name, key, value) {
    const map = this.#entries();
    const entry = map.get(key);
    if (entry === undefined) {
      map.set(key, { name, value, list: key === 'set-cookie' ? [value] : undefined });
    } else {
      entry.value = `${entry.value}, ${value}`;
      entry.list?.push(value);
    }
  }

  #appendPair(pair) {
    if (pair.length !== 2) throw new TypeError('To initialize a Headers object from a sequence, each inner sequence must have exactly two elements.');
    this.#add(String(pair[0]), keyOf(pair[0]), checkedValue(pair[1]));
  }

  #mutable() {
    if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
  }

  append(name, value) {
    if (arguments.length < 2) throw wrongArgument('append', 'Headers', arguments.length + 1, 'string');
    this.#mutable();
    this.#add(String(name), keyOf(name), checkedValue(value));
  }

  delete(name) {
    if (arguments.length < 1) throw wrongArgument('delete', 'Headers', 1, 'string');
    this.#mutable();
    this.#entries().delete(keyOf(name));
  }

  get(name) {
    if (arguments.length < 1) throw wrongArgument('get', 'Headers', 1, 'string');
    return this.#value(keyOf(name));
  }

  getAll(name) {
    if (keyOf(name) !== 'set-cookie') {
      throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    }
    return this.getSetCookie();
  }

  getSetCookie() {
    return this.#entries().get('set-cookie')?.list.slice() ?? [];
  }

  has(name) {
    if (arguments.length < 1) throw wrongArgument('has', 'Headers', 1, 'string');
    return this.#value(keyOf(name)) !== null;
  }

  set(name, value) {
    if (arguments.length < 2) throw wrongArgument('set', 'Headers', arguments.length + 1, 'string');
    this.#mutable();
    const key = keyOf(name);
    const text = checkedValue(value);
    const list = key === 'set-cookie' ? [text] : undefined;
    this.#entries().set(key, { name: String(name), value: text, list });
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

finish(Headers);
makeIterable(Headers, isHeaders, (headers, index) => {
  let found = index === 0 ? undefined : sorted.get(headers);
  if (found === undefined || found.size !== mapOf(headers).size) {
    found = { size: mapOf(headers).size, pairs: sortedPairs(headers) };
    sorted.set(headers, found);
  }
  return found.pairs[index];
});

/** Headers of a head from the link, parsed when needed. Their owner decides whether the application may change them. */
export function headersOfHead(head, immutable) {
  return fromHead(head, immutable);
}

/** "Name: value\n" a field, as the link takes it. */
export function headersText(headers) {
  return textOf(headers);
}

function isHeaders(value) {
  return copyOf(value) !== null;
}

export function makeImmutable(headers) {
  freeze(headers);
}

/** The value of a field by its lower-case name, or null; without checks. */
export function headerValue(headers, key) {
  return valueOf(headers, key);
}

/** Sets a field that is not there yet. */
export function defaultHeader(headers, name, key, value) {
  const map = mapOf(headers);
  if (!map.has(key)) map.set(key, { name, value, list: undefined });
}
