// A reverse proxy: what an origin sees of a request, which origin it is, and what the client sees of the answer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { EVENTS, Origin, gateway, pair } from '../lib/origin.mjs';
import { Peer } from '../lib/peer.mjs';

const FAILED = 'Error while proxying to origin.\n';

/** A request as it is written here; Node adds nothing but Connection. */
function ask(server, path, { method = 'GET', headers = {}, body, agent } = {}) {
    const request = http.request({ host: '127.0.0.1', port: server.port, path, method, agent, setHost: false, headers: { Host: 'A.example', ...headers } });
    const answer = new Promise((resolve, reject) => {
        request.on('error', reject).on('response', (response) => {
            const parts = [];

            response.on('data', (part) => parts.push(part)).on('error', reject);
            response.on('end', () => resolve({ status: response.statusCode, reason: response.statusMessage, headers: response.headers, body: Buffer.concat(parts).toString() }));
        });
    });

    if (body === undefined || typeof body === 'string') request.end(body);
    else body.pipe(request);
    answer.request = request;
    answer.catch(() => {});
    return answer;
}

/** The one request of a test, and what it was answered. */
async function through(origin, server, path, options, answer = (asked) => asked.answer(200)) {
    const reply = ask(server, path, options);
    const asked = await origin.next();

    answer(asked);
    return { asked, reply: await reply };
}

/** An origin, and a gateway with more to say in its [origin] table. */
async function configured(t, origin, { routes, more = '' }) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-origin-'));

    writeFileSync(join(folder, 'holdfast.toml'), `[origin]\nroutes = ${JSON.stringify(routes.map((line) => line.replaceAll('ORIGIN', `127.0.0.1:${origin.port}`)))}\n${more}\n`);
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml'), '--port', '0', '--control', '127.0.0.1:0']);

    t.after(async () => {
        await server.stop();
        rmSync(folder, { recursive: true });
    });
    return server;
}

async function lone(t) {
    const origin = await Origin.open();

    t.after(() => origin.close());
    return origin;
}

async function metric(server, name) {
    const text = await (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text();

    return text.split('\n').filter((line) => line.startsWith(`holdfast_${name}`)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('a request reaches the origin with the fields that are meant for it', async (t) => {
    const { origin, server } = await pair(t);
    const { asked, reply } = await through(origin, server, '/path?q=1', {
        headers: { 'Accept-Encoding': 'gzip', 'X-Own': 'yes', Connection: 'X-Hop', 'X-Hop': '1', 'Grip-Sig': 'forged', 'grip-last': 'x', 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '1.1.1.1', 'eb9bf0f5-X': 'y', Cookie: 'a=b' },
    }, (one) => one.answer(200, { 'X-Answer': 'a', Connection: 'keep-alive' }, 'hello'));

    assert.equal(asked.method, 'GET');
    assert.equal(asked.url, '/path?q=1');
    assert.deepEqual(asked.rawHeaders.slice(0, -2), ['Host', 'a.example', 'X-Own', 'yes', 'X-Forwarded-For', '1.1.1.1', 'Cookie', 'a=b']);
    assert.equal(asked.headers['grip-feature'], 'status, session, link:next, link:gone, filter:skip-self, filter:skip-users, filter:require-sub, filter:build-id, filter:var-subst');
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['x-answer'], 'a');
    assert.equal(reply.headers['content-length'], '5');
    assert.equal(reply.body, 'hello');
});

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

test('requests are signed with a secret', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['* ORIGIN'], more: 'sig_key = "secret"\nsig_iss = "me"' });
    const { asked } = await through(origin, server, '/');
    const [head, claims, signature] = asked.headers['grip-sig'].split('.');
    const now = Date.now() / 1000;

    assert.equal(Buffer.from(head, 'base64url').toString(), '{"typ":"JWT","alg":"HS256"}');
    assert.equal(decode(claims).iss, 'me');
    assert.ok(Math.abs(decode(claims).exp - now - 3600) < 5);
    assert.equal(signature, createHmac('sha256', 'secret').update(`${head}.${claims}`).digest('base64url'));
});

