// Static files beside a worker, and without one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request } from 'undici';
import { Peer } from '../lib/peer.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { CHAT, scratch } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(CHAT)));
after(async () => assert.equal((await server.stop()).code, 0));

const get = (path, headers = {}, method = 'GET') => request(server.url(path), { headers, method });

test('files have their type', async () => {
    for (const [path, type] of [
        ['/', 'text/html'],
        ['/style.css', 'text/css'],
        ['/js/main.js', 'javascript'],
        ['/icon.svg', 'image/svg+xml'],
    ]) {
        const { statusCode, headers, body } = await get(path);

        assert.equal(statusCode, 200, path);
        assert.ok(headers['content-type'].includes(type), `${path}: ${headers['content-type']}`);
        assert.equal(Buffer.byteLength(await body.text()), Number(headers['content-length']));
    }
});

test('what did not change is not sent again', async () => {
    const { headers } = await get('/style.css');

    assert.ok(headers.etag);
    assert.equal((await get('/style.css', { 'if-none-match': headers.etag })).statusCode, 304);
    assert.equal((await get('/style.css', { 'if-none-match': '"other"' })).statusCode, 200);
});

test('HEAD', async () => {
    const { statusCode, headers, body } = await get('/style.css', {}, 'HEAD');

    assert.equal(statusCode, 200);
    assert.ok(Number(headers['content-length']) > 1000);
    assert.equal(await body.text(), '');
});

test('everything else is the worker\'s', async () => {
    const { statusCode, body } = await get('/nowhere');

    assert.equal(statusCode, 404);
    assert.equal(await body.text(), 'Not found\n');
});

test('nothing outside the folder is served', async () => {
    for (const path of ['/../wrangler.jsonc', '/js/../../wrangler.jsonc', '/%2e%2e/wrangler.jsonc', '/..%2fwrangler.jsonc', '/js/%2e%2e/%2e%2e/wrangler.jsonc', '//etc/passwd', '/%00', '/js%5c..%5c..%5cwrangler.jsonc']) {
        const peer = await Peer.open(server.port);

        await peer.say(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        const head = await peer.head();
        const body = await peer.body(head);

        assert.ok(head.status >= 300, `${path}: ${head.status}`);
        assert.ok(!body.includes('durable_objects') && !body.includes('root:'), path);
        peer.close();
    }
});

test('a folder of files without a worker', async (t) => {
    const folder = scratch(t, {
        'wrangler.jsonc': { name: 'site', compatibility_date: '2026-11-01', assets: { directory: './public', not_found_handling: '404-page' } },
        'public/index.html': '<h1>site</h1>',
        'public/404.html': '<h1>not here</h1>',
        'public/about.html': '<h1>about</h1>',
    });
    const site = await Holdfast.dev(folder);

    try {
        assert.equal(await (await fetch(site.url('/'))).text(), '<h1>site</h1>');
        assert.equal(await (await fetch(site.url('/about'))).text(), '<h1>about</h1>');
        const missing = await fetch(site.url('/missing'));

        assert.equal(missing.status, 404);
        assert.equal(await missing.text(), '<h1>not here</h1>');
    } finally {
        await site.stop();
    }
});
