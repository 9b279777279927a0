// Applications as people write them, on packages from npm. Nothing in them is made for Holdfast.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newHttpBatchRpcSession, newWebSocketRpcSession } from 'capnweb';
import { request, WebSocket } from 'undici';
import { Client } from '../lib/client.mjs';
import { Holdfast } from '../lib/holdfast.mjs';

globalThis.WebSocket ??= WebSocket; // capnweb asks for the class, and older versions of Node.js have none

/** Runs one of apps/packages while body does. */
async function running(name, body) {
    const server = await Holdfast.dev(fileURLToPath(new URL(`apps/packages/${name}`, import.meta.url)));

    try {
        await body(server);
    } finally {
        assert.equal((await server.stop()).code, 0);
    }
}

const ws = (server, path) => server.url(path).replace('http', 'ws');
const text = async (server, path, options) => (await request(server.url(path), options)).body.text();

test('hono: routes, streams, server-sent events, cookies, tokens, sockets', () => running('hono', async (server) => {
    assert.equal(await text(server, '/'), '<h1>&lt;hi&gt;</h1>');
    assert.equal(await text(server, '/nothing'), '404 Not Found');
    assert.equal(await text(server, '/stream'), 'AB piped');
    assert.equal(await text(server, '/sse'), 'event: tick\ndata: n0\nid: 0\n\nevent: tick\ndata: n1\nid: 1\n\n');
    assert.equal((await request(server.url('/teapot'))).statusCode, 418);

    const { headers } = await request(server.url('/cookie/set'));
    assert.equal(await text(server, '/cookie', { headers: { cookie: headers['set-cookie'].split(';')[0] } }), '{"a":"b"}');
    const tag = (await request(server.url('/etag'))).headers.etag;
    assert.equal((await request(server.url('/etag'), { headers: { 'if-none-match': tag } })).statusCode, 304);
    const token = await text(server, '/token');
    assert.equal(await text(server, '/jwt', { headers: { authorization: `Bearer ${token}` } }), '{"sub":"me"}');
    assert.equal((await request(server.url('/jwt'), { headers: { authorization: `Bearer ${token}x` } })).statusCode, 401);

    const plain = await Client.open(ws(server, '/ws'));
    plain.send('hi');
    assert.equal(await plain.next(), 'echo hi');
    const [ann, bob] = [await Client.open(ws(server, '/room/ann')), await Client.open(ws(server, '/room/bob'))];
    ann.send('hello');
    assert.deepEqual([await ann.next(), await bob.next()], ['ann: hello', 'ann: hello']);
}));

test('partyserver: hibernation, tags, state, broadcast, and a kill in between', () => running('party', async (server) => {
    const [a, b] = [await Client.open(ws(server, '/parties/chat/lobby?tag=a&_pk=A')), await Client.open(ws(server, '/parties/chat/lobby?tag=b&_pk=B'))];

    assert.equal(await a.next(), 'welcome A to lobby');
    assert.equal(await b.next(), 'welcome B to lobby');
    assert.equal(await a.next(), 'joined B');
    a.send('hello');
    assert.deepEqual([await a.next(), await b.next()], ['A: hello', 'A: hello']);

    await server.killWorker();
    b.send('count');
    assert.equal(await b.next(), '[2,1,2]');
    a.close(4001, 'bye');
    assert.equal(await b.next(), 'left A 4001');
    assert.equal(await text(server, '/parties/chat/lobby'), '{"name":"lobby","connections":1}');
    assert.equal(await text(server, '/elsewhere'), 'Not Found');
}));

test('capnweb: calls, callbacks, objects by reference, a Durable Object passed on', () => running('capnweb', async (server) => {
    const socket = new WebSocket(ws(server, '/'));
    const api = newWebSocketRpcSession(socket);
    const session = api.session();

    assert.equal(await session.say('a'), '1 a');
    assert.equal(await session.say('b'), '2 b');
    assert.deepEqual(await api.each((n) => `called ${n}`), ['called 1', 'called 2']);
    await assert.rejects(async () => await api.fail(), { name: 'RangeError', message: 'no' });
    assert.equal(await api.counter().bump(), 1);
    assert.equal(await newHttpBatchRpcSession(server.url('/')).counter().bump(), 2);
    socket.close();
}));
