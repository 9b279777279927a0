// The same conversations through Debian's Pushpin and through ours: what the origin is asked and what the client hears, line by
// line. Where they differ, it says why; a difference that is gone must leave the list.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { GRIP, Socket, control, event, hears, message, response, stream } from '../lib/grip.mjs';
import { Origin } from '../lib/origin.mjs';
import { OPS, Peer, show } from '../lib/peer.mjs';
import { both, missing, raw } from '../lib/pushpin.mjs';
import { Zmq, tnet, untnet } from '../lib/zmtp.mjs';
import { freePorts } from '../lib/ports.mjs';
import { scratch } from './app.mjs';

const STREAM = { 'Content-Type': 'text/plain', 'Grip-Hold': 'stream' };
const POLL = { 'Content-Type': 'text/plain', 'Grip-Hold': 'response' };
const SETTLE_MS = 500; // no side tells when its subscription is there
// Of a request: signed with the time, random, or the client library's of the proxy. Of a response: the connection's.
const OWN = new Set(['grip-feature', 'accept-encoding', 'connection', 'user-agent', 'date', 'keep-alive', 'transfer-encoding']);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fields as lines that can be compared. */
function lines(pairs) {
    return pairs.map(([name, value]) => [name.toLowerCase(), value]).filter(([name, value]) => !OWN.has(name) && !(name === 'accept' && value === '*/*'))
        .map(([name, value]) => `${name}: ${['grip-sig', 'connection-id'].includes(name) ? '…' : value}`).sort();
}

/** One side of a comparison, for one conversation: its own origin, its own host and channels, and what was noted. */
class Side {
    notes = [];

    constructor(ports, origin, host) {
        Object.assign(this, ports, { origin, host, channel: host });
    }

    note(...words) {
        this.notes.push(words.join(' '));
    }