test('a route signs with its own key, as a file', async (t) => {
    const origin = await lone(t);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-key-'));
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const server = await configured(t, origin, { routes: [`*,sig_key=file:${join(folder, 'key.pem')} ORIGIN`] });
    const { asked } = await through(origin, server, '/');
    const [head, claims, signature] = asked.headers['grip-sig'].split('.');

    assert.equal(decode(head).alg, 'ES256');
    assert.equal(decode(claims).iss, 'pushpin');
    assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
});

const token = (claims, key) => {
    const text = [{ typ: 'JWT', alg: 'HS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
};
const soon = Math.floor(Date.now() / 1000) + 600;

test('a client that proves to be a GRIP proxy is left alone', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['* ORIGIN'], more: 'sig_key = "ours"\nupstream_key = "theirs"\nx_forwarded_for = "truncate:0,append"\nx_forwarded_for_trusted = "append"' });
    const hold = { 'Grip-Hold': 'stream', 'Grip-Channel': 'a' };
    const trusted = token({ exp: soon }, 'theirs');
    const { asked, reply } = await through(origin, server, '/', { headers: { 'Grip-Sig': trusted, 'Grip-Last': 'a; last-id=1', 'X-Forwarded-For': '1.1.1.1' } }, (one) => one.answer(200, hold, 'held'));

    assert.equal(asked.headers['grip-sig'], trusted);
    assert.equal(asked.headers['grip-last'], 'a; last-id=1');
    assert.equal(asked.headers['grip-feature'], undefined);
    assert.equal(asked.headers['x-forwarded-for'], '1.1.1.1, 127.0.0.1');
    assert.equal(reply.headers['grip-hold'], 'stream');
    assert.equal(reply.body, 'held');
    for (const forged of [token({ exp: soon }, 'other'), token({ exp: 1 }, 'theirs'), token({}, 'theirs'), 'x']) {
        const { asked: other } = await through(origin, server, '/', { headers: { 'Grip-Sig': forged, 'X-Forwarded-For': '1.1.1.1' } });

        assert.notEqual(other.headers['grip-sig'], forged);
        assert.equal(other.headers['x-forwarded-for'], '127.0.0.1');
    }
});

test('what a route and the configuration say about fields', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, {
        routes: ['*,header=X-Set:one,header=X-Gone:,orig_headers ORIGIN'],
        more: 'cdn_loop = "holdfast"\nx_forwarded_for = "truncate:1,append"\norig_headers_need_mark = ["X-Quiet"]\naccept_x_forwarded_protocol = true\nset_x_forwarded_protocol = "true"',
    });
    const { asked } = await through(origin, server, '/', {
        headers: { 'X-Set': 'zero', 'x-gone': '1', 'CDN-Loop': 'other', 'X-Forwarded-For': '1.1.1.1, 2.2.2.2', 'X-Quiet': 'q', 'eb9bf0f5-X-Marked': 'm', 'X-Forwarded-Proto': 'https' },
    });

    assert.deepEqual(asked.all('x-set'), ['one']);
    assert.deepEqual(asked.all('x-gone'), []);
    assert.deepEqual(asked.all('cdn-loop'), ['other, holdfast']);
    assert.deepEqual(asked.all('x-forwarded-for'), ['2.2.2.2, 127.0.0.1']);
    assert.deepEqual(asked.all('x-forwarded-proto'), ['https']);
    assert.deepEqual(asked.all('x-forwarded-protocol'), ['https']);
    assert.deepEqual(asked.all('eb9bf0f5-x-set'), ['zero']);
    assert.deepEqual(asked.all('eb9bf0f5-x-gone'), ['1']);
    assert.deepEqual(asked.all('eb9bf0f5-x-quiet'), []);
    assert.deepEqual(asked.all('eb9bf0f5-x-marked'), ['m']);
});

