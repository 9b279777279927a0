// Durable Objects as callers see them: ids, stubs, gates, resets, calls. Their sockets are in hibernation_test.js.
import { setup, namespace, asleep } from '../../src/api/durable.js';
import { DurableObject, RpcStub, RpcTarget } from '../../src/api/rpc.js';
import { world } from '../../src/api/actor.js';
import { equal, flagsOff, ok, rejects, sleep, throws, uncaught } from './lib.js';
import { faults, gateway, oldTest, Request, Response, settled, test, turn, until } from './gateway.js';

export { suite } from './lib.js';

class MyErr extends Error {
  name = 'MyErr';
  extra = 7;
}

class Foo {
  x = 1;
}

class Counter extends RpcTarget {
  #n = 0;

  inc(by = 1) {
    return (this.#n += by);
  }

  [Symbol.dispose]() {
    Room.log.push('counter disposed');
  }
}

class Room extends DurableObject {
  static log = [];
  static failing = false;
  own = () => 'own';
  count = 0;

  constructor(ctx, env) {
    super(ctx, env);
    Room.log.push(`new ${ctx.id.name}`);
    if (Room.failing) throw new Error('no start');
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/throw') throw new TypeError('from fetch');
    if (pathname === '/number') return 7;
    if (pathname === '/count') return new Response(`${++this.count}`);
    return new Response(`${request.method} ${pathname} ${await request.text()}`);
  }

  note(x) {
    Room.log.push(x);
    return x;
  }

  async waitNote(ms, x) {
    Room.log.push(`${x}0`);
    if (ms > 0) await sleepInside(ms);
    else await this.ctx.storage.get('x');
    Room.log.push(`${x}1`);
    await this.ctx.storage.put('x', x);
    Room.log.push(`${x}2`);
  }

  counter() {
    return new Counter();
  }

  nested() {
    return { a: { b: 7, f: (x) => x * 3 } };
  }

  get getter() {
    return 'got';
  }

  fail(what) {
    if (what === 'string') throw 'a string';
    if (what === 'custom') throw Object.assign(new MyErr('cmsg', { cause: new Error('why') }));
    throw new RangeError('range');
  }

  async callMe(fn) {
    return (await fn(20)) + 1;
  }

  async useStub(stub) {
    return stub.inc(5);
  }

  give(what) {
    if (what === 'foo') return new Foo();
    if (what === 'socket') return new WebSocketPair()[0];
    if (what === 'all') return { d: new Date(5), m: new Map([[1, new Set([2])]]), r: /x/g, b: 5n, u: undefined, bytes: new Uint8Array([1, 2]), e: new TypeError('t') };
    return what;
  }

  echo(x) {
    return x;
  }

  abort(reason) {
    this.ctx.abort(reason);
  }

  bump() {
    return ++this.count;
  }

  async critical(x) {
    await this.ctx.blockConcurrencyWhile(async () => {
      Room.log.push(`${x}0`);
      await sleepInside(10);
      Room.log.push(`${x}1`);
    });
    Room.log.push(`${x}2`);
  }

  criticalThrow() {
    return this.ctx.blockConcurrencyWhile(async () => {
      throw new Error('inside');
    });
  }

  async deep(n) {
    if (n > 0) return this.ctx.blockConcurrencyWhile(() => this.deep(n - 1));
    return 'bottom';
  }

  async timers() {
    const order = [];
    const done = new Promise((resolve) => gatedTimeout(() => resolve(order.push('timer')), 0));
    await this.ctx.blockConcurrencyWhile(async () => {
      await sleepInside(10);
      order.push('section');
    });
    await done;
    return order;
  }

  write(value) {
    this.ctx.storage.put('w', value);
    return value;
  }

  async writeSync(value) {
    this.ctx.storage.put('w', value);
    await this.ctx.storage.sync();
    return 'synced';
  }

  read() {
    return this.ctx.storage.get('w');
  }

  alarm() {}
  webSocketMessage() {}
}

class Plain {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  fetch() {
    return new Response(`plain ${this.env.word}`);
  }

  method() {}
}

class NoFetch extends DurableObject {}

class Slow extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      await sleepInside(20);
      this.first = true;
    });
    ctx.blockConcurrencyWhile(async () => {
      await sleepInside(1);
      this.ready = this.first;
    });
    this.early = true;
  }

  state() {
    return [this.early, this.ready];
  }
}

