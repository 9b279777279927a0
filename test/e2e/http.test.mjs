// Requests and responses, by undici and by Node's own client.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Client, request } from 'undici';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(LAB)));
after(async () => assert.equal((await server.stop()).code, 0));

const get = (path, options) => request(server.url(path), options);

test('a request reaches the worker, its answer the client', async () => {
    const { statusCode, headers, body } = await get('/http/hello');

    assert.equal(statusCode, 200);
    assert.equal(headers['content-type'], 'text/plain;charset=UTF-8');
    assert.equal(await body.text(), 'hello');
});

test('text and JSON variables are in env', async () => {
    assert.deepEqual(await (await get('/http/env')).body.json(), { greeting: 'hello', depth: 3 });
});

test('request.url is what the client asked for', async () => {
    const { body } = await get('/http/url?a=%20b', { headers: { host: 'chat.example:8080' } });

    assert.equal(await body.text(), 'http://chat.example:8080/http/url?a=%20b');
});

test('JSON goes in and out', async () => {
    const { body } = await get('/http/json', { method: 'POST', body: '{"a":[1,"ä"]}', headers: { 'content-type': 'application/json' } });

    assert.deepEqual(await body.json(), { got: { a: [1, 'ä'] }, type: 'application/json' });
});

test('a redirect is not followed for the client', async () => {
    const { statusCode, headers } = await get('/http/redirect');

    assert.equal(statusCode, 302);
    assert.equal(headers.location, 'http://example.invalid/elsewhere');
});

test('a megabyte comes back unchanged, for every way of framing it', async () => {
    const bytes = randomBytes(1 << 20);

    for (const body of [bytes, (async function* () {
        for (let i = 0; i < bytes.length; i += 50_000) yield bytes.subarray(i, i + 50_000);
    })()]) {
        const answer = await get('/http/echo', { method: 'PUT', body });

        assert.equal(answer.headers['x-method'], 'PUT');
        assert.ok(bytes.equals(Buffer.from(await answer.body.arrayBuffer())));
    }
});

test('the client address is in CF-Connecting-IP, whatever the client says', async () => {
    assert.deepEqual(await (await get('/http/ip')).body.json(), [['cf-connecting-ip', '127.0.0.1']]);
    assert.deepEqual(await (await get('/http/ip', { headers: { 'cf-connecting-ip': '192.0.2.1' } })).body.json(), [['cf-connecting-ip', '127.0.0.1']]);
});

test('twenty megabytes are digested', async () => {
    const bytes = Buffer.alloc(20 << 20, 'holdfast');
    const { body } = await get('/http/digest', { method: 'POST', body: bytes });

    assert.equal(await body.text(), createHash('sha256').update(bytes).digest('hex'));
});

test('ten megabytes come out whole, even for a slow reader', async () => {
    const { body } = await get(`/http/big?bytes=${10 << 20}`);
    let heard = 0;

    for await (const piece of body) {
        heard += piece.length;
        if (heard < 1 << 20) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(heard, 10 << 20);
});

test('a stream arrives as it is written', async () => {
    const { body } = await get('/http/stream');
    const pieces = body[Symbol.asyncIterator]();

    for (let i = 0; i < 5; i++) {
        assert.equal(String((await pieces.next()).value), `part ${i}\n`);
        assert.equal(await (await get('/http/goOn')).body.text(), 'on');
    }
    assert.equal((await pieces.next()).done, true);
});

test('request and response stream at the same time', async () => {
    const answer = await new Promise((resolve, reject) => {
        const outgoing = http.request(server.url('/http/echo'), { method: 'POST' }, (incoming) => resolve({ outgoing, incoming }));

        outgoing.on('error', reject);
        outgoing.write('first');
    });
    const heard = [];

    answer.incoming.setEncoding('utf8').on('data', (text) => heard.push(text));
    await until('the first part', () => heard.join('') === 'first');
    answer.outgoing.end('second');
    await new Promise((resolve) => answer.incoming.on('end', resolve));
    assert.equal(heard.join(''), 'firstsecond');
});

test('two hundred requests at once, each with its own answer', async () => {
    const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) => get('/http/echo', { method: 'POST', body: `body ${i}` }).then(({ body }) => body.text())),
    );

    assert.deepEqual(answers, Array.from({ length: 200 }, (_, i) => `body ${i}`));
});

test('pipelining', async () => {
    const client = new Client(server.url(''), { pipelining: 10 });
    const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => client.request({ method: 'GET', path: `/http/url?${i}` }).then(({ body }) => body.text())),
    );

    await client.close();
    assert.deepEqual(answers.map((url) => Number(url.split('?')[1])), Array.from({ length: 50 }, (_, i) => i));
});

test('a client that leaves in the middle of a body disturbs nobody', async () => {
    await new Promise((resolve) => {
        const leaving = http.get(server.url(`/http/big?bytes=${30 << 20}`), (incoming) => incoming.once('data', () => leaving.destroy()));

        leaving.on('close', resolve);
        leaving.on('error', () => {});
    });
    assert.equal((await get('/http/hello')).statusCode, 200);
});

test('waitUntil goes on after the response', async () => {
    const mark = server.mark();

    assert.equal(await (await get('/http/later')).body.text(), 'now');
    await server.logged('waited until the end', { from: mark });
});

test('exceptions, rejections and wrong results are 500, and the log says where', async () => {
    for (const [path, text] of [
        ['/http/throw', 'thrown on purpose'],
        ['/http/reject', 'rejected on purpose'],
        ['/http/undefined', 'Response'],
    ]) {
        const mark = server.mark();
        const { statusCode, body } = await get(path);

        assert.equal(statusCode, 500, path);
        assert.match(await body.text(), new RegExp(text), 'in dev the client is shown why');
        await server.logged(text, { from: mark });
    }
    assert.equal((await get('/http/hello')).statusCode, 200);
});

test('a rejection that nobody handles is in the log', async () => {
    const mark = server.mark();

    assert.equal((await get('/http/unhandled')).statusCode, 200);
    await server.logged('nobody handles this', { from: mark });
});

test('a request that can never be answered ends', async () => {
    assert.equal((await get('/http/never')).statusCode, 500);
});

test('the worker keeps its globals between requests', async () => {
    const first = Number(await (await get('/http/count')).body.text());

    assert.equal(Number(await (await get('/http/count')).body.text()), first + 1);
});

test('request.cf tells something of the connection', async () => {
    const cf = await (await get('/http/cf')).body.json();

    assert.match(cf.clientIp, /^127\.0\.0\.1/);
    assert.equal(cf.httpProtocol, 'HTTP/1.1');
});
