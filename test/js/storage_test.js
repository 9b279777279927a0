// ctx.storage: keys and values, transactions, SQL, alarms.
import { asleep, namespace, setup } from '../../src/api/durable.js';
import { DurableObject } from '../../src/api/rpc.js';
import { equal, ok, rejects, sleep, throws, uncaught } from './lib.js';
import { gateway, oldTest, Response, ringAlarms, settled, test, turn, until } from './gateway.js';
import { host } from '../../src/api/host.js';

export { suite } from './lib.js';

let inside; // the object that runs the test

class Box extends DurableObject {
  fetch() {
    return new Response('');
  }

  async run() {
    return inside(this.ctx.storage, this.ctx);
  }
}

class Bell extends Box {
  static rung = [];
  static onAlarm;

  alarm(info) {
    Bell.rung.push(info);
    return Bell.onAlarm?.(this.ctx.storage, this.ctx, info);
  }
}

class Old extends Box {}

setup({ name: 'app', durable: { idle_ms: 400, classes: [{ name: 'Box' }, { name: 'Bell' }, { name: 'Old', sqlite: false }] } }, { Box, Bell, Old }, {});

let n = 0;

/** fn(storage, ctx) as an event of an object. */
const inObject = (fn, className = 'Box', name = `${++n}`) => turn(() => {
  inside = fn;
  return namespace(className).getByName(name).run();
});

const storageTest = (name, fn, make = test) => make(name, () => inObject(fn));

/* 12.8 */

storageTest('list is ordered by UTF-8, with bounds', async (storage) => {
  for (const key of ['b', 'é', '', 'a', 'x', 'Z']) await storage.put(key, key);
  const keys = async (options) => [...(await storage.list(options)).keys()].join(' ');
  equal(await keys(), ' Z a b x é');
  equal(await keys({ reverse: true }), 'é x b a Z ');
  equal(await keys({ start: 'a' }), 'a b x é');
  equal(await keys({ startAfter: 'a' }), 'b x é');
  equal(await keys({ end: 'b' }), ' Z a');
  equal(await keys({ start: 'Z', end: 'x', reverse: true, limit: 2 }), 'b a');
  await storage.put({ 'p:1': 1, 'p:2': 2, q: 3 });
  equal(await keys({ prefix: 'p:' }), 'p:1 p:2');
  await rejects(storage.list({ start: 'a', startAfter: 'b' }), 'TypeError', 'list() cannot be called with both start and startAfter values.');
  for (const limit of [0, -1]) await rejects(storage.list({ limit }), 'TypeError', 'List limit must be positive.');
});

storageTest('get, put and delete, one and many', async (storage) => {
  equal(await storage.get('a'), undefined);
  await storage.put('a', { n: [1, new Date(5)] });
  const a = await storage.get('a');
  equal([a.n[0], a.n[1].getTime()], [1, 5]);
  await rejects(storage.put('k', undefined), 'TypeError', 'put() called with undefined value.');
  await rejects(storage.put(), 'TypeError');
  await storage.put({ b: 1, u: undefined, é: 2, 5: 'five' });
  equal([...(await storage.get(['é', 'u', 'b', 'nope', 5]))], [['5', 'five'], ['b', 1], ['é', 2]]);
  equal(await storage.get(5), 'five');
  equal([await storage.delete('b'), await storage.delete('b'), await storage.delete(['é', 'nope', 'a'])], [true, false, 2]);
  await rejects(storage.put('f', () => 1), 'DataCloneError', '()=>1 could not be cloned.');
  class Point {
    x = 1;
  }
  await storage.put('p', new Point());
  equal(Object.getPrototypeOf(await storage.get('p')) === Object.prototype, true);
});

storageTest('a value is that of the call', async (storage) => {
  const value = { n: 1 };
  const done = storage.put('v', value);
  value.n = 2;
  await done;
  equal((await storage.get('v')).n, 1);
});

storageTest('limits', async (storage) => {
  await storage.put('k'.repeat(2048), 1);
  await rejects(storage.put('k'.repeat(2049), 1), 'RangeError', 'Keys cannot be larger than 2048 bytes. A key of size 2049 was provided.');
  await rejects(storage.get('k'.repeat(2049)), 'RangeError');
  await rejects(storage.put('v', new Uint8Array(3 << 20)), 'RangeError', /^Values cannot be larger than 2097152 bytes\./);
  await rejects(storage.put({ a: 1, b: new Uint8Array(3 << 20) }), 'RangeError');
  equal(await storage.get('a'), undefined);
});

