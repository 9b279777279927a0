// Calls between objects, entrypoints and the worker, with the timers, streams and sockets of the real process.
import { DurableObject, RpcTarget, WorkerEntrypoint, exports } from 'cloudflare:workers';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const noted = (error) => ({ name: error.name, message: error.message, remote: error.remote, reset: error.durableObjectReset });

class Counter extends RpcTarget {
    n = 0;

    inc(by = 1) {
        return (this.n += by);
    }
}

export class Actor extends DurableObject {
    born = Math.random();
    streams = new Set();

    fetch(request) {
        const { pathname } = new URL(request.url);

        if (pathname === '/socket') {
            const [client, server] = Object.values(new WebSocketPair());

            server.accept();
            server.addEventListener('message', ({ data }) => server.send(`object: ${data}`));
            return new Response(null, { status: 101, webSocket: client });
        }
        if (pathname === '/events') {
            const { readable, writable } = new TransformStream();
            const writer = writable.getWriter();

            this.streams.add(writer);
            writer.write(new TextEncoder().encode('event: hello\ndata: 1\n\n'));
            return new Response(readable, { headers: { 'content-type': 'text/event-stream' } });
        }
        return Response.json({ born: this.born });
    }

    async tell(text) {
        for (const writer of this.streams) await writer.write(new TextEncoder().encode(`data: ${text}\n\n`));
        return [this.born, this.streams.size];
    }

    counter() {
        return new Counter();
    }

    async order(log, x, ms) {
        await log(`${x}0`);
        if (ms > 0) await sleep(ms);
        else await this.ctx.storage.get('x');
        await log(`${x}1`);
    }

    async section(ms) {
        const order = [];
        const late = sleep(1).then(() => order.push('timer'));

        await this.ctx.blockConcurrencyWhile(async () => {
            await sleep(ms);
            order.push('section');
        });
        await late;
        return order;
    }

    async listen(url) {
        const socket = new WebSocket(url);

        await new Promise((resolve, reject) => {
            socket.addEventListener('open', resolve);
            socket.addEventListener('error', reject);
        });
        this.socket = socket;
        this.heard = [];
        socket.addEventListener('message', ({ data }) => void this.heard.push(data));
        return this.born;
    }

    what() {
        return [this.born, this.heard];
    }

    async write(n) {
        for (let i = 0; i < n; i++) this.ctx.storage.put(`k${i}`, i);
        this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS t (n)');
        this.ctx.storage.sql.exec('INSERT INTO t VALUES (?)', n);
        await this.ctx.storage.sync();
        return this.ctx.storage.sql.exec('SELECT count(*) AS n FROM t').one().n;
    }

    async wipe(first) {
        if (first) await this.ctx.storage.put('k', 'v');
        else await this.ctx.storage.deleteAll();
        return `${this.ctx.id}`;
    }

    stop(why) {
        this.ctx.abort(why);
    }

    exported() {
        return Object.keys(this.ctx.exports).sort();
    }
}

export class Tools extends WorkerEntrypoint {
    props() {
        return this.ctx.props;
    }

    add(a, b) {
        return a + b;
    }

    async apply(fn, ...args) {
        return fn(...args);
    }

    fetch() {
        const [client, server] = Object.values(new WebSocketPair());

        server.accept();
        server.addEventListener('message', ({ data }) => server.send(`tools: ${data}`));
        return new Response(null, { status: 101, webSocket: client });
    }
}

/** Says something over the socket of a response, in this process: the answer. */
async function talk(response, text) {
    const { webSocket } = response;

    webSocket.accept();
    const answer = new Promise((resolve) => webSocket.addEventListener('message', ({ data }) => resolve(data)));

    webSocket.send(text);
    const data = await answer;
    const closed = new Promise((resolve) => webSocket.addEventListener('close', ({ code, reason }) => resolve([code, reason])));

    webSocket.close(4000, 'done');
    return [response.status, data, await closed];
}

const upgrade = { headers: { Upgrade: 'websocket' } };

const scenarios = {
    async calls(env) {
        const stub = env.ACTORS.getByName('calls');
        const counter = await stub.counter();

        return [await stub.counter().inc(), await counter.inc(2), await counter.inc(3), await env.TOOLS.add(2, 3), await env.TOOLS.apply((x) => x * 7, 6)];
    },
    async order(env) {
        const stub = env.ACTORS.getByName('order');
        const log = [];
        const note = (x) => void log.push(x);

        await Promise.all([stub.order(note, 'a', 0), stub.order(note, 'b', 0)]);
        log.push('|');
        await Promise.all([stub.order(note, 'a', 20), stub.order(note, 'b', 0)]);
        return log;
    },
    section: (env) => env.ACTORS.getByName('section').section(30),
    async reset(env) {
        const id = env.ACTORS.idFromName('reset');
        const stub = env.ACTORS.get(id);
        const { born } = await (await stub.fetch('http://x/')).json();
        const first = await stub.stop('why').catch(noted);
        const second = await stub.exported().catch(noted);

        return [first, second, (await (await env.ACTORS.get(id).fetch('http://x/')).json()).born !== born];
    },
    async sockets(env) {
        return [
            await talk(await env.ACTORS.getByName('sockets').fetch('http://x/socket', upgrade), 'hi'),
            await talk(await env.TOOLS.fetch('http://x/', upgrade), 'hi'),
        ];
    },
    exports: async (env) => [await env.ACTORS.getByName('exports').exported(), await exports.Tools.add(1, 1), await exports.Tools({ props: { who: 'me' } }).props()],
    write: (env, { n }) => env.ACTORS.getByName('write').write(Number(n)),
    wipe: (env, { first }) => env.ACTORS.getByName('wiped').wipe(first === 'yes'),
    listen: (env, { name, url }) => env.ACTORS.getByName(name).listen(url),
    what: (env, { name }) => env.ACTORS.getByName(name).what(),
    tell: (env, { name, text }) => env.ACTORS.getByName(name).tell(text),
    born: async (env, { name }) => (await env.ACTORS.getByName(name).fetch('http://x/')).json(),
    async source(env, { url }) {
        const heard = [];
        const source = new EventSource(url);

        await new Promise((resolve) => {
            source.addEventListener('open', () => heard.push('open'));
            source.addEventListener('foo', ({ data, lastEventId }) => heard.push(`foo ${data} ${lastEventId}`));
            source.addEventListener('message', ({ data, lastEventId }) => heard.push(`message ${data} ${lastEventId}`));
            source.addEventListener('error', ({ message }) => {
                heard.push(`error ${message} ${source.readyState}`);
                if (heard.filter((one) => one.startsWith('error')).length === 2) resolve();
            });
        });
        source.close();
        return heard;
    },
    async abort(env, { url }) {
        const controller = new AbortController();
        const { webSocket } = await fetch(url, { ...upgrade, signal: controller.signal });

        webSocket.accept();
        const closed = new Promise((resolve) => webSocket.addEventListener('close', ({ code }) => resolve(code)));

        controller.abort();
        return closed;
    },
};

export default {
    async fetch(request, env) {
        const { pathname, searchParams } = new URL(request.url);
        const [, what, name] = pathname.split('/');

        if (what === 'object') return env.ACTORS.getByName(name).fetch(new URL(pathname.slice(`/object/${name}`.length), request.url), request);
        return Response.json(await scenarios[what](env, Object.fromEntries(searchParams)));
    },
};
