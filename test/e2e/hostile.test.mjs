// Bad peers: whatever they do, the memory of the gateway is bounded and everybody else is served.
//
// The counts are those for a small machine; HOLDFAST_HOSTILE=full makes them as large as docs/performance.md says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, program, until } from '../lib/holdfast.mjs';
import { OPS, Peer, frame } from '../lib/peer.mjs';
import { fileURLToPath } from 'node:url';

const FULL = process.env.HOLDFAST_HOSTILE === 'full';
const LORIS = FULL ? 5000 : 500;
const READERS = FULL ? 1000 : 200;
const LEAVERS = FULL ? 500 : 60;
const FETCHES = FULL ? 4000 : 1000;
const MB = 1 << 20;
const sanitized = readFileSync(program).includes('__asan_init');
const APP = fileURLToPath(new URL('apps/hostile', import.meta.url));
const HEAD_MS = 15_000; // a head may take so long

let server;
let baseline;

before(async () => {
    // Sanitizers keep freed memory for a while, which would count against the worker.
    server = await Holdfast.dev(APP, { args: sanitized ? ['--memory-mb', '4096'] : [] });
    assert.equal(await get(), 'fine');
    baseline = memory();
});
after(async () => assert.equal((await server.stop()).code, 0));

const status = (pid, name) => Number(readFileSync(`/proc/${pid}/status`, 'latin1').match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]);
const memory = () => status(server.pid, 'VmRSS') * 1024;
const peak = () => status(server.pid, 'VmHWM') * 1024;
const get = async (path = '/') => (await fetch(server.url(path))).text();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const socketsIn = async (room) => {
    const one = await Client.open(server.ws(`/room/${room}`));

    one.send('count');
    const n = Number(await one.next());

    await one.close();
    return n - 1;
};

/** The gateway answers, the worker is the one that it was, and memory has not grown by more than so much at any time. */
async function unimpressed(bytes) {
    assert.equal(await get(), 'fine');
    // Sanitizers keep 256 MiB of freed memory, by default.
    assert.ok(peak() - baseline < bytes + (sanitized ? 320 * MB : 0), `memory grew by ${((peak() - baseline) / MB).toFixed(1)} MB`);
    assert.equal((await server.status()).worker.starts, 1, 'the worker did not suffer');
}

/** n of them, so many at a time. */
async function crowd(n, make, width = 100) {
    const all = [];

    while (all.length < n) all.push(...(await Promise.all(Array.from({ length: Math.min(width, n - all.length) }, (_, i) => make(all.length + i)))));
    return all;
}

function percentile(times, p) {
    return times.sort((a, b) => a - b)[Math.floor((times.length - 1) * p)];
}

test(`${LORIS} peers that never finish their heads are shown out, and nobody waits for them`, async () => {
    const began = Date.now();
    let ended = 0;
    const peers = await crowd(LORIS, () => new Promise((resolve, reject) => {
        const socket = connect({ port: server.port, host: '127.0.0.1' });

        socket.once('error', reject);
        socket.once('connect', () => {
            socket.off('error', reject).on('error', () => {}).on('close', () => ended++).resume();
            socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
            resolve(socket);
        });
    }));
    const drip = setInterval(() => {
        for (const socket of peers) if (!socket.destroyed && socket.writable) socket.write('z');
    }, 1000);
    const waits = [];

    while (ended < LORIS && Date.now() - began < 4 * HEAD_MS) {
        const at = performance.now();

        assert.equal(await get(), 'fine');
        waits.push(performance.now() - at);
        await sleep(50);
    }
    clearInterval(drip);
    assert.equal(ended, LORIS, 'all of them were shown out');
    assert.ok(percentile(waits, 0.99) < HEAD_MS / 2, `a request took ${percentile(waits, 0.99).toFixed(0)} ms`);
    console.log(`# ${LORIS} peers, gone after ${Date.now() - began} ms; ${waits.length} requests meanwhile, p99 ${percentile(waits, 0.99).toFixed(1)} ms; memory at most +${((peak() - baseline) / MB).toFixed(1)} MB`);
    await unimpressed(64 * MB);
});

test('heads, chunk extensions and trailers without an end are cut off', async () => {
    const chunked = 'POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    const beginnings = {
        'GET /': 'a', // a line
        'GET / HTTP/1.1\r\nHost: a\r\n': 'X-Many: abcdefgh\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\nX-Long: ': 'x',
        [`${chunked}1;`]: 'x',
        [`${chunked}1\r\na\r\n0\r\nX: `]: 'x',
        [`${chunked}1\r\na\r\n0\r\n`]: 'X-Many: abcdefgh\r\n',
    };
    const answers = await Promise.all(Object.entries(beginnings).map(async ([first, more]) => {
        const peer = await Peer.open(server.port);

        await peer.say(first);
        const bytes = Buffer.from(more.repeat(Math.ceil(65_536 / more.length)));

        // The answer may be overtaken by a reset while we still write; what matters is the end.
        for (let i = 0; i < 100; i++) {
            await peer.say(bytes).catch(() => {});
            if (peer.pending.length) break;
            await sleep(5);
        }
        const head = await peer.head().catch((error) => ({ status: error.message }));

        peer.close();
        return head.status;
    }));

    for (const status of answers) assert.ok([400, 414, 431].includes(status), `answered with ${answers}`);
    await unimpressed(64 * MB);
});

