import { DurableObject, RpcTarget } from 'cloudflare:workers';
import { attempt, attemptAsync, describe, tick } from './describe.js';

class MyError extends Error {
    constructor(message) {
        super(message);
        this.name = 'MyErr';
        this.extra = 5;
    }
}

class Counter extends RpcTarget {
    #n = 0;

    inc(by = 1) {
        return (this.#n += by);
    }
}

export class Subject extends DurableObject {
    log = [];
    own = 1;
    arrow = () => 1;

    constructor(ctx, env) {
        super(ctx, env);
        if (ctx.id.name === 'throws in constructor') throw new TypeError('constructor failed');
    }

    get getter() {
        return 'got';
    }

    fetch(request) {
        if (new URL(request.url).pathname === '/throw') throw new RangeError('fetch failed');
        return new Response(`${request.method} ${request.url}`);
    }

    // What is asked from outside runs here, with everything a Durable Object has.
    run(name) {
        return inside[name].call(this, this.ctx, this.env).then(describe, (error) => ({ throws: describe(error) }));
    }

    async step(n) {
        this.log.push(n);
        return this.log.slice();
    }

    counter() {
        return new Counter();
    }

    nested() {
        return { a: { b: 7 }, list: [1, 2] };
    }

    echo(...args) {
        return args;
    }

    callMe(fn) {
        return fn(21);
    }

    error(kind) {
        if (kind === 'string') throw 'just a string';
        if (kind === 'custom') throw new MyError('custom message');
        if (kind === 'dom') throw new DOMException('dom message', 'DataError');
        throw new TypeError('type message');
    }

    instance() {
        return new (class Foo {})();
    }

    socket() {
        return new WebSocketPair()[0];
    }

    abort() {
        this.ctx.abort('aborted on purpose');
    }

    blockThrow() {
        return this.ctx.blockConcurrencyWhile(async () => {
            throw new Error('thrown while blocked');
        });
    }

    async slowBlock() {
        return this.ctx.blockConcurrencyWhile(async () => {
            this.log.push('a0');
            await tick(30);
            this.log.push('a1');
        }).then(() => this.log.push('a2'));
    }

    async storageAwait(name) {
        this.log.push(`${name}0`);
        await this.ctx.storage.get('x');
        this.log.push(`${name}1`);
        await this.ctx.storage.put('x', name);
        this.log.push(`${name}2`);
        return this.log.slice();
    }

    async timerAwait(name) {
        this.log.push(`${name}0`);
        await tick(20);
        this.log.push(`${name}1`);
        return this.log.slice();
    }

    async alarm() {
        this.alarmSaw = await this.ctx.storage.getAlarm();
        await this.ctx.storage.put('alarm saw', this.alarmSaw);
    }
}

export class Other extends DurableObject {}

/** No base class: state and env by the constructor, no calls but fetch. */
export class Plain {
    constructor(state, env) {
        this.state = state;
        this.env = env;
    }