test('which route a request takes', async (t) => {
    const origins = [];

    for (let i = 0; i < 5; i++) origins.push(await lone(t));
    const at = (i) => `127.0.0.1:${origins[i].port}`;
    const server = await gateway(t, [`* ${at(0)}`, `one.example,path_beg=/a ${at(1)}`, `one.example,path_beg=/a/b ${at(2)}`, `one.example,proto=ws ${at(3)}`, `two.example,id=two ${at(4)}`]);
    const goes = async (host, path) => {
        const reply = ask(server, path, { headers: { Host: host } });
        const asked = await Promise.race(origins.map((one, i) => one.next().then((it) => ({ i, it }), () => new Promise(() => {}))).concat(reply.then((it) => ({ i: -1, it }))));

        if (asked.i < 0) return asked.it;
        asked.it.answer(204);
        await reply;
        return asked.i;
    };

    assert.equal(await goes('other.example', '/'), 0);
    assert.equal(await goes('ONE.example:80', '/a/c'), 1);
    assert.equal(await goes('one.example', '/a/b/c'), 2);
    assert.equal(await goes('two.example', '/'), 4);
    const none = await goes('one.example', '/other');

    assert.equal(none.status, 502);
    assert.equal(none.body, 'No route for host: one.example\n');
});

test('a path is written anew', async (t) => {
    const { origin, server } = await pair(t, { condition: '*,path_beg=/api,replace_beg=/v1' });
    const origin2 = await lone(t);
    const server2 = await gateway(t, [`*,path_rem=4 127.0.0.1:${origin2.port}`, `front.example,replace_beg=/f 127.0.0.1:${origin2.port}`]);

    assert.equal((await through(origin, server, '/api/x?y=%20/')).asked.url, '/v1/x?y=%20/');
    assert.equal((await through(origin2, server2, '/api/x')).asked.url, '/x');
    assert.equal((await through(origin2, server2, '/api?x')).asked.url, '/?x');
    assert.equal((await through(origin2, server2, '/x', { headers: { Host: 'front.example' } })).asked.url, '/f/x');
});

test('the host of a route stands for the client\'s', async (t) => {
    const origin = await lone(t);
    const server = await gateway(t, [`*,as_host=there.example 127.0.0.1:${origin.port}`, `own.example,as_host=x 127.0.0.1:${origin.port},host=target.example`]);

    assert.equal((await through(origin, server, '/')).asked.headers.host, 'there.example');
    assert.equal((await through(origin, server, '/', { headers: { Host: 'own.example' } })).asked.headers.host, 'target.example');
});

test('an old client that says no host', async (t) => {
    const { origin, server } = await pair(t);
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write('GET /old HTTP/1.0\r\n\r\n'));
    const asked = await origin.next();
    let text = '';

    socket.on('data', (part) => (text += part));
    assert.equal(asked.headers.host, 'localhost');
    asked.response.write('a');
    asked.response.end('b');
    await new Promise((done) => socket.on('end', done));
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nab$/);
    assert.doesNotMatch(text, /chunked/);
});

test('Pushpin-Route names the route', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['* 127.0.0.1:1', 'id=named ORIGIN,host=there.example'], more: 'accept_pushpin_route = true' });
    const { asked } = await through(origin, server, '/', { headers: { 'Pushpin-Route': 'named' } });

    assert.equal(asked.headers['pushpin-route'], undefined);
    assert.equal(asked.headers.host, 'there.example');
    assert.equal((await ask(server, '/', { headers: { 'Pushpin-Route': 'other' } })).status, 502);
});

test('bodies stream both ways', async (t) => {
    const origin = http.createServer((request, response) => {
        response.writeHead(200, { 'X-Kind': request.headers['transfer-encoding'] ?? `length ${request.headers['content-length']}` });
        request.on('data', (part) => response.write(`[${part}]`)).on('end', () => response.end('end'));
    });

    await new Promise((done) => origin.listen(0, '127.0.0.1', done));
    t.after(() => origin.close());
    const server = await gateway(t, `* 127.0.0.1:${origin.address().port}`);
    const request = http.request({ host: '127.0.0.1', port: server.port, method: 'POST', path: '/' });

    request.write('one');
    const response = await new Promise((resolve) => request.on('response', resolve));
    const heard = response[Symbol.asyncIterator]();

    assert.equal(response.headers['x-kind'], 'chunked');
    assert.equal(String((await heard.next()).value), '[one]');
    request.write('two');
    assert.equal(String((await heard.next()).value), '[two]');
    request.end();
    assert.equal(String((await heard.next()).value), 'end');
    assert.equal((await heard.next()).done, true);
    assert.equal((await ask(server, '/', { method: 'PUT', body: 'x'.repeat(10), headers: { 'Content-Length': 10 } })).headers['x-kind'], 'length 10');
});

