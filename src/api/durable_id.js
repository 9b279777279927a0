// Ids of Durable Objects: 32 bytes, of which the last 16 are a MAC of the first, so that an id belongs to one class (durable.c).
import { internal, requireInternal } from './internal.js';
import { native } from './native.js';
import { finish } from './webidl.js';

let rowOf;
let isId;

export class DurableObjectId {
  #hex;
  #row;

  constructor(token, row, hex, name) {
    requireInternal(token);
    this.#row = row;
    this.#hex = hex;
    if (name !== undefined) this.name = name;
  }

  static {
    rowOf = (id) => id.#row;
    isId = (value) => typeof value === 'object' && value !== null && #hex in value;
  }

  toString() {
    return this.#hex;
  }

  equals(other) {
    return isId(other) && other.#hex === this.#hex;
  }
}

finish(DurableObjectId);

/** The class (row of durable.js) that made the id. */
export { rowOf, isId };

export const makeId = (row, hex, name) => new DurableObjectId(internal, row, hex, name);
export const randomId = (row) => makeId(row, native.durable.randomId(row.mac));
export const namedId = (row, name) => makeId(row, native.durable.namedId(row.mac, name), name);

/** From 64 hex digits. */
export function parsedId(row, text) {
  const hex = text.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError('Invalid Durable Object ID: must be 64 hex digits');
  if (!native.durable.checkId(row.mac, hex)) throw new TypeError('Durable Object ID is not valid for this namespace.');
  return makeId(row, hex);
}