    fetch() {
        return new Response(`plain ${this.state.id.name} ${this.env.TEXT}`);
    }
}

// Run inside an object of that name.
const inside = {
    async 'storage: values'(ctx) {
        const { storage } = ctx;
        const values = { undefined: undefined, null: null, date: new Date(1e12), map: new Map([['k', new Set([1])]]), bytes: new Uint8Array([1, 2, 3]), nan: NaN, big: 12n, deep: { a: [{ b: 'c' }] }, regexp: /x/g, error: new RangeError('stored') };
        const out = {};

        for (const [key, value] of Object.entries(values)) {
            out[key] = await attemptAsync(async () => {
                await storage.put(key, value);
                const back = await storage.get(key);

                return back instanceof RegExp ? String(back) : back;
            });
        }
        out.function = await attemptAsync(() => storage.put('f', () => 1));
        out.class = await attemptAsync(async () => {
            await storage.put('c', new (class Thing { x = 1; })());
            return (await storage.get('c')).constructor.name;
        });
        return out;
    },
    async 'storage: order of list'({ storage }) {
        for (const key of ['b', 'é', 'a', 'Z', '', 'x']) await storage.put(key, 1);
        const keys = async (options) => attemptAsync(async () => [...(await storage.list(options)).keys()]);

        return [
            await keys(), await keys({ reverse: true }), await keys({ start: 'a', end: 'x' }), await keys({ startAfter: 'a' }), await keys({ prefix: 'a' }), await keys({ limit: 2, reverse: true }),
            await keys({ start: 'a', startAfter: 'a' }), await keys({ limit: 0 }), await keys({ limit: -1 }), await keys({ start: 'x', end: 'a' }),
        ];
    },
    async 'storage: many at once'({ storage }) {
        await storage.put({ a: 1, u: undefined, b: 2 });
        return [await storage.get(['a', 'u', 'b', 'none']), await storage.delete(['a', 'none', 'b']), await storage.delete('a'), await storage.get('a'), await storage.get([])];
    },
    async 'storage: keys become strings'({ storage }) {
        await storage.put(5, 'five');
        return [await storage.get('5'), [...(await storage.list()).keys()], await attemptAsync(() => storage.get()), await attemptAsync(() => storage.put('x'))];
    },
    async 'storage: values are copies'({ storage }) {
        const value = { n: 1 };
        const put = storage.put('k', value);

        value.n = 2;
        await put;
        return [await storage.get('k'), (await storage.get('k')) === (await storage.get('k'))];
    },
    async 'storage: transaction'({ storage }) {
        await storage.put('t', 0);
        const thrown = await attemptAsync(() => storage.transaction(async (txn) => {
            await txn.put('t', 1);
            throw new Error('back');
        }));
        const seen = await storage.get('t');
        const result = await storage.transaction(async (txn) => {
            await txn.put('t', 2);
            return [await storage.get('t'), await txn.get('t')];
        });
        let kept;
        const rolled = await storage.transaction(async (txn) => {
            await txn.put('t', 3);
            txn.rollback();
            kept = txn;
            return attemptAsync(() => txn.get('t'));
        });

        return [thrown, seen, result, rolled, await storage.get('t'), await attemptAsync(() => storage.transaction(async () => storage.deleteAll()))];
    },
    async 'storage: transactionSync'({ storage }) {
        await storage.put('s', 0);
        const log = [];

        log.push(attempt(() => storage.transactionSync(() => {
            storage.kv.put('s', 1);
            attempt(() => storage.transactionSync(() => {
                storage.kv.put('s', 2);
                throw new Error('inner');
            }));
            return storage.kv.get('s');
        })));
        log.push(attempt(() => storage.transactionSync(() => {
            storage.kv.put('s', 9);
            throw new Error('outer');
        })));
        return [log, storage.kv.get('s')];
    },
    async 'storage: kv'({ storage }) {
        storage.kv.put('b', { x: 1 });
        storage.kv.put('a', 1);
        return [storage.kv.get('b'), storage.kv.get('none'), [...storage.kv.list()], storage.kv.delete('a'), storage.kv.delete('a'), [...storage.kv.list({ prefix: 'b' })], await storage.get('b')];
    },
    async 'storage: deleteAll'({ storage }) {
        await storage.put('a', 1);
        await storage.setAlarm(Date.now() + 100_000);
        await storage.deleteAll();
        return [await storage.list(), await storage.getAlarm()];
    },
    async 'sql: basics'({ storage }) {
        const { sql } = storage;

        sql.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, ?)', 'one');
        sql.exec('INSERT INTO t VALUES (?, ?), (3, NULL)', 2, 'two');
        const cursor = sql.exec('SELECT * FROM t ORDER BY a');

        return [
            cursor.columnNames, [...cursor], cursor.rowsRead, sql.exec('SELECT b FROM t WHERE a = 1').one(), [...sql.exec('SELECT a, a FROM t').raw()],
            attempt(() => sql.exec('SELECT * FROM t').one()), attempt(() => sql.exec('SELECT * FROM t WHERE a = 9').one()), sql.exec('SELECT typeof(?) AS t', 1).one(), sql.exec('SELECT ? AS b', true).one(),
            sql.exec('SELECT ? AS x', new Uint8Array([1, 2])).one(), sql.exec('SELECT ? AS x', null).one(), attempt(() => sql.exec('SELECT ?', 1n)),
        ];
    },
    async 'sql: refused'({ storage }) {
        const { sql } = storage;

        sql.exec('CREATE TABLE IF NOT EXISTS u (a PRIMARY KEY)');
        sql.exec('INSERT INTO u VALUES (1)');
        return ['selec', 'SELECT * FROM nope', 'INSERT INTO u VALUES (1)', '', '-- x', 'BEGIN', 'COMMIT', 'SAVEPOINT x', 'CREATE TABLE _cf_x (a)', 'PRAGMA user_version', "ATTACH 'x' AS y", 'SELECT ?', 'VACUUM']
            .map((query) => [query, attempt(() => sql.exec(query).toArray())]);
    },
    async 'alarm: set and get'({ storage }) {
        const at = Date.now() + 100_000;
        const before = await storage.getAlarm();

        await storage.setAlarm(at);
        const set = (await storage.getAlarm()) === at;

        await storage.setAlarm(new Date(at + 5));
        const moved = (await storage.getAlarm()) === at + 5;

        await storage.deleteAlarm();
        return [before, set, moved, await storage.getAlarm(), await attemptAsync(() => storage.setAlarm(0)), await attemptAsync(() => storage.setAlarm(-5)), await attemptAsync(() => storage.setAlarm(NaN)), await attemptAsync(() => storage.setAlarm('x'))];
    },
    async 'alarm: in the past runs at once, and sees none'({ storage }) {
        await storage.setAlarm(Date.now() - 1000);
        await tick(300);
        return [await storage.get('alarm saw'), await storage.getAlarm()];
    },
    async 'alarm: rolled back with its transaction'({ storage }) {
        await attemptAsync(() => storage.transaction(async (txn) => {
            await txn.setAlarm(Date.now() + 100_000);
            throw new Error('back');
        }));
        return storage.getAlarm();
    },
    async 'hibernation: acceptWebSocket refuses'(ctx) {
        const [a, b] = Object.values(new WebSocketPair());
        const [c, d] = Object.values(new WebSocketPair());
        const [e] = Object.values(new WebSocketPair());
        const tags = (list) => attempt(() => ctx.acceptWebSocket(new WebSocketPair()[0], list));

        a.accept();
        ctx.acceptWebSocket(c);
        return [
            attempt(() => ctx.acceptWebSocket(a)), attempt(() => ctx.acceptWebSocket(b)), attempt(() => ctx.acceptWebSocket(c)), attempt(() => ctx.acceptWebSocket(d)), attempt(() => ctx.acceptWebSocket({})), attempt(() => c.accept()),
            attempt(() => ctx.acceptWebSocket(e, 'tag')), tags(Array.from({ length: 11 }, (_, i) => i)), tags([...Array.from({ length: 10 }, (_, i) => i), 0]), tags(['é'.repeat(129)]), tags(['é'.repeat(128)]), tags(['']),
            attempt(() => ctx.getTags(e)), attempt(() => ctx.getTags(a)),
        ];
    },
    async 'hibernation: tags and getWebSockets'(ctx) {
        const made = ['one', 'two', 'three'].map((name, i) => {
            const ws = new WebSocketPair()[1];

            ctx.acceptWebSocket(ws, i === 1 ? [] : ['odd', name, 'odd']);
            ws.serializeAttachment(name);
            return ws;
        });
        const names = (list) => list.map((ws) => ws.deserializeAttachment());

        return [ctx.getTags(made[0]), ctx.getTags(made[1]), names(ctx.getWebSockets('odd')), names(ctx.getWebSockets()), ctx.getWebSockets('none'), ctx.getWebSockets('one')[0] === made[0], made[0].readyState];
    },
    async 'hibernation: automatic answers'(ctx) {
        const before = ctx.getWebSocketAutoResponse();

        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('q', 'a'));
        const set = ctx.getWebSocketAutoResponse();
        const ws = new WebSocketPair()[1];

