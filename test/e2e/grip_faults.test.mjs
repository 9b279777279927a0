// Origins that die, hang and talk nonsense, and thousands of clients that must not notice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { GET, STREAM, UPGRADE, hears, held, open } from '../lib/grip.mjs';
import { until } from '../lib/holdfast.mjs';
import { EVENTS, gateway, pair } from '../lib/origin.mjs';
import { Peer, frame } from '../lib/peer.mjs';
import { freePorts } from '../lib/ports.mjs';
import { scratch } from './app.mjs';

const HOLDS = Number(process.env.FAULT_HOLDS ?? 3000);
const HEARD_MS = 4 * PATIENCE_MS; // by all of them
const ORIGIN = fileURLToPath(new URL('apps/origin.mjs', import.meta.url));
const FAILED = 'Error while proxying to origin.\n';

/** A server that answers every request with these bytes and then, unless it stays, hangs up. */
async function says(t, text, { stays = false } = {}) {
    const sockets = new Set();
    const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        socket.on('data', () => {
            socket.write(text, 'latin1');
            if (!stays) socket.end();
        });
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        sockets.forEach((socket) => socket.destroy());
        server.close();
    });
    return server.address().port;
}

const OK = 'HTTP/1.1 200 OK\r\n';
const HOLD = `${OK}Grip-Hold: stream\r\nGrip-Channel: a\r\n`;

// What an origin may say instead of an answer.
const NONSENSE = {
    'nothing': '',
    'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'bytes': '\0\xff\x16\x03\x01'.repeat(100),
    'half a head': `${OK}Content-Le`,
    'a field without a colon': `${OK}Nonsense\r\n\r\n`,
    'a field with a control character': `${OK}X: a\x01b\r\n\r\n`,
    'a folded field': `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`,
    'two lengths': `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy`,
    'a length that is none': `${OK}Content-Length: -1\r\n\r\nx`,
    'a length beside chunks': `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    'an unknown coding': `${OK}Transfer-Encoding: zip\r\n\r\nx`,
    'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n',
    'a head without an end': `${OK}${`X: ${'x'.repeat(1000)}\r\n`.repeat(1000)}`,
    'announcements without an end': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(10_000),
};

// A body that is broken: what was instructed must not happen, what was passed on must be seen to have been cut.
const BROKEN = {
    'half a body': `Content-Length: 100\r\n\r\nhalf`,
    'half a chunk': `Transfer-Encoding: chunked\r\n\r\n64\r\nhalf`,
    'no last chunk': `Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    'a chunk of no size': `Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n`,
    'a chunk that is too long': `Transfer-Encoding: chunked\r\n\r\n2\r\nhalf\r\n0\r\n\r\n`,
    'a chunk beyond all sizes': `Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nhalf\r\n0\r\n\r\n`,
};

async function whole(port, request) {
    const peer = await Peer.open(port);

    try {
        await peer.say(request);
        const head = await peer.head();

        return { status: head.status, text: (await peer.body(head)).toString() };
    } finally {
        peer.close();
    }
}

test('an origin that talks nonsense is a bad gateway, for requests and for WebSockets', async (t) => {
    const lines = await Promise.all(Object.values(NONSENSE).map(async (text, i) => `host${i} 127.0.0.1:${await says(t, text)},over_http`));
    const good = await says(t, `${OK}Content-Length: 4\r\n\r\ngood`, { stays: true });
    const server = await gateway(t, [...lines, `* 127.0.0.1:${good}`]);

    for (const [i, name] of Object.keys(NONSENSE).entries()) {
        for (const request of [GET, UPGRADE]) assert.deepEqual(await whole(server.port, request.replace('Host: h', `Host: host${i}`)), { status: 502, text: FAILED }, name);
    }
    assert.deepEqual(await whole(server.port, GET), { status: 200, text: 'good' });
});

