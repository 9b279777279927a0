// The Web platform inside the real worker, seen from outside. Numbers in brackets are those of the conformance list.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { FormData, request } from 'undici';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const source = (app) => readFileSync(fileURLToPath(new URL(`apps/${app}/app.js`, import.meta.url)), 'utf8');

let server;
let scripted;
let cleanups;

before(async () => {
    cleanups = [];
    const t = { after: (fn) => cleanups.push(fn) };

    server = await Holdfast.dev(`${scratch(t, { 'app.js': source('platform') })}/app.js`);
    scripted = await Holdfast.dev(`${scratch(t, { 'app.js': source('script') })}/app.js`);
});

after(async () => {
    assert.equal((await server.stop()).code, 0);
    assert.equal((await scripted.stop()).code, 0);
    for (const fn of cleanups) fn();
});

const get = (path, options) => request(server.url(path), options);
const text = async (path, options) => (await get(path, options)).body.text();
const json = async (path, options) => (await get(path, options)).body.json();
const ws = (path) => server.url(path).replace('http', 'ws');

/** The raw end of an answer: 'end', or 'aborted' when the connection broke first. */
function howItEnds(url) {
    return new Promise((resolve) => {
        const call = http.get(url, (response) => {
            let body = '';

            response.on('data', (piece) => (body += piece));
            response.on('end', () => resolve({ end: 'end', body, headers: response.headers }));
            response.on('error', () => resolve({ end: 'aborted', body, headers: response.headers }));
        });

        call.on('error', (error) => resolve({ end: error.code }));
    });
}

test('who waits for the scheduler or for a deadline does not hang', async () => {
    assert.equal(await text('/patient'), 'waited');
});

test('what is no response gives 500 (34, 35)', async () => {
    for (const path of ['/undefined', '/string', '/throws', '/error-response', '/never']) {
        const { statusCode, body } = await get(path);

        assert.equal(statusCode, 500, path);
        await body.dump();
    }
    await until('the reasons in the log', () => server.log.includes("did not resolve to 'Response'") && server.log.includes('like Response.error()'));
});

test('a socket needs a request that asked for one, and an end that nobody took (30, 31, 33)', async () => {
    assert.equal((await get('/socket')).statusCode, 500);
    const client = await Client.open(ws('/socket'));

    assert.equal(await client.next(), 'hello');
    await assert.rejects(Client.open(ws('/refused')), { status: 403 });
    await assert.rejects(Client.open(ws('/accepted')));
    await until('the reason in the log', () => server.log.includes("Can't return WebSocket in a Response after calling accept()."));
});

test('fixed-length bodies have their length, and break when they are short (116)', async () => {
    const { headers, body } = await get('/fixed');

    assert.equal(headers['content-length'], '3');
    assert.equal(await body.text(), 'abc');
    assert.notEqual((await howItEnds(server.url('/fixed-short'))).end, 'end');
});

test('a stream that yields strings is no body (118)', async () => {
    assert.notEqual((await howItEnds(server.url('/string-chunk'))).end, 'end');
    await until('the reason in the log', () => server.log.includes('This ReadableStream did not return bytes.'));
});

test('what is written reaches the client at once', async () => {
    const { body } = await get('/ticks');
    const times = [];

    for await (const piece of body) times.push([Date.now(), String(piece)]);
    assert.equal(times.map(([, piece]) => piece).join(''), 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
    assert.ok(times.length > 1 && times.at(-1)[0] - times[0][0] >= 30);
});

test('bodies pass through unchanged, whole or in pieces', async () => {
    const bytes = randomBytes(3 << 20);
    const whole = await get('/echo', { method: 'POST', body: bytes });

    assert.ok(bytes.equals(Buffer.from(await whole.body.arrayBuffer())));
    const pieces = async function* () {
        for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
    };
    const streamed = await get('/echo', { method: 'POST', body: pieces() });

    assert.ok(bytes.equals(Buffer.from(await streamed.body.arrayBuffer())));
    assert.equal(await text('/echo', { method: 'POST', body: '' }), '');
});

test('transforms, tee and compression work on bodies', async () => {
    const words = 'grüße '.repeat(20_000);

    assert.equal(await text('/upper', { method: 'POST', body: words }), words.toUpperCase());
    assert.deepEqual(await json('/tee', { method: 'POST', body: 'abc' }), ['abc', 3]);
    const packed = await get('/gzip', { method: 'POST', body: words });

    assert.equal(gunzipSync(Buffer.from(await packed.body.arrayBuffer())).toString(), words);
    const encoded = await get('/encoded');

    assert.equal(encoded.headers['content-encoding'], 'gzip');
    assert.equal(gunzipSync(Buffer.from(await encoded.body.arrayBuffer())).toString(), 'x'.repeat(10000));
});

test('a browser\'s form arrives with its file', async () => {
    const form = new FormData();

    form.set('name', 'Bob ü');
    form.set('file', new Blob(['content'], { type: 'text/x-test' }), 'a "b".txt');
    assert.deepEqual(await json('/form', { method: 'POST', body: form }), { name: 'Bob ü', file: 'a "b".txt', type: 'text/x-test', text: 'content' });
});

test('cookies stay apart', async () => {
    assert.deepEqual((await get('/cookies')).headers['set-cookie'], ['a=1; Path=/', 'b=2']);
});

test('a body is read once', async () => {
    assert.equal((await get('/used-body', { method: 'POST', body: 'x' })).statusCode, 500);
    await until('the reason in the log', () => server.log.includes('Body has already been used. It can only be used once.'));
});

test('crypto, channels, timeouts', async () => {
    const { mac, id } = await json('/crypto');

    assert.equal(mac, createHmac('sha256', 'key').update('message').digest('hex'));
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await json('/channel'), [5, [[1, 2]]]);
    assert.deepEqual(await json('/timeout'), { name: 'TimeoutError', soon: true });
});

test('nothing of the runtime lies open', async () => {
    const types = await json('/private');

    assert.deepEqual([...new Set(Object.values(types))], ['undefined'], JSON.stringify(types));
    assert.deepEqual(await json('/globals'), []);
});

test('scripts answer by respondWith, once and in time (126)', async () => {
    const at = (path) => request(scripted.url(path));

    assert.equal(await (await at('/twice')).body.text(), 'first');
    await until('the refusal of the second', () => scripted.log.includes('twice: InvalidStateError FetchEvent.respondWith() has already been called; it can only be called once.'));
    assert.equal(await (await at('/late')).body.text(), 'late');
    assert.equal((await at('/text')).statusCode, 500);
    assert.notEqual((await howItEnds(scripted.url('/prevented'))).end, 'end');
    assert.equal(await (await at('/after')).body.text(), 'now');
    await until('what waitUntil waited for', () => scripted.log.includes('after: done'));
});
