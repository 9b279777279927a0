// Structured clone (HTML 2.7): values to bytes and back, and structuredClone().
//
// The encoding is what V8's serializer writes, version 15, because limits on serialized sizes are limits on its sizes:
//
//   FF 0F value
//   value  = '_' undefined | '0' null | 'T' 'F' booleans | 'I' zigzag | 'N' double | 'Z' bigint | '"' latin1 | 'c' utf16 | object
//   object = 'o' (key value)* '{' count            | 'A' length value* (key value)* '$' count length   ('-' is a hole)
//          | 'D' double | 'R' source flags | ';' (key value)* ':' count | "'" value* ',' count | 'B' length bytes
//          | buffer 'V' kind offset length flags  (a view stands behind its buffer, 'B'… or '^')
//          | 'r' (class) ('m' message) ('c' cause) ('s' stack) '.'
//          | 'y' 'x' 'n' 'z' 's' boxed primitives  | '^' number of an object met before
//          | 't' number of a transferred buffer    | '\' 'X' name message stack: DOMException | '\' 'O' number in the side table
//
// Lengths and counts are varints (LEB128). Objects are numbered in the order in which they begin.
import { blobBytes, blobOf, File, fileOf, isBlob } from './blob.js';
import { DOMException } from './domexception.js';
import { latin1Decode, latin1Encode } from './encoding.js';
import { isArrayBuffer, platformName, wrongArgument } from './webidl.js';

const VERSION = 15;
const HOST = 0x5c;

const code = (character) => character.charCodeAt(0);

const viewKinds = [
  [Int8Array, 'b'], [Uint8Array, 'B'], [Uint8ClampedArray, 'C'], [Int16Array, 'w'], [Uint16Array, 'W'], [Int32Array, 'd'], [Uint32Array, 'D'],
  [Float16Array, 'h'], [Float32Array, 'f'], [Float64Array, 'F'], [BigInt64Array, 'q'], [BigUint64Array, 'Q'], [DataView, '?'],
];
const errorClasses = [[EvalError, 'E'], [RangeError, 'R'], [ReferenceError, 'F'], [SyntaxError, 'S'], [TypeError, 'T'], [URIError, 'U']];
const regExpFlags = [['g', 1], ['i', 2], ['m', 4], ['y', 8], ['u', 16], ['s', 32], ['d', 128], ['v', 256]];

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

function refuse(value) {
  return new DOMException(`${value} could not be cloned.`, 'DataCloneError');
}

class Writer {
  #bytes = new Uint8Array(256);
  #n = 0;
  #seen = null; // object → number
  #transferred; // buffer → number, or null
  #side; // function, or null

  constructor(transferred, side) {
    this.#transferred = transferred;
    this.#side = side;
    this.#byte(0xff);
    this.#byte(VERSION);
  }

  take() {
    return this.#bytes.slice(0, this.#n);
  }

  #room(n) {
    if (this.#n + n <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#n + n));
    larger.set(this.#bytes.subarray(0, this.#n));
    this.#bytes = larger;
  }

  #byte(b) {
    if (this.#n === this.#bytes.length) this.#room(1);
    this.#bytes[this.#n++] = b;
  }

  #tag(character) {
    this.#byte(character.charCodeAt(0));
  }

