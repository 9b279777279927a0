// Iterators of pair collections (Web IDL 3.7.10): Headers, URLSearchParams, FormData.

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

/**
 * A function that makes iterators named `NAME Iterator` over collection; pairAt(collection, index) gives [key, value] or
 * undefined at the end. Iteration is live, as Web IDL says.
 */
export function pairIterators(name, pairAt) {
  class PairIterator {
    #collection;
    #kind;
    #index = 0;

    constructor(collection, kind) {
      this.#collection = collection;
      this.#kind = kind;
    }

    next() {
      const pair = this.#collection === null ? undefined : pairAt(this.#collection, this.#index);
      if (pair === undefined) {
        this.#collection = null;
        return { value: undefined, done: true };
      }
      this.#index++;
      return { value: this.#kind === undefined ? pair : pair[this.#kind], done: false };
    }
  }

  const proto = PairIterator.prototype;
  Object.setPrototypeOf(proto, iteratorPrototype);
  delete proto.constructor;
  Object.defineProperty(proto, 'next', { enumerable: true });
  Object.defineProperty(proto, Symbol.toStringTag, { value: `${name} Iterator`, configurable: true });
  return (collection, kind) => new PairIterator(collection, kind);
}

/** Kinds of iterators: keys, values, or (undefined) both. */
export const KEYS = 0;
export const VALUES = 1;
