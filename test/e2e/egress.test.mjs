// What leaves the worker: fetch and WebSockets, through the gateway, under its policy.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { Client } from '../lib/client.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;
let origin; // an HTTP server of ours
let sockets; // and its WebSockets
const heard = [];

before(async () => {
    origin = http.createServer((request, response) => {
        const chunks = [];

        request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
            heard.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
            if (request.url === '/redirect') return response.writeHead(302, { location: '/landed' }).end();
            if (request.url === '/missing') return response.writeHead(404).end('not there');
            if (request.url === '/cut') {
                response.writeHead(200, { 'content-length': '100' });
                return response.write('some', () => response.destroy());
            }
            if (request.url === '/stream') {
                response.write('one ');
                return setTimeout(() => response.end('two'), 200);
            }
            response.writeHead(200, { 'x-origin': 'yes', 'content-type': 'text/plain' });
            response.end(`${request.method} ${request.url} ${Buffer.concat(chunks)}`);
        });
    });
    sockets = new WebSocketServer({ server: origin, handleProtocols: (offered) => (offered.has('two') ? 'two' : false) });
    sockets.on('connection', (ws, request) => {
        heard.push({ url: request.url, headers: request.headers });
        ws.on('message', (data, binary) => {
            if (data.toString() === 'close me') return ws.close(3500, 'as you wish');
            ws.send(binary ? data : `origin: ${data}`, { binary });
        });
    });
    await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
    server = await Holdfast.dev(LAB, {
        args: ['--resolve', `named.example:80:127.0.0.1`, '--resolve', `named.example:${origin.address().port}:127.0.0.1`, '--deny', 'denied.example', '--resolve', `denied.example:80:127.0.0.1`],
    });
});
after(async () => {
    assert.equal((await server.stop()).code, 0);
    for (const ws of sockets.clients) ws.terminate();
    origin.close();
});

const at = (path, scheme = 'http', host = '127.0.0.1') => `${scheme}://${host}:${origin.address().port}${path}`;
const go = async (to, query = '') => (await fetch(server.url(`/http/fetch?to=${encodeURIComponent(to)}${query}`))).json();

test('fetch reaches a server', async () => {
    const { status, url, redirected, headers, body } = await go(at('/path?x=1'));

    assert.equal(status, 200);
    assert.equal(url, at('/path?x=1'));
    assert.equal(redirected, false);
    assert.equal(headers['x-origin'], 'yes');
    assert.equal(body, 'GET /path?x=1 ');
    assert.equal(heard.at(-1).headers['x-from'], 'lab');
    assert.equal(heard.at(-1).headers.host, `127.0.0.1:${origin.address().port}`);
});

test('a body goes out', async () => {
    assert.equal((await go(at('/post'), '&method=POST&body=hello%20there')).body, 'POST /post hello there');
});

test('redirects are followed, or not', async () => {
    const followed = await go(at('/redirect'));

    assert.deepEqual([followed.status, followed.url, followed.redirected], [200, at('/landed'), true]);
    assert.equal((await go(at('/redirect'), '&redirect=manual')).status, 302);
});

test('a status is a status, not an error', async () => {
    assert.deepEqual([(await go(at('/missing'))).status, (await go(at('/missing'))).body], [404, 'not there']);
});

test('names are resolved as the configuration says', async () => {
    assert.equal((await go(at('/named', 'http', 'named.example'))).body, 'GET /named ');
    assert.equal(heard.at(-1).headers.host, `named.example:${origin.address().port}`);
});

test('what is denied fails, with a reason in the log', async () => {
    const mark = server.mark();
    const { error } = await go('http://denied.example/');

    assert.ok(error);
    await server.logged('denied.example', { from: mark });
});

test('a refused connection is an exception', async () => {
    const { error, message } = await go('http://127.0.0.1:1/');

    assert.ok(error, message);
});

test('an answer that is cut is an exception', async () => {
    assert.ok((await go(at('/cut'))).error);
});

test('ws: addresses are no fetch addresses of HTTP', async () => {
    const { error, message } = await go('ftp://127.0.0.1/');

    assert.equal(error, 'TypeError');
    assert.match(message, /Fetch API cannot load/);
});

test('an answer passes through as a stream, whatever its length', async () => {
    const answer = await fetch(server.url(`/http/pass?to=${encodeURIComponent(at('/stream'))}`));

    assert.equal(await answer.text(), 'one two');
    const posted = await fetch(server.url(`/http/pass?to=${encodeURIComponent(at('/echo'))}`), { method: 'POST', body: 'x'.repeat(500_000) });

    assert.equal(await posted.text(), `POST /echo ${'x'.repeat(500_000)}`);
});

test('fetch with Upgrade opens a WebSocket, for http and for ws addresses', async () => {
    for (const scheme of ['http', 'ws']) {
        const a = await Client.open(server.ws(`/http/relay?to=${encodeURIComponent(at('/socket', scheme))}`));

        a.send('hello');
        assert.equal(await a.next(), 'origin: relayed hello');
        await a.close();
    }
});

test('fetch with Upgrade to a server without WebSockets is an ordinary answer', async () => {
    const plain = http.createServer((request, response) => response.writeHead(403).end('no')).listen(0, '127.0.0.1');

    plain.on('upgrade', (request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'));
    await new Promise((resolve) => plain.once('listening', resolve));
    await assert.rejects(Client.open(server.ws(`/http/relay?to=${encodeURIComponent(`http://127.0.0.1:${plain.address().port}/`)}`)), /502/);
    plain.close();
});

test('new WebSocket: open, protocol, message, close', async () => {
    const events = await (await fetch(server.url(`/http/outgoing?to=${encodeURIComponent(at('/socket', 'ws'))}&protocol=one&protocol=two`))).json();

    assert.deepEqual(events, ['open two', 'message origin: hello', 'close 4000 done true']);
});

test('new WebSocket to nobody: error, then close 1006', async () => {
    const events = await (await fetch(server.url('/http/outgoing?to=ws://127.0.0.1:1/'))).json();

    assert.deepEqual(events, ['error', 'close 1006 Failed to establish websocket connection false']);
});

test('proxy mode joins client and origin: messages, sizes, closes pass both ways', async () => {
    const path = `/http/proxy?to=${encodeURIComponent(at('/proxied'))}`;
    const a = await Client.open(server.ws(path));

    a.send('through');
    assert.equal(await a.next(), 'origin: through');
    const bytes = Buffer.alloc(300_000, 'z');

    a.send(bytes);
    assert.ok(bytes.equals(await a.next()));
    a.send('close me');
    assert.deepEqual(await a.end(), { code: 3500, reason: 'as you wish' });

    const b = await Client.open(server.ws(path));

    b.send('x');
    await b.next();
    assert.deepEqual(await b.close(4100, 'going'), { code: 4100, reason: 'going' });
});

test('proxy mode lives on when the worker dies', async () => {
    const a = await Client.open(server.ws(`/http/proxy?to=${encodeURIComponent(at('/proxied'))}`));

    a.send('before');
    assert.equal(await a.next(), 'origin: before');
    await server.killWorker();
    a.send('after');
    assert.equal(await a.next(), 'origin: after');
    await a.close();
});