test('a body that breaks is cut for the client, and instructs nothing', async (t) => {
    const lines = [];

    for (const [i, text] of Object.values(BROKEN).entries()) {
        lines.push(`plain${i} 127.0.0.1:${await says(t, `${OK}${text}`)}`, `held${i} 127.0.0.1:${await says(t, `${HOLD}${text}`)}`);
        lines.push(`ws${i} 127.0.0.1:${await says(t, `${OK}Content-Type: ${EVENTS}\r\n${text.replaceAll('half', 'OPEN')}`)},over_http`);
    }
    const server = await gateway(t, lines);

    for (const [i, name] of Object.keys(BROKEN).entries()) {
        await assert.rejects(whole(server.port, GET.replace('Host: h', `Host: plain${i}`)).then(({ status, text }) => assert.equal(`${status} ${text}`, `502 ${FAILED}`) ?? Promise.reject(new Error('refused'))), /the connection ended|refused/, name);
        assert.deepEqual(await whole(server.port, GET.replace('Host: h', `Host: held${i}`)), { status: 502, text: FAILED }, name);
        assert.deepEqual(await whole(server.port, UPGRADE.replace('Host: h', `Host: ws${i}`)), { status: 502, text: FAILED }, name);
    }
    await held(server, 'stream', 0);
});

test('what stands behind an answer is nobody\'s answer', async (t) => {
    const port = await says(t, `${OK}Content-Length: 5\r\n\r\nfirst${OK}Content-Length: 6\r\n\r\nforged`, { stays: true });
    const server = await gateway(t, `* 127.0.0.1:${port}`);

    for (let i = 0; i < 5; i++) assert.deepEqual(await whole(server.port, GET), { status: 200, text: 'first' });
});

test('a slow origin is waited for, one that hangs is not', async (t) => {
    const folder = scratch(t, { 'holdfast.toml': '[origin]\nresponse_ms = 2500\n' });
    const both = await pair(t, { target: ',over_http', args: ['--config', join(folder, 'holdfast.toml')] });
    const slow = await Peer.open(both.server.port);

    t.after(() => slow.close());
    await slow.say(GET);
    const { response } = await both.origin.next();

    response.writeHead(200, { ...STREAM, 'Content-Length': '6' });
    for (const letter of 'slowly') {
        response.write(letter);
        await new Promise((resolve) => setTimeout(resolve, 600));
    }
    response.end();
    await slow.head();
    await hears(slow, 'slowly');
    const hanging = await Peer.open(both.server.port);

    t.after(() => hanging.close());
    await hanging.say(GET);
    await both.origin.next();
    assert.ok([502, 504].includes((await hanging.head()).status));
    const socket = await open(t, { ...both });

    await socket.say('x');
    await both.origin.next();
    await socket.peer.eof({ ms: HEARD_MS, reset: true });
});

/** The origin as a process; kill() waits for its end. */
async function start(t, port) {
    const child = spawn(process.execPath, [ORIGIN, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const kill = () => child.kill('SIGKILL') && ended;

    t.after(kill);
    const said = await new Promise((resolve, reject) => {
        child.stdout.once('data', (text) => resolve(Number(text)));
        ended.then(() => reject(new Error('the origin has ended')));
    });

    return { port: said, kill };
}

/** A client that keeps the numbers of the items it hears, "item N.", and of its echoes, "echo N.". */
class Listener {
    item = [];
    echo = [];
    isOver = false;

    constructor(port, request) {
        let rest = '';

        this.socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => this.socket.write(request));
        this.socket.setEncoding('latin1').on('error', () => {}).on('close', () => (this.isOver = true));
        this.opened = new Promise((resolve) => this.socket.once('data', resolve));
        this.socket.on('data', (text) => {
            rest += text;
            for (let end; (end = rest.indexOf('.')) >= 0; rest = rest.slice(end + 1)) {
                const [, kind, n] = rest.slice(0, end).match(/(item|echo) (\d+)$/) ?? [];

                if (kind) this[kind].push(Number(n));
            }
        });
    }
}

const memory = (server) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) << 10;
const isSanitized = (server) => readFileSync(`/proc/${server.pid}/maps`, 'utf8').includes('libasan');
const AT_ONCE = 200;

