// Production: bundles made by `holdfast build`, several applications behind one configuration.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { request } from 'undici';
import { Client } from '../lib/client.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { CHAT, LAB, hello, scratch, write } from './app.mjs';

test('build makes a folder that serve runs', async (t) => {
    const folder = scratch(t);
    const built = await Holdfast.run(['build', LAB, '--out', join(folder, 'dist')]);

    assert.equal(built.code, 0, built.log);
    const server = await Holdfast.serve(['serve', join(folder, 'dist'), '--port', '0', '--state', join(folder, 'state')]);

    t.after(() => server.stop());
    assert.equal(await (await fetch(server.url('/http/hello'))).text(), 'hello');
    const a = await Client.open(server.ws('/lab/served/socket'));

    assert.equal((await a.ask('who')).name, 'served');
    assert.equal((await fetch(server.url('/__holdfast/dev'))).status, 404, 'development endpoints are for dev');
    const failed = await fetch(server.url('/http/throw'));

    assert.equal(failed.status, 500);
    assert.equal((await failed.text()).trim(), 'Internal Server Error', 'nobody outside is shown why');
    await a.close();
});

test('assets are part of what build makes', async (t) => {
    const folder = scratch(t);
    const built = await Holdfast.run(['build', CHAT, '--out', join(folder, 'dist')]);

    assert.equal(built.code, 0, built.log);
    const server = await Holdfast.serve(['serve', join(folder, 'dist'), '--port', '0', '--state', join(folder, 'state')]);

    t.after(() => server.stop());
    assert.match(await (await fetch(server.url('/'))).text(), /Holdfast chat/);
});

test('several applications, by host and by path', async (t) => {
    const folder = scratch(t, { 'one.js': hello('one'), 'two.js': hello('two'), 'three.js': hello('three') });

    write(folder, 'holdfast.toml', `
state = "state"

[[listen]]
host = "127.0.0.1"
port = 0

[[app]]
name = "one"
path = "one.js"
hosts = ["one.example", "*.one.example"]

[[app]]
name = "two"
path = "two.js"
hosts = ["two.example"]

[[app]]
name = "three"
path = "three.js"
hosts = ["two.example"]
paths = ["/three/"]
`);
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    const get = async (host, path = '/') => {
        const { statusCode, body } = await request(server.url(path), { headers: { host } });

        return statusCode === 200 ? body.text() : statusCode;
    };

    assert.equal(await get('one.example'), 'one');
    assert.equal(await get('deep.one.example:8080'), 'one');
    assert.equal(await get('two.example'), 'two');
    assert.equal(await get('two.example', '/three/x'), 'three');
    assert.equal(await get('two.example', '/threefold'), 'two');
    assert.equal(await get('other.example'), 404);
});

test('a wrong configuration is refused with file and line', async (t) => {
    const folder = scratch(t, { 'one.js': hello('one') });

    write(folder, 'holdfast.toml', 'threads = 1\nprot = 8080\n\n[[app]]\npath = "one.js"\n');
    const { code, log } = await Holdfast.run(['serve', '--config', join(folder, 'holdfast.toml')]);

    assert.equal(code, 2);
    assert.match(log, /holdfast\.toml:2/);
    assert.match(log, /prot/);
    assert.ok(!existsSync(join(folder, '.holdfast')));
});

test('several edges: objects and sockets reach each other from all of them', async (t) => {
    const folder = scratch(t);
    const server = await Holdfast.dev(LAB, { args: ['--threads', '3'], state: join(folder, 'state') });

    t.after(() => server.stop());
    const all = await Promise.all(Array.from({ length: 30 }, () => Client.open(server.ws('/lab/wide/socket'))));

    assert.equal((await all[0].ask('who')).sockets, 30);
    all[0].send('{"do":"tell","data":"everybody"}');
    for (const one of all) assert.equal(await one.next(), 'everybody');
    await all[0].next();
    await server.killWorker();
    assert.equal((await all[7].ask('who')).sockets, 30);
    for (const one of all) assert.equal(one.closed, null);
});

test('in a log for programs every line is one, also about the configuration', async (t) => {
    const folder = scratch(t, { 'index.js': hello('hi'), 'wrangler.toml': 'main = "index.js"\nmian = 1\n' });

    write(folder, 'holdfast.toml', 'state = "state"\n[[listen]]\nport = 0\n[[app]]\npath = "."\n');
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    await server.logged(/"event":"config\.warned","text":"[^"]*wrangler\.toml:2: warning: unknown key/);
    write(folder, 'wrangler.toml', 'main = "nowhere.js"\n');
    server.signal('SIGHUP');
    await server.logged(/"event":"config\.refused","text":"[^"]*wrangler\.toml:1: main: there is no file/);
    await server.stop();
    for (const line of server.log.trim().split('\n')) JSON.parse(line);
});