// What applications call: a timer of the context that asks for it (timers.js does that in the worker).
import { current } from '../../src/api/context.js';
import { host } from '../../src/api/host.js';

function gatedTimeout(fn, ms) {
  const context = current();
  context.hold();
  host.setTimeout(() => {
    context.deliver(fn);
    context.release();
  }, ms);
}

const sleepInside = (ms) => new Promise((resolve) => gatedTimeout(resolve, ms));

const exports = { Room, Plain, NoFetch, Slow };
setup({ name: 'app', durable: { idle_ms: 160, classes: ['Room', 'Plain', 'NoFetch', 'Slow', 'Gone'].map((name) => ({ name })) } }, exports, { word: 'env' });

const rooms = namespace('Room');
let n = 0;
const fresh = () => rooms.getByName(`room ${++n}`);
/** Runs as an event of a stateless worker. */
const as = (fn) => turn(fn);

/* 12.6 */

test('ids', () => {
  const id = rooms.idFromName('lobby');
  equal([`${id}`.length, id.name, `${rooms.idFromName('lobby')}`], [64, 'lobby', `${id}`]);
  ok(/^[0-9a-f]{64}$/.test(`${id}`));
  const parsed = rooms.idFromString(`${id}`.toUpperCase());
  ok(parsed.equals(id) && id.equals(parsed) && !id.equals(rooms.newUniqueId()) && !id.equals('x'));
  equal(parsed.name, undefined);
  ok(`${rooms.newUniqueId()}` !== `${rooms.newUniqueId()}`);
  equal(rooms.idFromName('').name, '');
  throws(() => rooms.idFromName(), 'TypeError', "Failed to execute 'idFromName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'.");
  throws(() => rooms.idFromString('zz'), 'TypeError', 'Invalid Durable Object ID: must be 64 hex digits');
  throws(() => rooms.idFromString('0'.repeat(64)), 'TypeError', 'Durable Object ID is not valid for this namespace.');
  throws(() => rooms.idFromString(`${namespace('Plain').idFromName('lobby')}`), 'TypeError', 'Durable Object ID is not valid for this namespace.');
  throws(() => rooms.get('x'), 'TypeError');
  throws(() => rooms.get(id, { routingMode: 'x' }), 'RangeError', 'unknown routingMode: x');
  throws(() => rooms.newUniqueId({ jurisdiction: 'eu' }), 'Error', 'Jurisdiction restrictions are not implemented in workerd.');
  ok(rooms.jurisdiction() === rooms);
});

test('stub.fetch', async () => {
  const stub = fresh();
  equal([stub.name, stub.id.name], [`room ${n}`, `room ${n}`]);
  const response = await as(() => stub.fetch('http://x/path', { method: 'POST', body: 'hi' }));
  equal(await response.text(), 'POST /path hi');
  const { fetch: detached } = stub;
  equal(await (await as(() => detached('http://x/count'))).text(), '1');
  equal(await (await as(() => stub.fetch(new Request('http://x/count')))).text(), '2');
  const error = await rejects(as(() => stub.fetch('http://x/throw')), 'TypeError', 'from fetch');
  equal([error.remote, error.durableObjectReset], [true, undefined]);
  await rejects(as(() => stub.fetch('http://x/number')), 'TypeError', "Incorrect type for Promise: the Promise did not resolve to 'Response'.");
  await rejects(as(() => stub.fetch('/y')), 'TypeError', 'Invalid URL: /y');
  await rejects(as(() => namespace('NoFetch').getByName('a').fetch('http://x/')), 'Error', 'Handler does not export a fetch() function.');
});

test('calls on one stub arrive in order', async () => {
  const stub = fresh();
  Room.log.length = 0;
  await as(() => Promise.all([0, 1, 2, 3, 4].map((i) => stub.note(i))));
  equal(Room.log, [`new room ${n}`, 0, 1, 2, 3, 4]);
});

test('methods, properties and what they lead to', async () => {
  const stub = fresh();
  equal(await as(() => stub.counter().inc()), 1);
  equal(await as(() => stub.nested().a.b), 7);
  equal(await as(() => stub.nested().a.f(5)), 15);
  equal(await as(() => stub.getter), 'got');
  const { bump } = stub;
  equal(typeof bump, 'function');
  equal(await as(() => bump()), 1);
  const counter = await as(() => stub.counter());
  ok(counter instanceof RpcStub);
  equal([await as(() => counter.inc()), await as(() => counter.inc(2))], [1, 3]);
});