test('a large body arrives whole, through a client that reads slowly', async (t) => {
    const size = 30 << 20;
    const origin = http.createServer((request, response) => {
        response.writeHead(200);
        request.pipe(response);
    });

    await new Promise((done) => origin.listen(0, '127.0.0.1', done));
    t.after(() => origin.close());
    const server = await gateway(t, `* 127.0.0.1:${origin.address().port}`);
    const request = http.request({ host: '127.0.0.1', port: server.port, method: 'POST', path: '/', headers: { 'Content-Length': size } });

    request.end(Buffer.alloc(size, 'x'));
    const response = await new Promise((resolve) => request.on('response', resolve));
    let length = 0;

    for await (const part of response) {
        length += part.length;
        if (length < 1 << 20) await new Promise((done) => setTimeout(done, 20));
    }
    assert.equal(length, size);
});

test('answers without a body keep what they announce', async (t) => {
    const { origin, server } = await pair(t);
    const head = await through(origin, server, '/', { method: 'HEAD' }, (one) => {
        one.response.writeHead(200, { 'Content-Length': '77' });
        one.response.end();
    });
    const none = await through(origin, server, '/', {}, (one) => {
        one.response.writeHead(304, { ETag: '"x"' });
        one.response.end();
    });

    assert.equal(head.reply.headers['content-length'], '77');
    assert.equal(none.reply.status, 304);
    assert.equal(none.reply.headers.etag, '"x"');
    assert.equal((await through(origin, server, '/', { method: 'DELETE' }, (one) => one.answer(204))).reply.status, 204);
});

test('what is wrong with an origin, as clients hear it', async (t) => {
    const { origin, server } = await pair(t);
    const failed = await through(origin, server, '/', {}, (one) => one.drop());
    const debugged = await gateway(t, `*,debug 127.0.0.1:1 127.0.0.1:2`);
    const plain = await gateway(t, `* 127.0.0.1:1`);

    assert.deepEqual([failed.reply.status, failed.reply.reason, failed.reply.headers['content-type'], failed.reply.body], [502, 'Bad Gateway', 'text/plain', FAILED]);
    assert.equal((await ask(plain, '/')).body, FAILED);
    assert.equal((await ask(debugged, '/')).body, 'Unable to connect to any targets. Tried: 127.0.0.1:1, 127.0.0.1:2\n');
    const cut = ask(server, '/');

    const { response } = await origin.next();

    response.writeHead(200, { 'Content-Length': '100' });
    response.write('half', () => response.destroy());
    await assert.rejects(cut);
});

test('an answer that is not HTTP is a bad gateway', async (t) => {
    for (const text of ['SSH-2.0-nothing\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 'HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n', 'HTTP/1.1 99 X\r\n\r\n']) {
        const origin = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(text)));

        await new Promise((done) => origin.listen(0, '127.0.0.1', done));
        const server = await gateway(t, `* 127.0.0.1:${origin.address().port}`);

        assert.equal((await ask(server, '/')).status, 502, text);
        origin.close();
    }
});

test('the next target is asked when one cannot be reached', async (t) => {
    const origin = await lone(t);
    const server = await gateway(t, `* 127.0.0.1:1 127.0.0.1:2,ssl 127.0.0.1:${origin.port}`);
    const { asked, reply } = await through(origin, server, '/', { method: 'POST', body: 'whole', headers: { 'Content-Length': 5 } }, (one) => one.answer(201));

    assert.equal(asked.body, 'whole');
    assert.equal(reply.status, 201);
});

test('an origin that is down is not hammered, and found again', async (t) => {
    const first = await Origin.open();
    const port = first.port;

    await first.close();
    const server = await gateway(t, `* 127.0.0.1:${port}`);

    for (let i = 0; i < 100; i++) assert.equal((await ask(server, '/')).status, 502);
    assert.ok((await metric(server, 'upstream_connects_total{result="failed"}')) < 40);
    await server.logged('upstream.rests');
    const origin = await Origin.open({ port });

    t.after(() => origin.close());
    await until('the origin is asked', async () => {
        const reply = ask(server, '/');
        const asked = await origin.next(300).catch(() => null);

        asked?.answer(200);
        return (await reply).status === 200;
    });
});