test(`${HOLDS} clients on one channel, half of them WebSockets, whose origin is killed and comes back`, async (t) => {
    const [port] = await freePorts(1);
    const first = await start(t, port);
    const server = await gateway(t, `* 127.0.0.1:${port},over_http`);
    const empty = memory(server);
    const clients = [];

    t.after(() => clients.forEach(({ socket }) => socket.destroy()));
    while (clients.length < HOLDS) {
        const some = Array.from({ length: Math.min(AT_ONCE, HOLDS - clients.length) }, (_, i) => new Listener(server.port, i % 2 ? UPGRADE : GET));

        clients.push(...some);
        await Promise.all(some.map(({ opened }) => opened));
    }
    const sockets = clients.filter((_, i) => i % AT_ONCE % 2);

    await held(server, 'stream', HOLDS - sockets.length);
    await until('all subscribed', async () => (await (await fetch(`http://127.0.0.1:${server.control}/channels/?channel=all`)).json()).channels?.all?.ws === sockets.length);
    const full = memory(server);
    t.diagnostic(`${Math.round((full - empty) / HOLDS)} bytes a client`);

    assert.ok((full - empty) / HOLDS < (isSanitized(server) ? 64 : 12) << 10, `${Math.round((full - empty) / HOLDS)} bytes a client`);
    await first.kill();

    // Everything that is published while nobody is there is heard by all, in order.
    const items = [];
    const publish = async (n) => {
        for (let i = 0; i < n; i++) {
            items.push(items.length);
            assert.equal((await server.publish({ channel: 'all', formats: { 'http-stream': { content: `item ${items.length - 1}.` }, 'ws-message': { content: `item ${items.length - 1}.` } } })).status, 200);
        }
    };
    const allHeard = (who = clients) => until('all to have heard all', () => who.every((client) => client.item.length === items.length), HEARD_MS);

    await publish(10);
    const talkers = sockets.slice(0, 100);

    for (const { socket } of talkers) for (const n of [1, 2, 3]) socket.write(frame({ payload: Buffer.from(`echo ${n}.`) }));
    await publish(10);
    await allHeard();
    assert.equal(clients.filter(({ isOver }) => isOver).length, 0, 'nobody was cut');
    assert.ok(memory(server) - full < (isSanitized(server) ? 400 : 64) << 20, `${memory(server) - full} bytes more`);

    // What was said meanwhile is answered when it is back.
    await start(t, port);
    await until('all to be answered', () => talkers.every((client) => client.echo.length === 3), HEARD_MS);
    await publish(1);
    await allHeard();
    for (const client of clients) assert.deepEqual(client.item, items);
    for (const client of talkers) assert.deepEqual(client.echo, [1, 2, 3]);
    assert.equal(clients.filter(({ isOver }) => isOver).length, 0);
});

test('publishers that flood one channel: everybody hears everything that was taken, each in its order', async (t) => {
    const [PUBLISHERS, EACH, SIZE] = [8, 100, 200];
    const origin = await start(t, 0);
    const server = await gateway(t, `* 127.0.0.1:${origin.port},over_http`);
    const clients = Array.from({ length: 100 }, (_, i) => new Listener(server.port, i % 2 ? UPGRADE : GET));

    t.after(() => clients.forEach(({ socket }) => socket.destroy()));
    await Promise.all(clients.map(({ opened }) => opened));
    await until('all subscribed', async () => {
        const { all } = (await (await fetch(`http://127.0.0.1:${server.control}/channels/`)).json()).channels;

        return all?.ws === 50 && all.stream === 50;
    });
    const before = memory(server);
    let refused = 0;

    await Promise.all(Array.from({ length: PUBLISHERS }, async (_, publisher) => {
        for (let i = 0; i < EACH; i++) {
            const content = `item ${publisher * EACH + i}.${'x'.repeat(SIZE)}`;

            for (;;) {
                const { status } = await server.publish({ channel: 'all', formats: { 'http-stream': { content }, 'ws-message': { content } } });

                if (status === 200) break;
                assert.equal(status, 503);
                refused++;
                await new Promise((resolve) => setTimeout(resolve, 10));
            }
        }
    }));
    t.diagnostic(`${refused} refused`);
    await until('all to have heard all', () => clients.every((client) => client.item.length === PUBLISHERS * EACH), HEARD_MS);
    // One publisher's items stay in their order; those of several, at the same time, mix as they come to each.
    for (const { item } of clients) {
        const of = Array.from({ length: PUBLISHERS }, () => []);

        for (const n of item) of[Math.floor(n / EACH)].push(n);
        assert.deepEqual(of.flat(), Array.from({ length: PUBLISHERS * EACH }, (_, n) => n));
    }
    assert.ok(memory(server) - before < (isSanitized(server) ? 400 : 64) << 20, `${memory(server) - before} bytes more`);
});
