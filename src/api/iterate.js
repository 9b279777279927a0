// Pair collections (Web IDL 3.7.9 and 3.7.10, `iterable<K, V>`): Headers, URLSearchParams, FormData.
import { illegalInvocation, wrongArgument } from './webidl.js';

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

// Kinds of iterators: keys, values, or (undefined) both.
const KEYS = 0;
const VALUES = 1;

/** A function that makes iterators named `NAME Iterator` over a collection. */
function pairIterators(name, pairAt) {
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

/**
 * Gives a class entries(), keys(), values(), forEach() and [Symbol.iterator]. isOne(value) says whether something is one;
 * pairAt(collection, index) gives [key, value] or undefined at the end. Iteration is live, as Web IDL says.
 */
export function makeIterable(Class, isOne, pairAt) {
  const iterator = pairIterators(Class.name, pairAt);
  const iterate = (collection, kind) => {
    if (!isOne(collection)) throw illegalInvocation();
    return iterator(collection, kind);
  };
  const methods = {
    entries() {
      return iterate(this, undefined);
    },
    keys() {
      return iterate(this, KEYS);
    },
    values() {
      return iterate(this, VALUES);
    },
    forEach(callback, self = undefined) {
      if (typeof callback !== 'function') throw wrongArgument('forEach', Class.name, 1, 'Function');
      for (const [key, value] of iterate(this, undefined)) callback.call(self, value, key, this);
    },
  };

  Object.defineProperties(Class.prototype, Object.getOwnPropertyDescriptors(methods));
  Object.defineProperty(Class.prototype, Symbol.iterator, { value: methods.entries, writable: true, configurable: true });
}
