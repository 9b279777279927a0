// Body: what Request and Response share (Fetch 5.3).
//
// A body stays in the form it came in, text, bytes or a pipe, until somebody asks for a stream. What leaves for the link is that
// form again, so a string never becomes bytes in JavaScript and a proxied body never becomes a stream.
import { blobBytes, blobOf, isBlob } from './blob.js';
import { decoded, encoded } from './codec.js';
import { decodeText, encodeText } from './encoding.js';
import { isFormData, parseFormData, serializeFormData } from './formdata.js';
import { fullPipe, Pipe } from './pipe.js';
import { checkFresh, isDisturbed, isReadableStream, ReadableStream, streamOfPipe, takeStream, untouchedPipe, usedStream } from './streams.js';
import { URLSearchParams } from './url.js';
import { bytesOf, finish, illegalConstructor, usv } from './webidl.js';

const USED = Symbol('used');

export const BODY_USED = 'Body has already been used. It can only be used once. Use tee() first if you need to read it twice.';

let sourceOf;
let setSource;
let takeSource;
let isUsed;

export class Body {
  // null, a string, a Uint8Array of our own, a Pipe, a ReadableStream, or USED.
  #source = null;

  constructor(key) {
    if (key !== bodyKey) throw illegalConstructor();
  }

  static {
    sourceOf = (body) => body.#source;

    setSource = (body, source) => {
      body.#source = source;
    };

    isUsed = (body) => {
      const source = body.#source;
      return source === USED || (source instanceof ReadableStream && isDisturbed(source));
    };

    // Marks the body used. A stream answers with something that has read, cancel and all, as a Pipe does.
    takeSource = (body) => {
      const source = body.#source;
      if (source === null) return null;
      if (isUsed(body)) throw new TypeError(BODY_USED);
      if (source instanceof ReadableStream) return takeStream(source);
      body.#source = USED;
      return source;
    };
  }

  get body() {
    const source = this.#source;
    if (source === null || source instanceof ReadableStream) return source;
    if (source === USED) this.#source = usedStream();
    else if (typeof source === 'string') this.#source = streamOfPipe(fullPipe(encodeText(source)));
    else if (source instanceof Pipe) this.#source = streamOfPipe(decodedPipe(source));
    else this.#source = streamOfPipe(fullPipe(source.slice()));
    return this.#source;
  }

  get bodyUsed() {
    return isUsed(this);
  }

  text() {
    return consume(this, (whole) => textOf(whole));
  }

  json() {
    return consume(this, (whole) => JSON.parse(textOf(whole)));
  }

  bytes() {
    return consume(this, ownBytes);
  }

  arrayBuffer() {
    return consume(this, (whole) => ownBytes(whole).buffer);
  }

  blob() {
    return consume(this, (whole) => blobOf(ownBytes(whole), this.headers.get('content-type') ?? ''));
  }

  formData() {
    return consume(this, (whole) => parseFormData(typeof whole === 'string' ? encodeText(whole) : whole, this.headers.get('content-type')));
  }
}

finish(Body);

/** Only Request and Response are made with it. */
export const bodyKey = Symbol('body');

function textOf(whole) {
  if (typeof whole !== 'string') return decodeText(whole);
  const text = usv(whole);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** An array that covers its buffer and that nobody else has. */
function ownBytes(whole) {
  if (typeof whole === 'string') return encodeText(whole);
  return whole.byteLength === whole.buffer.byteLength ? whole : whole.slice();
}

// convert gets a string or bytes; what it throws rejects the promise.
function consume(body, convert) {
  try {
    const source = takeSource(body);
    if (source === null) return Promise.resolve(convert(''));
    if (typeof source === 'string' || source instanceof Uint8Array) return Promise.resolve(convert(source));
    const whole = (source instanceof Pipe ? decodedPipe(source) : source).all();
    return whole instanceof Promise ? whole.then(convert) : Promise.resolve(convert(whole));
  } catch (error) {
    return Promise.reject(error);
  }
}

/* Making bodies */

/** The Content-Type that bodySource found for its value, or ''. */
let foundType = '';

/** What a body initialiser becomes; bodyType() tells its Content-Type. Streams must be fresh. */
export function bodySource(value) {
  foundType = '';
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') {
    foundType = 'text/plain;charset=UTF-8';
    return value;
  }
  return typeof value === 'object' ? objectSource(value) : textSource(value);
}

export function bodyType() {
  return foundType;
}

function textSource(value) {
  foundType = 'text/plain;charset=UTF-8';
  return `${value}`;
}

