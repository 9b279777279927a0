// The development endpoints: they tell about the worker and kill it, for pages of this machine only.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { request } from 'undici';
import { Holdfast, isAlive, until } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(LAB)));
after(async () => assert.equal((await server.stop()).code, 0));

const kill = (headers = {}, method = 'POST') => request(server.url('/__holdfast/kill'), { method, headers });

test('the state of worker and sockets', async () => {
    await fetch(server.url('/http/hello'));
    const { program, version, app, worker, sockets } = await server.status();

    assert.equal(program, 'holdfast');
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.equal(app, 'lab');
    assert.equal(worker.state, 'running');
    assert.ok(isAlive(worker.pid));
    assert.ok(worker.starts >= 1);
    assert.equal(typeof worker.uptime_ms, 'number');
    assert.deepEqual(sockets, { open: 0, hibernatable: 0 });
});

test('what dev keeps in a project is not for git', () => {
    assert.equal(readFileSync(join(server.state, '.gitignore'), 'utf8'), '*\n');
});

test('kill ends the worker, the next request gets a new one', async () => {
    await fetch(server.url('/http/hello'));
    const { pid, starts } = (await server.status()).worker;
    const answer = await kill();

    assert.equal(answer.statusCode, 200);
    assert.deepEqual(await answer.body.json(), { killed: pid });
    await until('its end', () => !isAlive(pid));
    assert.equal((await fetch(server.url('/http/hello'))).status, 200);
    assert.equal((await server.status()).worker.starts, starts + 1);
});

test('pages of elsewhere may not', async () => {
    await fetch(server.url('/http/hello'));
    for (const headers of [
        { origin: 'http://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { host: 'evil.example' },
        { host: 'evil.example:80', origin: 'http://evil.example:80' },
    ]) {
        assert.equal((await kill(headers)).statusCode, 403, JSON.stringify(headers));
        assert.equal((await request(server.url('/__holdfast/dev'), { headers })).statusCode, 403, JSON.stringify(headers));
    }
    assert.equal((await server.status()).worker.state, 'running');
    assert.equal((await kill({ origin: `http://127.0.0.1:${server.port}`, 'sec-fetch-site': 'same-origin' })).statusCode, 200);
});

test('GET kills nothing', async () => {
    await fetch(server.url('/http/hello'));
    assert.ok((await kill({}, 'GET')).statusCode >= 400);
    assert.equal((await server.status()).worker.state, 'running');
});