        ctx.acceptWebSocket(ws);
        const at = ctx.getWebSocketAutoResponseTimestamp(ws);
        const bad = attempt(() => ctx.setWebSocketAutoResponse({ request: 'q', response: 'a' }));

        ctx.setWebSocketAutoResponse();
        return [before, set.request, set.response, at, bad, ctx.getWebSocketAutoResponse()];
    },
    async 'hibernation: the timeout of events'(ctx) {
        const before = ctx.getHibernatableWebSocketEventTimeout();

        ctx.setHibernatableWebSocketEventTimeout(1000);
        const set = ctx.getHibernatableWebSocketEventTimeout();
        const bad = attempt(() => ctx.setHibernatableWebSocketEventTimeout(604_800_001));

        ctx.setHibernatableWebSocketEventTimeout();
        return [before, set, bad, ctx.getHibernatableWebSocketEventTimeout()];
    },
    async 'blockConcurrencyWhile gives its value'(ctx) {
        return [await ctx.blockConcurrencyWhile(async () => 5), await ctx.blockConcurrencyWhile(() => 6), await ctx.blockConcurrencyWhile(async () => ctx.blockConcurrencyWhile(async () => 7))];
    },
};

export const durableCases = {
    'id: from a name': (env) => {
        const one = env.SUBJECT.idFromName('one');
        const again = env.SUBJECT.idFromName('one');
        const parsed = env.SUBJECT.idFromString(one.toString());

        return [/^[0-9a-f]{64}$/.test(String(one)), one.name, one.equals(again), parsed.equals(one), parsed.name, one.equals(env.SUBJECT.idFromName('two')), String(one) === String(env.OTHER.idFromName('one')), env.SUBJECT.idFromName('').name];
    },
    'id: unique': (env) => {
        const id = env.SUBJECT.newUniqueId();

        return [/^[0-9a-f]{64}$/.test(String(id)), id.name, id.equals(env.SUBJECT.newUniqueId())];
    },
    'id: refused': (env) => [attempt(() => env.SUBJECT.idFromString('zz')), attempt(() => env.SUBJECT.idFromString('0'.repeat(64))), attempt(() => env.SUBJECT.idFromString(String(env.OTHER.idFromName('x')))), attempt(() => env.SUBJECT.idFromName()), attempt(() => env.SUBJECT.get('x'))],
    'stub: its properties': (env) => {
        const stub = env.SUBJECT.getByName('props');

        return [stub.name, stub.id.equals(env.SUBJECT.idFromName('props')), typeof stub.anything, typeof stub.then, typeof stub.fetch];
    },
    'stub: fetch': async (env) => {
        const stub = env.SUBJECT.getByName('fetch');

        return [await (await stub.fetch('http://any/path?x')).text(), await (await stub.fetch(new Request('http://any/', { method: 'PUT', body: 'x' }))).text(), await attemptAsync(() => stub.fetch('/relative')), await attemptAsync(() => stub.fetch('http://any/throw'))];
    },
    'stub: a plain class': async (env) => {
        const stub = env.PLAIN.getByName('bob');

        return [await (await stub.fetch('http://any/')).text(), await attemptAsync(() => stub.method())];
    },
    'stub: no fetch()': (env) => attemptAsync(() => env.OTHER.getByName('x').fetch('http://any/')),
    'call: order': async (env) => {
        const stub = env.SUBJECT.getByName('order');

        return (await Promise.all([0, 1, 2, 3, 4].map((n) => stub.step(n)))).at(-1);
    },
    'call: pipelining': async (env) => {
        const stub = env.SUBJECT.getByName('pipeline');

        return [await stub.counter().inc(), await stub.nested().a.b, await stub.getter, await stub.nested().list[1]];
    },
    'call: a detached method': async (env) => {
        const { echo } = env.SUBJECT.getByName('detached');

        return echo(1);
    },
    'call: arguments and results': async (env) => {
        const stub = env.SUBJECT.getByName('echo');
        const values = [1, 'x', null, undefined, [1, [2]], { a: 1 }, new Date(0), new Map([[1, 2]]), new Set([3]), new Uint8Array([4]), 5n, new RangeError('an error')];

        return stub.echo(...values);
    },
    'call: a target keeps its state': async (env) => {
        using counter = await env.SUBJECT.getByName('counter').counter();

        return [await counter.inc(), await counter.inc(5)];
    },
    'call: functions are called back': (env) => env.SUBJECT.getByName('callback').callMe((n) => n * 2),
    'call: not there': async (env) => {
        const stub = env.SUBJECT.getByName('missing');

        return [await attemptAsync(() => stub.nope()), await attemptAsync(() => stub.own()), await attemptAsync(() => stub.arrow()), await attemptAsync(() => stub.alarm()), await attemptAsync(() => stub.webSocketMessage())];
    },
    'call: errors': async (env) => {
        const stub = env.SUBJECT.getByName('errors');

        return [await attemptAsync(() => stub.error('type')), await attemptAsync(() => stub.error('string')), await attemptAsync(() => stub.error('custom')), await attemptAsync(() => stub.error('dom'))];
    },
    'call: what cannot be sent': async (env) => {
        const stub = env.SUBJECT.getByName('unsendable');

        return [await attemptAsync(() => stub.instance()), await attemptAsync(() => stub.socket()), await attemptAsync(() => stub.echo(Symbol('s'))), await attemptAsync(() => stub.echo(new (class Mine {})()))];
    },
    'reset: the constructor throws': async (env) => {
        const stub = env.SUBJECT.getByName('throws in constructor');

        return attemptAsync(() => stub.step(1));
    },
    'reset: abort breaks a stub, not the object': async (env) => {
        const stub = env.SUBJECT.getByName('aborted');

        await stub.step('before');
        return [await attemptAsync(() => stub.abort()), await attemptAsync(() => stub.step('same stub')), await attemptAsync(() => env.SUBJECT.getByName('aborted').step('new stub'))];
    },
    'reset: a throw while blocked': async (env) => {
        const stub = env.SUBJECT.getByName('blocked');

        await stub.step('before');
        return [await attemptAsync(() => stub.blockThrow()), await attemptAsync(() => env.SUBJECT.getByName('blocked').step('after'))];
    },
    'reset: an exception does not': async (env) => {
        const stub = env.SUBJECT.getByName('exception');

        await stub.step('before');
        await attemptAsync(() => stub.error('type'));
        return stub.step('after');
    },
    'gate: blockConcurrencyWhile keeps others out': async (env) => {
        const stub = env.SUBJECT.getByName('gate-block');
        const slow = stub.slowBlock();
        const other = stub.step('b');

        await slow;
        await other;
        return stub.step('end');
    },
    'gate: storage keeps others out': async (env) => {
        const stub = env.SUBJECT.getByName('gate-storage');

        return (await Promise.all([stub.storageAwait('a'), stub.storageAwait('b')])).at(-1);
    },
    'gate: a timer does not': async (env) => {
        const stub = env.SUBJECT.getByName('gate-timer');

        return (await Promise.all([stub.timerAwait('a'), stub.timerAwait('b')])).at(-1);
    },
    ...Object.fromEntries(Object.keys(inside).map((name) => [name, (env) => env.SUBJECT.getByName(name).run(name)])),
};
