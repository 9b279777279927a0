// ctx.storage.sql: the application's own SQL on its object's database (src/store/sql.h).
import { internal, requireInternal } from './internal.js';
import { native } from './native.js';
import { bytesOf, finish, wrongArgument } from './webidl.js';

const SQL = native.storage;

// What SQLite is given for a JavaScript value: numbers are REAL, what has no type of its own is text.
function binding(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'bigint') throw new TypeError('Cannot convert a BigInt value to a number');
  return bytesOf(value) ?? `${value}`;
}

export class SqlStorage {
  #actor;
  #handle;

  constructor(token, actor, handle) {
    requireInternal(token);
    this.#actor = actor;
    this.#handle = handle;
  }

  exec(query, ...bindings) {
    if (arguments.length === 0) throw wrongArgument('exec', 'SqlStorage', 1, 'string');
    this.#actor.touch(); // it may write, and more so while it is read
    return new SqlStorageCursor(internal, this.#actor, SQL.exec(this.#handle, `${query}`, bindings.map(binding)));
  }

  get databaseSize() {
    return SQL.size(this.#handle);
  }

  get Cursor() {
    return SqlStorageCursor;
  }

  get Statement() {
    return SqlStorageStatement;
  }
}

finish(SqlStorage);

/** Rows come from SQLite in pieces: flat values, `columns` to a row. */
class SqlStorageCursor {
  #actor;
  #piece;
  #names;
  #at = 0;

  constructor(token, actor, piece) {
    requireInternal(token);
    this.#actor = actor;
    this.#piece = piece;
    this.#names = piece.columns;
  }

  // The values of the next row, or undefined.
  #row() {
    while (this.#at >= this.#piece.values.length) {
      if (!this.#piece.more) return undefined;
      this.#actor.touch();
      this.#piece = SQL.more(this.#piece.cursor);
      this.#at = 0;
    }
    const { values } = this.#piece;
    const n = this.#names.length;
    this.#at += n;
    return values.slice(this.#at - n, this.#at);
  }

  #object(row) {
    const object = {};
    for (let i = 0; i < row.length; i++) object[this.#names[i]] = row[i];
    return object;
  }

  next() {
    const row = this.#row();
    return row === undefined ? { done: true, value: undefined } : { done: false, value: this.#object(row) };
  }

  [Symbol.iterator]() {
    return this;
  }

  toArray() {
    const rows = [];
    for (let row = this.#row(); row !== undefined; row = this.#row()) rows.push(this.#object(row));
    return rows;
  }

  one() {
    const row = this.#row();
    if (row === undefined) throw new Error('Expected exactly one result from SQL query, but got no results.');
    if (this.#row() !== undefined) throw new Error('Expected exactly one result from SQL query, but got multiple results.');
    return this.#object(row);
  }

  *raw() {
    for (let row = this.#row(); row !== undefined; row = this.#row()) yield row;
  }

  get columnNames() {
    return [...this.#names];
  }

  get rowsRead() {
    return this.#piece.rowsRead;
  }

  get rowsWritten() {
    return this.#piece.rowsWritten;
  }
}

finish(SqlStorageCursor);

/** Kept for `instanceof` in old code; nothing makes one. */
class SqlStorageStatement {
  constructor() {
    throw new TypeError('Illegal constructor');
  }
}
