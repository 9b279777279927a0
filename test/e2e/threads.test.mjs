// Where threads meet: sockets, requests, publishing, reloads, deaths, metrics and the end, on four edges at once. `make tsan`
// runs this with ThreadSanitizer; whatever that says in the log fails the test.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, program, until } from '../lib/holdfast.mjs';
import { Origin } from '../lib/origin.mjs';
import { scratch, write } from './app.mjs';

const THREADS = 4;
const CLIENTS = 32;

const worker = (version) => `
import { DurableObject } from 'cloudflare:workers';

export class Room extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(ws, data) {
    for (const one of this.ctx.getWebSockets()) one.send(data);
  }
  webSocketClose(ws, code, reason) {
    if (code !== 1006) ws.close(code === 1005 ? 1000 : code, reason);
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);

    if (pathname.startsWith('/room/')) return env.ROOM.getByName(pathname).fetch(request);
    if (pathname === '/slow') return new Promise((resolve) => setTimeout(() => resolve(new Response('slow')), 300));
    return new Response('${version}');
  },
};
`;
const config = {
    name: 'threads', main: 'worker.js', compatibility_date: '2026-11-01',
    durable_objects: { bindings: [{ name: 'ROOM', class_name: 'Room' }] },
    migrations: [{ tag: 'v1', new_sqlite_classes: ['Room'] }],
};

/** ThreadSanitizer has nothing to say. */
const isClean = (server) => assert.doesNotMatch(server.log, /ThreadSanitizer/, server.log.slice(0, 6000));

let folder;
let server;
const later = [];

before(async () => {
    folder = scratch({ after: (fn) => later.push(fn) }, { 'worker.js': worker('one'), 'wrangler.json': config });
    server = await Holdfast.dev(folder, {
        args: ['--threads', String(THREADS), '--control', '127.0.0.1:0', '--actor-idle-ms', '300', '--worker-idle-ms', '500', '--access-log', join(folder, 'access.log')],
    });
});

after(async () => {
    const { code } = await server.stop();

    isClean(server);
    assert.equal(code, 0);
    for (const fn of later) fn();
});

const open = (room, n = CLIENTS) => Promise.all(Array.from({ length: n }, () => Client.open(server.ws(`/room/${room}`))));
const metrics = async () => (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text();

test('everybody hears everybody, on whichever edge', async () => {
    const all = await open('wide');

    for (let i = 0; i < 10; i++) {
        all[i].send(`message ${i}`);
        for (const one of all) assert.equal(await one.next(), `message ${i}`);
    }
    assert.match(await metrics(), new RegExp(`app_holds\\{app="threads",state="open"\\} ${CLIENTS}\n`));
    for (const one of all) await one.close();
});

test('sockets sleep and wake', async () => {
    const all = await open('sleepy');

    await until('the worker is asleep', async () => /app_worker\{app="threads",state="asleep"\} 1/.test(await metrics()));
    all[3].send('good morning');
    for (const one of all) assert.equal(await one.next(), 'good morning');
    for (const one of all) await one.close();
});

test('workers die and code is replaced while everybody talks', async () => {
    const all = await open('busy');
    let talking = true;
    const asked = (async () => {
        while (talking) await Promise.all([fetch(server.url('/')), fetch(server.url('/slow')), metrics()].map((one) => one.then((r) => r.status ?? 0).catch(() => 0)));
    })();
    const chatter = setInterval(() => all.forEach((one, i) => i % 8 || one.send('chatter')), 20);

    await server.killWorker();
    for (const version of ['two', 'three']) {
        write(folder, 'worker.js', worker(version));
        await until('the new code', async () => (await (await fetch(server.url('/'))).text()) === version);
    }
    clearInterval(chatter);
    talking = false;
    await asked;
    all[0].send('last');
    for (const one of all) {
        let heard;

        do heard = await one.next();
        while (heard !== 'last');
        assert.equal(one.closed, null);
    }
    for (const one of all) await one.close();
});

test('connections come and go everywhere at once', async () => {
    for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 20 }, (_, i) => new Promise((resolve) => {
            const socket = connect(server.port, '127.0.0.1', () => {
                if (i % 3 === 0) socket.destroy();
                else socket.write(i % 3 === 1 ? 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' : 'nonsense\r\n\r\n');
            });

            socket.on('error', () => {}).on('data', () => {}).on('close', resolve);
        })));
    }
});

test('what is published reaches the subscribers of every edge', async (t) => {
    const origin = await Origin.open();

    t.after(() => origin.close());
    const held = await Holdfast.serve(['serve', '--route', `* 127.0.0.1:${origin.port}`, '--port', '0', '--control', '127.0.0.1:0', '--threads', String(THREADS)]);
    const streams = [];

    for (let i = 0; i < 16; i++) {
        const asked = fetch(held.url(`/${i}`));

        (await origin.next()).answer(200, { 'Grip-Hold': 'stream', 'Grip-Channel': 'news' }, 'open\n');
        const reader = (await asked).body.getReader();

        streams.push({ reader, text: '' });
    }
    const heard = async (one, what) => {
        while (!one.text.includes(what)) {
            const { value, done } = await one.reader.read();

            assert.ok(!done, one.text);
            one.text += Buffer.from(value).toString();
        }
    };

    for (let i = 0; i < 5; i++) {
        const item = { channel: 'news', formats: { 'http-stream': { content: `item ${i}\n` } } };
        const response = await fetch(`http://127.0.0.1:${held.control}/publish/`, { method: 'POST', body: JSON.stringify({ items: [item] }) });

        assert.equal(response.status, 200);
        for (const one of streams) await heard(one, `item ${i}\n`);
    }
    for (const one of streams) await one.reader.cancel();
    const { code } = await held.stop();

    isClean(held);
    assert.equal(code, 0);
});

test('the limit on open files is one of each thread', { skip: process.env.TSAN_OPTIONS !== undefined && 'ThreadSanitizer knows one table only' }, async () => {
    const OPEN_FILES = 250;
    const CONNECTIONS = 2 * OPEN_FILES;
    const args = ['serve', '--route', '* test', '--port', '0', '--control', '127.0.0.1:0', '--threads', String(THREADS)];
    const held = await Holdfast.serve(['-c', `ulimit -n ${OPEN_FILES} && exec "$0" "$@"`, program, ...args], { program: 'sh' });
    const answer = (socket) => new Promise((resolve, reject) => socket.once('data', (data) => resolve(String(data))).once('error', reject).once('close', reject));
    const sockets = Array.from({ length: CONNECTIONS }, () => connect(held.port, '127.0.0.1'));

    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const head of await Promise.all(sockets.map(answer))) assert.match(head, /^HTTP\/1.1 200 /);
    assert.ok(sockets.every((one) => one.readable));
    for (const socket of sockets) socket.destroy();
    assert.equal((await held.stop()).code, 0);
});
