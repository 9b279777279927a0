// Streams. The standard ones are web-streams-polyfill's, with the texts that ported code matches. Byte streams made here
// (bodies, identity streams) stand on a Pipe, and code of this folder that wants their bytes takes the pipe and leaves the
// stream locked: nothing is paid for a stream that only passes through.
//
// The fields of the polyfill's objects with a leading underscore are its translation of the standard's internal slots; only
// this file touches them.
import {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
} from 'web-streams-polyfill';
import { decoded, encoded } from './codec.js';
import { encodeText, TextDecoder } from './encoding.js';
import { joined, Pipe } from './pipe.js';
import { bytesOf, finish, wrongConstructorArgument } from './webidl.js';

export {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
};

const LOCKED = 'This ReadableStream is currently locked to a reader.';
const DISTURBED = 'This ReadableStream is disturbed (has already been read from), and cannot be used as a body.';
const RELEASED = 'This ReadableStream reader has been released.';
const LOCKED_WRITER = 'This WritableStream is currently locked to a writer.';
const NO_BYTES = 'This ReadableStream did not return bytes.';

/* Texts */

function wrap(ctor, name, make) {
  const inner = ctor.prototype[name];
  const { [name]: outer } = make(inner);
  Object.defineProperty(ctor.prototype, name, { value: outer, writable: true, enumerable: true, configurable: true });
}

function isStream(value) {
  return value instanceof ReadableStream && value._readableStreamController !== undefined;
}

function hasBytes(stream) {
  return stream._readableStreamController instanceof ReadableByteStreamController;
}

function isReleased(reader) {
  return Object.hasOwn(reader, '_ownerReadableStream') && reader._ownerReadableStream === undefined;
}

wrap(ReadableStream, 'getReader', (inner) => ({
  getReader(options = undefined) {
    if (isStream(this)) {
      if (this._reader !== undefined) throw new TypeError(LOCKED);
      const mode = options?.mode;
      if (mode !== undefined && `${mode}` !== 'byob') throw new TypeError("mode must be undefined or 'byob' in call to getReader().");
      if (mode !== undefined && !hasBytes(this)) throw new TypeError('This ReadableStream does not support BYOB reads.');
    }
    return inner.call(this, options);
  },
}));

wrap(ReadableStream, 'cancel', (inner) => ({
  cancel(reason = undefined) {
    if (isStream(this) && this._reader !== undefined) return Promise.reject(new TypeError(LOCKED));
    return inner.call(this, reason);
  },
}));

wrap(ReadableStream, 'tee', (inner) => ({
  tee() {
    if (isStream(this) && this._reader !== undefined) throw new TypeError(LOCKED);
    return inner.call(this);
  },
}));

wrap(ReadableStream, 'pipeTo', (inner) => ({
  pipeTo(destination, options = {}) {
    if (isStream(this) && this._reader !== undefined) return Promise.reject(new TypeError(LOCKED));
    return inner.call(this, destination, options);
  },
}));

wrap(ReadableStream, 'pipeThrough', (inner) => ({
  pipeThrough(transform, options = {}) {
    if (isStream(this) && this._reader !== undefined) throw new TypeError(LOCKED);
    return inner.call(this, transform, options);
  },
}));

for (const ctor of [ReadableStreamDefaultReader, ReadableStreamBYOBReader]) {
  wrap(ctor, 'cancel', (inner) => ({
    cancel(reason = undefined) {
      return isReleased(this) ? Promise.reject(new TypeError(RELEASED)) : inner.call(this, reason);
    },
  }));
}

wrap(ReadableStreamDefaultReader, 'read', (inner) => ({
  read() {
    return isReleased(this) ? Promise.reject(new TypeError(RELEASED)) : inner.call(this);
  },
}));

wrap(ReadableStreamBYOBReader, 'read', (inner) => ({
  read(view, options = {}) {
    if (ArrayBuffer.isView(view) && view.byteLength === 0) {
      return Promise.reject(new TypeError('You must call read() on a "byob" reader with a positive-sized TypedArray object.'));
    }
    return isReleased(this) ? Promise.reject(new TypeError(RELEASED)) : inner.call(this, view, options);
  },
}));

/** reader.readAtLeast(n, view): the runtime's older word for read(view, { min }). n counts elements. */
Object.defineProperty(ReadableStreamBYOBReader.prototype, 'readAtLeast', {
  value: function readAtLeast(n, view) {
    return this.read(view, { min: n });
  },
  writable: true, enumerable: true, configurable: true,
});

wrap(WritableStream, 'getWriter', (inner) => ({
  getWriter() {
    if (this instanceof WritableStream && this._writer !== undefined) throw new TypeError(LOCKED_WRITER);
    return inner.call(this);
  },
}));

for (const name of ['abort', 'close']) {
  wrap(WritableStream, name, (inner) => ({
    [name](...reason) {
      if (this instanceof WritableStream && this._writer !== undefined) return Promise.reject(new TypeError(LOCKED_WRITER));
      return inner.apply(this, reason);
    },
  }));
}

