// ctx.storage: keys and values, transactions and alarms of a Durable Object.
//
// SQLite answers at once, so every operation is done when it is called, in call order, and its promise only says so: nothing
// of the same object can come in between. What was written is committed with the batch, before anything of it leaves.
import { afterCommit } from './actor.js';
import { touchAlarm } from './alarm.js';
import { deserialize, serialize } from './clone.js';
import { current, post } from './context.js';
import { criticalSection } from './gate.js';
import { host } from './host.js';
import { internal, requireInternal } from './internal.js';
import { native } from './native.js';
import { SqlStorage } from './sql.js';
import { dictionary, finish, wrongArgument } from './webidl.js';

const KV = native.storage;
const ZERO_BOOKMARK = '00000000-00000000-00000000-00000000000000000000000000000000';
const NO_RECOVERY = "This Durable Object's storage back-end does not implement point-in-time recovery.";
const NEEDS_SQLITE = 'for SQLite-backed Durable Objects, but this object\'s class is not one. To change that, list the class under '
  + '`new_sqlite_classes` instead of `new_classes` in the migrations of the configuration.';

// --- what both the storage and a transaction can do ----------------------------------------------------------------------------

// An async method's body, run now: what it throws becomes a rejection.
function promised(work) {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}

class Operations {
  actor;
  handle;

  constructor(actor, handle) {
    this.actor = actor;
    this.handle = handle;
  }

  getOne(key) {
    const bytes = KV.get(this.handle, key);
    return bytes === undefined ? undefined : deserialize(bytes);
  }

  // In the order of the keys.
  getMany(keys) {
    const found = keys.map((key) => [key, KV.get(this.handle, key)]).filter(([, bytes]) => bytes !== undefined);
    found.sort(([a], [b]) => compareKeys(a, b));
    return new Map(found.map(([key, bytes]) => [key, deserialize(bytes)]));
  }

  putOne(key, value) {
    const bytes = serialize(value);
    this.actor.touch();
    KV.put(this.handle, key, bytes);
  }

  // All or none.
  putMany(entries) {
    const rows = entries.filter(([, value]) => value !== undefined).map(([key, value]) => [key, serialize(value)]);
    if (rows.length === 0) return;
    this.atomically(() => {
      for (const [key, bytes] of rows) KV.put(this.handle, key, bytes);
    });
  }

  deleteOne(key) {
    const existed = KV.delete(this.handle, key);
    if (existed) this.actor.touch();
    return existed;
  }

  deleteMany(keys) {
    return this.atomically(() => keys.reduce((count, key) => count + Number(KV.delete(this.handle, key)), 0));
  }

  list(options) {
    const { start, startAfter, end, prefix, reverse, limit } = options;
    const from = start ?? startAfter ?? null;
    return KV.list(this.handle, from, startAfter !== undefined, end ?? null, prefix ?? '', reverse, limit ?? 0);
  }

  // A savepoint around fn().
  atomically(fn) {
    this.actor.touch();
    const depth = KV.beginSync(this.handle);
    try {
      const value = fn();
      KV.release(this.handle, depth);
      return value;
    } catch (error) {
      this.undo(depth);
      throw error;
    }
  }

  // What made it necessary may have broken the storage, which then has undone everything.
  undo(depth) {
    try {
      KV.rollback(this.handle, depth);
      touchAlarm(this.actor);
    } catch (error) {
      host.uncaught(error);
    }
  }

  getAlarm() {
    return this.actor.runningAlarm !== null ? null : KV.alarmGet(this.handle)?.[1] ?? null;
  }

  setAlarm(time) {
    const scheduled = alarmTime(time);
    const { instance } = this.actor;
    if (instance !== null && typeof instance.alarm !== 'function') {
      throw new TypeError('Your Durable Object class must have an alarm() handler in order to call setAlarm()');
    }
    KV.alarmSet(this.handle, scheduled, scheduled, 0);
    this.#alarmChanged();
  }

  deleteAlarm() {
    KV.alarmDelete(this.handle);
    this.#alarmChanged();
  }

  #alarmChanged() {
    this.actor.runningAlarm = null;
    touchAlarm(this.actor);
  }
}