  #varint(n) {
    while (n > 127) {
      this.#byte((n % 128) | 128);
      n = Math.floor(n / 128);
    }
    this.#byte(n);
  }

  #double(d) {
    float[0] = d;
    this.#raw(floatBytes);
  }

  #raw(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#n);
    this.#n += bytes.length;
  }

  write(value) {
    switch (typeof value) {
      case 'undefined':
        this.#tag('_');
        break;
      case 'boolean':
        this.#tag(value ? 'T' : 'F');
        break;
      case 'number':
        this.#number(value);
        break;
      case 'bigint':
        this.#tag('Z');
        this.#bigint(value);
        break;
      case 'string':
        this.#string(value);
        break;
      case 'object':
        if (value === null) this.#tag('0');
        else this.#object(value);
        break;
      default:
        this.#other(value);
    }
  }

  #number(n) {
    if ((n | 0) === n && (n !== 0 || 1 / n > 0)) {
      this.#tag('I');
      this.#varint(n < 0 ? -2 * n - 1 : 2 * n);
    } else {
      this.#tag('N');
      this.#double(n);
    }
  }

  // Sign in bit 0, the number of bytes (a multiple of 8) above it, then the digits from the least.
  #bigint(n) {
    const negative = n < 0n;
    const digits = (negative ? -n : n).toString(16);
    const words = n === 0n ? 0 : Math.ceil(digits.length / 16);
    this.#varint(words * 16 + (negative ? 1 : 0));
    const padded = digits.padStart(words * 16, '0');
    for (let i = words * 16 - 2; i >= 0; i -= 2) this.#byte(parseInt(padded.slice(i, i + 2), 16));
  }

  #string(text) {
    if (text.length > 40) {
      this.#longString(text);
      return;
    }
    const start = this.#n;
    this.#room(text.length + 2);
    const bytes = this.#bytes;
    let n = start;
    bytes[n++] = 0x22;
    bytes[n++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c > 255) {
        this.#wideString(text);
        return;
      }
      bytes[n++] = c;
    }
    this.#n = n;
  }

  #longString(text) {
    const bytes = latin1Encode(text);
    if (bytes === null) {
      this.#wideString(text);
      return;
    }
    this.#tag('"');
    this.#varint(bytes.length);
    this.#raw(bytes);
  }

  // The units stand at an even place.
  #wideString(text) {
    const size = text.length * 2;
    const lengthBytes = size < 0x80 ? 1 : size < 0x4000 ? 2 : size < 0x200000 ? 3 : size < 0x10000000 ? 4 : 5;
    if ((this.#n + 1 + lengthBytes) & 1) this.#byte(0);
    this.#tag('c');
    this.#varint(size);
    this.#room(size);
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      this.#bytes[this.#n++] = c & 0xff;
      this.#bytes[this.#n++] = c >> 8;
    }
  }

  #other(value) {
    if (this.#aside(value)) return;
    throw refuse(String(value));
  }

  // True when the side table has taken the value.
  #aside(value) {
    const place = this.#side === null ? -1 : this.#side(value);
    if (place === -1) return false;
    this.#byte(HOST);
    this.#tag('O');
    this.#varint(place);
    return true;
  }

  #object(object) {
    const seen = this.#seen?.get(object);
    if (seen !== undefined) {
      this.#tag('^');
      this.#varint(seen);
      return;
    }
    const view = ArrayBuffer.isView(object);
    if (view) this.#object(object.buffer);
    this.#seen ??= new Map();
    this.#seen.set(object, this.#seen.size);
    const proto = Object.getPrototypeOf(object);
    if (Array.isArray(object)) this.#array(object);
    else if (proto === Object.prototype || proto === null) this.#plain(object);
    else if (view) this.#view(object);
    else this.#special(object);
  }

  #properties(object, keys) {
    for (const key of keys) {
      const index = Number(key);
      if (key.length <= 10 && String(index) === key && Number.isInteger(index) && index >= 0 && index < 0xffffffff) this.#number(index);
      else this.#string(key);
      this.write(object[key]);
    }
  }

  #plain(object) {
    const keys = Object.keys(object);
    this.#tag('o');
    this.#properties(object, keys);
    this.#tag('{');
    this.#varint(keys.length);
  }

  #array(array) {
    const length = array.length;
    const keys = Object.keys(array);
    let elements = 0;
    while (elements < keys.length && elements < length && keys[elements] === String(elements)) elements++;
    if (elements !== length) {
      this.#sparse(array, keys);
      return;
    }
    this.#tag('A');
    this.#varint(length);
    for (let i = 0; i < length; i++) {
      if (i < array.length) this.write(array[i]);
      else this.#tag('-');
    }
    this.#properties(array, keys.slice(length));
    this.#tag('$');
    this.#varint(keys.length - length);
    this.#varint(length);
  }

  #sparse(array, keys) {
    this.#tag('a');
    this.#varint(array.length);
    this.#properties(array, keys);
    this.#tag('@');
    this.#varint(keys.length);
    this.#varint(array.length);
  }

  #view(view) {
    const [, kind] = viewKinds.find(([ctor]) => view instanceof ctor);
    this.#tag('V');
    this.#tag(kind);
    this.#varint(view.byteOffset);
    this.#varint(view.byteLength);
    this.#varint(0);
  }

  #buffer(buffer) {
    const number = this.#transferred?.get(buffer);
    if (number !== undefined) {
      this.#tag('t');
      this.#varint(number);
      return;
    }
    if (buffer.detached) throw new DOMException('An ArrayBuffer is detached and could not be cloned.', 'DataCloneError');
    this.#tag('B');
    this.#varint(buffer.byteLength);
    this.#raw(new Uint8Array(buffer));
  }

  #special(object) {
    if (object instanceof Date) {
      this.#tag('D');
      this.#double(object.getTime());
    } else if (object instanceof Map) this.#map(object);
    else if (object instanceof Set) this.#set(object);
    else if (isArrayBuffer(object)) this.#buffer(object);
    else if (object instanceof RegExp) this.#regExp(object);
    else if (Error.isError?.(object) ?? object instanceof Error) this.#error(object);
    else this.#rare(object);
  }

  #map(map) {
    const entries = [...map];
    this.#tag(';');
    for (const [key, value] of entries) {
      this.write(key);
      this.write(value);
    }
    this.#tag(':');
    this.#varint(entries.length * 2);
  }

  #set(set) {
    const values = [...set];
    this.#tag("'");
    for (const value of values) this.write(value);
    this.#tag(',');
    this.#varint(values.length);
  }

  #regExp(regExp) {
    this.#tag('R');
    this.#string(regExp.source);
    this.#varint(regExpFlags.reduce((bits, [flag, bit]) => (regExp.flags.includes(flag) ? bits | bit : bits), 0));
  }

  #error(error) {
    if (error instanceof DOMException) {
      this.#byte(HOST);
      this.#tag('X');
      for (const text of [error.name, error.message, String(error.stack)]) this.#string(text);
      return;
    }
    this.#tag('r');
    const name = String(error.name);
    const [, kind] = errorClasses.find(([ctor]) => ctor.prototype.name === name) ?? [];
    if (kind !== undefined) this.#tag(kind);
    const message = Object.getOwnPropertyDescriptor(error, 'message');
    if (message !== undefined && 'value' in message) {
      this.#tag('m');
      this.#string(String(message.value));
    }
    if (Object.hasOwn(error, 'cause')) {
      this.#tag('c');
      this.write(error.cause);
    }
    if (typeof error.stack === 'string') {
      this.#tag('s');
      this.#string(error.stack);
    }
    this.#tag('.');
  }

  #rare(object) {
    if (object instanceof Boolean) this.#tag(object.valueOf() ? 'y' : 'x');
    else if (object instanceof Number) {
      this.#tag('n');
      this.#double(object.valueOf());
    } else if (object instanceof BigInt) {
      this.#tag('z');
      this.#bigint(object.valueOf());
    } else if (object instanceof String) {
      this.#tag('s');
      this.#string(object.valueOf());
    } else this.#instance(object);
  }

  // Instances of the application's classes lose their class; those of the engine and of the platform have what no copy has.
  #instance(object) {
    if (this.#aside(object)) return;
    const name = platformName(object);
    if (name !== undefined) {
      throw new DOMException(`Could not serialize object of type "${name}". This type does not support serialization.`, 'DataCloneError');
    }
    for (const ctor of [Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry]) {
      if (object instanceof ctor) throw refuse(`#<${ctor.name}>`);
    }
    if (object instanceof Iterator || object instanceof Symbol) throw refuse(Object.prototype.toString.call(object));
    this.#plain(object);
  }
}

