// permessage-deflate (RFC 7692) with the clients and servers that people have: the ws package and undici.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';
import { WebSocketServer } from 'ws';
import { Client } from '../lib/client.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { OPS, Peer } from '../lib/peer.mjs';
import { scratch } from './app.mjs';

const worker = `
import { DurableObject } from 'cloudflare:workers';

export class Room extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(ws, data) {
    if (typeof data === 'string' && data.startsWith('to all ')) for (const one of this.ctx.getWebSockets()) one.send(data);
    else ws.send(data);
  }
  webSocketClose(ws, code, reason) {
    if (code !== 1006) ws.close(code === 1005 ? 1000 : code, reason);
  }
}

function plain(headers = {}) {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.binaryType = 'arraybuffer';
  server.addEventListener('message', (event) => server.send(event.data));
  return new Response(null, { status: 101, webSocket: client, headers });
}

// Opens a socket to a server, says something, tells what it saw.
async function dial(url, size) {
  const socket = new WebSocket(url);
  const seen = await new Promise((resolve) => {
    socket.addEventListener('open', () => socket.send('x'.repeat(size)));
    socket.addEventListener('message', (event) => resolve({ extensions: socket.extensions, back: event.data.length }));
    socket.addEventListener('error', (event) => resolve({ error: String(event.message) }));
  });
  if (!seen.error) socket.close(3001, 'r');
  return Response.json(seen);
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/room/')) return env.ROOM.getByName(url.pathname).fetch(request);
    if (url.pathname === '/plain') return plain();
    if (url.pathname === '/own') return plain({ 'sec-websocket-extensions': url.searchParams.get('say') });
    if (url.pathname === '/dial') return dial(url.searchParams.get('url'), Number(url.searchParams.get('size')));
    if (url.pathname === '/proxy') return fetch(url.searchParams.get('url'), request);
    return new Response('no', { status: 404 });
  },
};
`;

const app = (t, more = {}) => scratch(t, {
    'worker.js': worker,
    'wrangler.json': {
        name: 'compress', main: 'worker.js', compatibility_date: '2026-11-01',
        durable_objects: { bindings: [{ name: 'ROOM', class_name: 'Room' }] },
        migrations: [{ tag: 'v1', new_sqlite_classes: ['Room'] }],
        ...more,
    },
});

let server;
let keeping; // with context takeover, and everything compressed
let rooms = 0;
const later = [];

before(async () => {
    const hooks = { after: (fn) => later.push(fn) };

    server = await Holdfast.dev(app(hooks));
    keeping = await Holdfast.dev(app(hooks, { holdfast: { websocket: { context_takeover: true, compression_bytes: 1, compression_level: 6 } } }));
});

after(async () => {
    assert.equal((await server.stop()).code, 0);
    assert.equal((await keeping.stop()).code, 0);
    for (const fn of later) fn();
});

const room = () => `/room/${++rooms}`;
const json = (n) => JSON.stringify(Array.from({ length: n }, (_, i) => ({ id: i, name: `name of ${i}`, text: 'some text that repeats' })));

/** A ws server that echoes, with these options; gone after the test. */
async function origin(t, perMessageDeflate) {
    const http = createServer();
    const sockets = new WebSocketServer({ server: http, perMessageDeflate });

    sockets.on('connection', (socket) => {
        socket.on('message', (data, binary) => socket.send(data, { binary }));
        socket.on('error', () => {});
    });
    await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        for (const socket of sockets.clients) socket.terminate();
        http.close();
    });
    return `//127.0.0.1:${http.address().port}/`;
}

const VARIANTS = [
    true,
    { threshold: 0 },
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9, threshold: 0 },
    { serverMaxWindowBits: 12, clientMaxWindowBits: true, threshold: 0, zlibDeflateOptions: { level: 9 } },
];

for (const perMessageDeflate of VARIANTS) {
    test(`ws with ${JSON.stringify(perMessageDeflate)} is understood`, async () => {
        for (const [holdfast, path] of [[server, room()], [server, '/plain'], [keeping, room()]]) {
            const a = await Client.open(holdfast.ws(path), { perMessageDeflate });

            assert.match(a.extensions, /^permessage-deflate/);
            for (const data of ['short', json(20), json(2000), '', 'gr\u00fc\u00df '.repeat(500), json(20)]) {
                a.send(data);
                assert.equal(await a.next(), data);
            }
            const bytes = Buffer.alloc(300_000, 'abc');

            a.send(bytes);
            assert.ok(bytes.equals(await a.next()));
            await a.close();
        }
    });
}

