// Bytes that are compressed or decompressed on their way: a pipe in front of another one. What comes out is made a piece at a
// time and only when somebody reads, so that a small input that stands for much never fills the memory.
import { native } from './native.js';
import { Pipe } from './pipe.js';

const nothing = new Uint8Array(0);

/** The bytes of something with read and cancel, through a codec of native.compression. */
class CodedPipe extends Pipe {
  /** A decoder's pipe while nothing has been read of it: whoever wants the coded bytes takes that. */
  raw;
  #inner;
  #codec;
  #over = false;

  constructor(inner, codec, raw = undefined) {
    super(-1);
    this.raw = raw;
    this.#inner = inner;
    this.#codec = codec;
  }

  read() {
    this.raw = undefined;
    for (;;) {
      const piece = this.#over ? this.#last() : this.#drain();
      if (piece !== null || this.#over) return piece;
      const read = this.#inner.read();
      if (read instanceof Promise) return read.then((bytes) => this.#readOn(bytes));
      this.#feed(read);
    }
  }

  #readOn(bytes) {
    if (this.#codec === null) return null;
    this.#feed(bytes);
    return this.read();
  }

  #feed(bytes) {
    this.#over = bytes === null;
    this.#guard(() => native.compression.feed(this.#codec, bytes ?? nothing, this.#over));
  }

  #drain() {
    return this.#guard(() => native.compression.drain(this.#codec));
  }

  #last() {
    if (this.#codec === null) return null;
    const piece = this.#drain();
    if (piece === null) this.#close();
    return piece;
  }

  // After an error nobody needs the source any more.
  #guard(step) {
    try {
      return step();
    } catch (error) {
      this.#close();
      this.#inner.cancel(error);
      throw error;
    }
  }

  #close() {
    if (this.#codec !== null) native.compression.close(this.#codec);
    this.#codec = null;
    this.#over = true;
  }

  cancel(reason) {
    this.#close();
    return this.#inner.cancel(reason);
  }
}

/** coding: 'gzip', 'deflate' or 'deflate-raw'. */
export function encoded(inner, coding) {
  return new CodedPipe(inner, native.compression.compressor(coding));
}

export function decoded(inner, coding, raw = undefined) {
  return new CodedPipe(inner, native.compression.decompressor(coding), raw);
}
