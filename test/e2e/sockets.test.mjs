// What an operator can set for WebSockets: origins, the rate of messages, pings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { OPS, Peer } from '../lib/peer.mjs';
import { scratch } from './app.mjs';

const worker = `
const gone = [];
export default {
  fetch(request) {
    if (new URL(request.url).pathname === '/gone') return Response.json(gone);
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener('message', (event) => server.send(event.data));
    server.addEventListener('close', ({ code, wasClean }) => gone.push({ code, wasClean }));
    server.addEventListener('error', ({ message }) => gone.push({ message }));
    return new Response(null, { status: 101, webSocket: client });
  },
};
`;

async function start(t, websocket, limits = {}) {
    const server = await Holdfast.dev(scratch(t, {
        'worker.js': worker,
        'wrangler.json': { name: 'limits', main: 'worker.js', compatibility_date: '2026-11-01', holdfast: { websocket, limits } },
    }));

    t.after(() => server.stop());
    return server;
}

const gone = async (server) => (await fetch(server.url('/gone'))).json();

test('pages of other sites cannot connect', async (t) => {
    const server = await start(t, { origins: ['https://chat.example', 'https://*.shop.example', 'self'] });
    const open = (origin) => Client.open(server.ws(), { origin });

    for (const origin of [undefined, 'https://chat.example', 'https://a.shop.example', `http://127.0.0.1:${server.port}`]) {
        const a = await open(origin);

        a.send('hello');
        assert.equal(await a.next(), 'hello');
        await a.close();
    }
    for (const origin of ['http://chat.example', 'https://shop.example', 'https://evil.example', 'null', `http://localhost:${server.port}`])
        await assert.rejects(open(origin), { status: 403 });
    assert.equal((await fetch(server.url('/gone'), { headers: { origin: 'https://evil.example' } })).status, 200);
});

test('who sends too fast is closed with 1008', async (t) => {
    const server = await start(t, { message_rate: 20, message_burst: 5 });
    const [fast, slow] = [await Client.open(server.ws()), await Client.open(server.ws())];

    for (let i = 0; i < 50; i++) fast.send(`${i}`);
    for (let i = 0; i < 10; i++) {
        slow.send('x');
        assert.equal(await slow.next(), 'x');
        await new Promise((resolve) => setTimeout(resolve, 60));
    }
    assert.equal((await fast.end()).code, 1008);
    assert.match((await until('the error', async () => (await gone(server))[0])).message, /1008/);
    await slow.close();
});

test('a handshake that does not end is given up', async (t) => {
    const server = await start(t, {}, { head_ms: 300 });
    const late = await Peer.open(server.port);

    await late.say('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgr');
    const head = await late.head();

    assert.equal(head.status, 408);
    await late.body(head);
    await late.eof({ reset: true });
});

test('a peer that does not answer a ping is given up, one that does is kept', async (t) => {
    const server = await start(t, { ping_ms: 400, pong_ms: 3000 });
    const [mute, alive] = [await Peer.open(server.port), await Client.open(server.ws())];

    await mute.upgrade('/');
    const ping = await mute.frame();

    assert.deepEqual([ping.op, ping.payload.length], [OPS.ping, 0]);
    await mute.eof({ reset: true });
    await until('a close', async () => (await gone(server)).length > 0);
    assert.deepEqual(await gone(server), [{ code: 1006, wasClean: false }]);
    alive.send('still here');
    assert.equal(await alive.next(), 'still here');
    await alive.close();
});