storageTest('transactions', async (storage) => {
  await storage.put('a', 0);
  equal(await storage.transaction(async (txn) => {
    await txn.put('a', 1);
    await null;
    return storage.get('a');
  }), 1);
  await rejects(storage.transaction(async (txn) => {
    await txn.put('a', 2);
    throw new Error('no');
  }), 'Error', 'no');
  equal(await storage.get('a'), 1);
  let escaped;
  await storage.transaction(async (txn) => {
    escaped = txn;
    await txn.put('a', 3);
    txn.rollback();
    await rejects(txn.get('a'), 'Error', 'Cannot get() on rolled back transaction');
  });
  equal(await storage.get('a'), 1);
  await storage.transaction(async (txn) => {
    escaped = txn;
  });
  await rejects(escaped.get('a'), 'Error', 'Cannot call get() on transaction that has already committed: did you move `txn` outside of the closure?');
  await storage.transaction(async () => {
    await rejects(storage.deleteAll(), 'Error', 'Cannot call deleteAll() within a transaction');
    await storage.put('a', 'outer');
    await rejects(storage.transaction(async (inner) => {
      await inner.put('a', 'inner');
      throw new Error('inner');
    }), 'Error', 'inner');
  });
  equal(await storage.get('a'), 'outer');
});

storageTest('synchronous transactions', (storage) => {
  storage.kv.put('a', 0);
  equal(storage.transactionSync(() => {
    storage.kv.put('a', 1);
    throws(() => storage.transactionSync(() => {
      storage.kv.put('a', 2);
      throw new Error('inner');
    }), 'Error', 'inner');
    return storage.kv.get('a');
  }), 1);
  equal(storage.kv.get('a'), 1);
});

storageTest('synchronous keys and values', (storage) => {
  const { kv } = storage;
  kv.put('a', 1);
  kv.put('b', undefined);
  equal([kv.get('a'), kv.get('b'), kv.get('c'), kv.delete('a'), kv.delete('a')], [1, undefined, undefined, true, false]);
  kv.put('c', 3);
  equal([...kv.list()], [['b', undefined], ['c', 3]]);
  const first = kv.list();
  first.next();
  kv.list();
  throws(() => first.next(), 'Error', 'kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.');
});

test('classes without SQL', () => inObject(async (storage) => {
  await storage.put('a', 1);
  throws(() => storage.sql, 'Error', /^SQL is not enabled for this Durable Object class\. To enable it, change `new_classes` to `new_sqlite_classes`/);
  throws(() => storage.kv, 'Error', /^The storage\.kv \(synchronous KV\) API is only available for SQLite-backed Durable Objects, /);
}, 'Old'));

async function alarmAfterDeleteAll(storage) {
  await storage.put('a', 1);
  await storage.setAlarm(Date.now() + 100_000);
  await storage.deleteAll();
  return [await storage.get('a'), (await storage.getAlarm()) !== null];
}

test('deleteAll', () => inObject(async (storage) => equal(await alarmAfterDeleteAll(storage), [undefined, false]), 'Bell'));
oldTest('deleteAll', () => inObject(async (storage) => equal(await alarmAfterDeleteAll(storage), [undefined, true]), 'Bell'));

storageTest('no point-in-time recovery', async (storage) => {
  ok(/^[0-]+$/.test(await storage.getCurrentBookmark()));
  for (const call of [storage.getBookmarkForTime(0), storage.onNextSessionRestoreBookmark('x')]) {
    await rejects(call, 'Error', "This Durable Object's storage back-end does not implement point-in-time recovery.");
  }
});

test('what was stored is there after sleep', async () => {
  await inObject((storage) => storage.put('a', 1), 'Box', 'sleeper');
  await until(asleep);
  equal(await inObject((storage) => storage.get('a'), 'Box', 'sleeper'), 1);
});

storageTest('constructors are ours', (storage, ctx) => {
  for (const object of [ctx, ctx.id, storage, storage.kv, storage.sql, storage.sql.exec('SELECT 1'), namespace('Box')]) {
    throws(() => new object.constructor({}, 1), 'TypeError', 'Illegal constructor');
  }
});

