// The modules of Node.js that libraries ask for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { Holdfast } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

let server;

before(async () => {
    server = await Holdfast.dev(fileURLToPath(new URL('apps/node', import.meta.url)));
});

after(async () => {
    assert.equal((await server.stop()).code, 0);
});

const json = async (path) => (await request(server.url(path))).body.json();

const expected = {
    async_hooks: ['a', 'a', 'a', 'nothing', 'a', 'nothing'],
    buffer: ['aMOpbGxv', '68693f', 256, true, true],
    crypto: [
        'fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603', 'DMF1ucDxtqgxw5niaXcmYQ==', '2b90e41e7c0cc8e2f75c02910c3899cc468ba316',
        4, true, true, '1d6f1f7051b420b93e23f010e486cfea',
    ],
    diagnostics_channel: [3],
    events: [[1, 2], [5, 6]],
    old: true,
    path: ['/b/c.txt', '/x', '../c'],
    process: ['test', true, 'linux', true, 'string'],
    stream: ['AB', 'web'],
    text: ['é', 'x=1&x=2&y=z%20w', 'h:1', '/a b'],
    timers: ['slept', 'ticked'],
    util: ['a 1 {"b":2}', 2, true, false, 'ERR_ASSERTION'],
};

for (const [name, value] of Object.entries(expected)) {
    test(`node: ${name}`, async () => assert.deepEqual(await json(`/${name}`), value));
}

test('each request keeps its own AsyncLocalStorage through awaits, storage, timers and generators', async () => {
    const all = await Promise.all([1, 2, 3].map((n) => json(`/room?${n}`)));

    assert.deepEqual(all, [1, 2, 3].map((n) => Array(7).fill(`?${n}`)));
});

const failure = (t, files, path = '') =>
    Holdfast.dev(scratch(t, files) + path).then(
        (running) => running.stop().then(() => assert.fail('it started')),
        (error) => String(error.message),
    );

test('a module that is not there is named, with those that are', async (t) => {
    const text = await failure(t, { 'a.js': "import fs from 'node:fs';\nexport default { fetch: () => new Response(fs) };\n" }, '/a.js');

    assert.match(text, /a\.js:1:15/);
    assert.match(text, /node:fs/);
    assert.match(text, /there are: assert, .*timers\/promises, .*util\/types/s);
});

test('without the flag the message names it', async (t) => {
    const text = await failure(t, {
        'a.js': "import { Buffer } from 'node:buffer';\nexport default { fetch: () => new Response(Buffer) };\n",
        'wrangler.toml': 'main = "a.js"\ncompatibility_date = "2026-01-01"\n',
    });

    assert.match(text, /compatibility_flags = \["nodejs_compat"\]/);
});

test('the globals come and go with the flag', async (t) => {
    const app = (line) => scratch(t, {
        'a.js': "export default { fetch: () => Response.json([typeof Buffer, typeof process, typeof global]) };\n",
        'wrangler.toml': `main = "a.js"\n${line}\n`,
    });
    const types = async (line) => {
        const running = await Holdfast.dev(app(line));

        try {
            return await (await request(running.url('/'))).body.json();
        } finally {
            await running.stop();
        }
    };

    assert.deepEqual(await types('compatibility_date = "2026-01-01"'), ['undefined', 'undefined', 'undefined']);
    assert.deepEqual(await types('compatibility_date = "2026-01-01"\ncompatibility_flags = ["nodejs_compat"]'), ['function', 'object', 'object']);
});