// As SQLite orders them: by UTF-8, which is the order of code points.
function compareKeys(a, b) {
  const x = [...a];
  const y = [...b];
  const n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) {
    if (x[i] !== y[i]) return x[i].codePointAt(0) - y[i].codePointAt(0);
  }
  return x.length - y.length;
}

// Milliseconds; times that have passed become now.
function alarmTime(time) {
  const ms = time instanceof Date ? time.getTime() : Number(time);
  if (Number.isNaN(ms)) throw new TypeError('The value cannot be converted because it is not a valid Date.');
  if (ms <= 0) throw new TypeError('setAlarm() cannot be called with an alarm time <= 0');
  return Math.min(Math.max(Math.trunc(ms), Date.now()), Number.MAX_SAFE_INTEGER);
}

// --- arguments -----------------------------------------------------------------------------------------------------------------

const keyOf = (key) => (typeof key === 'string' ? key : `${key}`);

function listOptions(value, iface) {
  const { start, startAfter, end, prefix, reverse, limit } = dictionary(value, 'list', iface, 1);
  const text = (key) => (key === undefined || key === null ? undefined : `${key}`);
  if (text(start) !== undefined && text(startAfter) !== undefined) throw new TypeError('list() cannot be called with both start and startAfter values.');
  const n = limit === undefined || limit === null ? undefined : Math.trunc(Number(limit)) || 0;
  if (n !== undefined && n <= 0) throw new TypeError('List limit must be positive.');
  return { start: text(start), startAfter: text(startAfter), end: text(end), prefix: text(prefix), reverse: Boolean(reverse), limit: n };
}

function pairs(flat) {
  const map = new Map();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i], deserialize(flat[i + 1]));
  return map;
}

// The methods that DurableObjectStorage and DurableObjectTransaction share. `use` gives the Operations, or throws.
class Face {
  #use;

  constructor(use) {
    this.#use = use;
  }

  get(key) {
    return promised(() => {
      if (arguments.length === 0) throw wrongArgument('get', this.constructor.name, 1, 'string or Array');
      const operations = this.#use('get');
      return Array.isArray(key) ? operations.getMany(key.map(keyOf)) : operations.getOne(keyOf(key));
    });
  }

