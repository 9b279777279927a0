// Editing the source of a running application.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { LAB, hello, scratch, write } from './app.mjs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const text = async (server, path = '/') => (await fetch(server.url(path))).text();

async function dev(t, folder) {
    const server = await Holdfast.dev(folder);

    t.after(async () => assert.equal((await server.stop()).code, 0));
    return server;
}

test('a changed file is served', async (t) => {
    const folder = scratch(t, { 'worker.js': hello('first') });
    const server = await dev(t, join(folder, 'worker.js'));

    assert.equal(await text(server), 'first');
    write(folder, 'worker.js', hello('second'));
    await until('the new code', async () => (await text(server)) === 'second');
});

test('a changed import is served, so is a file that an editor replaced', async (t) => {
    const folder = scratch(t, {
        'worker.js': 'import { greeting } from "./lib/greeting.js";\nexport default { fetch: () => new Response(greeting) };\n',
        'lib/greeting.js': 'export const greeting = "first";\n',
    });
    const server = await dev(t, join(folder, 'worker.js'));

    assert.equal(await text(server), 'first');
    write(folder, 'lib/greeting.js', 'export const greeting = "second";\n');
    await until('the new import', async () => (await text(server)) === 'second');
    const { renameSync } = await import('node:fs');

    write(folder, 'lib/greeting.new', 'export const greeting = "third";\n');
    renameSync(join(folder, 'lib/greeting.new'), join(folder, 'lib/greeting.js'));
    await until('the replaced import', async () => (await text(server)) === 'third');
});

test('sockets stay open, with new code behind them', async (t) => {
    const folder = scratch(t, {}, LAB);
    const server = await dev(t, folder);
    const a = await Client.open(server.ws('/lab/reload/socket?tag=t&attach=x'));
    const plain = await Client.open(server.ws('/http/plain'));

    await a.ask({ do: 'put', key: 'k', value: 'kept' });
    plain.send('x');
    await plain.next();
    write(folder, 'worker.ts', readFileSync(join(folder, 'worker.ts'), 'utf8').replace('return { data: command.data };', 'return { data: `new ${command.data}` };'));
    await until('the new code', async () => (await a.ask({ do: 'echo', data: 'x' })).data === 'new x');
    assert.deepEqual(await a.ask('self'), { re: 'self', tags: ['t'], attachment: { said: 'x' } });
    assert.equal((await a.ask({ do: 'get', key: 'k' })).value, 'kept');
    assert.equal((await plain.end()).code, 1012);
    assert.equal(a.closed, null);
});

test('a mistake is shown with its place, the sockets survive it, the correction is served', async (t) => {
    const folder = scratch(t, {}, LAB);
    const server = await dev(t, folder);
    const a = await Client.open(server.ws('/lab/mistake/socket'));
    const good = readFileSync(join(folder, 'http.ts'), 'utf8');
    const mark = server.mark();

    await a.ask('who');
    write(folder, 'http.ts', good.replace('let count = 0;', 'let count = ;'));
    const log = await server.logged(/http\.ts:\d+/, { from: mark });

    assert.ok(log);
    write(folder, 'http.ts', good.replace('new Response(env.GREETING)', "new Response('corrected')"));
    await until('the correction', async () => (await text(server, '/http/hello')) === 'corrected');
    assert.equal((await a.ask('who')).sockets, 1);
});

test('the configuration is read again', async (t) => {
    const config = JSON.parse(readFileSync(join(LAB, 'wrangler.jsonc'), 'utf8'));
    const folder = scratch(t, {}, LAB);
    const server = await dev(t, folder);

    assert.equal(await text(server, '/http/hello'), 'hello');
    write(folder, 'wrangler.jsonc', { ...config, vars: { ...config.vars, GREETING: 'good evening' } });
    await until('the new variable', async () => (await text(server, '/http/hello')) === 'good evening');
});

test('many changes in a row end with the last one', async (t) => {
    const folder = scratch(t, { 'worker.js': hello('0') });
    const server = await dev(t, join(folder, 'worker.js'));

    for (let i = 1; i <= 20; i++) {
        write(folder, 'worker.js', hello(String(i)));
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await until('the last change', async () => (await text(server)) === '20');
});