function isClosing(stream) {
  return stream._state === 'closed' || (stream._state === 'writable' && (stream._closeRequest !== undefined || stream._inFlightCloseRequest !== undefined));
}

function refusal(writer) {
  if (!(writer instanceof WritableStreamDefaultWriter) || !Object.hasOwn(writer, '_ownerWritableStream')) return undefined;
  const stream = writer._ownerWritableStream;
  if (stream === undefined) return new TypeError('This WritableStream writer has been released.');
  return isClosing(stream) ? new TypeError('This WritableStream has been closed.') : undefined;
}

wrap(WritableStreamDefaultWriter, 'write', (inner) => ({
  write(chunk = undefined) {
    const refused = refusal(this);
    return refused === undefined ? inner.call(this, chunk) : Promise.reject(refused);
  },
}));

wrap(WritableStreamDefaultWriter, 'close', (inner) => ({
  close() {
    const refused = refusal(this);
    return refused === undefined ? inner.call(this) : Promise.reject(refused);
  },
}));

/* Byte streams on pipes */

const pipes = new WeakMap();

/** A ReadableStream of the pipe's bytes. The pipe must have no other reader. */
export function streamOfPipe(pipe) {
  const stream = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const read = pipe.read();
      return read instanceof Promise ? read.then((bytes) => deliver(controller, bytes)) : deliver(controller, read);
    },
    cancel(reason) {
      return pipe.cancel(reason);
    },
  }, { highWaterMark: 0 });
  pipes.set(stream, pipe);
  return stream;
}

function deliver(controller, bytes) {
  if (bytes !== null) {
    // The controller takes the whole buffer away, so a window into a larger one is copied.
    controller.enqueue(bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice());
    return;
  }
  const request = controller.byobRequest;
  controller.close();
  request?.respond(0);
}

export function isReadableStream(value) {
  return isStream(value);
}

export function isDisturbed(stream) {
  return stream._disturbed;
}

/** The pipe under a stream that nobody has touched yet, else undefined. */
export function untouchedPipe(stream) {
  return stream._disturbed || stream._reader !== undefined ? undefined : pipes.get(stream);
}

/** Throws unless the stream can still become a body. */
export function checkFresh(stream) {
  if (stream._disturbed) throw new TypeError(DISTURBED);
  if (stream._reader !== undefined) throw new TypeError('This ReadableStream is locked to a reader, and cannot be used as a body.');
}

/** A stream that somebody has read to its end, and keeps. */
export function usedStream() {
  const stream = new ReadableStream({ type: 'bytes' });
  stream.getReader().cancel();
  return stream;
}

/**
 * Takes the bytes of a stream, which is locked from now on: the pipe under it, or an object with the same read, cancel and
 * all. Throws when it is locked already.
 */
export function takeStream(stream) {
  if (stream._reader !== undefined) throw new TypeError(LOCKED);
  const pipe = untouchedPipe(stream);
  const reader = stream.getReader();
  if (pipe === undefined) return new StreamBytes(reader);
  stream._disturbed = true;
  return pipe;
}

class StreamBytes {
  length = -1;
  #reader;

  constructor(reader) {
    this.#reader = reader;
  }

  async read() {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return null;
      const bytes = bytesOf(value);
      if (bytes === undefined) {
        const error = new TypeError(NO_BYTES);
        this.#reader.cancel(error).catch(() => {});
        throw error;
      }
      if (bytes.length > 0) return bytes;
    }
  }

  cancel(reason) {
    return this.#reader.cancel(reason);
  }

  async all() {
    const parts = [];
    for (let bytes = await this.read(); bytes !== null; bytes = await this.read()) parts.push(bytes.slice());
    return joined(parts);
  }
}

/* Identity streams */

const NOT_BYTES = 'This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.';

function chunkBytes(chunk) {
  if (typeof chunk === 'string') return encodeText(chunk);
  const bytes = bytesOf(chunk);
  if (bytes === undefined) throw new TypeError(NOT_BYTES);
  return bytes.slice();
}

// With a high-water mark the writer counts bytes; without one it counts chunks, one at a time.
function byteStrategy(strategy, length) {
  const given = strategy?.highWaterMark;
  if (given === undefined) return undefined;
  const highWaterMark = length === -1 ? Number(given) : Math.min(Number(given), length);
  return { highWaterMark, size: (chunk) => chunk?.byteLength ?? chunk?.length ?? 0 };
}

/** A writable whose bytes go into a pipe without a buffer. length: how many bytes must pass, -1 for any number. */
function bytePipe(length, strategy) {
  let controller;
  let taken; // resolves the write whose bytes are in the pipe
  let passed = 0;
  const settle = () => {
    const resolve = taken;
    taken = undefined;
    resolve?.();
  };
  const pipe = new Pipe(length, {
    taken: settle,
    cancelled(reason) {
      controller.error(reason);
      settle();
    },
  });
  const refuse = (text) => {
    const error = new TypeError(text);
    pipe.fail(error);
    throw error;
  };
  const writable = new WritableStream({
    start(given) {
      controller = given;
    },
    write(chunk) {
      const bytes = chunkBytes(chunk);
      if (bytes.length === 0) return undefined;
      passed += bytes.length;
      if (length !== -1 && passed > length) refuse('Attempt to write too many bytes through a FixedLengthStream.');
      return new Promise((resolve) => {
        taken = resolve;
        pipe.push(bytes);
      });
    },
    close() {
      if (length !== -1 && passed < length) refuse('FixedLengthStream did not see all expected bytes before close().');
      pipe.end();
    },
    abort(reason) {
      pipe.fail(reason);
      settle();
    },
  }, byteStrategy(strategy, length));
  return { pipe, writable };
}