    /** The next request at the origin. */
    async asked() {
        const asked = await this.origin.next(PATIENCE_MS);
        const pairs = asked.rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, asked.rawHeaders[i + 1]]]));

        this.note('origin:', asked.method, asked.url, '|', lines(pairs).join(' | '), '|', show(asked.bytes));
        return asked;
    }

    async client(request = 'GET / HTTP/1.1', fields = '') {
        const peer = await Peer.open(this.port);

        this.peers = [...(this.peers ?? []), peer];
        await peer.say(`${request}\r\nHost: ${this.host}\r\n${fields}\r\n`);
        return peer;
    }

    async head(peer, only) {
        const head = await peer.head(PATIENCE_MS);

        this.note('client:', head.status, head.reason, '|', lines([...head.fields]).filter((line) => !only || only.test(line)).join(' | '));
        return head;
    }

    /** The whole response. */
    async whole(peer) {
        const body = await peer.body(await this.head(peer), false, PATIENCE_MS);

        this.note('client:', show(body));
    }

    async hears(peer, text, ms = PATIENCE_MS) {
        await hears(peer, text, ms);
        this.note('client:', JSON.stringify(text));
    }

    /** Nothing more comes of the response, but its end. */
    async ends(peer) {
        this.note('end:', await peer.line(PATIENCE_MS));
    }

    send(...items) {
        return raw(this.publish, ((text) => `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)(JSON.stringify({ items })));
    }

    /** A client that is held: fields as for a hold on the side's channel, and the head is read unless it is a poll. */
    async holds(fields, body = 'begin\n', request) {
        const peer = await this.client(request);

        (await this.asked()).answer(200, { ...fields, 'Grip-Channel': fields['Grip-Channel']?.replaceAll('CHN', this.channel) ?? this.channel }, body);
        if (fields['Grip-Hold'] !== 'response') {
            await this.head(peer);
            await this.hears(peer, body);
        }
        await pause(SETTLE_MS);
        return peer;
    }

    /** A WebSocket whose OPEN is answered so. */
    async opens({ headers = GRIP, body = 'OPEN\r\n', fields = {} } = {}) {
        const peer = await Peer.open(this.port);

        this.peers = [...(this.peers ?? []), peer];
        const more = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', ...fields };

        await peer.say(`GET /ws?x=1 HTTP/1.1\r\nHost: ${this.host}\r\n${Object.entries(more).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
        const asked = await this.asked();

        if (typeof headers === 'function') await headers(asked);
        else asked.events(body.replaceAll('CHN', this.channel), headers);
        this.socket = new Socket(peer);
        return peer;
    }

    async opened(options) {
        await this.head(await this.opens(options));
        await pause(SETTLE_MS);
        return this.socket;
    }

    /** So many messages; Pushpin cuts what is long into frames. */
    async frames(n, ms = PATIENCE_MS) {
        for (; n; n--) {
            const first = await this.socket.peer.frame(ms);
            const parts = [first.payload];

            for (let { fin } = first; !fin;) {
                const more = await this.socket.peer.frame(ms);

                parts.push(more.payload);
                fin = more.fin;
            }
            const bytes = Buffer.concat(parts);

            this.note('client:', first.name, first.name === 'close' ? `${first.code} ${first.reason}` : `${show(bytes.subarray(0, 50))} ${bytes.length}`);
        }
    }

    /** The client says something, and the origin answers it. */
    async tells(body, headers) {
        await this.socket.say('?');
        (await this.asked()).events(body.replaceAll('CHN', this.channel), headers);
    }

    /** The connection ends, and how much was said before. */
    async over(peer) {
        await peer.eof({ ms: PATIENCE_MS, reset: true });
        this.note('client: the end');
    }

    async quiet(ms) {
        await this.origin.quiet(ms).then(() => this.note('origin: nothing'), (error) => this.note('origin:', error.message));
    }

    close() {
        for (const peer of this.peers ?? []) peer.close();
        return this.origin.close();
    }
}

const sub = (more) => control({ type: 'subscribe', channel: 'CHN', ...more });
const OVER_HTTP = { target: ',over_http' };

// name -> what happens; why: they differ; target, condition: of the route.
const TALKS = {
    // --- links, places in a channel, recovery ---
    'page after page': async (side) => {
        const peer = await side.client('GET /a/b?c HTTP/1.1', 'Cookie: a=b\r\nAuthorization: Basic eDp5\r\nX-Own: 1\r\n');

        for (const [text, link] of [['A', '../n?x'], ['B', '/m'], ['C', null]]) (await side.asked()).answer(200, link ? { 'Grip-Link': `<${link}>; rel=next` } : {}, text);
        await side.head(peer);
        await side.hears(peer, 'ABC');
        await side.ends(peer);
    },
    'a page becomes a hold': async (side) => {
        const peer = await side.client();

        (await side.asked()).answer(200, { 'Grip-Link': '</n>; rel=next' }, 'A');
        (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': side.channel, 'X-Ignored': '1' }, 'B');
        await side.head(peer);
        await side.hears(peer, 'AB');
        await pause(SETTLE_MS);
        await side.send(stream(side.channel, 'C'));
        await side.hears(peer, 'C');
    },
    'a stream that is quiet asks its link, with its place': async (side) => {
        const peer = await side.holds({ ...STREAM, 'Grip-Channel': 'CHN; prev-id=1', 'Grip-Link': '</n>; rel=next; timeout=4' });

        (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': `${side.channel}; prev-id=2`, 'Grip-Link': '</m>; rel=next; timeout=2' }, 'B');
        await side.hears(peer, 'B');
        (await side.asked()).answer(200, {}, 'C');
        await side.hears(peer, 'C');
        await side.ends(peer);
    },
    'a place and no link': async (side) => {
        const peer = await side.client();

        (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': `${side.channel}; prev-id=1` }, 'A');
        side.note(show(await peer.body(await side.head(peer, /^content-type/), false, PATIENCE_MS)));
    },
    'items in the wrong order, and one twice': async (side) => {
        const peer = await side.holds({ ...STREAM, 'Grip-Channel': 'CHN; prev-id=5', 'Grip-Link': '</n>; rel=next' });
        const item = (id) => stream(side.channel, `${id} `, { id: String(id), 'prev-id': String(id - 1) });

        (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': `${side.channel}; prev-id=5`, 'Grip-Link': '</n>; rel=next' }, 'again '); // after the first subscription
        await side.hears(peer, 'again ');
        for (const id of [6, 8, 7, 8, 9]) await side.send(item(id));
        await side.hears(peer, '6 7 8 9 ');
        await side.quiet(100);
    },
    'an item that is missing is asked for': async (side) => {
        const hold = { ...STREAM, 'Grip-Channel': 'CHN; prev-id=5', 'Grip-Link': '</n>; rel=next' };
        const peer = await side.holds(hold);

        (await side.asked()).answer(200, { ...hold, 'Grip-Channel': `${side.channel}; prev-id=5` }, 'again ');
        await side.hears(peer, 'again ');
        await side.send(stream(side.channel, '6 ', { id: '6', 'prev-id': '5' }));
        await side.hears(peer, '6 ');
        await side.send(stream(side.channel, '9 ', { id: '9', 'prev-id': '8' }));
        (await side.asked()).answer(200, { ...hold, 'Grip-Channel': `${side.channel}; prev-id=9` }, '7 8 9 ');
        await side.hears(peer, '7 8 9 ');
        await side.send(stream(side.channel, '10 ', { id: '10', 'prev-id': '9' }));
        await side.hears(peer, '10 ');
    },
    'an item that need not wait': async (side) => {
        const peer = await side.holds(STREAM);

        for (const [id, more] of [['1', {}], ['9', { 'prev-id': '8', 'no-seq': true }]]) await side.send(stream(side.channel, `${id} `, { id, ...more }));
        await side.hears(peer, '1 9 ');
    },
    'a hint for a stream': async (side) => {
        const hold = { ...STREAM, 'Grip-Link': '</n?y>; rel=next' };
        const peer = await side.holds(hold);

        (await side.asked()).answer(200, { ...hold, 'Grip-Channel': side.channel }, 'again ');
        await side.hears(peer, 'again ');
        await pause(SETTLE_MS);
        await side.send({ channel: side.channel, formats: { 'http-stream': { action: 'hint' } } });
        (await side.asked()).answer(200, {}, 'last');
        await side.hears(peer, 'last');
        await side.ends(peer);
    },
    'a hint for a poll': async (side) => {
        const peer = await side.client('POST /p?q HTTP/1.1', 'X-Mine: 1\r\nContent-Length: 0\r\n');
        const hold = { ...POLL, 'Grip-Channel': `${side.channel}; prev-id=7` };

        (await side.asked()).answer(200, hold);
        (await side.asked()).answer(200, hold); // after the first subscription
        await pause(SETTLE_MS);
        await side.send(response(side.channel, { action: 'hint' }));
        (await side.asked()).answer(200, {}, 'fresh');
        await side.whole(peer);
    },
    'a poll that knows of an older item': async (side) => {
        const first = await side.holds(POLL);

        (await side.asked()).answer(200, { ...POLL, 'Grip-Channel': side.channel });
        await pause(SETTLE_MS);
        await side.send(response(side.channel, { body: 'two' }, { id: '2' }));
        await side.whole(first);
        const next = await side.client();

        (await side.asked()).answer(200, { ...POLL, 'Grip-Channel': `${side.channel}; prev-id=1` });
        (await side.asked()).answer(200, {}, 'caught up');
        await side.whole(next);
    },
    'a poll whose sequence breaks': async (side) => {
        const hold = { ...POLL, 'Grip-Channel': 'CHN; prev-id=1' };
        const peer = await side.holds(hold);

        (await side.asked()).answer(200, { ...hold, 'Grip-Channel': `${side.channel}; prev-id=1` });
        await pause(SETTLE_MS);
        await side.send(response(side.channel, { body: 'no' }, { id: '4', 'prev-id': '3' }));
        (await side.asked()).answer(200, {}, 'all of it');
        await side.whole(peer);
    },
    'a link that fails twice': async (side) => {
        const peer = await side.client();

        (await side.asked()).answer(200, { 'Grip-Link': '</n>; rel=next' }, 'A');
        for (const [status, text] of [[500, 'x'], [404, 'y'], [200, 'B']]) (await side.asked()).answer(status, {}, text);
        await side.head(peer);
        await side.hears(peer, 'AB');
        await side.ends(peer);
    },
    'a link whose answer holds as a poll ends the stream': async (side) => {
        const peer = await side.client();

        (await side.asked()).answer(200, { 'Grip-Link': '</n>; rel=next' }, 'A');
        (await side.asked()).answer(200, { ...POLL, 'Grip-Channel': side.channel }, 'B');
        await side.head(peer);
        await side.hears(peer, 'A');
        await side.ends(peer);
    },
    'a client that leaves': {
        why: 'rel=gone is told, as newer ones do',
        run: async (side) => {
            const peer = await side.holds({ ...STREAM, 'Grip-Link': '</gone>; rel=gone' });

            peer.reset();
            await side.origin.next(3000).then((asked) => asked.answer(200) ?? side.note('told', asked.url), () => side.note('not told'));
        },
    },

    // --- holds ---
    'keep-alives': async (side) => {
        for (const [value, text] of [['x\\n; format=cstring; timeout=1', 'x\n'], ['a2EK; format=base64; timeout=1; mode=interval', 'ka\n'], ['K; timeout=0', 'K'], ['\\x41\\\\; format=cstring; timeout=1', 'A\\']]) {
            const peer = await side.holds({ ...STREAM, 'Grip-Keep-Alive': value }, 'begin ');

            await side.hears(peer, text + text);
            peer.close();
        }
    },
    'a tab in a keep-alive': {
        why: 'an escape is not lost',
        run: async (side) => {
            const peer = await side.holds({ ...STREAM, 'Grip-Keep-Alive': 'a\\tb; format=cstring; timeout=1' });

            side.note(show(await peer.bytes(7, PATIENCE_MS)));
        },
    },
    'a stream for an old client': async (side) => {
        const peer = await Peer.open(side.port);

        await peer.say(`GET / HTTP/1.0\r\nHost: ${side.host}\r\n\r\n`);
        (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': side.channel }, 'begin\n');
        await pause(SETTLE_MS);
        await side.send(stream(side.channel, 'one\n'));
        await pause(SETTLE_MS);
        await side.send({ channel: side.channel, formats: { 'http-stream': { action: 'close' } } });
        side.note(String(await peer.rest(PATIENCE_MS)).split('\r\n').filter((line) => !/^(HTTP|Date|Connection|Keep-Alive)/i.test(line)).sort().join('|'));
    },
    'JSON instructions': async (side) => {
        const open = await side.client();
        const name = side.channel;
        const say = async (body, fields = {}) => (await side.asked()).answer(200, { 'Content-Type': 'application/grip-instruct', 'X-Dropped': '1', ...fields }, JSON.stringify(body));

        await say({ hold: { mode: 'stream', channels: [{ name }], 'keep-alive': { content: 'KA', timeout: 1 } }, response: { headers: { 'X-Own': '1' }, body: 'begin' } });
        await side.head(open);
        await side.hears(open, 'begin');
        await side.hears(open, 'KAKA');
        open.close();
        const poll = await side.client();

        await say({ hold: { channels: [{ name: `${name}2` }], timeout: 1 }, response: { code: 404, reason: 'Nix', headers: [['X', '1'], ['X', '2']], 'body-bin': 'aGk=' } });
        await say({ hold: { channels: [{ name: `${name}2` }], timeout: 1 }, response: { code: 404, reason: 'Nix', headers: [['X', '1'], ['X', '2']], 'body-bin': 'aGk=' } });
        await side.whole(poll);
        const plain = await side.client();

        await say({ response: { body: 'plain' } }, { 'Grip-Status': '201' });
        await side.whole(plain);
    },
    'an empty JSON instruction': {
        why: 'an empty answer is none too few',
        run: async (side) => {
            const peer = await side.client();

            (await side.asked()).answer(200, { 'Content-Type': 'application/grip-instruct' }, '{}');
            await side.whole(peer);
        },
    },
    'what is wrong with instructions': {
        condition: ',debug',
        run: async (side) => {
            const hold = (fields) => [200, { ...STREAM, ...fields }, ''];
            const json = (body, status = 200) => [status, { 'Content-Type': 'application/grip-instruct' }, body];

            for (const args of [
                hold({ 'Grip-Hold': 'foo' }), hold({ 'Grip-Hold': 'Stream' }), hold({ 'Grip-Hold': 'response', 'Grip-Timeout': 'abc' }), hold({ 'Grip-Hold': 'response', 'Grip-Timeout': '-1' }),
                hold({ 'Grip-Keep-Alive': 'x; format=zzz' }), hold({ 'Grip-Keep-Alive': 'x; mode=zzz' }), hold({ 'Grip-Keep-Alive': 'x; timeout=z' }), hold({ 'Grip-Keep-Alive': 'x; timeout=-1' }),
                hold({ 'Grip-Keep-Alive': '\\xZZ; format=cstring' }), hold({ 'Grip-Status': 'x' }), hold({ 'Grip-Status': '1000' }), hold({ 'Grip-Link': '/n; rel=next' }), hold({ 'Grip-Link': '</n>; rel=next; timeout=x' }),
                hold({ 'Grip-Link': '</n>; rel=next; timeout=-1' }), json('{"response":{}}', 201), json('{'), json('[]'), json('{"hold":{"mode":"stream"}}'), json('{"hold":{"mode":"x","channels":[]}}'),
            ]) {
                const peer = await side.client();

                (await side.asked()).answer(...args);
                await side.whole(peer);
                peer.close();
            }
        },
    },
    'an empty keep-alive': {
        why: 'it is refused, as newer ones do',
        run: async (side) => {
            const peer = await side.client();

            (await side.asked()).answer(200, { ...STREAM, 'Grip-Keep-Alive': '' });
            await side.head(peer);
        },
    },
    'bodies over the limits': {
        condition: ',debug',
        run: async (side) => {
            const long = 'x'.repeat(150_000);
            const open = await side.client();

            (await side.asked()).answer(200, { ...STREAM, 'Grip-Channel': side.channel }, long);
            await side.head(open);
            await hears(open, long, PATIENCE_MS);
            await pause(SETTLE_MS);
            await side.send(stream(side.channel, '!'));
            await side.hears(open, '!');
            const poll = await side.client();

            (await side.asked()).answer(200, { ...POLL, 'Grip-Channel': side.channel }, long);
            const head = await poll.head(PATIENCE_MS);

            side.note(head.status, String(await poll.body(head)).replace(/\d+\.\d+\.\d+\.\d+:\d+/, 'TARGET'));
        },
    },
    'filters of a stream': async (side) => {
        const filters = ['skip-self', 'skip-users', 'require-sub', 'var-subst'].map((name) => `; filter=${name}`).join('');
        const peer = await side.holds({ ...STREAM, 'Grip-Set-Meta': 'user=alice, n="a b"', 'Grip-Channel': `CHN${filters}, CHN2` });
        const other = `${side.channel}2`;

        for (const [text, meta] of [['1', { sender: 'alice' }], ['2', { sender: 'bob' }], ['3', { skip_users: 'bob, alice' }], ['4', { skip_users: 'bob' }], ['5', { require_sub: other }], ['6', { require_sub: 'c' }], ['%(n)s 100%%', {}]])
            await side.send(stream(side.channel, text, { meta }));
        await side.hears(peer, '245a b 100%');
    },
    'a text that wants metadata that is not there': {
        why: 'the item is dropped and the stream stays, as with newer ones',
        run: async (side) => {
            const peer = await side.holds({ ...STREAM, 'Grip-Channel': 'CHN; filter=var-subst' });

            await side.send(stream(side.channel, '%(nobody)s'));
            await pause(SETTLE_MS);
            await side.send(stream(side.channel, 'next'));
            await side.hears(peer, 'next', 2000);
        },
    },
    'a patch of what is held': async (side) => {
        const hold = { ...POLL, 'Content-Type': 'application/json' };
        const peer = await side.holds(hold, '{"a":1,"b":[1,2]}\n');

        (await side.asked()).answer(200, { ...hold, 'Grip-Channel': side.channel }, '{"a":1,"b":[1,2]}\n');
        await pause(SETTLE_MS);
        await side.send(response(side.channel, { 'body-patch': [{ op: 'replace', path: '/a', value: 2 }, { op: 'remove', path: '/b/0' }, { op: 'add', path: '/c', value: 'x' }] }));
        const head = await side.head(peer, /^content-type/);

        side.note(JSON.stringify(Object.entries(JSON.parse(await peer.body(head))).sort()));
    },
    'a prefix of a route': {
        condition: ',prefix=pre-',
        target: ',sub=always',
        run: async (side) => {
            const peer = await side.holds(STREAM);

            await side.send(stream(side.channel, 'no'), stream(`pre-${side.channel}`, '1'));
            await side.hears(peer, '1');
        },
    },

    // --- WebSocket over HTTP ---
    'the request that opens': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ headers: { 'Set-Meta-User': 'bob', 'Sec-WebSocket-Protocol': 'chat', 'Set-Cookie': 'c=d' }, fields: { Cookie: 'a=b', Origin: 'http://page', 'Sec-WebSocket-Protocol': 'chat, other', 'Connection-Id': 'forged', 'Meta-User': 'forged', Accept: 'text/html', 'X-Own': '1' } });
            await side.tells('', { 'Set-Meta-Other': 'x' });
            await side.tells('', { 'Set-Meta-User': '' });
            await side.tells('');
        },
    },
    'the type that a client names': {
        ...OVER_HTTP,
        why: 'a second Content-Type is not passed on',
        run: (side) => side.opened({ fields: { 'Content-Type': 'text/plain' } }),
    },
    'refusals': {
        ...OVER_HTTP,
        run: async (side) => {
            for (const answer of [
                (asked) => asked.answer(403, { 'Content-Type': 'text/plain', 'X-Why': 'no' }, 'forbidden'), (asked) => asked.answer(200, { 'Content-Type': 'text/html' }, '<p>'), (asked) => asked.answer(404, {}, ''),
                (asked) => asked.events('TEXT 1\r\nx\r\n'), (asked) => asked.events('open\r\n'), (asked) => asked.events(''), (asked) => asked.events('OPEN'),
            ]) await side.whole(await side.opens({ headers: answer }));
        },
    },
    'messages of the client': {
        ...OVER_HTTP,
        run: async (side) => {
            const socket = await side.opened();

            for (const [text, options] of [['hello'], [''], ['\0\xff', { op: OPS.binary }], ['', { op: OPS.binary }], ['x', { op: OPS.pong }], ['y'.repeat(150_000)]]) {
                await socket.say(text, options);
                (await side.asked()).events();
            }
            await socket.say('par', { fin: false });
            await socket.say('tial', { op: OPS.cont });
            (await side.asked()).events();
        },
    },
    'a Ping of the client': {
        ...OVER_HTTP,
        why: 'it is answered here, too',
        run: async (side) => {
            const socket = await side.opened();

            await socket.say('p', { op: OPS.ping });
            (await side.asked()).events();
            await side.socket.hear(1500).then((text) => side.note(text), () => side.note('no answer'));
        },
    },
    'messages of the origin': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ headers: {}, body: `OPEN\r\n${event('TEXT', 'welcome')}` });
            await side.frames(1);
            await side.tells(event('TEXT', 'one') + event('BINARY', 'two') + event('PING') + event('PONG', 'x') + event('UNKNOWN', 'y') + 'TEXT\r\n' + 'TEXT 0\r\n\r\n' + 'TEXT 0A\r\n0123456789\r\n' + event('TEXT', 'c:{"type":"detach"}'));
            await side.frames(8);
            await side.tells(event('TEXT', 'z'.repeat(6_000)));
            await side.frames(1);
            await side.tells('TEXT ff\r\nshorter than it says');
            await side.frames(1);
        },
    },
    'a message of the origin that is longer than a buffer': {
        ...OVER_HTTP,
        why: 'Pushpin 1.36 stops in the middle of it',
        run: async (side) => {
            await side.opened({ headers: {} });
            await side.tells(event('TEXT', 'z'.repeat(20_000)));
            await side.frames(1, 3000);
        },
    },
    'what comes while a request is under way': {
        ...OVER_HTTP,
        run: async (side) => {
            const socket = await side.opened();

            await socket.say('a');
            const first = await side.asked();

            for (const text of ['b0', 'b1', 'b2', 'b3']) await socket.say(text);
            await pause(SETTLE_MS);
            first.events();
            (await side.asked()).events();
        },
    },
    'one event a request': {
        target: ',over_http,one_event',
        run: async (side) => {
            const socket = await side.opened();

            await socket.say('a');
            const first = await side.asked();

            for (const text of ['b0', 'b1']) await socket.say(text);
            await pause(SETTLE_MS);
            first.events();
            for (const _ of [1, 2]) (await side.asked()).events();
        },
    },
    'prefixes and channels': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ body: `OPEN\r\n${event('TEXT', 'm:hi')}` });
            await side.frames(1);
            await side.tells(event('TEXT', 'm:x') + event('TEXT', 'plain') + 'TEXT\r\n' + event('BINARY', 'c:z') + event('BINARY', 'm:\0') + sub() + event('TEXT', 'm:'));
            await side.frames(3);
            await pause(SETTLE_MS);
            for (const format of [{ content: 'p' }, { 'content-bin': 'AAH/' }, { content: 'b', type: 'binary' }, { 'content-bin': 'dA==', type: 'text' }, { content: 'q', type: 'ping' }, { content: '' }]) await side.send(message(side.channel, format));
            await side.frames(6);
            await side.tells(control({ type: 'unsubscribe', channel: 'CHN' }) + event('TEXT', 'm:done'));
            await side.frames(1);
            await pause(SETTLE_MS);
            await side.send(message(side.channel, { content: 'nobody' }));
            await side.tells(event('TEXT', 'm:end'));
            await side.frames(1);
        },
    },
    'an empty prefix': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ headers: { 'Sec-WebSocket-Extensions': 'grip; message-prefix=""' } });
            await side.tells(event('TEXT', 'm:x') + control({ type: 'unsubscribe', channel: 'x' }) + event('TEXT', 'y') + event('BINARY', 'z'));
            await side.frames(3);
        },
    },
    'another prefix': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ headers: { 'Sec-WebSocket-Extensions': 'grip; message-prefix="ab:"' } });
            await side.tells(event('TEXT', 'm:x') + event('TEXT', 'ab:y') + event('TEXT', 'ab:c:z'));
            await side.frames(2);
        },
    },
    'keep-alives and delays on a WebSocket': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened();
            await side.tells(control({ type: 'keep-alive', content: 'KA', timeout: 1 }));
            await side.frames(2);
            await side.tells(control({ type: 'keep-alive', 'content-bin': 'AAE=', 'message-type': 'binary', timeout: 1 }));
            for (let text = ''; !text.startsWith('binary');) text = await side.socket.hear(PATIENCE_MS);
            await side.frames(1);
            await side.tells(control({ type: 'keep-alive' }) + event('TEXT', 'm:off'));
            for (let text = ''; text !== 'text off';) text = await side.socket.hear(PATIENCE_MS);
            await side.tells(control({ type: 'send-delayed', content: 'one', timeout: 60 }) + control({ type: 'send-delayed', content: 'two', timeout: 60 }));
            await side.frames(1);
            await side.tells(control({ type: 'flush-delayed' }));
            await side.frames(1);
            await side.tells(control({ type: 'send-delayed', content: 'three' }));
            await side.frames(1);
        },
    },
    'filters on a WebSocket': {
        ...OVER_HTTP,
        run: async (side) => {
            await side.opened({ body: `OPEN\r\n${control({ type: 'set-meta', name: 'user', value: 'alice' })}${sub({ filters: ['skip-self', 'var-subst'] })}` });
            await side.send(message(side.channel, { content: 'x' }, { meta: { sender: 'alice' } }), message(side.channel, { content: 'hi %(user)s' }));
            await side.frames(1);
        },
    },
    'twenty channels': {
        ...OVER_HTTP,
        run: async (side) => {
            const names = Array.from({ length: 25 }, (_, i) => `${side.channel}-${i}`);

            await side.opened({ body: `OPEN\r\n${names.map((channel) => control({ type: 'subscribe', channel })).join('')}` });
            for (const i of [24, 20, 19, 0]) await side.send(message(names[i], { content: `from ${i}` }));
            await side.frames(2);
        },
    },
    'a published close': {
        ...OVER_HTTP,
        run: async (side) => {
            for (const format of [{ action: 'close', code: 4100, reason: 'r' }, { action: 'close' }]) {
                const socket = await side.opened({ body: `OPEN\r\n${sub()}` });

                await side.send(message(side.channel, format));
                await side.frames(1);
                (await side.asked()).events();
                await socket.close(1000);
                await side.over(socket.peer);
            }
        },
    },
    'the client closes': {
        ...OVER_HTTP,
        run: async (side) => {
            const first = await side.opened();

            await first.close(1001, 'bye');
            (await side.asked()).events('CLOSE 5\r\n\x03\xe9bye\r\n');
            await side.frames(1);
            await side.over(first.peer);
            const second = await side.opened();

            await second.close();
            (await side.asked()).events();
            await side.over(second.peer);
        },
    },
    'the origin closes': {
        ...OVER_HTTP,
        run: async (side) => {
            for (const body of [event('CLOSE', '\x10\x04no'), 'CLOSE\r\n']) {
                const socket = await side.opened({ headers: {} });

                await side.tells(event('TEXT', 'before') + body + event('TEXT', 'behind'));
                await side.frames(2);
                await socket.close(1000);
                (await side.asked()).events();
                await side.over(socket.peer);
            }
            await side.opened({ headers: {}, body: `OPEN\r\n${event('CLOSE', '\x0f\xa0')}` });
            await side.frames(1);
        },
    },
    'a close with the code 0': {
        ...OVER_HTTP,
        why: 'no frame may carry that code: it is 1000',
        run: async (side) => {
            await side.opened({ headers: {} });
            await side.tells(event('CLOSE', '\0\0'));
            await side.frames(1);
        },
    },
    'the client is lost': {
        ...OVER_HTTP,
        run: async (side) => {
            const socket = await side.opened();

            socket.peer.reset();
            (await side.asked()).events();
            await side.quiet(SETTLE_MS);
        },
    },
    'what an origin must not answer': {
        ...OVER_HTTP,
        run: async (side) => {
            for (const answer of [(asked) => asked.answer(500, {}, 'x'), (asked) => asked.answer(200, { 'Content-Type': 'text/plain' }, 'x'), (asked) => asked.events('TEXT zz\r\n'), (asked) => asked.events('DISCONNECT\r\n'), (asked) => asked.events('OPEN\r\n')]) {
                const socket = await side.opened({ headers: {} });

                await socket.say('?');
                answer(await side.asked());
                await side.over(socket.peer);
                await side.quiet(100);
            }
        },
    },
    'detach': {
        ...OVER_HTTP,
        run: async (side) => {
            const socket = await side.opened({ body: `OPEN\r\n${sub()}` });

            await side.tells(control({ type: 'detach' }));
            (await side.asked()).events('CLOSE\r\n');
            await socket.say('nobody hears');
            await side.send(message(side.channel, { content: 'p' }));
            await side.frames(1);
            await side.quiet(SETTLE_MS);
        },
    },
    'an origin that is away for a while': {
        ...OVER_HTTP,
        run: async (side) => {
            const socket = await side.opened();
            const { port } = side.origin;

            await side.origin.close();
            for (const text of ['one', 'two', 'three']) await socket.say(text);
            await pause(2500);
            side.origin = await Origin.open({ port });
            (await side.asked()).events();
            (await side.asked()).events(event('TEXT', 'm:back'));
            await side.frames(1);
        },
    },
    'items and commands by ZeroMQ': async (side, t) => {
        const peer = await side.holds(STREAM);
        const [push, req] = [await Zmq.open(t, 'PUSH', `tcp://127.0.0.1:${side.pull}`), await Zmq.open(t, 'REQ', `tcp://127.0.0.1:${side.command}`)];
        const item = (content) => ({ channel: side.channel, formats: { 'http-stream': { content } } });

        push.send(tnet(item('one ')));
        await side.hears(peer, 'one ');
        push.send(Buffer.concat([Buffer.from('T'), tnet(item('two '))]));
        push.send(`J${JSON.stringify(item('three '))}`);
        await side.hears(peer, 'two three ');
        for (const [method, args] of [['publish', { items: [item('four ')] }], ['publish', {}], ['nothing', {}], ['refresh', { cid: 'nobody' }], ['conncheck', { ids: ['nobody'] }], ['conncheck', {}]])
            side.note(JSON.stringify(Object.entries(untnet(await req.ask(tnet({ id: 'x', method, args })))).sort()));
        await side.hears(peer, 'four ');
    },
    // For all that is held, so it comes behind the others.
    'everything is forgotten and asked for again': {
        isLast: true,
        run: async (side) => {
            const poll = await side.holds(POLL);

            (await side.asked()).answer(200, { ...POLL, 'Grip-Channel': side.channel });
            await pause(SETTLE_MS);
            const hold = { ...STREAM, 'Grip-Channel': 'CHN2', 'Grip-Link': '</n>; rel=next' };
            const open = await side.holds(hold);

            (await side.asked()).answer(200, { ...hold, 'Grip-Channel': `${side.channel}2` }, 'again ');
            await side.hears(open, 'again ');
            await pause(SETTLE_MS);
            side.note(String(await raw(side.publish, 'POST /recover/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')).split('\r\n').at(-1));
            const both = [await side.origin.next(PATIENCE_MS), await side.origin.next(PATIENCE_MS)];

            side.note(both.map(({ method, url }) => `${method} ${url}`).sort().join(' '));
            for (const asked of both) asked.answer(200, {}, 'fresh');
            await side.whole(poll);
            await side.hears(open, 'fresh');
            await side.ends(open);
        },
    },
    'events that a client posts': {
        ...OVER_HTTP,
        run: async (side) => side.whole(await side.client('POST / HTTP/1.1', 'Content-Type: application/websocket-events\r\nContent-Length: 0\r\n')),
    },
};

