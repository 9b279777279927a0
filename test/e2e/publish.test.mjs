// Publishing: the control door, what reaches whom on several edges, sequences, histories, floods.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import test from 'node:test';
import { Client } from '../lib/client.mjs';
import { until } from '../lib/holdfast.mjs';
import { EVENTS, gateway } from '../lib/origin.mjs';
import { Peer } from '../lib/peer.mjs';

const event = (text) => `TEXT ${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const all = (channel, text, more) => ({ channel, formats: { 'http-response': { body: text }, 'http-stream': { content: text }, 'ws-message': { content: text } }, ...more });

/** An origin that holds everybody: the path says how, the query what else is in the instruction. */
async function holdingOrigin(t) {
    const server = createServer(async (request, response) => {
        const url = new URL(request.url, 'http://h');
        const more = Object.fromEntries(url.searchParams);

        if (request.headers['content-type'] === EVENTS) {
            const events = Buffer.concat(await request.toArray());

            response.setHeader('Content-Type', EVENTS);
            if (!events.toString('latin1').startsWith('OPEN')) return response.end(events);
            response.setHeader('Sec-WebSocket-Extensions', 'grip; message-prefix=""');
            return response.end('OPEN\r\n' + event('c:' + JSON.stringify({ type: 'subscribe', channel: 'room', ...more })));
        }
        request.resume();
        const parts = Object.entries(more).map(([name, value]) => `; ${name}=${value}`);

        response.writeHead(200, { 'Content-Type': 'text/plain', 'Grip-Hold': url.pathname.slice(1), 'Grip-Channel': 'room' + parts.join('') });
        return response.end(url.pathname === '/stream' ? '[open]' : 'timeout');
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return server.address().port;
}

async function start(t, args = [], target = ',over_http') {
    const server = await gateway(t, `* 127.0.0.1:${await holdingOrigin(t)}${target}`, args);

    server.counts = async (query = '') => (await (await fetch(`http://127.0.0.1:${server.control}/channels/${query}`)).json()).channels;
    server.metric = async (row) => Number(new RegExp(`^holdfast_${row} (.*)$`, 'm').exec(await (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text())[1]);
    return server;
}

/** A client over HTTP on a connection of its own: hears() is told the body so far. */
async function listen(t, server, path) {
    const abort = new AbortController();
    const response = await fetch(server.url(path), { signal: abort.signal });
    const self = { response, text: '' };

    t.after(() => abort.abort());
    (async () => {
        for await (const part of response.body) self.text += Buffer.from(part).toString();
    })().catch(() => {});
    self.hears = (text) => until(`to hear ${text}`, () => (self.text === text ? true : null)).catch((e) => assert.equal(self.text, text, e.message));
    return self;
}

test('what is published on one edge is heard on all, in its order', async (t) => {
    const server = await start(t, ['--threads', '3']);
    const streams = await Promise.all(Array.from({ length: 12 }, () => listen(t, server, '/stream')));
    const sockets = await Promise.all(Array.from({ length: 12 }, () => Client.open(server.ws('/'))));
    const polls = Array.from({ length: 6 }, () => fetch(server.url('/response')).then((r) => r.text()));

    t.after(() => sockets.forEach((s) => s.close()));
    await until('everybody to be subscribed', async () => {
        const { room } = await server.counts();

        return room?.stream === 12 && room.ws === 12 && room.response === 6;
    });
    const texts = Array.from({ length: 50 }, (_, i) => `${i} `);

    for (let i = 0; i < 50; i += 10) await server.publish(...texts.slice(i, i + 10).map((text) => all('room', text)));
    for (const stream of streams) await stream.hears('[open]' + texts.join(''));
    for (const socket of sockets) for (const text of texts) assert.equal(await socket.next(), text);
    assert.deepEqual(await Promise.all(polls), Array(6).fill('0 '));
    assert.equal(await server.metric('deliveries_total'), 24 * 50 + 6);
    assert.equal(await server.metric('items_total'), 50);
});

