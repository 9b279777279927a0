// Durable Objects among themselves and with the worker: calls, gates, resets, streams, sockets to servers.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { ACTORS } from './app.mjs';

const IDLE_MS = 500;

let server;
let origin;
let sockets;

before(async () => {
    origin = http.createServer((request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end('retry: 20\n\nevent: foo\ndata: a\ndata: b\nid: 7\n\ndata: plain\n\n');
    });
    sockets = new WebSocketServer({ server: origin });
    await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
    server = await Holdfast.dev(ACTORS, { args: ['--actor-idle-ms', String(IDLE_MS)] });
});
after(async () => {
    assert.equal((await server.stop()).code, 0);
    for (const ws of sockets.clients) ws.terminate();
    origin.closeAllConnections?.();
    origin.close();
});

const run = async (what, query = {}) => {
    const response = await fetch(server.url(`/${what}?${new URLSearchParams(query)}`));

    assert.equal(response.status, 200, server.log.slice(-2000));
    return response.json();
};
const at = (scheme) => `${scheme}://127.0.0.1:${origin.address().port}/`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('methods, what they lead to, entrypoints, functions that are called back', async () => {
    assert.deepEqual(await run('calls'), [1, 2, 5, 5, 42]);
});

test('awaiting storage lets nobody in, awaiting a timer does', async () => {
    assert.deepEqual(await run('order'), ['a0', 'b0', 'a1', 'b1', '|', 'a0', 'b0', 'b1', 'a1']);
});

test('timers wait for a critical section, not those within', async () => {
    assert.deepEqual(await run('section'), ['section', 'timer']);
});

test('a reset breaks the stub, not the object', async () => {
    const why = { name: 'Error', message: 'why', reset: true };

    assert.deepEqual(await run('reset'), [why, why, true]);
});

test('sockets within the process: of an object and of an entrypoint', async () => {
    assert.deepEqual(await run('sockets'), [[101, 'object: hi', [4000, 'done']], [101, 'tools: hi', [4000, 'done']]]);
});

test('what the module exports', async () => {
    assert.deepEqual(await run('exports'), [['Actor', 'Tools', 'default'], 2, { who: 'me' }]);
});

test('writes and their answers', async () => {
    assert.equal(await run('write', { n: 10 }), 1);
    assert.equal(await run('write', { n: 1000 }), 2);
    await server.killWorker();
    assert.equal(await run('write', { n: 1 }), 3);
});

test('an object that deleted everything leaves no file behind', async () => {
    const id = await run('wipe', { first: 'yes' });
    const file = () => readdirSync(server.state, { recursive: true, encoding: 'utf8' }).some((name) => name.includes(id));

    assert.ok(file());
    await run('wipe');
    await until('the file is gone', () => !file());
    assert.doesNotMatch(server.log, /error/);
});

test('a socket to a server keeps the object awake', async () => {
    const born = await run('listen', { name: 'listener', url: at('ws') });

    await pause(2.5 * IDLE_MS);
    for (const ws of sockets.clients) ws.send('still there?');
    await until('the message', async () => (await run('what', { name: 'listener' }))[1].length === 1);
    assert.deepEqual(await run('what', { name: 'listener' }), [born, ['still there?']]);
});

test('a stream of events keeps the object awake until its client leaves', async () => {
    const abort = new AbortController();
    const response = await fetch(server.url('/object/sse/events'), { signal: abort.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const { born } = await run('born', { name: 'sse' });

    assert.equal((await reader.read()).value, 'event: hello\ndata: 1\n\n');
    await pause(2.5 * IDLE_MS);
    assert.deepEqual(await run('tell', { name: 'sse', text: 'later' }), [born, 1]);
    assert.equal((await reader.read()).value, 'data: later\n\n');
    const mark = server.mark();

    abort.abort(); // a client that half-closes may still wait for its answer, for a while
    await server.logged(/actor\.sleep/, { from: mark });
    assert.notEqual((await run('born', { name: 'sse' })).born, born);
});

test('an idle object goes', async () => {
    const first = await run('born', { name: 'idle' });

    await pause(2.5 * IDLE_MS);
    assert.notEqual((await run('born', { name: 'idle' })).born, first.born);
});

test('an accept()ed socket of an object talks, and keeps it', async () => {
    const client = await Client.open(server.ws('/object/plain/socket'));
    const { born } = await run('born', { name: 'plain' });

    client.send('hi');
    assert.equal(await client.next(), 'object: hi');
    await pause(2.5 * IDLE_MS);
    assert.equal((await run('born', { name: 'plain' })).born, born);
    assert.equal((await client.close(4001, 'bye')).code, 4001);
});

test('EventSource: events, the end, and again', async () => {
    assert.deepEqual(await run('source', { url: at('http') }), [
        'open', 'foo a\nb 7', 'message plain 7', 'error The server disconnected. 0', 'open', 'foo a\nb 7', 'message plain 7', 'error The server disconnected. 0',
    ]);
});

test('a signal that is aborted closes the socket of its fetch', async () => {
    assert.equal(await run('abort', { url: at('http') }), 1006);
});