/* SQL */

storageTest('SQL: statements, bindings, values', ({ sql }) => {
  const rows = (...args) => sql.exec(...args).toArray();
  equal(sql.databaseSize, 4096);
  equal(rows("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2.5), ('x', NULL); SELECT * FROM t WHERE a = ?", 'x'), [{ a: 'x', b: null }]);
  equal(rows('SELECT * FROM t').length, 2);
  equal(rows('SELECT typeof(?) AS t', 1)[0].t, 'real');
  equal(rows('SELECT ? AS b, ? AS u', true, undefined)[0], { b: 'true', u: null });
  throws(() => sql.exec('SELECT ?', 5n), 'TypeError', 'Cannot convert a BigInt value to a number');
  equal([...new Uint8Array(rows('SELECT ? AS x', new Uint8Array([1, 2]).subarray(1))[0].x)], [2]);
  const cursor = sql.exec('SELECT 1 AS a, 2 AS a');
  equal([cursor.columnNames, cursor.next(), cursor.next()], [['a', 'a'], { done: false, value: { a: 2 } }, { done: true, value: undefined }]);
  equal([...sql.exec('SELECT 1 AS a, 2 AS a').raw()], [[1, 2]]);
  equal(sql.exec('SELECT 5 AS n').one(), { n: 5 });
  throws(() => sql.exec('SELECT a FROM t WHERE 0').one(), 'Error', 'Expected exactly one result from SQL query, but got no results.');
  throws(() => sql.exec('SELECT a FROM t').one(), 'Error', 'Expected exactly one result from SQL query, but got multiple results.');
  throws(() => sql.exec('selec'), 'Error', 'near "selec": syntax error at offset 0: SQLITE_ERROR');
  throws(() => sql.exec('BEGIN'), 'Error', /^To execute a transaction, please use the state\.storage\.transaction\(\)/);
  throws(() => sql.exec('SELECT * FROM _cf_KV'), 'Error', /SQLITE_AUTH$/);
  const write = sql.exec('INSERT INTO t VALUES (3, 3), (4, 4)');
  equal([write.rowsWritten, [...write].length], [2, 0]);
  for (const { a } of sql.exec('SELECT a FROM t')) ok(a !== undefined);
});

storageTest('SQL: many rows come in pieces', ({ sql }) => {
  sql.exec('CREATE TABLE big (n INTEGER, x TEXT)');
  for (let i = 0; i < 40; i++) sql.exec('INSERT INTO big VALUES (?, ?)', i, 'x'.repeat(100_000));
  const cursor = sql.exec('SELECT n, x FROM big ORDER BY n');
  let at = 0;
  for (const { n: number, x } of cursor) equal([number, x.length], [at++, 100_000]);
  equal([at, cursor.rowsRead], [40, 40]);
});

storageTest('SQL is part of transactions', async (storage) => {
  storage.sql.exec('CREATE TABLE t (a)');
  await rejects(storage.transaction(async () => {
    storage.sql.exec('INSERT INTO t VALUES (1)');
    await storage.put('k', 1);
    throw new Error('no');
  }), 'Error', 'no');
  equal([storage.sql.exec('SELECT count(*) AS n FROM t').one().n, await storage.get('k')], [0, undefined]);
});

/* alarms */

const bellTest = (name, fn) => test(name, () => {
  gateway.alarms.clear();
  Bell.onAlarm = undefined;
  return fn();
});

test('alarms: arguments', () => inObject(async (storage) => {
  equal(await storage.getAlarm(), null);
  for (const time of [0, -5]) await rejects(storage.setAlarm(time), 'TypeError', 'setAlarm() cannot be called with an alarm time <= 0');
  await rejects(storage.setAlarm('x'), 'TypeError', 'The value cannot be converted because it is not a valid Date.');
  const time = Date.now() + 50_000;
  await storage.setAlarm(new Date(time));
  equal(await storage.getAlarm(), time);
  await storage.deleteAlarm();
  equal(await storage.getAlarm(), null);
}, 'Bell'));

storageTest('alarms need a handler', async (storage) => {
  await rejects(storage.setAlarm(Date.now()), 'TypeError', 'Your Durable Object class must have an alarm() handler in order to call setAlarm()');
});

