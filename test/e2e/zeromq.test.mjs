// Publishers that speak ZeroMQ: items pushed and published to, commands, statistics.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GRIP, STREAM, ask, control, hears, held, open } from '../lib/grip.mjs';
import { pair } from '../lib/origin.mjs';
import { Zmq, tnet, untnet } from '../lib/zmtp.mjs';
import { scratch } from './app.mjs';

const item = (channel, text) => ({ channel, formats: { 'http-stream': { content: text }, 'ws-message': { content: text } } });

/** A stream and a WebSocket on the channel "a", and where the sockets are. */
async function clients(t) {
    const any = '"tcp://127.0.0.1:*"';
    const folder = scratch(t, { 'holdfast.toml': `[zmq]\npull = [${any}]\nsub = [${any}]\ncommand = ${any}\nstats = [${any}]\nstats_format = "json"\nstats_report_interval_ms = 1000\n` });
    const both = await pair(t, { target: ',over_http', args: ['--config', join(folder, 'holdfast.toml')] });
    const at = async (name) => (await both.server.logged(new RegExp(`zeromq\\.open\\W.*\\bsocket\\W+${name}\\W+at\\W+(tcp://127\\.0\\.0\\.1:\\d+)`)))[1];
    const stats = await Zmq.open(t, 'SUB', await at('stats'));

    stats.send('\x01');
    await stats.next();
    const socket = await open(t, { ...both, headers: GRIP, body: `OPEN\r\n${control({ type: 'subscribe', channel: 'a' })}` });
    const stream = await ask(t, both, STREAM, 'open ');

    await stream.head();
    await hears(stream, 'open ');
    await held(both.server, 'stream', 1);
    /** Both hear it. */
    const heard = async (text) => {
        await hears(stream, text);
        assert.equal(await socket.hear(), `text ${text}`);
    };

    return { ...both, at, stats, socket, stream, heard };
}

describe('ZeroMQ', { concurrency: true }, () => {
    test('items are pushed as tnetstrings and as JSON', async (t) => {
        const { at, heard, server } = await clients(t);
        const push = await Zmq.open(t, 'PUSH', await at('publish-pull'));

        push.send(tnet(item('a', 'one')));
        await heard('one');
        push.send(Buffer.concat([Buffer.from('T'), tnet(item('a', 'two'))]));
        await heard('two');
        for (const bad of ['', 'T', 'J', 'J{', 'J{}', '9:abc', tnet({ channel: 'a' }), tnet([]), Buffer.alloc(100_000, '1'), Buffer.from([0xff])]) push.send(bad);
        push.send(`J${JSON.stringify(item('a', 'three'))}`);
        await heard('three');
        assert.match(await (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text(), /zeromq_messages_total\{kind="refused"\} 10\n/);
    });

    test('bytes stay bytes in a tnetstring', async (t) => {
        const { at, socket, stream } = await clients(t);
        const push = await Zmq.open(t, 'PUSH', await at('publish-pull'));

        push.send(tnet({ channel: 'a', formats: { 'http-stream': { content: Buffer.from([0, 255]) }, 'ws-message': { 'content-bin': Buffer.from([0, 255]) } } }));
        await hears(stream, '\0\xff');
        assert.equal(await socket.hear(), 'binary \0\xff');
    });

    test('a publisher hears which channels are wanted, and its topic counts', async (t) => {
        const { at, heard, socket, stream } = await clients(t);
        const pub = await Zmq.open(t, 'PUB', await at('publish-sub'));

        assert.deepEqual(await pub.next(), [Buffer.from('\x01a')]);
        pub.send('a', tnet(item('other', 'one')));
        await heard('one');
        pub.send('nobody', tnet(item('a', 'no')));
        pub.send('a', `J${JSON.stringify({ formats: item('', 'two').formats })}`);
        await heard('two');
        stream.close();
        socket.peer.close();
        assert.deepEqual(await pub.next(), [Buffer.from('\0a')]);
    });

    test('commands', async (t) => {
        const { at, heard, origin, socket } = await clients(t);
        const req = await Zmq.open(t, 'REQ', await at('command'));
        const command = async (method, args, id = 'x') => untnet(await req.ask(tnet({ id, method, ...(args && { args }) })));
        const connection = socket.open.headers['connection-id'];

        assert.deepEqual(await command('get-zmq-uris', null, '7'), { id: '7', success: true, value: { command: await at('command'), 'publish-pull': await at('publish-pull'), 'publish-sub': await at('publish-sub') } });
        assert.equal((await command('publish', { items: [item('a', 'one')] })).success, true);
        await heard('one');
        assert.deepEqual((await command('conncheck', { ids: [connection, 'nobody'] })).value, [connection]);
        assert.equal((await command('refresh', { cid: connection })).success, true);
        const asked = await origin.next();

        assert.equal(asked.body, '');
        asked.events();
        assert.equal((await command('recover')).success, true);
        for (const [method, args, condition] of [['nothing', {}, 'method-not-found'], ['publish', {}, 'bad-request'], ['refresh', { cid: 'nobody' }, 'item-not-found'], ['conncheck', {}, 'bad-request']])
            assert.deepEqual((({ success, condition: why }) => [success, why])(await command(method, args)), [false, condition], method);
        assert.equal(untnet(await req.ask('no tnetstring')).condition, 'bad-request');
    });

    test('statistics tell who is there and who listens', async (t) => {
        const { stats, socket, stream } = await clients(t);
        const seen = new Set();

        /** Waits for all of these lines, whatever comes between. */
        const tells = async (...wanted) => {
            while (!wanted.every((want) => [...seen].some((line) => want.test(line)))) seen.add(String((await stats.next())[0]));
        };

        await tells(/^conn J\{.*"id":"[0-9a-f-]{36}".*"type":"ws"/, /^conn J\{.*"type":"http"/, /^sub J\{"mode":"stream","channel":"a"/, /^sub J\{"mode":"ws","channel":"a"/, /^report J\{"connections":[12]/);
        const id = socket.open.headers['connection-id'];

        assert.ok([...seen].some((line) => line.startsWith('conn ') && line.includes(id)));
        socket.peer.reset();
        stream.reset();
        await tells(new RegExp(`^conn J\\{"id":"${id}","unavailable":true`), /^sub J\{"mode":"ws","channel":"a","unavailable":true/, /^sub J\{"mode":"stream","channel":"a","unavailable":true/);
    });
});