test('channels that have nobody, and those that have', async (t) => {
    const server = await start(t);

    assert.deepEqual(await server.publish(all('empty', 'x')), { status: 200, text: 'Published\n' });
    assert.deepEqual(await server.counts(), {});
    const stream = await listen(t, server, '/stream');

    await stream.hears('[open]');
    assert.deepEqual(await server.counts(), { room: { response: 0, stream: 1, ws: 0 } });
    assert.deepEqual(await server.counts('?channel=other'), { other: { response: 0, stream: 0, ws: 0 } });
    assert.deepEqual(await server.counts('?prefix=x'), {});
});

test('one bad item of two: 400 and nobody hears either', async (t) => {
    const server = await start(t);
    const stream = await listen(t, server, '/stream');

    assert.deepEqual(await server.publish(all('room', 'bad'), { formats: {} }), { status: 400, text: "Invalid format: publish item object does not contain 'channel'\n" });
    await server.publish({ channel: 'room', 'http-stream': { content: 'legacy' } });
    await stream.hears('[open]legacy');
});

test('the same id twice, items out of order, and one that does not wait', async (t) => {
    const server = await start(t, ['--threads', '2']);
    const stream = await listen(t, server, '/stream');

    await stream.hears('[open]');
    for (const [id, prev] of [['1'], ['1'], ['4', '3'], ['3', '2'], ['2', '1']]) await server.publish(all('room', id, { id, ...(prev && { 'prev-id': prev }) }));
    await server.publish(all('room', '9', { id: '9', 'prev-id': '8', 'no-seq': true }));
    await stream.hears('[open]12349');
    assert.ok((await server.metric('items_dropped_total\\{why="duplicate"\\}')) >= 1);
});

test('a WebSocket that comes back hears what it missed, or that nobody knows', async (t) => {
    const server = await start(t, ['--threads', '3']);

    for (let i = 1; i <= 5; i++) await server.publish(all('room', `m${i}`, { id: `${i}` }));
    await server.publish(all('other', 'x', { id: '3' }));
    const back = await Client.open(server.ws('/?after=3&gap=reload'));
    const late = await Client.open(server.ws('/?after=0&gap=reload'));

    t.after(() => [back, late].forEach((s) => s.close()));
    assert.deepEqual([await back.next(), await back.next()], ['m4', 'm5']);
    assert.equal(await late.next(), 'reload');
    await server.publish(all('room', 'm6', { id: '6' }));
    assert.deepEqual([await back.next(), await late.next()], ['m6', 'm6']);
});

test('filters decide who hears what', async (t) => {
    const server = await start(t, [], ',over_http,sub=everyone');
    const alice = await listen(t, server, '/stream?filter=skip-self');

    await alice.hears('[open]');
    await server.publish(all('room', 'a', { meta: { sender: 'alice' } }), all('everyone', 'b'));
    await alice.hears('[open]ab');
});

test('a flood on one channel: a client that does not read costs no more than its bound', async (t) => {
    const server = await start(t);
    const stuck = await Peer.open(server.port);
    const reader = await listen(t, server, '/stream');
    const piece = 'x'.repeat(100_000);
    // Sanitizers keep what was freed.
    const sanitized = /lib[at]san/.test(readFileSync(`/proc/${server.pid}/maps`, 'utf8'));
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;

    t.after(() => stuck.close());
    await stuck.say('GET /stream HTTP/1.1\r\nHost: h\r\n\r\n');
    await until('both', async () => (await server.counts()).room?.stream === 2);
    stuck.pause();
    const before = rss();

    for (let i = 1; i <= 200; i++) {
        assert.equal((await server.publish({ channel: 'room', 'http-stream': { content: piece } })).status, 200);
        if (i % 10 === 0) await until('the reader to have all', () => reader.text.length === 6 + i * piece.length);
    }
    assert.ok(rss() - before < (sanitized ? 420 : 30), `${before} MiB became ${rss()} MiB`);
});