test('a kept connection that the origin has closed is replaced', async (t) => {
    let requests = 0;
    const origin = net.createServer((socket) => {
        let answered = 0;

        // The second request on a connection meets its end.
        socket.on('error', () => {}).on('data', () => {
            requests++;
            if (answered++) socket.resetAndDestroy();
            else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
    });

    await new Promise((done) => origin.listen(0, '127.0.0.1', done));
    t.after(() => origin.close());
    const server = await gateway(t, `* 127.0.0.1:${origin.address().port}`, ['--threads', '1']);

    for (let i = 0; i < 3; i++) assert.equal((await ask(server, '/', { method: 'POST', body: 'x', headers: { 'Content-Length': 1 } })).status, 200);
    assert.ok(requests >= 5);
    assert.equal(await metric(server, 'upstream_repeated_total'), 2);
});

test('connections are used again', async (t) => {
    const { origin, server } = await pair(t, { args: ['--threads', '1'] });

    for (let i = 0; i < 5; i++) await through(origin, server, '/');
    assert.equal(await metric(server, 'upstream_connects_total{result="reached"}'), 1);
});

test('a client that leaves takes its request back', async (t) => {
    const { origin, server } = await pair(t);
    const reply = ask(server, '/');
    const asked = await origin.next();
    const left = new Promise((done) => asked.response.on('close', done));

    reply.request.destroy();
    await left;
    await until('the call is gone', async () => (await metric(server, 'upstream_open')) === 0);
});

/** A self-signed certificate for a name, in folder/stem.pem and .key. */
function certificate(folder, stem, names) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${stem}`, '-addext', `subjectAltName=${names}`,
        '-keyout', join(folder, `${stem}.key`), '-out', join(folder, `${stem}.pem`)], { stdio: 'ignore' });
    return { cert: readFileSync(join(folder, `${stem}.pem`)), key: readFileSync(join(folder, `${stem}.key`)), file: join(folder, stem) };
}

test('an event stream of an origin that is silent gets comments, and knows when its client has gone', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['* ORIGIN'], more: '[limits]\ncomment_ms = 100' });
    const client = await Peer.open(server.port);

    await client.say('GET / HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 7\r\n\r\n');
    const asked = await origin.next();

    assert.equal(asked.headers['last-event-id'], '7');
    asked.response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    asked.response.write('data: one\n\n');
    assert.equal((await client.head()).status, 200);
    assert.equal((await client.bytes(30)).toString(), 'b\r\ndata: one\n\n\r\n2\r\n:\n\r\n2\r\n:\n\r\n');
    const gone = new Promise((resolve) => asked.response.on('close', resolve));

    client.reset();
    await gone;
});

test('TLS to an origin, and whose certificate is good', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    const { cert, key, file } = certificate(folder, 'there', 'DNS:there.example,IP:127.0.0.1');
    const client = certificate(folder, 'client', 'DNS:client.example');
    const names = [];
    const server = https.createServer({ cert, key, SNICallback: (name, done) => done(null, void names.push(name)), requestCert: true, rejectUnauthorized: false, ca: [client.cert] });
    const origin = await Origin.open({ server });

    t.after(async () => {
        await origin.close();
        rmSync(folder, { recursive: true });
    });
    const says = async (target, args = ['--ca', `${file}.pem`]) => {
        const front = await gateway(t, `* 127.0.0.1:${origin.port},ssl${target}`, args);
        const reply = ask(front, '/');
        const asked = await Promise.race([origin.next().catch(() => null), reply.then(() => null)]);

        asked?.answer(200, {}, `${asked.headers.host} ${asked.response.socket.authorized}`);
        return `${(await reply).status} ${(await reply).body}`;
    };

    assert.equal(await says(',insecure', []), '200 a.example false');
    assert.equal(names.at(-1), 'a.example');
    assert.equal(await says(',host=there.example'), '200 there.example false');
    assert.equal(names.at(-1), 'there.example');
    assert.equal(await says(',trust_connect_host'), '200 a.example false');
    assert.equal(await says(`,insecure,client_cert=${client.file}.pem,client_key=${client.file}.key`, []), '200 a.example true');
    for (const [target, args] of [['', undefined], [',host=there.example', []], [',host=other.example', undefined], [',trust_connect_host', []]]) assert.equal(await says(target, args), `502 ${FAILED}`, target);
});

test('only we say WebSocket events', async (t) => {
    const { origin, server } = await pair(t, { target: ',over_http' });
    const post = { method: 'POST', headers: { 'Content-Type': 'application/websocket-events', 'Content-Length': 6 }, body: 'OPEN\r\n' };
    const refused = await ask(server, '/', post);

    assert.equal(refused.status, 403);
    assert.equal(refused.body, 'Client not allowed to send WebSocket events directly.\n');
    const other = await pair(t);

    assert.equal((await through(other.origin, other.server, '/', post)).reply.status, 200);
    await origin.quiet(0);
});

test('a route without GRIP is a plain proxy', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['*,no_grip ORIGIN'], more: 'sig_key = "secret"' });
    const { asked, reply } = await through(origin, server, '/', {}, (one) => one.answer(200, { 'Grip-Hold': 'response', 'Grip-Channel': 'a' }, 'raw'));

    assert.equal(asked.headers['grip-sig'], undefined);
    assert.equal(asked.headers['grip-feature'], undefined);
    assert.equal(reply.headers['grip-hold'], 'response');
    assert.equal(reply.body, 'raw');
});

test('pages of other sites', async (t) => {
    const { origin, server } = await pair(t, { condition: '*,aco' });
    const { reply } = await through(origin, server, '/', { headers: { Origin: 'http://there' } }, (one) => one.answer(200, { 'X-A': '1', 'Access-Control-Max-Age': '5' }, 'x'));

    assert.equal(reply.headers['access-control-allow-origin'], 'http://there');
    assert.equal(reply.headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, POST, PUT, DELETE');
    assert.equal(reply.headers['access-control-allow-credentials'], 'true');
    assert.match(reply.headers['access-control-expose-headers'], /^X-A/);
    assert.equal(reply.headers['access-control-max-age'], '5');
    const query = `callback=cb&_method=PUT&_headers=${encodeURIComponent('{"X-Q":"y"}')}&_body=hi%2B&z=1`;
    const script = await through(origin, server, `/p?${query}`, {}, (one) => one.answer(404, { 'X-A': '1' }, 'no\n'));

    assert.equal(`${script.asked.method} ${script.asked.url} ${script.asked.body} ${script.asked.headers['x-q']}`, 'PUT /p?z=1 hi+ y');
    assert.equal(script.reply.status, 200);
    assert.equal(script.reply.headers['content-type'], 'application/javascript');
    assert.match(script.reply.body, /^\/\*\*\/cb\(\{"code": 404, "reason": "Not Found", "headers": \{"Content-Length":"3","X-A":"1",.*\}, "body": "no\\n"\}\);\n$/);
    for (const bad of ['callback=a(b)', 'callback=', 'callback=a&_headers=x', 'callback=a&_headers=[]', 'callback=a&_method=a%20b']) assert.equal((await ask(server, `/?${bad}`)).status, 400, bad);
});

test('the target `test` needs no server', async (t) => {
    const server = await gateway(t, '* test');
    const { status, body } = await ask(server, '/other');

    assert.equal((await ask(server, '/')).status, 200);
    assert.equal(`${status} ${body}`, '404 no such test resource\n');
});

test('an origin that says nothing in time has failed', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['*,debug ORIGIN'], more: 'response_ms = 1500' });
    const silent = ask(server, '/');

    await origin.next();
    assert.deepEqual([(await silent).status, (await silent).body], [502, 'the server did not answer in time\n']);
    const slow = ask(server, '/');
    const { response } = await origin.next();

    response.write('a');
    await new Promise((done) => setTimeout(done, 2000));
    response.end('b');
    assert.equal((await slow).body, 'ab');
});

test('a response that somebody else than a client waits for goes on or has failed', async (t) => {
    const origin = await lone(t);
    const server = await configured(t, origin, { routes: ['* ORIGIN', 'w.test ORIGIN,over_http'], more: 'response_ms = 200' });
    const none = (name) => until(`${name} is nought`, async () => (await metric(server, name)) === 0);
    const halves = async (status, headers) => {
        const { response } = await origin.next();

        response.writeHead(status, { 'Content-Length': 9, ...headers });
        response.write('half');
    };

    // An instruction.
    const silent = ask(server, '/');

    await halves(200, { 'Grip-Hold': 'stream', 'Grip-Channel': 'a' });
    assert.equal((await silent).status, 502);

    // What a client that has gone leaves.
    const gone = await Peer.open(server.port);

    await gone.say('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    (await origin.next()).answer(200, { 'Grip-Hold': 'stream', 'Grip-Channel': 'a', 'Grip-Link': '</gone>; rel=gone' }, 'x');
    await gone.head();
    gone.close();
    await halves(200, {});
    await none('upstream_open');

    // A WebSocket's events.
    const socket = await Peer.open(server.port);
    const opening = socket.upgrade('/', { Host: 'w.test' });

    (await origin.next()).events('OPEN\r\n');
    await opening;
    socket.close();
    await halves(200, { 'Content-Type': EVENTS });
    await none('woh_open');
});

test('the routes change while requests are under way', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-routes-'));
    const file = join(folder, 'routes');
    const before = await lone(t);
    const after = await lone(t);

    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(file, `* 127.0.0.1:${before.port}\n`);
    const server = await Holdfast.serve(['serve', '--routes', file, '--port', '0', '--control', '127.0.0.1:0']);

    t.after(() => server.stop());
    const reply = ask(server, '/old');
    const asked = await before.next();

    writeFileSync(file, `* 127.0.0.1:${after.port}\n`);
    await until('a request goes the new way', async () => {
        const other = ask(server, '/new');
        const one = await Promise.race([before.next(), after.next()].map((next) => next.catch(() => new Promise(() => {}))));

        one.answer(200, {}, String(one.response.socket.localPort));
        return (await other).body === String(after.port);
    });
    asked.answer(200, {}, 'still here');
    assert.equal((await reply).body, 'still here');
});

test('two hundred requests at once', async (t) => {
    const { origin, server } = await pair(t);
    const agent = new http.Agent({ maxSockets: 200 });
    const replies = Array.from({ length: 200 }, (_, i) => ask(server, `/${i}`, { agent }));

    for (let i = 0; i < 200; i++) {
        const asked = await origin.next();

        asked.answer(200, {}, asked.url);
    }
    (await Promise.all(replies)).forEach((reply, i) => assert.equal(reply.body, `/${i}`));
    agent.destroy();
});

test('another application reaches an origin by a service binding', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-service-'));
    const origin = await Origin.open();

    t.after(async () => {
        await origin.close();
        rmSync(folder, { recursive: true });
    });
    writeFileSync(join(folder, 'front.js'), "export default { fetch: (request, env) => env.BACK.fetch('http://inner/some?x=1', { method: 'POST', body: request.body }) };");
    writeFileSync(join(folder, 'wrangler.toml'), 'main = "front.js"\ncompatibility_date = "2026-11-01"\nservices = [{ binding = "BACK", service = "back" }]\n');
    writeFileSync(join(folder, 'holdfast.toml'), `[[app]]\nname = "front"\npath = "."\n[[app]]\nname = "back"\nhosts = ["back.example"]\n[app.origin]\nroutes = ["* 127.0.0.1:${origin.port}"]\n`);
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml'), '--port', '0', '--state', join(folder, 'state')]);

    t.after(() => server.stop());
    const reply = fetch(server.url('/'), { method: 'POST', body: 'said' });
    const asked = await origin.next();

    assert.equal(`${asked.method} ${asked.url} ${asked.headers.host} ${asked.body}`, 'POST /some?x=1 inner said');
    asked.answer(201, {}, 'heard');
    assert.deepEqual([(await reply).status, await (await reply).text()], [201, 'heard']);
});
