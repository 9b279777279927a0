// WebSockets whose origin answers HTTP requests (WebSocket-over-HTTP) or speaks WebSocket, and GRIP on both.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { GRIP, Socket, UPGRADE, control, event, open, overHttp, tell } from '../lib/grip.mjs';
import { until } from '../lib/holdfast.mjs';
import { EVENTS, Origin, gateway, pair } from '../lib/origin.mjs';
import { OPS, Peer, frame } from '../lib/peer.mjs';

async function refused(t, server, origin, answer) {
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    await peer.say(UPGRADE);
    answer(await origin.next());
    const head = await peer.head();

    return { ...head, body: (await peer.body(head)).toString() };
}

test('the request that asks the origin to open', async (t) => {
    const { origin, server } = await overHttp(t);
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    const head = peer.upgrade('/chat?room=1', {
        Cookie: 'a=b', Origin: 'http://page', 'Sec-WebSocket-Protocol': 'chat, other', 'Sec-WebSocket-Extensions': 'permessage-deflate', Accept: 'text/html',
        'Content-Type': 'text/plain', 'Connection-Id': 'forged', 'Meta-User': 'forged', 'Grip-Sig': 'forged',
    });
    const asked = await origin.next();

    assert.equal(`${asked.method} ${asked.url}`, 'POST /chat?room=1');
    assert.equal(asked.body, 'OPEN\r\n');
    assert.deepEqual(asked.all('Content-Type'), [EVENTS]);
    assert.deepEqual(asked.all('Accept'), [EVENTS]);
    assert.deepEqual(asked.all('Sec-WebSocket-Extensions'), ['grip']);
    assert.match(asked.headers['connection-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(asked.headers.cookie, 'a=b');
    assert.equal(asked.headers.origin, 'http://page');
    assert.equal(asked.headers['sec-websocket-protocol'], 'chat, other');
    assert.ok(asked.headers['sec-websocket-key']);
    for (const name of ['meta-user', 'grip-sig', 'upgrade']) assert.equal(asked.headers[name], undefined, name);
    await peer.quiet(100);
    asked.events('OPEN\r\n', { 'Set-Meta-User': 'bob', 'Sec-WebSocket-Protocol': 'chat', 'Set-Cookie': 'c=d' });
    const { fields } = await head;

    assert.equal(fields.get('sec-websocket-protocol'), 'chat');
    assert.equal(fields.get('set-cookie'), 'c=d');
    for (const name of ['set-meta-user', 'content-type', 'sec-websocket-extensions']) assert.equal(fields.get(name), undefined, name);
    const socket = new Socket(peer);

    await socket.say('x');
    const second = await origin.next();

    assert.equal(second.headers['meta-user'], 'bob');
    assert.equal(second.headers['connection-id'], asked.headers['connection-id']);
    assert.equal(second.headers.cookie, 'a=b');
    second.events('', { 'Set-Meta-User': '' });
    await socket.say('y');
    const third = await origin.next();

    assert.equal(third.headers['meta-user'], undefined);
    third.events();
});

test('answers to OPEN that open nothing', async (t) => {
    const { origin, server } = await overHttp(t);
    const forbidden = await refused(t, server, origin, (asked) => asked.answer(403, { 'Content-Type': 'text/plain', 'X-Why': 'no' }, 'forbidden'));

    assert.deepEqual([forbidden.status, forbidden.fields.get('x-why'), forbidden.body], [403, 'no', 'forbidden']);
    const page = await refused(t, server, origin, (asked) => asked.answer(200, { 'Content-Type': 'text/html' }, '<p>'));

    assert.deepEqual([page.status, page.fields.get('content-type'), page.body], [200, 'text/html', '<p>']);
    const charset = await refused(t, server, origin, (asked) => asked.answer(200, { 'Content-Type': `${EVENTS}; charset=utf-8` }, 'OPEN\r\n'));

    assert.deepEqual([charset.status, charset.body], [200, 'OPEN\r\n']);
    for (const body of ['TEXT 1\r\nx\r\n', 'OPEN', 'open\r\n', '']) {
        const bad = await refused(t, server, origin, (asked) => asked.events(body));

        assert.deepEqual([bad.status, bad.body, bad.fields.get('content-type')], [502, 'Error while proxying to origin.\n', undefined], body);
    }
    const cut = await refused(t, server, origin, async (asked) => {
        asked.drop();
        // Where it came on a connection of before, which might have been dying, it is made again, once.
        await origin.next(500).then((again) => again.drop(), () => {});
    });

    assert.equal(cut.status, 502);
});

test('an origin that is not there is 502', async (t) => {
    const origin = await Origin.open();

    await origin.close();
    const server = await gateway(t, `* 127.0.0.1:${origin.port},over_http`);
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    await assert.rejects(peer.upgrade('/ws'), /heard 502/);
});

test('messages both ways', async (t) => {
    const { origin, open } = await overHttp(t);
    const socket = await open();

    await socket.say('hello');
    let asked = await origin.next();

    assert.equal(asked.body, 'TEXT 5\r\nhello\r\n');
    asked.events(event('TEXT', 'one') + event('BINARY', 'two') + event('PING') + event('PONG', 'x') + event('UNKNOWN', 'y') + 'TEXT\r\n' + 'TEXT 0\r\n\r\n' + 'TEXT 0A\r\n0123456789\r\n');
    for (const want of ['text one', 'binary two', 'ping', 'pong x', 'text', 'text', 'text 0123456789']) assert.equal(await socket.hear(), want);
    await socket.say('');
    asked = await origin.next();
    assert.equal(asked.body, 'TEXT\r\n');
    asked.events();
    await socket.say('par', { fin: false });
    await socket.say('tial', { op: OPS.cont });
    asked = await origin.next();
    assert.equal(asked.body, 'TEXT 7\r\npartial\r\n');
    asked.events();
    await socket.say('\0\xff', { op: OPS.binary });
    asked = await origin.next();
    assert.equal(asked.body, 'BINARY 2\r\n\0\xff\r\n');
    asked.events();
    await socket.say('are you there', { op: OPS.ping });
    asked = await origin.next();
    assert.equal(asked.body, 'PING d\r\nare you there\r\n');
    assert.equal(await socket.hear(), 'pong are you there');
    asked.events();
});

test('what comes while a request is under way goes with the next', async (t) => {
    const { origin, open } = await overHttp(t);
    const socket = await open();

    await socket.say('a');
    const first = await origin.next();

    for (const text of ['b0', 'b1', 'b2', 'b3']) await socket.say(text);
    await origin.quiet(200);
    first.events();
    const second = await origin.next();

    assert.equal(second.body, ['b0', 'b1', 'b2', 'b3'].map((text) => event('TEXT', text)).join(''));
    second.events();
});

test('one_event targets get one event', async (t) => {
    const { origin, open } = await overHttp(t, { target: ',one_event' });
    const socket = await open();

    await socket.say('a');
    const first = await origin.next();

    for (const text of ['b0', 'b1', 'b2', 'b3']) await socket.say(text);
    first.events();
    for (const text of ['b0', 'b1', 'b2', 'b3']) {
        const asked = await origin.next();

        assert.equal(asked.body, event('TEXT', text));
        asked.events();
    }
});

test('GRIP: prefixes, channels and publishing', async (t) => {
    const { origin, server, open } = await overHttp(t);
    const socket = await open({ headers: GRIP, body: 'OPEN\r\n' + event('TEXT', 'm:hi') });

    assert.equal(await socket.hear(), 'text hi');
    await tell(origin, socket, event('TEXT', 'm:x') + event('TEXT', 'plain') + event('TEXT', '') + event('BINARY', 'c:z') + event('BINARY', 'm:\0') + control({ type: 'subscribe', channel: 'w' }));
    assert.equal(await socket.hear(), 'text x');
    assert.equal(await socket.hear(), 'binary \0');
    const publish = async (format) => assert.equal((await server.publish({ channel: 'w', formats: { 'ws-message': format } })).status, 200);

    await publish({ content: 'p' });
    assert.equal(await socket.hear(), 'text p');
    await publish({ 'content-bin': 'AAH/' });
    assert.equal(await socket.hear(), 'binary \0\x01\xff');
    await publish({ content: 'b', type: 'binary' });
    assert.equal(await socket.hear(), 'binary b');
    await publish({ type: 'ping' });
    assert.equal(await socket.hear(), 'ping');
    await tell(origin, socket, control({ type: 'unsubscribe', channel: 'w' }) + event('TEXT', 'm:done'));
    assert.equal(await socket.hear(), 'text done');
    await publish({ content: 'nobody' });
    await socket.peer.quiet(100);
});

test('GRIP: an empty prefix, and none at all', async (t) => {
    const { origin, open } = await overHttp(t);
    const bare = await open({ headers: { 'Sec-WebSocket-Extensions': 'grip; message-prefix=""' } });

    await tell(origin, bare, event('TEXT', 'm:x') + control({ type: 'nothing' }) + event('TEXT', 'y'));
    assert.equal(await bare.hear(), 'text m:x');
    assert.equal(await bare.hear(), 'text y');
    const raw = await open();

    await tell(origin, raw, control({ type: 'detach' }));
    assert.equal(await raw.hear(), 'text c:{"type":"detach"}');
});

test('GRIP: route prefixes and implicit channels', async (t) => {
    const { origin, server } = await pair(t, { condition: '*,prefix=pre-', target: ',over_http,sub=always' });
    const socket = await open(t, { origin, server, headers: GRIP });
    const publish = (channel, content) => server.publish({ channel, formats: { 'ws-message': { content } } });

    await tell(origin, socket, control({ type: 'subscribe', channel: 'c1' }) + control({ type: 'unsubscribe', channel: 'always' }) + event('TEXT', 'm:ok'));
    assert.equal(await socket.hear(), 'text ok');
    await publish('c1', 'no');
    await publish('pre-c1', 'yes');
    await publish('always', 'implicit');
    assert.equal(await socket.hear(), 'text yes');
    assert.equal(await socket.hear(), 'text implicit');
});

test('GRIP: a published close', async (t) => {
    const { origin, server, open } = await overHttp(t);

    for (const [format, want] of [[{ action: 'close', code: 4100, reason: 'r' }, 'close 4100 r'], [{ action: 'close' }, 'close 1000']]) {
        const socket = await open({ headers: GRIP, body: 'OPEN\r\n' + control({ type: 'subscribe', channel: 'w' }) });

        await server.publish({ channel: 'w', formats: { 'ws-message': format } });
        assert.equal(await socket.hear(), want);
        const asked = await origin.next();

        assert.equal(asked.body, 'CLOSE\r\n');
        asked.events();
        await socket.close(1000);
        await socket.peer.eof();
        await origin.quiet(100);
    }
});

test('GRIP: refresh asks the origin at once', async (t) => {
    const { origin, server, open } = await overHttp(t);
    const socket = await open({ headers: GRIP, body: 'OPEN\r\n' + control({ type: 'subscribe', channel: 'w' }) });

    await server.publish({ channel: 'w', formats: { 'ws-message': { action: 'refresh' } } });
    const asked = await origin.next();

    assert.equal(asked.body, '');
    asked.events(event('TEXT', 'm:fresh'));
    assert.equal(await socket.hear(), 'text fresh');
});

test('GRIP: keep-alives and delayed messages', async (t) => {
    const { origin, open } = await overHttp(t);
    const socket = await open({ headers: GRIP });

    await tell(origin, socket, control({ type: 'keep-alive', content: 'KA', timeout: 2 }));
    for (let i = 0; i < 2; i++) {
        const start = Date.now();

        assert.equal(await socket.hear(), 'text KA');
        assert.ok(Date.now() - start >= 900, 'about two seconds');
    }
    await tell(origin, socket, control({ type: 'keep-alive' }) + event('TEXT', 'm:off'));
    while (await socket.hear() !== 'text off');
    await tell(origin, socket, control({ type: 'send-delayed', content: 'one', timeout: 60 }) + control({ type: 'send-delayed', content: 'two', timeout: 60 }));
    assert.equal(await socket.hear(), 'text one');
    await tell(origin, socket, control({ type: 'flush-delayed' }));
    assert.equal(await socket.hear(), 'text two');
    await tell(origin, socket, control({ type: 'send-delayed', content: 'three' }));
    assert.equal(await socket.hear(), 'text three');
    await tell(origin, socket, event('TEXT', 'c:{nonsense') + control({ type: 'subscribe' }) + event('TEXT', 'm:still here'));
    assert.equal(await socket.hear(), 'text still here');
    await socket.peer.quiet(2500);
});

test('GRIP: detach', async (t) => {
    const { origin, server, open } = await overHttp(t);
    const socket = await open({ headers: GRIP, body: 'OPEN\r\n' + control({ type: 'subscribe', channel: 'w' }) });

    await tell(origin, socket, control({ type: 'detach' }));
    const asked = await origin.next();

    assert.equal(asked.body, 'CLOSE\r\n');
    asked.events('CLOSE\r\n');
    await socket.say('nobody hears');
    await server.publish({ channel: 'w', formats: { 'ws-message': { content: 'p' } } });
    assert.equal(await socket.hear(), 'text p');
    await socket.close(1001);
    assert.equal(await socket.hear(), 'close 1001');
    await origin.quiet(200);
});

test('the client closes', async (t) => {
    const { origin, open } = await overHttp(t);
    const answered = await open();

    await answered.close(1001, 'bye');
    let asked = await origin.next();

    assert.equal(asked.body, 'CLOSE 5\r\n\x03\xe9bye\r\n');
    asked.events('CLOSE 5\r\n\x03\xe9bye\r\n');
    assert.equal(await answered.hear(), 'close 1001 bye');
    await answered.peer.eof();
    const ignored = await open();

    await ignored.close();
    asked = await origin.next();
    assert.equal(asked.body, 'CLOSE\r\n');
    asked.events();
    await ignored.peer.eof({ reset: true });
    await origin.quiet(100);
});

test('the origin closes', async (t) => {
    const { origin, open } = await overHttp(t);

    for (const [body, want] of [[event('CLOSE', '\x10\x04no'), 'close 4100 no'], [event('CLOSE', '\0\0'), 'close 1000'], ['CLOSE\r\n', 'close 1000']]) {
        const socket = await open();

        await tell(origin, socket, event('TEXT', 'before') + body + event('TEXT', 'behind'));
        assert.equal(await socket.hear(), 'text before');
        assert.equal(await socket.hear(), want);
        await socket.close(1000);
        const asked = await origin.next();

        assert.equal(asked.body, 'CLOSE 2\r\n\x03\xe8\r\n');
        asked.events();
        await socket.peer.eof();
    }
    const both = await open({ body: 'OPEN\r\n' + event('CLOSE', '\x0f\xa0') });

    assert.equal(await both.hear(), 'close 4000');
});

test('a client that is lost is one DISCONNECT', async (t) => {
    const { origin, open } = await overHttp(t);
    const socket = await open();

    socket.peer.reset();
    const asked = await origin.next();

    assert.equal(asked.body, 'DISCONNECT\r\n');
    asked.events();
    await origin.quiet(200);
});

test('what the origin must not answer cuts the client, and nothing is asked any more', async (t) => {
    const { origin, open } = await overHttp(t);
    const answers = [
        (asked) => asked.answer(500, { 'Content-Type': EVENTS }, event('TEXT', 'x')),
        (asked) => asked.answer(200, { 'Content-Type': 'text/plain' }, event('TEXT', 'x')),
        (asked) => asked.events('TEXT zz\r\n'),
        (asked) => asked.events('DISCONNECT\r\n'),
        (asked) => asked.events('OPEN\r\n'),
        (asked) => asked.events('', { 'Content-Bytes-Accepted': '99' }),
        (asked) => asked.events(event('BINARY', 'x'.repeat(1_000_001))),
    ];

    for (const answer of answers) {
        const socket = await open();

        await socket.say('?');
        answer(await origin.next());
        await socket.peer.eof({ reset: true });
        await origin.quiet(50);
    }
});

test('an origin that is away for a while', async (t) => {
    const { origin, server } = await pair(t, { target: ',over_http' });
    const socket = await open(t, { origin, server });
    const { port } = origin;

    await origin.close();
    for (const text of ['one', 'two', 'three']) await socket.say(text);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const back = await Origin.open({ port });

    t.after(() => back.close());
    let asked = await back.next();

    assert.equal(asked.body, event('TEXT', 'one'));
    asked.events();
    asked = await back.next();
    assert.equal(asked.body, event('TEXT', 'two') + event('TEXT', 'three'));
    asked.events(event('TEXT', 'welcome back'));
    assert.equal(await socket.hear(), 'text welcome back');
});

test('a part that the origin did not accept', async (t) => {
    const { origin, open } = await overHttp(t);
    const socket = await open();

    await socket.say('hello');
    (await origin.next()).events('', { 'Content-Bytes-Accepted': '3' });
    await origin.quiet(100);
    await socket.say('x');
    const asked = await origin.next();

    assert.equal(asked.body, event('TEXT', 'lo') + event('TEXT', 'x'));
    assert.equal(asked.headers['content-bytes-replayed'], '2');
    asked.events();
});

test('large messages', async (t) => {
    const { origin, open } = await overHttp(t);
    const fits = await open();

    await fits.say('x'.repeat(200_000), { op: OPS.binary });
    const asked = await origin.next();

    assert.equal(asked.bytes.length, 200_000 + 'BINARY 30d40\r\n\r\n'.length);
    asked.events(event('BINARY', 'y'.repeat(300_000)));
    assert.equal((await fits.hear()).length, 300_007);
    const tooLarge = await open();

    await tooLarge.say('x'.repeat(200_001), { op: OPS.binary });
    assert.match(await tooLarge.hear(), /^close 1009/);
    const end = await origin.next();

    assert.equal(end.body, 'DISCONNECT\r\n');
    end.events();
});

test('events are nothing that a client may post', async (t) => {
    const { server } = await overHttp(t);
    const response = await fetch(server.url('/ws'), { method: 'POST', headers: { 'Content-Type': EVENTS }, body: 'OPEN\r\n' });

    assert.equal(response.status, 403);
    assert.equal(await response.text(), 'Client not allowed to send WebSocket events directly.\n');
});

// --- a real WebSocket to the origin ---

/** An origin that upgrades: each connection is a Peer that speaks as a server. */
async function webSocketOrigin(t) {
    const server = createServer();
    const waiting = [];

    server.on('upgrade', (request, socket) => waiting.push({ request, socket }));
    const origin = await Origin.open({ server });

    t.after(() => origin.close());
    origin.upgrade = async (fields = {}) => {
        const { request, socket } = await until('an upgrade', () => waiting.shift());
        const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
        const peer = new Peer(socket);

        t.after(() => peer.close());
        return { request, peer, say: (text, options) => peer.say(frame({ payload: Buffer.from(text, 'latin1'), mask: null, ...options })) };
    };
    origin.refuse = async (text) => {
        const { socket } = await until('an upgrade', () => waiting.shift());

        socket.end(text);
    };
    return origin;
}

/** A frame of a client, unmasked: what the origin heard. */
async function heardBy(peer) {
    const [first, second] = await peer.bytes(2);
    const n = second & 127;
    const mask = await peer.bytes(4);
    const payload = Buffer.from(await peer.bytes(n)).map((byte, i) => byte ^ mask[i & 3]);

    return `${Object.keys(OPS).find((name) => OPS[name] === (first & 15))} ${payload.toString('latin1')}`.trim();
}

async function passed(t, fields, clientFields) {
    const origin = await webSocketOrigin(t);
    const server = await gateway(t, `* 127.0.0.1:${origin.port}`);
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    const head = peer.upgrade('/ws?x=1', clientFields);
    const other = await origin.upgrade(fields);

    return { origin, server, head: await head, socket: new Socket(peer), other };
}

test('a WebSocket origin: frames both ways', async (t) => {
    const { socket, other, head } = await passed(t, { 'Sec-WebSocket-Protocol': 'chat', 'X-More': 'yes' }, { 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': 'permessage-deflate', Cookie: 'a=b' });

    assert.equal(other.request.url, '/ws?x=1');
    assert.equal(other.request.headers['sec-websocket-extensions'], 'grip');
    assert.equal(other.request.headers.cookie, 'a=b');
    assert.ok(other.request.headers['grip-feature']);
    assert.equal(head.fields.get('sec-websocket-protocol'), 'chat');
    assert.equal(head.fields.get('x-more'), 'yes');
    assert.equal(head.fields.get('sec-websocket-extensions'), undefined);
    await socket.say('hello');
    assert.equal(await heardBy(other.peer), 'text hello');
    await socket.say('p', { op: OPS.ping });
    assert.equal(await heardBy(other.peer), 'ping p');
    await other.say('p', { op: OPS.pong });
    assert.equal(await socket.hear(), 'pong p');
    await other.say('c:{"type":"detach"}');
    assert.equal(await socket.hear(), 'text c:{"type":"detach"}');
    await socket.close(4001, 'bye');
    assert.equal(await heardBy(other.peer), 'close \x0f\xa1bye');
    await other.say('\x0f\xa2', { op: OPS.close });
    assert.equal(await socket.hear(), 'close 4002');
    await socket.peer.eof();
});

test('a WebSocket origin: GRIP', async (t) => {
    const { socket, other, server } = await passed(t, { 'Sec-WebSocket-Extensions': 'grip' });

    await other.say('c:{"type":"subscribe","channel":"w"}');
    await other.say('dropped');
    await other.say('m:kept');
    assert.equal(await socket.hear(), 'text kept');
    await server.publish({ channel: 'w', formats: { 'ws-message': { content: 'p' } } });
    assert.equal(await socket.hear(), 'text p');
    await server.publish({ channel: 'w', formats: { 'ws-message': { action: 'close', code: 4100, reason: 'r' } } });
    assert.equal(await socket.hear(), 'close 4100 r');
});

test('a WebSocket origin: its close, and its loss', async (t) => {
    const closed = await passed(t);

    await closed.other.say('\x0f\xa1no', { op: OPS.close });
    assert.equal(await closed.socket.hear(), 'close 4001 no');
    await closed.socket.close(4001);
    assert.equal(await heardBy(closed.other.peer), 'close \x0f\xa1');
    const lost = await passed(t);

    lost.other.peer.reset();
    await lost.socket.peer.eof({ reset: true });
    const gone = await passed(t);

    gone.socket.peer.reset();
    await gone.other.peer.eof({ reset: true });
});

test('a WebSocket origin: a refusal is relayed', async (t) => {
    const origin = await webSocketOrigin(t);
    const server = await gateway(t, `* 127.0.0.1:${origin.port}`);
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    await peer.say(UPGRADE);
    await origin.refuse('HTTP/1.1 403 Go Away\r\nX-Why: no\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno');
    const head = await peer.head();

    assert.deepEqual([head.status, head.reason, head.fields.get('x-why')], [403, 'Go Away', 'no']);
    assert.equal((await peer.body(head)).toString(), 'no');
});