class Reader {
  #bytes;
  #at = 0;
  #objects = [];
  #transferred;
  #side;

  constructor(bytes, transferred, side) {
    this.#bytes = bytes;
    this.#transferred = transferred;
    this.#side = side;
    if (this.#byte() !== 0xff || this.#byte() !== VERSION) this.#fail();
  }

  #fail() {
    throw new DOMException('Unable to deserialize cloned data.', 'DataCloneError');
  }

  #byte() {
    if (this.#at >= this.#bytes.length) this.#fail();
    return this.#bytes[this.#at++];
  }

  #varint() {
    let n = 0;
    let scale = 1;
    for (;;) {
      const b = this.#byte();
      n += (b & 127) * scale;
      if (b < 128) return n;
      scale *= 128;
      if (scale > 2 ** 56) this.#fail();
    }
  }

  #double() {
    floatBytes.set(this.#raw(8));
    return float[0];
  }

  #raw(n) {
    const end = this.#at + n;
    if (end > this.#bytes.length) this.#fail();
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  #tag() {
    let tag = this.#byte();
    while (tag === 0) tag = this.#byte();
    return tag;
  }

  #peek() {
    while (this.#bytes[this.#at] === 0) this.#at++;
    return this.#bytes[this.#at];
  }

  read() {
    const tag = this.#tag();
    switch (tag) {
      case 0x5f: // _
        return undefined;
      case 0x30: // 0
        return null;
      case 0x54: // T
        return true;
      case 0x46: // F
        return false;
      case 0x49: { // I
        const n = this.#varint();
        return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
      }
      case 0x4e: // N
        return this.#double();
      case 0x5a: // Z
        return this.#bigint();
      case 0x22: // "
        return this.#latin1();
      case 0x63: // c
        return this.#utf16();
      case 0x5e: // ^
        return this.#again(this.#objects[this.#varint()]);
      default:
        return this.#object(tag);
    }
  }

  #bigint() {
    const bits = this.#varint();
    const bytes = this.#raw(bits >> 1);
    let digits = '';
    for (let i = bytes.length - 1; i >= 0; i--) digits += bytes[i].toString(16).padStart(2, '0');
    const n = digits === '' ? 0n : BigInt(`0x${digits}`);
    return bits & 1 ? -n : n;
  }

  #latin1() {
    const length = this.#varint();
    if (length > 40) return latin1Decode(this.#raw(length));
    if (this.#at + length > this.#bytes.length) this.#fail();
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#bytes[this.#at++]);
    return text;
  }

  #utf16() {
    const bytes = this.#raw(this.#varint());
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) {
      const units = [];
      for (let k = i; k + 1 < bytes.length && k < i + 8192; k += 2) units.push(bytes[k] | (bytes[k + 1] << 8));
      text += String.fromCharCode.apply(null, units);
    }
    return text;
  }

  #string() {
    const tag = this.#tag();
    if (tag === 0x22) return this.#latin1();
    if (tag === 0x63) return this.#utf16();
    return this.#fail();
  }

  #keep(object) {
    this.#objects.push(object);
    return object;
  }

  #object(tag) {
    switch (String.fromCharCode(tag)) {
      case 'o':
        return this.#properties(this.#keep({}), 0x7b);
      case 'A':
        return this.#dense();
      case 'a':
        return this.#sparse();
      case 'D':
        return this.#keep(new Date(this.#double()));
      case ';':
        return this.#map();
      case "'":
        return this.#set();
      case 'R':
        return this.#regExp();
      case 'B':
        return this.#buffer(this.#raw(this.#varint()).slice().buffer);
      case 't':
        return this.#buffer(this.#transferred[this.#varint()]);
      case 'r':
        return this.#error();
      case 'y':
        return this.#keep(Object(true));
      case 'x':
        return this.#keep(Object(false));
      case 'n':
        return this.#keep(Object(this.#double()));
      case 'z':
        return this.#keep(Object(this.#bigint()));
      case 's':
        return this.#keep(Object(this.#string()));
      case '\\':
        return this.#host();
      default:
        return this.#fail();
    }
  }

  #properties(object, end) {
    while (this.#peek() !== end) {
      const key = this.read();
      const value = this.read();
      if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      else object[key] = value;
    }
    this.#at++;
    this.#varint();
    return object;
  }

  #dense() {
    const length = this.#varint();
    if (length > this.#bytes.length) this.#fail();
    const array = this.#keep([]);
    for (let i = 0; i < length; i++) {
      if (this.#peek() === 0x2d) this.#at++;
      else array[i] = this.read();
    }
    array.length = length;
    this.#properties(array, 0x24);
    this.#varint();
    return array;
  }

  #sparse() {
    const array = this.#keep([]);
    array.length = this.#varint();
    this.#properties(array, 0x40);
    this.#varint();
    return array;
  }

  #map() {
    const map = this.#keep(new Map());
    while (this.#peek() !== 0x3a) {
      const key = this.read();
      map.set(key, this.read());
    }
    this.#at++;
    this.#varint();
    return map;
  }

  #set() {
    const set = this.#keep(new Set());
    while (this.#peek() !== 0x2c) set.add(this.read());
    this.#at++;
    this.#varint();
    return set;
  }

  #regExp() {
    const source = this.#string();
    const bits = this.#varint();
    return this.#keep(new RegExp(source, regExpFlags.filter(([, bit]) => bits & bit).map(([flag]) => flag).join('')));
  }

  // A view stands behind its buffer, or behind the number of its buffer; then the view is the value.
  #buffer(buffer) {
    return this.#again(this.#keep(buffer));
  }

  #again(object) {
    return this.#peek() === 0x56 && isArrayBuffer(object) ? this.#view(object) : object;
  }

  #view(buffer) {
    this.#at++;
    const kind = String.fromCharCode(this.#byte());
    const offset = this.#varint();
    const length = this.#varint();
    this.#varint();
    const [ctor] = viewKinds.find(([, candidate]) => candidate === kind) ?? this.#fail();
    return this.#keep(new ctor(buffer, offset, length / (ctor.BYTES_PER_ELEMENT ?? 1)));
  }

  #error() {
    const at = this.#objects.length;
    this.#objects.push(undefined);
    let ctor = Error;
    let message;
    let stack;
    let options;
    for (;;) {
      const tag = String.fromCharCode(this.#tag());
      if (tag === '.') break;
      const found = errorClasses.find(([, kind]) => kind === tag);
      if (found !== undefined) [ctor] = found;
      else if (tag === 'm') message = this.#string();
      else if (tag === 'c') options = { cause: this.read() };
      else if (tag === 's') stack = this.#string();
      else this.#fail();
    }
    const error = new ctor(message, options);
    Object.defineProperty(error, 'stack', { value: stack, writable: true, enumerable: false, configurable: true });
    this.#objects[at] = error;
    return error;
  }

  #host() {
    if (this.#byte() === code('O')) return this.#keep(this.#side[this.#varint()]);
    const [name, message, stack] = [this.#string(), this.#string(), this.#string()];
    const exception = new DOMException(message, name);
    Object.defineProperty(exception, 'stack', { value: stack, writable: true, enumerable: false, configurable: true });
    return this.#keep(exception);
  }
}