  list(options) {
    return promised(() => {
      const checked = listOptions(options, this.constructor.name);
      return pairs(this.#use('list').list(checked));
    });
  }

  put(key, value) {
    return promised(() => {
      if (arguments.length === 0) throw wrongArgument('put', this.constructor.name, 1, 'string or Object');
      const operations = this.#use('put');
      if (typeof key === 'object' && key !== null) return operations.putMany(Object.entries(key));
      if (value === undefined) throw new TypeError('put() called with undefined value.');
      return operations.putOne(keyOf(key), value);
    });
  }

  delete(key) {
    return promised(() => {
      if (arguments.length === 0) throw wrongArgument('delete', this.constructor.name, 1, 'string or Array');
      const operations = this.#use('delete');
      return Array.isArray(key) ? operations.deleteMany(key.map(keyOf)) : operations.deleteOne(keyOf(key));
    });
  }

  getAlarm() {
    return promised(() => this.#use('getAlarm').getAlarm());
  }

  setAlarm(time) {
    return promised(() => {
      if (arguments.length === 0) throw wrongArgument('setAlarm', this.constructor.name, 1, 'number or Date');
      this.#use('setAlarm').setAlarm(time);
    });
  }

  deleteAlarm() {
    return promised(() => this.#use('deleteAlarm').deleteAlarm());
  }
}

for (const name of ['get', 'list', 'put', 'delete', 'getAlarm', 'setAlarm', 'deleteAlarm']) {
  Object.defineProperty(Face.prototype, name, { enumerable: true });
}

// --- transactions ----------------------------------------------------------------------------------------------------------------

class DurableObjectTransaction extends Face {
  #state = 'open'; // open, rolled back, committed
  #end;

  constructor(token, operations, end) {
    requireInternal(token);
    super((method) => {
      if (this.#state === 'rolled back') throw new Error(`Cannot ${method}() on rolled back transaction`);
      if (this.#state === 'committed') {
        throw new Error(`Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`);
      }
      return operations;
    });
    this.#end = end;
  }

  rollback() {
    if (this.#state === 'rolled back') return;
    if (this.#state === 'committed') {
      throw new Error('Cannot call rollback() on transaction that has already committed: did you move `txn` outside of the closure?');
    }
    this.#state = 'rolled back';
    this.#end('rollback');
  }

  static commit(transaction) {
    if (transaction.#state !== 'open') return;
    transaction.#state = 'committed';
    transaction.#end('release');
  }
}

finish(DurableObjectTransaction);

// --- ctx.storage -------------------------------------------------------------------------------------------------------------------

export class DurableObjectStorage extends Face {
  #actor;
  #handle;
  #operations;
  #kv;
  #sql;

  constructor(token, actor, handle) {
    requireInternal(token);
    const operations = new Operations(actor, handle);
    super(() => operations);
    this.#actor = actor;
    this.#handle = handle;
    this.#operations = operations;
  }

  deleteAll() {
    return promised(() => {
      if (this.#actor.inTransaction > 0) throw new Error('Cannot call deleteAll() within a transaction');
      this.#actor.touch();
      KV.deleteAll(this.#handle, host.flag('delete_all_deletes_alarm'));
      touchAlarm(this.#actor);
    });
  }

  transaction(closure) {
    const actor = this.#actor;
    if (typeof closure !== 'function') throw wrongArgument('transaction', 'DurableObjectStorage', 1, 'function');
    return criticalSection(actor, async () => {
      const transaction = this.#begin();
      try {
        const value = await closure(transaction);
        DurableObjectTransaction.commit(transaction);
        return value;
      } catch (error) {
        if (actor.handle === this.#handle) transaction.rollback();
        throw error;
      }
    }, {});
  }

  #begin() {
    const actor = this.#actor;
    const depth = KV.begin(this.#handle);
    actor.inTransaction++;
    return new DurableObjectTransaction(internal, this.#operations, (how) => {
      actor.inTransaction--;
      if (how === 'release') KV.release(this.#handle, depth);
      else this.#operations.undo(depth);
      actor.touch();
    });
  }

  transactionSync(closure) {
    if (typeof closure !== 'function') throw wrongArgument('transactionSync', 'DurableObjectStorage', 1, 'function');
    this.#needsSqlite('transactionSync() API is only available');
    return this.#operations.atomically(closure);
  }

  // Within a transaction there is nothing to wait for: its writes are not made yet.
  sync() {
    const actor = this.#actor;
    if (!actor.dirty || actor.inTransaction > 0 || actor.handle !== this.#handle) return Promise.resolve();
    const context = current();
    return new Promise((resolve, reject) => {
      afterCommit(actor, () => post(context, resolve), reject);
    });
  }

  get kv() {
    this.#needsSqlite('storage.kv (synchronous KV) API is only available');
    return (this.#kv ??= new SyncKvStorage(internal, this.#operations));
  }

  get sql() {
    if (!this.#actor.row.sqlite) {
      throw new Error('SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes` in the migrations of the configuration.');
    }
    return (this.#sql ??= new SqlStorage(internal, this.#actor, this.#handle));
  }

  #needsSqlite(what) {
    if (!this.#actor.row.sqlite) throw new Error(`The ${what} ${NEEDS_SQLITE}`);
  }

  getCurrentBookmark() {
    return Promise.resolve(ZERO_BOOKMARK);
  }

  getBookmarkForTime() {
    return Promise.reject(new Error(NO_RECOVERY));
  }

  onNextSessionRestoreBookmark() {
    return Promise.reject(new Error(NO_RECOVERY));
  }
}

finish(DurableObjectStorage);

// --- ctx.storage.kv ------------------------------------------------------------------------------------------------------------------

class SyncKvStorage {
  #operations;
  #lists = 0;

  constructor(token, operations) {
    requireInternal(token);
    this.#operations = operations;
  }

  get(key) {
    return this.#operations.getOne(keyOf(key));
  }

  put(key, value) {
    this.#operations.putOne(keyOf(key), value);
  }

  delete(key) {
    return this.#operations.deleteOne(keyOf(key));
  }

  list(options) {
    const flat = this.#operations.list(listOptions(options, 'SyncKvStorage'));
    return this.#iterate(flat, ++this.#lists);
  }

  *#iterate(flat, mine) {
    for (let i = 0; i < flat.length; i += 2) {
      if (this.#lists !== mine) {
        throw new Error('kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.');
      }
      yield [flat[i], deserialize(flat[i + 1])];
    }
  }
}

finish(SyncKvStorage);
