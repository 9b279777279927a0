// Stopping: nothing new is taken, what runs is finished or told to go, the storage is closed, and the status is 0.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '../lib/client.mjs';
import { Holdfast, childrenOf, isAlive, until } from '../lib/holdfast.mjs';
import { Peer } from '../lib/peer.mjs';
import { scratch } from './app.mjs';

const APP = fileURLToPath(new URL('apps/hostile', import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A server of the hostile application, with these keys and limits. */
async function serve(t, { keys = '', limits = '' } = {}) {
    const folder = scratch(t, {
        'holdfast.toml': `state = "state"\n${keys}\n[[listen]]\nhost = "127.0.0.1"\nport = 0\n[limits]\n${limits}\n[[app]]\nname = "hostile"\npath = ${JSON.stringify(APP)}\n`,
    });
    const server = await Holdfast.serve(['serve', '--config', `${folder}/holdfast.toml`]);

    t.after(() => server.stop('SIGKILL'));
    assert.equal(await (await fetch(server.url('/'))).text(), 'fine');
    return server;
}

const refused = (port) => new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });

    socket.once('connect', () => resolve(false)).once('error', () => resolve(true)).once('connect', () => socket.destroy());
});

test('SIGTERM: no new connections, requests are answered, sockets hear 1001, the status is 0', async (t) => {
    const server = await serve(t);
    const sockets = await Promise.all(['/room/a', '/room/a', '/echo', '/slow/b'].map((path) => Client.open(server.ws(path))));
    const later = fetch(server.url('/later/1000')).then(async (answer) => [answer.status, answer.headers.get('connection'), await answer.text()]);

    await server.logged('later');
    const ended = server.stop('SIGTERM');

    await until('nobody gets in any more', () => refused(server.port));
    for (const one of sockets) assert.deepEqual(await one.end(), { code: 1001, reason: 'the server is stopping' });
    assert.deepEqual(await later, [200, 'close', 'later']);
    assert.equal((await ended).code, 0);
});

test('a client that reads slowly gets the whole of its answer', async (t) => {
    const server = await serve(t);
    const peer = await Peer.open(server.port);

    // More than the buffers of both kernels take, and the worker has long finished with it.
    await peer.say('GET /big/12000000 HTTP/1.1\r\nHost: a\r\n\r\n');
    const head = await peer.head();

    peer.pause();
    await sleep(300);
    const ended = server.stop('SIGTERM');

    await sleep(1500);
    peer.resume();
    assert.equal((await peer.body(head, false, 30_000)).length, 12_000_000);
    assert.equal((await ended).code, 0);
});

test('what has not ended by the deadline is ended', async (t) => {
    const server = await serve(t, { limits: 'drain_ms = 1000' });
    const stream = await fetch(server.url('/events'));
    const late = fetch(server.url('/later/60000')).then((answer) => answer.status, () => 'cut');
    const reading = stream.text().then(() => 'end', () => 'cut');

    await server.logged('later');
    const at = Date.now();

    assert.equal((await server.stop('SIGTERM')).code, 0);
    assert.ok(Date.now() - at > 900 && Date.now() - at < 20_000, `it took ${Date.now() - at} ms`);
    assert.equal(await reading, 'cut', 'an event stream never ends well');
    assert.ok([503, 'cut'].includes(await late));
});

test('goodbye_ms: sockets go on for a while before they are told', async (t) => {
    const server = await serve(t, { keys: 'goodbye_ms = 3000' });
    const [held, plain] = await Promise.all(['/room/a', '/echo'].map((path) => Client.open(server.ws(path))));
    const ended = server.stop('SIGTERM');

    await until('nobody gets in any more', () => refused(server.port));
    held.send('still here');
    plain.send('and here');
    assert.equal(await held.next(), 'still here');
    assert.equal(await plain.next(), 'and here');
    for (const one of [held, plain]) assert.equal((await one.end()).code, 1001);
    assert.equal((await ended).code, 0);
});

test('a second signal ends all waits at once', async (t) => {
    const server = await serve(t, { keys: 'goodbye_ms = 60000', limits: 'drain_ms = 60000' });
    const held = await Client.open(server.ws('/room/a'));
    const late = fetch(server.url('/later/60000')).then(() => 'answered', () => 'cut');
    const [pid] = childrenOf(server.pid);

    await server.logged('later');
    server.signal('SIGTERM');
    await until('nobody gets in any more', () => refused(server.port));
    assert.equal(held.closed, null);
    const at = Date.now();

    assert.equal((await server.stop('SIGTERM')).code, 0);
    assert.ok(Date.now() - at < 20_000, `it took ${Date.now() - at} ms`);
    await late;
    await held.end();
    assert.ok(!isAlive(pid), 'its worker is gone, too');
});