/**
 * The bytes of a value, in an array of their own. side(value), when given, is asked about functions, symbols and instances of
 * classes: it puts what it takes into a table of its own and returns its index there, else -1; it may throw.
 * DataCloneError for what cannot be cloned.
 */
export function serialize(value, side = null) {
  const writer = new Writer(null, side);
  writer.write(value);
  return writer.take();
}

/** The value of bytes that serialize made. side: the table that its side function filled. */
export function deserialize(bytes, side = []) {
  return new Reader(bytes, [], side).read();
}

/* structuredClone */

function copyOfBlob(blob) {
  return blob instanceof File ? fileOf(blobBytes(blob), blob.name, blob.type, blob.lastModified) : blobOf(blobBytes(blob), blob.type);
}

/** Things other than buffers that may be transferred: class → function(object) that gives the object on the other side. */
export const transferables = new Map();

function transferOther(object) {
  for (const [ctor, transfer] of transferables) if (object instanceof ctor) return transfer(object);
  throw new TypeError('Object is not transferable');
}

function cloneAlone(value) {
  const copies = [];
  const writer = new Writer(null, (object) => (isBlob(object) ? copies.push(copyOfBlob(object)) - 1 : -1));
  writer.write(value);
  return new Reader(writer.take(), [], copies).read();
}

