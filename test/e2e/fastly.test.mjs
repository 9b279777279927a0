// Applications for Fastly Compute: handoffs to Fanout and to a plain WebSocket server, being one's own origin, backends, stores.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { Origin } from '../lib/origin.mjs';
import { freePorts } from '../lib/ports.mjs';
import { FASTLY, atPorts } from './app.mjs';

let folder;
let origin;
let server;

before(async () => {
    const [port, control] = await freePorts(2);

    origin = await Origin.open();
    folder = mkdtempSync(join(tmpdir(), 'holdfast-fastly-'));
    atPorts(FASTLY, join(folder, 'app'), { 7676: port, 5561: control, 3000: origin.port });
    server = await Holdfast.dev(join(folder, 'app'), { state: join(folder, 'state'), port });
});
after(async () => {
    assert.equal((await server.stop()).code, 0);
    await origin.close();
    rmSync(folder, { recursive: true, force: true });
});

const publish = async (...items) => {
    const response = await fetch(server.url('/publish'), { method: 'POST', body: JSON.stringify(items) });

    assert.equal(response.status, 200);
    return response.text();
};

test('a handoff reaches the backend, signed, with its host', async () => {
    const response = fetch(server.url('/fanout/origin?q=1'), { headers: { 'X-A': 'b', 'Grip-Last': 'forged' } });
    const asked = await origin.next();

    asked.answer(201, { 'X-Back': 'c', 'Content-Type': 'text/plain' }, 'hello');
    assert.equal((await response).status, 201);
    assert.equal((await response).headers.get('x-back'), 'c');
    assert.equal(await (await response).text(), 'hello');
    assert.equal(asked.url, '/fanout/origin?q=1');
    assert.equal(asked.headers.host, 'origin.test');
    assert.equal(asked.headers['x-a'], 'b');
    assert.match(asked.headers['grip-sig'], /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal(JSON.parse(Buffer.from(asked.headers['grip-sig'].split('.')[1], 'base64url')).iss, 'viceroy');
    assert.equal(asked.headers['grip-last'], undefined);
    assert.equal(asked.headers['cf-connecting-ip'], undefined);
});

test('what the application changed is honoured, but for protected fields and the body', async () => {
    const response = fetch(server.url('/changed'), { method: 'POST', body: 'the original', headers: { 'X-Secret': 's', 'CDN-Loop': 'mine' } });
    const asked = await origin.next();

    asked.answer(200);
    await response;
    assert.equal(asked.method, 'POST');
    assert.equal(asked.url, '/elsewhere?x=1');
    assert.equal(asked.headers['x-mine'], 'yes');
    assert.equal(asked.headers['x-forwarded-for'], '10.9.8.7');
    assert.equal(asked.headers['x-secret'], undefined);
    assert.equal(asked.headers['cdn-loop'], 'mine');
    assert.equal(asked.body, 'the original');
});

test('the whole body goes to the backend, whether the application read it or not', async () => {
    for (const [path, size] of [['/fanout/origin', 10], ['/read', 10], ['/read', 200_000], ['/fanout/origin', 3_000_000]]) {
        const body = 'x'.repeat(size - 1) + '!';
        const response = fetch(server.url(path), { method: 'PUT', body });
        const asked = await origin.next();

        asked.answer(200, {}, 'ok');
        assert.equal((await response).status, 200);
        assert.equal(asked.method, 'PUT');
        assert.equal(asked.body.length, size, path);
        assert.ok(asked.body.endsWith('!'));
    }
});

test('a body that was read beyond what is kept cannot be handed off', async () => {
    const response = await fetch(server.url('/read'), { method: 'PUT', body: 'x'.repeat(1_000_000) });

    assert.equal(response.status, 500);
    assert.match(await response.text(), /read too far for a handoff/);
});

test('a response made of a handoff is none', async () => {
    const response = await fetch(server.url('/rewrapped'));

    assert.equal(response.status, 200);
    assert.equal(await response.text(), '');
    await origin.quiet(50);
});

test('a backend that is not there is 500', async () => {
    for (const kind of ['fanout', 'tunnel']) {
        const response = await fetch(server.url(`/${kind}/nobody`));

        assert.equal(response.status, 500);
        assert.equal(await response.text(), "Backend handoff signaled to unknown backend 'nobody'.");
    }
});

test('fetch() with a backend', async () => {
    const response = fetch(server.url('/fetch/plain?y=2'), { method: 'POST', body: 'b' });
    const asked = await origin.next();

    asked.answer(200, {}, 'fetched');
    assert.equal(await (await response).text(), 'fetched');
    assert.equal(asked.url, '/base/fetch/plain?y=2');
    assert.equal(asked.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(asked.headers['grip-sig'], undefined);
    assert.equal(asked.headers['cf-connecting-ip'], undefined);
    assert.equal(asked.body, 'b');
    const other = fetch(server.url('/fetch/origin'));
    const second = await origin.next();

    second.answer(200);
    await other;
    assert.equal(second.headers.host, 'origin.test');
});

// --- WebSockets -----------------------------------------------------------------------------------------------------------------

async function dial(path) {
    const socket = new WebSocket(server.ws(path));
    const heard = [];

    socket.on('message', (data, isBinary) => heard.push(isBinary ? data : data.toString()));
    socket.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
    socket.hears = (n) => until(`message ${n}`, () => heard[n - 1] !== undefined && heard[n - 1]);
    socket.heard = heard;
    return socket;
}

test('a WebSocket that is handed to Fanout becomes requests', async () => {
    const socket = await dial('/fanout/origin');
    const open = await origin.next();

    assert.equal(open.method, 'POST');
    assert.equal(open.headers['content-type'], 'application/websocket-events');
    assert.equal(open.body, 'OPEN\r\n');
    open.events('OPEN\r\nTEXT 2\r\nhi\r\n');
    assert.equal(await socket.hears(1), 'hi');
    socket.send('hello');
    const text = await origin.next();

    assert.equal(text.body, 'TEXT 5\r\nhello\r\n');
    text.events('TEXT 5\r\nthere\r\nCLOSE 2\r\n\x03\xe8\r\n');
    assert.equal(await socket.hears(2), 'there');
    assert.equal((await socket.closed).code, 1000);
    (await origin.next()).events();
});

test('a WebSocket that is handed to a plain server speaks with that', async (t) => {
    const plain = new WebSocketServer({ server: origin.server });

    t.after(() => plain.close());
    plain.on('connection', (socket, request) => {
        socket.send(`host ${request.headers.host}, grip ${request.headers['grip-sig'] ?? 'none'}`);
        socket.on('message', (data) => socket.send(`c:${data}`));
    });
    const socket = await dial('/tunnel/origin');

    assert.equal(await socket.hears(1), 'host origin.test, grip none');
    socket.send('{"type":"detach"}');
    assert.equal(await socket.hears(2), 'c:{"type":"detach"}');
    socket.close(4001, 'enough');
    assert.deepEqual(await socket.closed, { code: 4001, reason: 'enough' });
});

// --- its own origin -------------------------------------------------------------------------------------------------------------

test('its own origin: an echoing WebSocket that is subscribed', async () => {
    const socket = await dial('/own/socket');

    await once(socket, 'open');
    socket.send('echo me');
    assert.equal(await socket.hears(1), 'echo me');
    await publish({ channel: 'test', formats: { 'ws-message': { content: 'published' } } });
    assert.equal(await socket.hears(2), 'published');
    socket.close(1000, 'bye');
    assert.deepEqual(await socket.closed, { code: 1000, reason: 'bye' });
});

// The response's bytes, as they come.
async function hold(path) {
    const socket = connect(server.port, '127.0.0.1');
    let text = '';

    socket.setEncoding('latin1').on('data', (part) => (text += part));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    return { socket, text: () => text, hears: (what) => until(what, () => text.includes(what) && text) };
}

test('its own origin: an event stream begins at once, with an empty body', async () => {
    const stream = await hold('/own/sse');

    assert.match(await stream.hears('\r\n\r\n'), /content-type: text\/event-stream/i);
    await publish({ channel: 'test', formats: { 'http-stream': { content: 'data: one\n\n' } } });
    assert.doesNotMatch(await stream.hears('data: one'), /grip-/i);
    stream.socket.destroy();
});

test('its own origin: a long poll is answered by a publication', async () => {
    const poll = await hold('/own/poll');

    // Nothing tells when the poll is held.
    const text = await until('an answer', async () => {
        await publish({ channel: 'test', formats: { 'http-response': { body: 'news\n' } } });
        return poll.text();
    });

    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nnews\n$/);
    poll.socket.destroy();
});

// --- the platform ---------------------------------------------------------------------------------------------------------------

test('env, the client and the stores; what was put outlives the worker', async () => {
    assert.equal(await (await fetch(server.url('/env/FASTLY_HOSTNAME'))).text(), 'localhost');
    assert.equal(await (await fetch(server.url('/client'))).text(), '127.0.0.1');
    assert.deepEqual(await (await fetch(server.url('/stores/hello'))).json(), { color: 'green', token: 's3cret', file: 'world' });
    await fetch(server.url('/stores/hello'), { method: 'PUT', body: 'there' });
    await server.killWorker();
    assert.equal((await (await fetch(server.url('/stores/hello'))).json()).file, 'there');
    assert.equal((await (await fetch(server.url('/stores/nothing'))).json()).file, null);
});