test('stubs are disposed of', async () => {
  const counter = await as(() => fresh().counter());
  const twin = counter.dup();
  Room.log.length = 0;
  counter[Symbol.dispose]();
  await rejects(as(() => counter.inc()), 'Error', 'RPC stub used after being disposed.');
  equal(await as(() => twin.inc()), 1);
  twin[Symbol.dispose]();
  await settled();
  equal(Room.log, ['counter disposed']);
});

test('what cannot be called', async () => {
  const stub = fresh();
  for (const name of ['nope', 'count', 'own', 'ctx']) {
    const error = await rejects(as(() => stub[name]()), 'TypeError', `The RPC receiver does not implement the method "${name}".`).catch((e) => { throw new Error(`${name}: ${e.message}`); });
    equal(error.remote, true);
  }
  const counter = await as(() => stub.counter());
  for (const name of ['constructor', 'toString']) await rejects(as(() => counter[name]()), 'TypeError', `The RPC receiver does not implement the method "${name}".`);
  for (const name of ['alarm', 'webSocketMessage']) await rejects(as(() => stub[name]()), 'TypeError', `'${name}' is a reserved method and cannot be called over RPC.`);
  await rejects(as(() => namespace('Plain').getByName('a').method()), 'TypeError', /^The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`/);
  equal(await (await as(() => namespace('Plain').getByName('a').fetch('http://x/'))).text(), 'plain env');
});

test('errors cross', async () => {
  const stub = fresh();
  const range = await rejects(as(() => stub.fail()), 'RangeError', 'range');
  ok(range instanceof RangeError && range.remote);
  equal((await rejects(as(() => stub.fail('string')), 'Error', 'a string')).remote, true);
  const mine = await rejects(as(() => stub.fail('custom')), 'MyErr', 'cmsg');
  equal([mine.extra, mine.cause.message, mine.durableObjectId], [7, 'why', `${stub.id}`]);
  equal(await as(() => stub.bump()), 1);
});

oldTest('errors cross', async () => {
  const stub = fresh();
  const mine = await rejects(as(() => stub.fail('custom')), 'Error', 'MyErr: cmsg');
  equal([mine.extra, mine.cause], [undefined, undefined]);
});

test('arguments and results are copied', async () => {
  const stub = fresh();
  const object = { list: [1] };
  const back = await as(() => stub.echo(object));
  ok(back !== object && back.list !== object.list);
  const all = await as(() => stub.give('all'));
  equal([all.d.getTime(), all.m.get(1).has(2), all.r.source, all.b, all.u, [...all.bytes], all.e instanceof TypeError], [5, true, 'x', 5n, undefined, [1, 2], true]);
  equal(await as(() => stub.callMe((x) => x * 2)), 41);
  equal(await as(() => stub.useStub(new Counter())), 5);
  const counter = await as(() => fresh().counter());
  equal(await as(() => stub.useStub(counter)), 5);
  const other = await as(() => stub.echo({ other: fresh() }));
  equal(await as(() => other.other.bump()), 1);
  const stream = await as(() => stub.echo(new Response('streamed').body));
  equal(await new Response(stream).text(), 'streamed');
});

test('what does not cross', async () => {
  const stub = fresh();
  const foo = await rejects(as(() => stub.give('foo')), 'DataCloneError', 'Could not serialize object of type "Foo". This type does not support serialization.');
  equal(foo.remote, true);
  await rejects(as(() => stub.give('socket')), 'DataCloneError', 'Could not serialize object of type "WebSocket". This type does not support serialization.');
  await rejects(as(() => stub.echo(Symbol('x'))), 'DataCloneError', 'Symbol(x) could not be cloned.');
  await rejects(as(() => stub.echo(new Foo())), 'DataCloneError', /"Foo"/);
  await rejects(as(() => stub.echo(new Uint8Array(33 * 1024 * 1024))), 'Error', /^Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: 3460\d{4} bytes\.$/);
});

test('a constructor that throws', async () => {
  const stub = fresh();
  Room.failing = true;
  const error = await rejects(as(() => stub.bump()), 'Error', 'no start');
  equal(error.durableObjectReset, true);
  Room.failing = false;
  await rejects(as(() => stub.bump()), 'Error', 'no start');
  equal(await as(() => rooms.get(stub.id).bump()), 1);
  await rejects(as(() => namespace('Gone').getByName('x').fetch('http://x/')), 'Error', 'The application does not export a class named "Gone".');
});

test('abort() resets', async () => {
  const stub = fresh();
  equal(await as(() => stub.bump()), 1);
  const error = await rejects(as(() => stub.abort('why')), 'Error', 'why');
  equal(error.durableObjectReset, true);
  await rejects(as(() => stub.bump()), 'Error', 'why');
  equal(await as(() => rooms.get(stub.id).bump()), 1);
  await rejects(as(() => rooms.get(stub.id).abort()), 'Error', 'Application called abort() to reset Durable Object.');
});

test('an error out of a critical section resets', async () => {
  const stub = fresh();
  await as(() => stub.bump());
  const error = await rejects(as(() => stub.criticalThrow()), 'Error', 'inside');
  equal(error.durableObjectReset, true);
  await rejects(as(() => stub.bump()), 'Error', 'inside');
  equal(await as(() => rooms.get(stub.id).bump()), 1);
});

test('a critical section that never ends', async () => {
  const { setTimeout: real } = host;
  host.setTimeout = (fn, ms) => real(fn, ms === 30_000 ? 30 : ms);
  class Stuck extends DurableObject {
    stuck() {
      return this.ctx.blockConcurrencyWhile(() => new Promise(() => {}));
    }
  }
  exports.Gone = Stuck;
  const stub = namespace('Gone').getByName('stuck');
  const text = 'A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.';
  try {
    const [first, second] = await as(() => Promise.allSettled([stub.stuck(), stub.stuck()]));
    equal([first.reason.message, first.reason.overloaded, first.reason.durableObjectReset], [text, true, true]);
    equal(second.reason.message, text);
  } finally {
    host.setTimeout = real;
    delete exports.Gone;
  }
});

test('critical sections keep other events out', async () => {
  const stub = fresh();
  await as(() => stub.bump());
  Room.log.length = 0;
  await as(() => Promise.all([stub.critical('a'), stub.note('b')]));
  equal(Room.log, ['a0', 'a1', 'a2', 'b']);
  Room.log.length = 0;
  await as(() => Promise.all([stub.critical('a'), stub.critical('b')]));
  equal(Room.log, ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']);
});

test('timers of the object wait for the section, those of the section do not', async () => {
  equal(await as(() => fresh().timers()), ['section', 'timer']);
});

test('sections nest, to a depth', async () => {
  const stub = fresh();
  equal(await as(() => stub.deep(64)), 'bottom');
  await rejects(as(() => stub.deep(65)), 'Error', 'blockConcurrencyWhile() calls are nested too deeply.');
});

test('the constructor\'s section comes before everything', async () => {
  equal(await as(() => namespace('Slow').getByName('a').state()), [true, true]);
});

test('awaiting storage lets nobody in, awaiting a timer does', async () => {
  const stub = fresh();
  await as(() => stub.bump());
  Room.log.length = 0;
  await as(() => Promise.all([stub.waitNote(0, 'A'), stub.note('B')]));
  equal(Room.log, ['A0', 'A1', 'A2', 'B']);
  Room.log.length = 0;
  await as(() => Promise.all([stub.waitNote(10, 'A'), stub.note('B')]));
  equal(Room.log, ['A0', 'B', 'A1', 'A2']);
});

test('an idle instance goes, and comes back', async () => {
  const stub = fresh();
  equal(await as(() => stub.bump()), 1);
  equal(await as(() => stub.bump()), 2);
  await until(() => asleep());
  equal(gateway.states.at(-1).slice(0, 2), [true, 0]);
  equal(await as(() => stub.bump()), 1);
});

test('what is pending keeps an instance', async () => {
  const stub = fresh();
  await as(() => stub.bump());
  await as(() => stub.waitNote(400, 'x'));
  equal(await as(() => stub.bump()), 2);
});

test('a caller hears of a write once it is durable', async () => {
  const stub = fresh();
  equal(await as(() => stub.write('v')), 'v');
  equal(await as(() => stub.read()), 'v');
  equal(await as(() => stub.writeSync('w')), 'synced');
  await until(() => asleep());
  equal(await as(() => stub.read()), 'w');
});

test('unknown classes', () => {
  throws(() => namespace('Nope'), 'Error', 'There is no Durable Object class "Nope" in the configuration.');
});