/** A copy of value; the buffers and ports of `transfer` move into it. */
export function cloneWith(value, transfer) {
  if (transfer.length === 0) return cloneAlone(value);
  const buffers = new Map();
  const others = new Map();
  for (const item of transfer) {
    if (buffers.has(item) || others.has(item)) throw new DOMException('A value occurs twice in the transfer list.', 'DataCloneError');
    if (!isArrayBuffer(item)) others.set(item, undefined);
    else if (item.detached) throw new DOMException('An ArrayBuffer is detached and could not be cloned.', 'DataCloneError');
    else buffers.set(item, buffers.size);
  }
  const table = [];
  const writer = new Writer(buffers, (object) => {
    if (!isBlob(object) && !others.has(object)) return -1;
    return table.push(object) - 1;
  });
  writer.write(value);
  for (const item of others.keys()) others.set(item, transferOther(item));
  const moved = [...buffers.keys()].map((buffer) => buffer.transfer());
  return new Reader(writer.take(), moved, table.map((object) => (others.has(object) ? others.get(object) : copyOfBlob(object)))).read();
}

export function structuredClone(value, options = undefined) {
  if (arguments.length === 0) throw wrongArgument('structuredClone', 'ServiceWorkerGlobalScope', 1, 'Value');
  const transfer = options?.transfer;
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'symbol' && transfer === undefined) return value;
  return cloneWith(value, transfer ?? []);
}