function objectSource(value) {
  if (isReadableStream(value)) {
    checkFresh(value);
    return value;
  }
  const bytes = bytesOf(value);
  if (bytes !== undefined) return bytes.slice();
  if (isBlob(value)) {
    foundType = value.type;
    return blobBytes(value);
  }
  if (value instanceof URLSearchParams) {
    foundType = 'application/x-www-form-urlencoded;charset=UTF-8';
    return value.toString();
  }
  if (isFormData(value)) {
    const { bytes: whole, type } = serializeFormData(value);
    foundType = type;
    return whole;
  }
  if (typeof value[Symbol.asyncIterator] === 'function') return ReadableStream.from(value);
  return textSource(value);
}

export function setBody(body, source) {
  setSource(body, source);
}

export function hasBody(body) {
  return sourceOf(body) !== null;
}

/** A body of another object with the same bytes; this one is split when it is a stream. */
export function cloneBody(from, to) {
  const source = sourceOf(from);
  if (isUsed(from)) throw new TypeError(BODY_USED);
  if (!(source instanceof Pipe) && !(source instanceof ReadableStream)) {
    setSource(to, source);
    return;
  }
  const [mine, its] = from.body.tee();
  setSource(from, mine);
  setSource(to, its);
}

/** Gives `from`'s body to `to`; `from`'s is used afterwards. */
export function moveBody(from, to) {
  const source = sourceOf(from);
  if (source === null) return;
  if (isUsed(from)) throw new TypeError('Cannot reconstruct a Request with a used body.');
  if (source instanceof ReadableStream) {
    const pipe = untouchedPipe(source);
    const taken = takeStream(source);
    setSource(to, pipe ?? new OuterPipe(taken));
    return;
  }
  setSource(to, takeSource(from));
}

/** A pipe in front of anything with read and cancel. */
class OuterPipe extends Pipe {
  #inner;

  constructor(inner) {
    super(-1);
    this.#inner = inner;
  }

  read() {
    return this.#inner.read();
  }

  cancel(reason) {
    return this.#inner.cancel(reason);
  }
}

/* Content codings */

// A fetched body with a Content-Encoding is a pipe with `coding`. JavaScript reads it through a decoder, and the link, when the
// head still says that coding, takes it as it came.

/** For outgoingBody: the bytes as they are in the body. */
export const AS_IS = 'as is';

const codings = { __proto__: null, gzip: 'gzip', 'x-gzip': 'gzip', deflate: 'deflate' };

/** The coding of a Content-Encoding value that we can make and undo, or undefined. */
export function knownCoding(value) {
  return value === null ? undefined : codings[value.trim().toLowerCase()];
}

function decodedPipe(pipe) {
  return pipe.coding === undefined ? pipe : decoded(pipe, pipe.coding, pipe);
}

function encodedPipe(source, coding) {
  if (typeof source === 'string') return encoded(fullPipe(encodeText(source)), coding);
  return encoded(source instanceof Uint8Array ? fullPipe(source) : source, coding);
}

/** The source with its bytes in that coding (undefined: none). */
function withCoding(source, coding) {
  const raw = source.raw ?? source;
  if (coding === AS_IS) return raw;
  if (coding !== undefined && raw.coding === coding) return raw;
  const plain = source instanceof Pipe ? decodedPipe(source) : source;
  return coding === undefined ? plain : encodedPipe(plain, coding);
}

/** The stream that a body was made of, when it may go on for ever; else null. */
export function endlessStream(body) {
  const source = sourceOf(body);
  if (!(source instanceof ReadableStream)) return null;
  return untouchedPipe(source)?.length >= 0 ? null : source;
}

/* Leaving for the link */

/** A body on its way out, not all there yet. */
export class Outflow {
  /** Bytes in all, -1 when unknown. */
  length;
  #source;

  constructor(source) {
    this.length = source.length;
    this.#source = source;
  }

  /**
   * Writes all bytes to sink, { write(bytes) → undefined or a promise to wait for, end(), abort(error) }. The promise is
   * fulfilled when it is over, either way.
   */
  async pump(sink) {
    try {
      for (;;) {
        const read = this.#source.read();
        const bytes = read instanceof Promise ? await read : read;
        if (bytes === null) break;
        const wait = sink.write(bytes);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      sink.abort(error);
      return;
    }
    sink.end();
  }

  cancel(reason) {
    return this.#source.cancel(reason);
  }
}

/**
 * null, a string, a Uint8Array (whole), or an Outflow. The body is used afterwards. coding: what the head says that the bytes
 * are, of knownCoding, or AS_IS.
 */
export function outgoingBody(body, coding = undefined) {
  const source = takeSource(body);
  if (source === null) return null;
  const coded = withCoding(source, coding);
  return typeof coded === 'string' || coded instanceof Uint8Array ? coded : new Outflow(coded);
}