const inside = Symbol();

/** A byte pipe without a buffer: a write is over when its bytes have been read. */
export class IdentityTransformStream {
  #readable;
  #writable;

  constructor(strategy = undefined, length = undefined) {
    const { pipe, writable } = bytePipe(length?.[inside] ? length.bytes : -1, strategy);
    this.#readable = streamOfPipe(pipe);
    this.#writable = writable;
  }

  get readable() {
    return this.#readable;
  }

  get writable() {
    return this.#writable;
  }
}

function expectedBytes(value) {
  if (value === undefined) throw wrongConstructorArgument('FixedLengthStream', 1, 'bigint');
  const number = typeof value === 'bigint' ? 0 : Number(value);
  if (!Number.isFinite(number)) throw new TypeError('The value cannot be converted because it is not an integer.');
  const n = typeof value === 'bigint' ? value : BigInt(Math.trunc(number));
  if (n < 0n) throw new TypeError('The value cannot be converted because it is negative and this API expects a positive bigint.');
  if (n > BigInt(Number.MAX_SAFE_INTEGER)) throw new TypeError('FixedLengthStream requires an integer expected length less than 2^53.');
  return Number(n);
}

/** The same for a number of bytes known before; as a body it gives Content-Length. */
export class FixedLengthStream extends IdentityTransformStream {
  constructor(expectedLength, strategy = undefined) {
    super(strategy, { [inside]: true, bytes: expectedBytes(expectedLength) });
  }
}

for (const ctor of [IdentityTransformStream, FixedLengthStream]) finish(ctor);
Object.setPrototypeOf(IdentityTransformStream.prototype, TransformStream.prototype);
Object.setPrototypeOf(IdentityTransformStream, TransformStream);

/* Text */

/** A class whose objects have a transform stream inside and show its two ends. */
class TransformPair {
  #inner;

  constructor(transformer) {
    this.#inner = new TransformStream(transformer);
  }

  get readable() {
    return this.#inner.readable;
  }

  get writable() {
    return this.#inner.writable;
  }
}

export class TextEncoderStream extends TransformPair {
  constructor() {
    let high = ''; // a surrogate that waits for its other half
    super({
      transform(chunk, controller) {
        let text = high + String(chunk);
        const last = text.charCodeAt(text.length - 1);
        high = last >= 0xd800 && last < 0xdc00 ? text.at(-1) : '';
        if (high !== '') text = text.slice(0, -1);
        if (text !== '') controller.enqueue(encodeText(text));
      },
      flush(controller) {
        if (high !== '') controller.enqueue(encodeText(high));
      },
    });
  }

  get encoding() {
    return 'utf-8';
  }
}

export class TextDecoderStream extends TransformPair {
  #decoder;

  constructor(label = 'utf-8', options = undefined) {
    const decoder = new TextDecoder(label, options);
    super({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== '') controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== '') controller.enqueue(text);
      },
    });
    this.#decoder = decoder;
  }

  get encoding() {
    return this.#decoder.encoding;
  }

  get fatal() {
    return this.#decoder.fatal;
  }

  get ignoreBOM() {
    return this.#decoder.ignoreBOM;
  }
}

/* Compression */

const formats = ['deflate', 'deflate-raw', 'gzip'];

/** The two ends of a codec: what is written goes through code(pipe, format) when it is read. */
class CodecPair {
  #readable;
  #writable;

  constructor(name, given, code, format) {
    if (given === 0) throw wrongConstructorArgument(name, 1, 'string');
    const known = String(format);
    if (!formats.includes(known)) throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
    const { pipe, writable } = bytePipe(-1, undefined);
    this.#readable = streamOfPipe(code(pipe, known));
    this.#writable = writable;
  }

  get readable() {
    return this.#readable;
  }

  get writable() {
    return this.#writable;
  }
}

export class CompressionStream extends CodecPair {
  constructor(format) {
    super('CompressionStream', arguments.length, encoded, format);
  }
}

export class DecompressionStream extends CodecPair {
  constructor(format) {
    super('DecompressionStream', arguments.length, decoded, format);
  }
}

// They look like children of TransformStream; their parents here only make them.
for (const ctor of [TextEncoderStream, TextDecoderStream, CompressionStream, DecompressionStream]) {
  const made = Object.getPrototypeOf(ctor.prototype);
  for (const end of ['readable', 'writable']) Object.defineProperty(ctor.prototype, end, Object.getOwnPropertyDescriptor(made, end));
  Object.setPrototypeOf(ctor.prototype, TransformStream.prototype);
  finish(ctor);
}
