// A pipe: bytes from a source that pushes to one reader that pulls. Bodies that come over the link are pipes, and so are the
// middle of IdentityTransformStream and every body that is all there. No promise is made while bytes are waiting.

export class Pipe {
  /** How many bytes will come in all, -1 when nobody knows. */
  length;

  /** The Content-Encoding of the bytes, as body.js names it; undefined: none. */
  coding = undefined;

  #source; // { taken(n), cancelled(reason) }, both optional
  #chunks = [];
  #first = 0;
  #ended = false;
  #failure = undefined; // { error }
  #reader = undefined; // { resolve, reject } of the read that waits

  constructor(length, source = none) {
    this.length = length;
    this.#source = source;
  }

  /* The source's side. */

  push(bytes) {
    if (this.#ended || this.#failure !== undefined || bytes.length === 0) return;
    const reader = this.#reader;
    if (reader === undefined) {
      this.#chunks.push(bytes);
      return;
    }
    this.#reader = undefined;
    reader.resolve(bytes);
    this.#source.taken?.(bytes.length);
  }

  end() {
    if (this.#ended || this.#failure !== undefined) return;
    this.#ended = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  /** What is still waiting is lost. */
  fail(error) {
    if (this.#ended && this.#isEmpty()) return;
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#chunks = [];
    this.#first = 0;
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  /* The reader's side. */

  #isEmpty() {
    return this.#first === this.#chunks.length;
  }

  /** The next bytes, null at the end, or a promise of either. Throws (or rejects with) the source's error. One at a time. */
  read() {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#isEmpty()) return this.#shift();
    if (this.#ended) return null;
    if (this.#reader !== undefined) throw new TypeError('This ReadableStream only supports a single pending read request at a time.');
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #shift() {
    const bytes = this.#chunks[this.#first];
    this.#chunks[this.#first++] = undefined;
    // Half of it or more has been read: the rest moves to the front.
    if (this.#first * 2 >= this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
    this.#source.taken?.(bytes.length);
    return bytes;
  }

  /** Nobody will read any more. */
  cancel(reason) {
    if (this.#failure !== undefined) return undefined;
    const over = this.#ended;
    this.#ended = true;
    this.#chunks = [];
    this.#first = 0;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    return over ? undefined : this.#source.cancelled?.(reason);
  }

  /** The rest as one array when it is all here, else a promise of it. */
  all() {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#ended) return this.#collect();
    const parts = [];
    while (!this.#isEmpty()) parts.push(this.#shift());
    return joined(parts);
  }

  async #collect() {
    const parts = [];
    for (;;) {
      const read = this.read();
      const bytes = read instanceof Promise ? await read : read;
      if (bytes === null) return joined(parts);
      parts.push(bytes);
    }
  }
}

const none = {};

/** A pipe with all its bytes in it. */
export function fullPipe(bytes) {
  const pipe = new Pipe(bytes.length);
  pipe.push(bytes);
  pipe.end();
  return pipe;
}

/** The parts as one array; a single part is returned itself. */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