test(`one reader that never reads among ${READERS}: it is closed, the others do not notice`, async () => {
    const readers = await crowd(READERS, () => Client.open(server.ws('/room/crowd')));
    const round = async () => {
        const at = performance.now();

        readers[0].send('tick');
        await Promise.all(readers.map(async (one) => assert.equal(await one.next(), 'tick')));
        return performance.now() - at;
    };
    const rounds = async (n) => {
        const times = [];

        while (times.length < n) times.push(await round());
        return percentile(times, 0.9);
    };

    await rounds(3);
    const quiet = await rounds(20);
    const deaf = connect({ port: server.port, host: '127.0.0.1' });

    deaf.on('error', () => {});
    await new Promise((resolve) => deaf.once('connect', resolve));
    const upgraded = new Promise((resolve) => deaf.once('data', resolve));

    deaf.write(`GET /room/crowd HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'a'.repeat(22)}==\r\n\r\n`);
    await upgraded;
    deaf.pause();
    for (let i = 0; i < 5; i++) deaf.write(frame({ payload: Buffer.from('many') }));
    const loud = await rounds(20);

    await until('the deaf one was closed', async () => (await socketsIn('crowd')) === READERS);
    deaf.destroy();
    for (const one of readers) assert.equal(one.closed, null);
    console.log(`# a round of ${READERS} takes ${quiet.toFixed(1)} ms, with the deaf one ${loud.toFixed(1)} ms (p90)`);
    assert.ok(loud < 5 * quiet + 5000, `a round took ${quiet} ms, then ${loud} ms`);
    await crowd(READERS, (i) => readers[i].close());
    await unimpressed(64 * MB);
});

test('floods of pings and of tiny fragments, from those that never read the answers', async () => {
    const good = await Client.open(server.ws('/echo'));
    const ping = Buffer.concat(Array.from({ length: 2000 }, () => frame({ op: OPS.ping, payload: Buffer.alloc(125, 'p') })));
    const bits = Buffer.concat(Array.from({ length: 8000 }, () => frame({ op: OPS.cont, payload: Buffer.from('b'), fin: false })));
    const empty = Buffer.concat(Array.from({ length: 8000 }, () => frame({ op: OPS.cont, fin: false })));
    const flood = async (bytes, first) => {
        const peer = await Peer.open(server.port);
        let ended = false;

        await peer.upgrade('/echo');
        peer.pause();
        peer.onEnd(() => (ended = true));
        if (first) await peer.say(first);
        for (let i = 0; i < 60 && !ended; i++) {
            await peer.say(bytes);
            await sleep(5);
        }
        return peer;
    };
    const begin = frame({ payload: Buffer.from('a'), fin: false });
    const floods = Promise.all([flood(ping), flood(ping), flood(bits, begin), flood(bits, begin), flood(empty, begin), flood(empty, begin)]);
    const waits = [];
    let over = false;

    floods.then(() => (over = true), () => (over = true));
    while (!over) {
        const at = performance.now();

        good.send('still there?');
        assert.equal(await good.next(), 'still there?');
        waits.push(performance.now() - at);
    }
    for (const peer of await floods) peer.reset();
    console.log(`# floods: ${waits.length} echoes meanwhile, p99 ${percentile(waits, 0.99).toFixed(1)} ms; memory at most +${((peak() - baseline) / MB).toFixed(1)} MB`);
    await good.close();
    await unimpressed(64 * MB);
});

