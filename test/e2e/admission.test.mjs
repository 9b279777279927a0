// Who gets in, and who the client is: PROXY headers, trusted proxies, limits, peers that never finish a request.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const APP = `export default {
    async fetch(request) {
        if (request.headers.get('upgrade') !== 'websocket') return new Response(request.cf.clientIp);
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        return new Response(null, { status: 101, webSocket: client });
    },
};`;

async function serve(t, settings, listen = '', threads = 1) {
    const folder = scratch(t, {
        'app.js': APP,
        'holdfast.toml': `state = "state"\nthreads = ${threads}\n${settings}\n[[listen]]\nport = 0\n${listen}\n[[app]]\npath = "app.js"\nname = "app"\n`,
    });
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    return server;
}

/** Says bytes on a connection of its own and resolves with everything heard until the end. */
function say(port, ...parts) {
    return new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        let heard = '';

        for (const part of parts) socket.write(part);
        socket.setEncoding('latin1').on('data', (text) => (heard += text)).on('error', () => {}).on('close', () => resolve(heard));
    });
}

const get = (...fields) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const body = (answer) => answer.split('\r\n\r\n')[1];
const metric = async (port, name) => {
    const lines = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split('\n');

    return Number(lines.find((line) => line.startsWith(`holdfast_${name} `))?.split(' ')[1]);
};

test('a listener with proxy_protocol takes the address of the header, and nothing without one', async (t) => {
    const server = await serve(t, '', 'proxy_protocol = true');
    const v2 = Buffer.from('0d0a0d0a000d0a515549540a' + '21' + '11' + '000c' + 'c0000207' + 'c0000201' + 'dc04' + '0050', 'hex');

    assert.equal(body(await say(server.port, 'PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\n' + get())), '192.0.2.1');
    assert.equal(body(await say(server.port, 'PROXY TCP6 2001:db8::9 ::1 7 80\r\n', get())), '2001:db8::9');
    assert.equal(body(await say(server.port, v2, get())), '192.0.2.7');
    assert.match(body(await say(server.port, 'PROXY UNKNOWN\r\n' + get())), /^127\.0\.0\.1$/);
    assert.equal(await say(server.port, get()), '');
    assert.equal(await say(server.port, 'PROXY TCP4 nonsense\r\n' + get()), '');
});

test('forwarded addresses are believed when a trusted proxy says them', async (t) => {
    const trusting = await serve(t, 'trusted_proxies = ["127.0.0.0/8"]');

    assert.equal(body(await say(trusting.port, get('X-Forwarded-For: 6.6.6.6, 192.0.2.1, 127.0.0.9'))), '192.0.2.1');
    assert.equal(body(await say(trusting.port, get('Forwarded: for="[2001:db8::1]:99";proto=https'))), '2001:db8::1');
    const other = await serve(t, 'trusted_proxies = ["10.0.0.0/8"]');

    assert.match(body(await say(other.port, get('X-Forwarded-For: 192.0.2.1'))), /^127\.0\.0\.1$/);
});

test('one client has so many connections, and its places come back', async (t) => {
    const server = await serve(t, 'max_connections_per_client = 3\ncontrol = "127.0.0.1:0"');
    const sockets = Array.from({ length: 3 }, () => connect(server.port, '127.0.0.1'));

    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const control = server.control;

    assert.match(await say(server.port), /^HTTP\/1\.1 503 /);
    assert.ok((await metric(control, 'connections_refused_total{why="client"}')) >= 1);
    sockets.pop().destroy();
    await until('a free place', async () => (await say(server.port, get())).startsWith('HTTP/1.1 200'));
    for (const socket of sockets) socket.destroy();
});

test('limits count on all edges together', async (t) => {
    const settings = 'max_connections_per_client = 40\nmax_connections = 12\ncontrol = "127.0.0.1:0"\n[limits]\nconnections = 6';
    const server = await serve(t, settings, '', 4);
    const open = () => new Promise((resolve) => {
        const socket = new WebSocket(server.ws('/'));

        socket.on('open', () => resolve(socket)).on('error', (error) => resolve(error.message));
    });
    const opened = [];

    // One after the other: whichever edge accepts them, the application has its six.
    for (let i = 0; i < 9; i++) opened.push(await open());
    assert.equal(opened.filter((one) => one instanceof WebSocket).length, 6, String(opened.filter((one) => !(one instanceof WebSocket))));
    assert.ok(opened.every((one) => one instanceof WebSocket || /503/.test(one)));

    // Six sockets are here: six more connections get in, the rest waits until some have gone.
    const idle = Array.from({ length: 12 }, () => {
        const socket = connect(server.port, '127.0.0.1');

        socket.setEncoding('latin1').on('data', () => (socket.heard = true)).on('error', () => {});
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        return socket;
    });
    const heard = () => idle.filter((socket) => socket.heard).length;

    await until('six of them are served', () => heard() >= 6);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(heard() <= 6 + 3, `${heard()} got in`); // edges that accept in one moment may each let one more in
    for (const one of opened) if (one instanceof WebSocket) one.terminate();
    await until('the others are served', () => heard() === 12);
    for (const socket of idle) socket.destroy();
});

test('one client has so many connections on all edges together', async (t) => {
    const server = await serve(t, 'max_connections_per_client = 8', '', 4);
    const sockets = Array.from({ length: 24 }, () => connect(server.port, '127.0.0.1'));

    for (const socket of sockets) {
        socket.answer = '';
        socket.setEncoding('latin1').on('data', (text) => (socket.answer += text)).on('error', () => {});
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    }
    await until('all have their answer', () => sockets.every((socket) => socket.answer));
    assert.equal(sockets.filter((socket) => socket.answer.startsWith('HTTP/1.1 200')).length, 8);
    assert.equal(sockets.filter((socket) => socket.answer.startsWith('HTTP/1.1 503')).length, 16);
    for (const socket of sockets) socket.destroy();
});

test('an application has so many connections', async (t) => {
    const server = await serve(t, '[limits]\nconnections = 2');
    const open = () => new Promise((resolve) => {
        const socket = new WebSocket(server.ws('/'));

        socket.on('open', () => resolve(socket)).on('error', (error) => resolve(error.message));
    });
    const first = await open();

    assert.ok(first instanceof WebSocket);
    assert.match(await say(server.port, get()), /^HTTP\/1\.1 200 /);
    const second = await open();

    assert.ok(second instanceof WebSocket);
    assert.match(await say(server.port, get()), /^HTTP\/1\.1 503 /);
    first.terminate();
    second.terminate();
    await until('a free place', async () => (await say(server.port, get())).startsWith('HTTP/1.1 200'));
});

test('above the memory ceiling the newest go, and the first stay', async (t) => {
    const most = process.env.ASAN_OPTIONS ? 400 : 60;
    const folder = scratch(t, {
        'app.js': `export default {
            async fetch(request) {
                const [client, server] = Object.values(new WebSocketPair());
                server.accept();
                server.addEventListener('message', ({ data }) => server.send(data === 'much' ? 'x'.repeat(12 << 20) : data));
                return new Response(null, { status: 101, webSocket: client });
            },
        };`,
        'holdfast.toml': `state = "state"\nthreads = 1\nmax_memory_mb = ${most}\ncontrol = "127.0.0.1:0"\n[[listen]]\nport = 0\n[[app]]\npath = "app.js"\nname = "app"\n`,
    });
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    const open = () => new Promise((resolve, reject) => {
        const socket = new WebSocket(server.ws('/'), { perMessageDeflate: false });

        socket.on('open', () => resolve(socket)).on('error', reject);
    });
    const first = [];

    for (let i = 0; i < 3; i++) first.push(await open());
    const greedy = [];

    // Each has twelve megabytes sent to it that it does not read.
    for (let i = 0; i < most / 4; i++) {
        const socket = await open().catch(() => null);

        if (!socket) break;
        socket.on('error', () => {}).on('close', () => (socket.gone = true));
        socket.send('much');
        socket.pause();
        greedy.push(socket);
    }
    await until('some are shown out', async () => (await metric(server.control, 'connections_shed_total')) > 0);
    await until('there is room again', async () => (await metric(server.control, 'resident_bytes')) < most * 2 ** 20);
    for (const socket of first) {
        const answer = new Promise((resolve) => socket.once('message', (data) => resolve(data.toString())));

        socket.send('still here');
        assert.equal(await answer, 'still here');
    }
    for (const socket of greedy) socket.resume();
    await until('those who were shown out know it', () => greedy.some((socket) => socket.gone));
    await until('somebody gets in again', async () => {
        const socket = await open();

        socket.close();
        return true;
    });
    for (const socket of [...first, ...greedy]) socket.terminate();
});

test('200 peers that never finish a head are cut, and nobody waits for them', async (t) => {
    const server = await serve(t, '');
    const began = Date.now();
    const slow = Array.from({ length: 200 }, () => {
        const socket = connect(server.port, '127.0.0.1');

        socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
        socket.heard = '';
        socket.setEncoding('latin1').on('data', (text) => (socket.heard += text)).on('error', () => {});
        socket.gone = new Promise((resolve) => socket.on('close', resolve));
        return socket;
    });
    const drip = setInterval(() => slow.forEach((socket) => socket.writable && socket.write('x')), 1000);

    t.after(() => clearInterval(drip));
    for (let i = 0; i < 20; i++) {
        const asked = Date.now();

        assert.match(await say(server.port, get()), /^HTTP\/1\.1 200 /);
        assert.ok(Date.now() - asked < 10_000, 'others are served');
    }
    await Promise.all(slow.map((socket) => socket.gone));
    const took = Date.now() - began;

    assert.ok(took > 13_000 && took < 60_000, `cut after ${took} ms`);
    assert.ok(slow.filter((socket) => socket.heard.startsWith('HTTP/1.1 408')).length >= 190);
});