// As long as CHN, which stands for it.
const host = (i, attempt) => `${'cd'[attempt]}${String(i).padStart(2, '0')}`;
const ATTEMPTS = [0, 1];

describe('the same conversations', { skip: missing() }, () => {
    test('with both', { concurrency: 16 }, async (t) => {
        const names = Object.keys(TALKS);
        const talks = names.map((name) => (typeof TALKS[name] === 'function' ? { run: TALKS[name] } : TALKS[name]));
        const origins = { theirs: [], ours: [] };

        for (const list of Object.values(origins)) for (let i = 0; i < names.length * ATTEMPTS.length; i++) list.push(await Origin.open());
        t.after(() => Promise.all([...origins.theirs, ...origins.ours].map((origin) => origin.close())));
        const originOf = (side, i, attempt) => origins[side][i + attempt * names.length];
        const routes = (side) => ATTEMPTS.flatMap((attempt) => talks.map(({ condition = '', target = '' }, i) => `${host(i, attempt)}${condition} 127.0.0.1:${originOf(side, i, attempt).port}${target}\n`)).join('');
        const sides = await both(t, scratch(t), await freePorts(8), { theirs: routes('theirs'), ours: routes('ours') });

        /** One conversation with both: what was noted. */
        const talk = async (i, attempt, t2) => {
            const pair = ['theirs', 'ours'].map((side) => new Side(sides[side], originOf(side, i, attempt), host(i, attempt)));

            await Promise.all(pair.map(async (side) => {
                await Promise.resolve(talks[i].run(side, t2)).catch((error) => side.note('failed:', error.message));
                await side.close();
            }));
            return pair.map(({ notes }) => notes);
        };
        const hold = (name) => t.test(name, async (t2) => {
            const i = names.indexOf(name);
            const { why } = talks[i];
            const isCut = (notes) => /^failed:/m.test(notes.join('\n'));
            let [theirs, ours] = await talk(i, 0, t2);

            // A busy Pushpin loses something now and then; ours may not.
            if (!why && isCut(theirs) && !isCut(ours)) {
                t2.diagnostic(`once more: ${theirs.at(-1)}`);
                [theirs, ours] = await talk(i, 1, t2);
            }
            if (why) {
                t2.diagnostic(`differs: ${why}`);
                assert.notDeepEqual(ours, theirs, 'there is no difference any more');
                assert.doesNotMatch(ours.join('\n'), /^failed:/m);
            } else {
                assert.deepEqual(ours, theirs);
                assert.doesNotMatch(theirs.join('\n'), /^failed:/m);
            }
        });

        for (const isLast of [false, true]) await Promise.all(names.filter((_, i) => Boolean(talks[i].isLast) === isLast).map(hold));
    });
});