test('peers that close one half only', async () => {
    const asked = await Peer.open(server.port);

    await asked.say('GET /later/300 HTTP/1.1\r\nHost: a\r\n\r\n');
    asked.end();
    const head = await asked.head();

    assert.equal(head.status, 200);
    assert.equal((await asked.body(head)).toString(), 'later', 'an answer goes to those who have finished speaking');
    await asked.eof();

    const cut = await Peer.open(server.port);

    await cut.say('POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    cut.end();
    await cut.rest();

    const socket = await Peer.open(server.port);

    await socket.upgrade('/room/halves');
    socket.end();
    await socket.rest();
    await until('the room knows', async () => (await socketsIn('halves')) === 0);
    await unimpressed(64 * MB);
});

/** Each says what it says and leaves a moment later: with a reset, a FIN, or both at once. */
async function leave(say) {
    await crowd(LEAVERS, async (i) => {
        const peer = await Peer.open(server.port);

        try {
            await say(peer, i);
            await sleep(i % 7);
        } catch {
            // the gateway may be first
        }
        if (i % 3) peer.reset();
        else peer.close();
    }, 30);
}

const handshake = (path) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'a'.repeat(22)}==\r\n\r\n`;

test(`${LEAVERS} clients leave, in the middle of everything`, async (t) => {
    const ways = {
        'a head': (peer, i) => peer.say(handshake('/room/leavers').slice(0, 3 * i)),
        'an upgrade': (peer) => peer.say(handshake('/room/leavers')),
        'an upgrade of an object that wakes': (peer, i) => peer.say(handshake(`/slow/${i}`)),
        'a request body': (peer) => peer.say('POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc'),
        'a chunk': (peer) => peer.say('POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc'),
        'a wait': (peer) => peer.say('GET /later/50 HTTP/1.1\r\nHost: a\r\n\r\n'),
        'a frame': async (peer) => {
            await peer.upgrade('/room/leavers');
            await peer.say(frame({ payload: Buffer.alloc(70_000, 'x') }).subarray(0, 60_000));
        },
        'a message': async (peer) => {
            await peer.upgrade('/room/leavers');
            await peer.say(frame({ payload: Buffer.from('half'), fin: false }));
        },
        'an answer': async (peer) => {
            await peer.upgrade('/room/leavers');
            await peer.say(frame({ payload: Buffer.from('many') }));
        },
        'a Close': async (peer) => {
            await peer.upgrade('/room/leavers');
            await peer.say(frame({ op: OPS.close, payload: Buffer.from([3, 232]) }).subarray(0, 5));
        },
        'its own accept': async (peer) => {
            await peer.upgrade('/torrent');
        },
    };

    for (const [what, say] of Object.entries(ways)) await t.test(what, () => leave(say));
    await t.test('a response that never ends, and its producer hears of it', async () => {
        await leave(async (peer) => {
            await peer.say('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
            await peer.head();
        });
        await until('all producers were told', async () => Number(await get('/gone')) === LEAVERS);
    });
    await t.test('while hibernated', async () => {
        const peers = await crowd(LEAVERS, async () => {
            const peer = await Peer.open(server.port);

            await peer.upgrade('/room/sleepers');
            return peer;
        });

        await sleep(600); // actor_idle_ms is 300
        for (const [i, peer] of peers.entries()) i % 2 ? peer.reset() : peer.close();
        await until('the room knows', async () => (await socketsIn('sleepers')) === 0);
    });
    await t.test('while their object wakes', async () => {
        const peers = await crowd(LEAVERS, async () => {
            const peer = await Peer.open(server.port);

            await peer.upgrade('/slow/waking');
            return peer;
        });

        await sleep(600);
        await peers[0].say(frame({ payload: Buffer.from('wake') }));
        await sleep(50);
        for (const [i, peer] of peers.entries()) i % 2 ? peer.reset() : peer.close();
        await sleep(300);
    });
    await until('nobody is left', async () => (await socketsIn('leavers')) === 0);
    await until('the gateway holds nobody', async () => (await server.status()).sockets.open === 0);
    await unimpressed(128 * MB);
});

test('code that writes without end to clients that do not read', async () => {
    const deaf = [];
    const open = async (path) => {
        const peer = await Peer.open(server.port);

        peer.pause();
        await peer.say(path === '/endless' ? 'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n' : handshake(path));
        deaf.push(peer);
    };

    for (let i = 0; i < 20; i++) await open('/endless');
    for (let i = 0; i < 10; i++) await open('/torrent');
    const waits = [];

    for (let i = 0; i < 40; i++) {
        const at = performance.now();

        assert.equal(await get(), 'fine');
        waits.push(performance.now() - at);
        await sleep(50);
    }
    await until('sockets that do not read are closed', async () => (await server.status()).sockets.open === 0);
    const worker = (await server.status()).worker.pid;

    console.log(`# writers: p99 of requests meanwhile ${percentile(waits, 0.99).toFixed(1)} ms; gateway at most +${((peak() - baseline) / MB).toFixed(1)} MB, worker at most ${(status(worker, 'VmHWM') / 1024).toFixed(0)} MB`);
    assert.ok(sanitized || status(worker, 'VmHWM') < 400 * 1024);
    for (const peer of deaf) peer.reset();
    await unimpressed(192 * MB);
});

test(`${FETCHES} calls of a server that never answers`, async () => {
    const silent = createServer((socket) => socket.on('error', () => {}));

    await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const pending = get(`/fetches?n=${FETCHES}&ms=3000&url=http://127.0.0.1:${silent.address().port}/`);

    for (let i = 0; i < 20; i++) {
        assert.equal(await get(), 'fine');
        await sleep(50);
    }
    assert.deepEqual(JSON.parse(await pending), { TimeoutError: FETCHES });
    silent.close();
    await unimpressed(256 * MB);
});