/** Rings until the bell has rung count times more. */
async function rings(count) {
  Bell.rung.length = 0;
  await until(() => {
    ringAlarms();
    return Bell.rung.length >= count;
  });
  await settled();
  return Bell.rung;
}

bellTest('an alarm in the past runs at once, and is gone while it runs', async () => {
  let during;
  Bell.onAlarm = async (storage) => {
    during = await storage.getAlarm();
  };
  await inObject((storage) => storage.setAlarm(5), 'Bell', 'past');
  const [info] = await rings(1);
  equal([during, info.retryCount, info.isRetry], [null, 0, false]);
  ok(info.scheduledTime > 5);
  equal(gateway.alarms.size, 0);
  equal(await inObject((storage) => storage.getAlarm(), 'Bell', 'past'), null);
  equal(gateway.unacknowledged.size, 0);
});

bellTest('an alarm may set the next', async () => {
  const next = Date.now() + 60_000;
  Bell.onAlarm = (storage) => storage.setAlarm(next);
  await inObject((storage) => storage.setAlarm(5), 'Bell', 'again');
  await rings(1);
  equal([...gateway.alarms.values()], [[next, 'again']]);
  Bell.onAlarm = undefined;
  await inObject((storage) => storage.deleteAlarm(), 'Bell', 'again');
  await settled();
  equal(gateway.alarms.size, 0);
});

bellTest('an alarm that fails is tried again, later each time, six times', async () => {
  const { random } = Math;
  const { now } = Date;
  let clock = 0;
  Math.random = () => 0;
  Date.now = () => now.call(Date) + clock;
  Bell.onAlarm = () => {
    throw new Error('no alarm');
  };
  try {
    await inObject((storage) => storage.setAlarm(5), 'Bell', 'failing');
    const scheduled = [];
    for (let i = 0; i < 7; i++) {
      const [info] = await rings(1);
      scheduled.push(info.scheduledTime);
      equal([info.retryCount, info.isRetry], [i, i > 0]);
      const [alarm] = gateway.alarms.values();
      if (i === 6) break;
      const delay = alarm[0] - Date.now();
      ok(Math.abs(delay - 2000 * 2 ** i) < 200, `${delay} ms before retry ${i}`);
      clock += delay + 1;
    }
    equal([gateway.alarms.size, new Set(scheduled).size], [0, 1]);
    equal(uncaught.length, 7);
  } finally {
    Math.random = random;
    Date.now = now;
  }
});

bellTest('an alarm wakes its object, with its name', async () => {
  let name;
  Bell.onAlarm = (storage, ctx) => {
    name = ctx.id.name;
  };
  await inObject((storage) => storage.setAlarm(5), 'Bell', 'asleep');
  await until(asleep);
  await rings(1);
  equal(name, 'asleep');
});

bellTest('a stale alarm is corrected', async () => {
  const time = Date.now() + 50_000;
  await inObject((storage) => storage.setAlarm(time), 'Bell', 'stale');
  await settled();
  const [actor] = gateway.alarms.keys();
  gateway.alarms.set(actor, [5, 'stale']);
  Bell.rung.length = 0;
  ringAlarms();
  await settled();
  equal([Bell.rung.length, [...gateway.alarms.values()]], [0, [[time, 'stale']]]);
  equal(gateway.unacknowledged.size, 0);
});

bellTest('a transaction that fails takes its alarm along', async () => {
  await inObject(async (storage) => {
    await storage.transaction(async (txn) => {
      await txn.setAlarm(Date.now() + 1000);
      txn.rollback();
    });
    equal(await storage.getAlarm(), null);
  }, 'Bell');
  await settled();
  equal(gateway.alarms.size, 0);
});

bellTest('abort() in an alarm: again, unless told otherwise', async () => {
  for (const retryAlarm of [true, false]) {
    Bell.onAlarm = (storage, ctx) => ctx.abort('stop', { retryAlarm });
    await inObject((storage) => storage.setAlarm(5), 'Bell', `abort ${retryAlarm}`);
    await rings(1);
    equal([gateway.alarms.size, gateway.unacknowledged.size], [retryAlarm ? 1 : 0, 0]);
    gateway.alarms.clear();
  }
});
