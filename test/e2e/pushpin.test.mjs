// The same requests to Debian's Pushpin and to ours, with the same files and servers: the same answers, and the same requests
// at the servers. Where they differ, it says why; a difference that is gone must leave the list.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import WebSocket from 'ws';
import { until } from '../lib/holdfast.mjs';
import { both, missing, raw } from '../lib/pushpin.mjs';
import { freePorts } from '../lib/ports.mjs';
import { scratch } from './app.mjs';

// Fields that cannot be the same: signed with the time, or the client library's of the proxy.
const OWN = new Set(['grip-sig', 'grip-feature', 'accept-encoding', 'connection', 'user-agent']);

/** A server that answers with what it was asked. */
async function echo(t, name) {
    const server = createServer((request, response) => {
        const fields = Object.entries(request.headers).filter(([field, value]) => !OWN.has(field) && !(field === 'accept' && value === '*/*')).sort();
        const body = JSON.stringify([name, request.method, request.url, fields]);

        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return server.address().port;
}

/** A chunked body's bytes; "…" at its end when the last chunk did not come. */
function unchunk(text) {
    let out = '';

    for (let at = 0; ;) {
        const end = text.indexOf('\r\n', at);
        const n = parseInt(text.slice(at, end), 16);

        if (end < 0 || n === 0) return n === 0 ? out : `${out}…`;
        out += text.slice(end + 2, end + 2 + n);
        at = end + 2 + n + 2;
    }
}

/** Without what is a matter of framing and time, and fields in order. */
function normal(answer) {
    const split = answer.indexOf('\r\n\r\n');
    const [head, rest] = [answer.slice(0, split), answer.slice(split + 4)];
    const [first, ...fields] = head.split('\r\n');
    const body = /^transfer-encoding: chunked$/im.test(head) ? unchunk(rest) : rest;
    const kept = fields.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).filter((line) => !/^(date|connection|content-length|transfer-encoding|keep-alive):/.test(line));

    return [first, ...kept.sort(), '', body.replace(/"Date":"[^"]+"/g, '"Date":""')].join('\n');
}

const get = (host, path = '/', fields = '', method = 'GET') => `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${fields}\r\n`;

/** cases: [request, why they differ]. */
async function compare(t, { theirs, ours }, cases, door = 'port') {
    for (const [request, why] of cases) {
        const [head] = request.split('\r\n');

        const what = door === 'port' ? request.match(/Host: (\S*)/)?.[1] ?? '' : request.split('\r\n\r\n')[1].slice(0, 100);

        await t.test(`${head} ${what}${why ? `: ${why}` : ''}`, async () => {
            const [a, b] = (await Promise.all([raw(theirs[door], request), raw(ours[door], request)])).map(normal);

            if (why) assert.notEqual(b, a, 'there is no difference any more');
            else assert.equal(b, a);
        });
    }
}

test('requests find the same way', { skip: missing() }, async (t) => {
    const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((name) => echo(t, name)));
    const to = (port) => `127.0.0.1:${port}`;
    const [closed] = await freePorts(1);
    const routes = `* ${to(a)}
a.com ${to(b)}
a.com,path_beg=/x ${to(c)}
a.com,path_beg=/x/y ${to(d)}
b.com,path_beg=/only ${to(b)}
c.com,ssl=yes ${to(b)}
c.com ${to(c)}
c.com,ssl=no ${to(d)}
d.com,proto=ws ${to(b)}
d.com,path_beg=/long ${to(c)}
d.com,proto=http ${to(d)}
e.com,path_rem=3 ${to(b)}
e2.com,path_rem=4 ${to(b)}
f.com,path_beg=/v1,replace_beg=/v2 ${to(b)}
g.com,replace_beg=/p ${to(b)}
h.com,path_beg=/a/,replace_beg=/ ${to(b)}
i.com ${to(closed)} ${to(c)}
j.com,header=X-A:b,header=X-B: ${to(b)}
k.com ${to(b)},host=other.example
m.com,orig_headers ${to(b)}
n.com,no_grip ${to(b)}
id=foo ${to(b)}
o.com,id=bar,path_beg=/z ${to(d)}
p.com,aco ${to(b)}
q.com,aco,jsonp_mode=basic ${to(b)}
s.com,path_rem=4,replace_beg=/q,path_beg=/abc ${to(b)}
u.com ${to(closed)}
`;
    const pair = await both(t, scratch(t), await freePorts(8), routes, { proxy: 'accept_pushpin_route=true\nx_forwarded_for=truncate:0,append\nset_x_forwarded_protocol=proto-only' });

    await compare(t, pair, [
        [get('zzz.com')], [get('a.com')], [get('A.COM')], [get('a.com:99', '/x')], [get('a.com', '/x/yz')], [get('a.com', '/X')], // hosts, longest paths
        [get('b.com')], [get('b.com', '/only')], [get('c.com')], [get('d.com')], [get('d.com', '/long')], // no way; ssl; proto
        [get('e2.com', '/abc/def?q=1')],
        [get('e.com', '/abcdef'), 'a path that loses its first slash gets it back, in place of an error'],
        [get('f.com', '/v1/a?b')], [get('f.com', '/v1')], [get('f.com', '/v3')], [get('g.com', '/a')], [get('h.com', '/a/b')], [get('h.com', '/a/')],
        [get('i.com')], [get('u.com')], // the next target; none
        [get('j.com', '/', 'X-A: client\r\nX-B: client\r\n')], [get('k.com')],
        [get('m.com', '/', 'X-Y: z\r\nGrip-Foo: bar\r\nAccept: text/plain\r\n')], [get('n.com', '/', 'Grip-Foo: bar\r\n')],
        [get('x.com', '/', 'Pushpin-Route: foo\r\n')], [get('x.com', '/', 'Pushpin-Route: no\r\n')], [get('x.com', '/z', 'Pushpin-Route: bar\r\n')],
        [get('p.com', '/', 'Origin: http://site\r\n')],
        [get('p.com', '/', 'Origin: http://site\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: X-A\r\n', 'OPTIONS')],
        [get('p.com', '/?callback=cb')], [get('p.com', '/a?callback=cb&_method=POST&_body=xyz&z=1')], [get('q.com', '/?callback=cb')],
        [get('s.com', '/abc/def')],
        [get('zzz.com', '/a%20b//c/../d?x=1')],
        [get('zzz.com', '/?x=%zz%41'), 'a query is relayed as it is'],
        [get('zzz.com', 'http://a.com/x/y'), 'the absolute form names another host (RFC 9112 3.2.2)'],
        [get('zzz.com', '/', 'X-Forwarded-For: 1.1.1.1\r\n')], [get('zzz.com', '/', 'X-Forwarded-Proto: https\r\n')],
        [get('zzz.com', '/', '', 'DELETE')], [get('zzz.com', '/', '', 'HEAD')],
        [get('zzz.com', '/', 'eb9bf0f5-X: 1\r\nCDN-Loop: a\r\nVia: b\r\n')], [get('zzz.com', '/', 'X-A: 1\r\nX-A: 2\r\nCookie: a\r\nCookie: b\r\n')],
        [get('zzz.com', '*', '', 'OPTIONS'), 'a request about the server is relayed, as one for "/"'],
        [get(''), 'a request without a host is wrong'],
    ]);
});

/** One item for /publish/, or several. */
function post(body, fields = '', path = '/publish/') {
    const text = typeof body === 'string' ? body : JSON.stringify(body);

    return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n${fields}\r\n${text}`;
}

const item = (more) => post({ items: [{ channel: 'c', ...more }] });
const formats = (more) => item({ formats: more });

test('publishing is answered the same', { skip: missing() }, async (t) => {
    const pair = await both(t, scratch(t), await freePorts(8), '* test\n');
    const text = { 'http-stream': { content: 'x' } };

    await compare(t, pair, [
        [formats(text)], [item(text)], [post({ items: [] })], [item({ formats: text, id: 'a', 'prev-id': 'b', 'no-seq': true, meta: { a: 'b' }, size: 1 })],
        [formats({ unknown: 1 })], [item({ 'http-response': { body: 'x', code: '201', headers: { a: 'b' }, reason: 'r' } })],
        [formats({ 'http-response': { 'body-patch': [] } })], [formats({ 'ws-message': { type: 'ping' } })], [formats({ 'ws-message': { action: 'close', code: 1000 } })],
        [post('')], [post('{')], [post('[]')], [post('{}')], [post({ items: 1 })], [post({ items: [1] })], [post({ items: [{}] })], [post({ items: [{ channel: 1 }] })],
        [item({})], [item({ formats: {} })], [item({ formats: 1 })], [item({ ...text, id: 1 })], [item({ ...text, 'prev-id': null })], [item({ ...text, 'no-seq': 1 })],
        [item({ ...text, meta: 1 })], [item({ ...text, meta: { a: 1 } })], [item({ ...text, size: 'x' }), 'as newer ones do'], [item({ ...text, size: -1 })],
        [formats({ 'http-response': 1 })], [formats({ 'http-response': {} })], [formats({ 'http-stream': {} })], [formats({ 'ws-message': {} })],
        [formats({ 'http-response': { body: 'x', code: 'y' } }), 'a code that is no number is refused'], [formats({ 'http-response': { body: 'x', code: 1000 } })], [formats({ 'http-response': { body: 1 } })],
        [formats({ 'http-response': { body: 'x', headers: [['a']] } })], [formats({ 'http-response': { body: 'x', headers: { a: 1 } } })], [formats({ 'http-response': { body: 'x', headers: [1] } })],
        [formats({ 'http-stream': { content: 1 } })], [formats({ 'ws-message': { content: 'x', type: 'y' } })], [formats({ 'http-stream': { content: 'x', action: 'y' } })],
        [formats({ 'http-stream': { content: 'x', 'content-filters': [1] } })],
        [post({ items: [{ channel: 'c', formats: text }, {}] })],
        [post({ items: [] }, '', '/publish')], [post({ items: [] }, '', '/other')], [post({ items: [] }, 'Accept: application/json\r\n')], [post({ items: [] }, 'Accept: image/png\r\n')],
        ['GET /publish/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'], ['GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'], [post('', '', '/recover/')],
        [post({ items: [] }, '', '/publish/?a=b'), 'a query is no other path'],
        ['POST /publish/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{"items":[]}\r\n0\r\n\r\n', 'chunked bodies are read'],
    ], 'publish');
});

/**
 * Asks, and publishes each item when what came has the text before it; resolves with all. The first one is published again until
 * it is seen, as nothing tells when the subscription is there.
 */
async function hold({ port, publish }, request, last, ...items) {
    const socket = connect(port, '127.0.0.1');
    let text = '';

    socket.setEncoding('latin1').on('data', (part) => (text += part));
    socket.write(request);
    for (const [i, [after, one, seen]] of items.entries()) {
        await until(JSON.stringify(after), () => text.includes(after));
        await raw(publish, post({ items: [one] }));
        if (i === 0) await until(JSON.stringify(seen), async () => text.includes(seen) || (await raw(publish, post({ items: [one] })), false));
    }
    await until(JSON.stringify(last), () => text.includes(last));
    socket.destroy();
    return text;
}

test('holds and messages are the same bytes', { skip: missing() }, async (t) => {
    const server = createServer((request, response) => {
        const [, kind, more] = request.url.match(/^\/(\w+)(?:\?(.*))?/);
        const fields = Object.fromEntries(new URLSearchParams(more ?? ''));

        request.resume();
        response.writeHead(200, { 'Content-Type': 'text/plain', 'X-Own': 'a', 'Grip-Hold': kind, 'Grip-Channel': 'c', ...fields, 'Content-Length': 6 }).end('begin\n');
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    const pair = await both(t, scratch(t), await freePorts(8), `* 127.0.0.1:${server.address().port}\n`);
    const message = (formats) => ({ channel: 'c', formats });
    const stream = (content) => message({ 'http-stream': { content } });
    const answer = (more) => message({ 'http-response': { body: 'pushed\n', ...more } });
    const end = '0\r\n\r\n';
    const cases = {
        'a stream': [get('h', '/stream'), 'two\n', ['begin\n', stream('one\n'), 'one\n'], ['one\n', stream('two\n')]],
        'a stream with a status and fewer fields': [get('h', '/stream?Grip-Status=201%20Made&Grip-Expose-Headers=X-Own'), 'one\n', ['begin\n', stream('one\n'), 'one\n']],
        'a stream that is closed': [get('h', '/stream'), end, ['begin\n', message({ 'http-stream': { action: 'close' } }), end]],
        'a stream with a keep-alive': [get('h', '/stream?Grip-Keep-Alive=tick%5Cn;%20format%3Dcstring;%20timeout%3D1'), 'tick\n'],
        'a poll that is answered': [get('h', '/response'), 'pushed\n', ['', answer(), 'pushed\n']],
        'a poll with a status and headers': [get('h', '/response'), 'pushed\n', ['', answer({ code: 404, reason: 'Gone', headers: [['X-Own', 'b'], ['X-New', '1'], ['X-New', '2']] }), 'pushed\n']],
        'a poll that times out': [get('h', '/response?Grip-Timeout=5'), 'begin\n'],
        'an error of the server': [get('h', '/other'), 'origin.\n'],
    };

    for (const [name, [request, last, ...items]] of Object.entries(cases)) {
        await t.test(name, async () => {
            const [a, b] = await Promise.all([hold(pair.theirs, request, last, ...items), hold(pair.ours, request, last, ...items)]);

            const once = (text) => normal(text).replace(/(one\n)+/, 'one\n');

            assert.equal(once(b), once(a));
        });
    }
});

/** A server for WebSocket-over-HTTP that writes down what it was asked: echoes, and subscribes to `c`. */
async function events(t) {
    const asked = [];
    const server = createServer(async (request, response) => {
        const body = Buffer.concat(await request.toArray()).toString('latin1');
        const fields = Object.entries(request.headers).filter(([name]) => !OWN.has(name) && !['connection-id', 'host', 'sec-websocket-key'].includes(name)).sort();
        const subscribe = 'c:{"type":"subscribe","channel":"c"}';
        const meta = body.startsWith('OPEN') ? { 'Sec-WebSocket-Extensions': 'grip', 'Set-Meta-User': 'me', 'Sec-WebSocket-Protocol': 'b' } : {};
        const answer = body.startsWith('OPEN') ? `OPEN\r\nTEXT ${subscribe.length.toString(16)}\r\n${subscribe}\r\n` : body;

        asked.push([request.method, request.url, fields, body]);
        response.writeHead(request.url === '/refused' ? 403 : 200, { 'Content-Type': 'application/websocket-events', ...meta, 'Content-Length': answer.length });
        response.end(answer, 'latin1');
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { asked, port: server.address().port };
}

const message = (formats) => post({ items: [{ channel: 'c', formats }] });

/** The life of a WebSocket, as its client hears it. */
async function live({ port, publish }, path) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['a', 'b'], { headers: { 'X-My': '1', Origin: 'http://site' } });
    const heard = [];
    const hears = (text) => until(text, () => heard.some(([what]) => what === text));

    socket.on('message', (data, binary) => heard.push([String(data), binary]));
    socket.on('unexpected-response', (_, response) => heard.push(['refused', response.statusCode]) && socket.terminate());
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve([code, String(reason)])));

    await new Promise((resolve) => socket.on('open', resolve).on('close', resolve));
    if (socket.readyState !== WebSocket.OPEN) return heard;
    heard.push(['protocol', socket.protocol]);
    socket.send('m:text');
    await hears('text');
    socket.send(Buffer.from('m:bytes'));
    await hears('bytes');
    await raw(publish, message({ 'ws-message': { content: 'to all' } }));
    await hears('to all');
    await raw(publish, message({ 'ws-message': { 'content-bin': Buffer.from('raw').toString('base64') } }));
    await hears('raw');
    if (path === '/closed') await raw(publish, message({ 'ws-message': { action: 'close', code: 4000, reason: 'over' } }));
    else socket.close(4001, 'bye');
    heard.push(['closed', await closed]);
    return heard;
}

test('WebSockets over HTTP are the same requests and messages', { skip: missing() }, async (t) => {
    const [theirs, ours] = [await events(t), await events(t)];
    const folder = scratch(t);
    const pair = await both(t, folder, await freePorts(8), { theirs: `* 127.0.0.1:${theirs.port},over_http\n`, ours: `* 127.0.0.1:${ours.port},over_http\n` });

    for (const path of ['/', '/closed', '/refused']) {
        await t.test(path, async () => {
            const [a, b] = await Promise.all([live(pair.theirs, path), live(pair.ours, path)]);

            assert.deepEqual(b, a);
            const last = { '/': 'CLOSE', '/closed': 'CLOSE', '/refused': 'OPEN' }[path];

            await until('the last request', () => [theirs, ours].every(({ asked }) => asked.at(-1)?.at(-1).startsWith(last)));
            assert.deepEqual(ours.asked.splice(0), theirs.asked.splice(0));
        });
    }
});
