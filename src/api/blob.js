// Blob and File (w3c.github.io/FileAPI). All bytes are in memory; a slice shares them, since nobody can change them.
import { decodeText, encodeText } from './encoding.js';
import { fullPipe, joined } from './pipe.js';
import { streamOfPipe } from './streams.js';
import { bytesOf, finish, toInteger, usv, wrongConstructorArgument } from './webidl.js';

const inside = Symbol();

let contentOf;

function blobType(type) {
  const text = `${type ?? ''}`;
  return /^[\x20-\x7e]*$/.test(text) ? text.toLowerCase() : '';
}

function partBytes(part) {
  const content = contentOf(part);
  if (content !== undefined) return content;
  const bytes = bytesOf(part);
  return bytes === undefined ? encodeText(usv(part)) : bytes;
}

export class Blob {
  #bytes;
  #type;

  constructor(parts = undefined, options = undefined) {
    if (parts?.[inside] !== undefined) {
      this.#bytes = parts[inside];
      this.#type = options;
      return;
    }
    if (parts !== undefined && (typeof parts !== 'object' || parts === null || typeof parts[Symbol.iterator] !== 'function')) {
      throw wrongConstructorArgument('Blob', 1, 'Array');
    }
    const pieces = [];
    for (const part of parts ?? []) pieces.push(partBytes(part));
    this.#bytes = joined(pieces.length === 1 ? [pieces[0].slice()] : pieces);
    this.#type = blobType(options?.type);
  }

  static {
    contentOf = (value) => (typeof value === 'object' && value !== null && #bytes in value ? value.#bytes : undefined);
  }

  get size() {
    return this.#bytes.length;
  }

  get type() {
    return this.#type;
  }

  slice(start = 0, end = this.#bytes.length, type = '') {
    const from = at(start, this.#bytes.length);
    const to = Math.max(from, at(end, this.#bytes.length));
    return new Blob({ [inside]: this.#bytes.subarray(from, to) }, blobType(type));
  }

  async text() {
    return decodeText(this.#bytes);
  }

  async bytes() {
    return this.#bytes.slice();
  }

  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }

  stream() {
    return streamOfPipe(fullPipe(this.#bytes.slice()));
  }
}

function at(index, size) {
  const n = toInteger(index);
  return n < 0 ? Math.max(size + n, 0) : Math.min(n, size);
}

export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options = undefined) {
    if (arguments.length < 2) throw wrongConstructorArgument('File', arguments.length + 1, arguments.length === 0 ? 'Array' : 'string');
    if (parts?.[inside] !== undefined) super(parts, options.type);
    else super(parts, options);
    this.#name = usv(name);
    this.#lastModified = options?.lastModified === undefined ? Date.now() : toInteger(options.lastModified);
  }

  get name() {
    return this.#name;
  }

  get lastModified() {
    return this.#lastModified;
  }
}

for (const ctor of [Blob, File]) finish(ctor);

/** A Blob that owns these bytes. */
export function blobOf(bytes, type = '') {
  return new Blob({ [inside]: bytes }, type);
}

/** A File that owns these bytes. */
export function fileOf(bytes, name, type, lastModified = undefined) {
  return new File({ [inside]: bytes }, name, { type: blobType(type), lastModified });
}

export function isBlob(value) {
  return contentOf(value) !== undefined;
}

/** The bytes of a Blob; nobody may write to them. */
export function blobBytes(blob) {
  return contentOf(blob);
}