test("undici's WebSocket is understood", async () => {
    const socket = new UndiciWebSocket(server.ws(room()));
    const text = json(100);
    const heard = await new Promise((resolve, reject) => {
        socket.addEventListener('open', () => socket.send(text));
        socket.addEventListener('message', (event) => resolve(event.data));
        socket.addEventListener('error', (event) => reject(event.error ?? new Error('it failed')));
    });

    assert.equal(heard, text);
    assert.match(socket.extensions, /^permessage-deflate/);
    socket.close();
});

test('what goes to all is heard by compressed and plain clients alike', async () => {
    const path = room();
    const text = `to all ${json(50)}`;
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => Client.open(server.ws(path), { perMessageDeflate: [false, true, VARIANTS[3]][i % 3] })));

    all[0].send(text);
    for (const one of all) assert.equal(await one.next(), text);
    await Promise.all(all.map((one) => one.close()));
});

const upgrade = async (holdfast, path, offer) => {
    const peer = await Peer.open(holdfast.port);
    const head = await peer.upgrade(path, { 'Sec-WebSocket-Extensions': offer });

    return { peer, said: head.fields.get('sec-websocket-extensions') };
};

test('the answer to an offer', async () => {
    const fresh = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

    for (const [holdfast, path, offer, answer] of [
        [server, '/plain', 'permessage-deflate', fresh],
        [server, room(), 'permessage-deflate; client_max_window_bits', fresh],
        [server, room(), 'x-unknown, permessage-deflate; server_max_window_bits=10', `${fresh}; server_max_window_bits=10`],
        [server, room(), 'permessage-deflate; server_max_window_bits=99', undefined],
        [server, room(), 'x-unknown', undefined],
        [keeping, room(), 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
        [server, '/own?say=permessage-deflate%3B+client_max_window_bits%3D10', 'permessage-deflate; client_max_window_bits', `${fresh}; client_max_window_bits=10`],
        [server, '/own?say=x-mine', 'permessage-deflate', undefined],
    ]) {
        const { peer, said } = await upgrade(holdfast, path, offer);

        assert.equal(said, answer, offer);
        peer.close();
    }
});

test('short messages are sent as they are', async () => {
    const { peer } = await upgrade(server, room(), 'permessage-deflate');

    await peer.say(Buffer.from('8180000000008185000000006869207961', 'hex'));
    assert.deepEqual(await peer.frame(), { fin: true, rsv: 0, op: OPS.text, name: 'text', payload: Buffer.alloc(0) });
    assert.equal((await peer.frame()).payload.toString(), 'hi ya');
    peer.close();
});

test('without the compatibility flag, or by the option, nothing is agreed on', async (t) => {
    for (const more of [
        { compatibility_date: '2023-08-14' },
        { compatibility_flags: ['no_web_socket_compression'] },
        { holdfast: { websocket: { compression: false } } },
    ]) {
        const plain = await Holdfast.dev(app(t, more));
        const there = await origin(t, true);

        for (const path of ['/plain', '/own?say=permessage-deflate', `/proxy?url=http:${there}`]) {
            const { peer, said } = await upgrade(plain, path, 'permessage-deflate');

            assert.equal(said, undefined);
            peer.close();
        }
        assert.deepEqual(await (await fetch(plain.url(`/dial?size=5000&url=ws:${there}`))).json(), { extensions: '', back: 5000 });
        await plain.stop();
    }
});

for (const perMessageDeflate of VARIANTS) {
    test(`a server with ${JSON.stringify(perMessageDeflate)} is spoken to`, async (t) => {
        const there = await origin(t, perMessageDeflate);

        for (const holdfast of [server, keeping]) {
            const answer = await fetch(holdfast.url(`/dial?size=50000&url=ws:${there}`));

            assert.deepEqual(await answer.json(), { extensions: 'permessage-deflate', back: 50000 });
            const a = await Client.open(holdfast.ws(`/proxy?url=http:${there}`), { perMessageDeflate: true });

            for (const data of [json(100), 'short', json(1000)]) {
                a.send(data);
                assert.equal(await a.next(), data);
            }
            await a.close();
        }
    });
}

test('a server that does not compress is spoken to', async (t) => {
    const answer = await fetch(server.url(`/dial?size=5000&url=ws:${await origin(t, false)}`));

    assert.deepEqual(await answer.json(), { extensions: '', back: 5000 });
});

// Random messages, cut into random fragments, compressed or not, on random terms; ws on the other side of both roles.
function random(seed) {
    let x = seed;
    const next = (n) => ((x = (Math.imul(x, 1664525) + 1013904223) >>> 0) >>> 8) % n;
    const some = (n) => Array.from({ length: n }, () => next(256));
    const bits = () => 9 + next(7);

    return {
        next,
        terms: () => ({
            ...(next(2) && { serverNoContextTakeover: true }),
            ...(next(2) && { clientNoContextTakeover: true }),
            ...(next(2) && { serverMaxWindowBits: bits() }),
            ...(next(2) && { clientMaxWindowBits: next(3) ? bits() : true }),
            threshold: next(3) * 600,
            zlibDeflateOptions: { level: 1 + next(9), memLevel: 1 + next(9), strategy: next(5) },
        }),
        message() {
            const size = [0, 1, 100, 1023, 1024, 5000, 70_000, 400_000][next(8)] + next(3);
            const word = next(2) ? 'row your boat ' : String.fromCharCode(...some(20));

            return next(3) ? word.repeat(size / word.length + 1).slice(0, size) : Buffer.from(some(Math.min(size, 20_000)));
        },
        pieces(n) {
            const cuts = Array.from({ length: next(3) ? 0 : next(6) }, () => next(n + 1)).sort((a, b) => a - b);

            return [0, ...cuts].map((from, i) => [from, cuts[i] ?? n]);
        },
    };
}

async function differ(r, url) {
    const a = await Client.open(url, { perMessageDeflate: r.terms() });
    const sent = Array.from({ length: 30 }, () => r.message());

    for (const message of sent) {
        const bytes = Buffer.from(message);
        const pieces = r.pieces(bytes.length);

        pieces.forEach(([from, to], i) => a.send(bytes.subarray(from, to), {
            binary: typeof message !== 'string', compress: r.next(4) > 0, fin: i === pieces.length - 1,
        }));
        if (r.next(5) === 0) assert.equal(await a.ping('between'), 'between');
    }
    for (const message of sent) {
        const heard = await a.next();

        assert.equal(typeof heard, typeof message);
        assert.ok(Buffer.from(message).equals(Buffer.from(heard)), `a message of ${message.length}`);
    }
    await a.close();
}

test('random conversations with ws as client and as server', async (t) => {
    const rounds = Number(process.env.ROUNDS ?? 8);
    const first = Number(process.env.SEED ?? 1);

    for (let seed = first; seed < first + rounds; seed++) {
        const r = random(seed);
        const there = await origin(t, r.terms());

        for (const holdfast of [server, keeping])
            for (const path of [room(), `/proxy?url=http:${there}`])
                await differ(r, holdfast.ws(path)).catch((error) => {
                    throw new Error(`SEED=${seed}, ${holdfast === keeping ? 'keeping' : 'fresh'} ${path}: ${error.message}`, { cause: error });
                });
    }
});

test('a server that agrees on what was not offered is refused', async (t) => {
    for (const [answer, fine] of [
        ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', true],
        ['permessage-deflate; client_max_window_bits=8', false],
        ['permessage-deflate; server_max_window_bits=7', false],
        ['permessage-deflate; unknown', false],
        ['permessage-deflate, permessage-deflate', false],
        ['x-other', false],
    ]) {
        const http = createServer().on('upgrade', (request, socket) => {
            const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

            socket.on('error', () => {});
            socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: ${answer}\r\n\r\n`);
            socket.write(Buffer.from('c107f248cdc9c90700', 'hex'));
        });

        await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
        t.after(() => {
            http.closeAllConnections();
            http.close();
        });
        const seen = await (await fetch(server.url(`/dial?size=10&url=ws://127.0.0.1:${http.address().port}/`))).json();

        assert.equal(seen.back ?? 'refused', fine ? 5 : 'refused', answer);
    }
});
