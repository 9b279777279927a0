// Response and stream holds over HTTP, seen by a client and by an origin (reference cases 4 to 42 where a whole process
// shows more than the unit tests of edge/grip_*).
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { GET, POLL, STREAM, ask, chunk, held, hears, response, stream } from '../lib/grip.mjs';
import { until } from '../lib/holdfast.mjs';
import { Origin, gateway, pair } from '../lib/origin.mjs';
import { Peer } from '../lib/peer.mjs';

test('a poll is answered by an item, and the connection goes on', async (t) => {
    const both = await pair(t);
    const client = await ask(t, both, POLL, 'later');

    await held(both.server, 'response', 1);
    assert.deepEqual(await both.server.publish(response('a', { body: 'hi\n' })), { status: 200, text: 'Published\n' });
    const head = await client.head();

    assert.equal(head.status, 200);
    assert.equal(head.fields.get('content-type'), 'text/plain');
    assert.equal(head.fields.get('content-length'), '3');
    assert.equal((await client.body(head)).toString(), 'hi\n');
    await client.say(GET);
    (await both.origin.next()).answer(200, { 'Grip-Foo': 'x' }, 'plain');
    const next = await client.head();

    assert.equal(next.fields.get('grip-foo'), undefined);
    assert.equal((await client.body(next)).toString(), 'plain');
});

test('a poll that is made again, while statistics are told', async (t) => {
    const origin = await Origin.open();
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
    const file = join(folder, 'holdfast.toml');

    t.after(() => (rmSync(folder, { recursive: true }), origin.close()));
    writeFileSync(file, `[origin]\nroutes = ["* 127.0.0.1:${origin.port}"]\n[zmq]\nstats = ["tcp://127.0.0.1:*"]\n`);
    const server = await gateway(t, [], ['--config', file]);
    const client = await ask(t, { origin, server }, POLL);

    await held(server, 'response', 1);
    await server.publish(response('a', { action: 'hint' }));
    (await origin.next()).answer(200, POLL);
    await held(server, 'response', 1);
    await server.publish(response('a', { body: 'hi' }));
    assert.equal((await client.body(await client.head())).toString(), 'hi');
});

test('a client that leaves behind a request that it said too early is noticed', async (t) => {
    const both = await pair(t);
    const client = await ask(t, both, STREAM, '', `${GET}${GET}`);

    await client.head();
    await held(both.server, 'stream', 1);
    client.end();
    await held(both.server, 'stream', 0);
});

test('a stream gets its body at once and items behind it', async (t) => {
    const both = await pair(t);
    const client = await ask(t, both, STREAM, 'open\n');
    const head = await client.head();

    assert.equal(head.fields.get('transfer-encoding'), 'chunked');
    assert.equal(await chunk(client), 'open\n');
    await held(both.server, 'stream', 1);
    await both.server.publish(stream('a', 'm1\n'), { channel: 'a', formats: { 'http-stream': { 'content-bin': 'AAEC' } } });
    await hears(client, 'm1\n\0\x01\x02');
    await both.server.publish({ channel: 'a', formats: { 'http-stream': { action: 'close', content: '' } } });
    assert.equal(await client.line(), '0');
    assert.equal(await client.line(), '');
    await client.say(GET);
    (await both.origin.next()).answer(200, {}, 'again');
    assert.equal((await client.body(await client.head())).toString(), 'again');
});

test('a hint repeats the request as it was', async (t) => {
    const both = await pair(t);
    const request = 'POST /p?q HTTP/1.1\r\nHost: h\r\nX-Mine: 1\r\nContent-Length: 5\r\n\r\nhello';
    const client = await ask(t, both, { ...POLL, 'Grip-Channel': 'a, s; prev-id=7' }, '', request);

    await held(both.server, 'response', 1);
    await both.server.publish(response('a', { action: 'hint' }));
    const again = await both.origin.next();

    assert.equal(again.method, 'POST');
    assert.equal(again.url, '/p?q');
    assert.equal(again.body, 'hello');
    assert.equal(again.headers['x-mine'], '1');
    assert.equal(again.headers['grip-last'], 's; last-id=7');
    again.answer(200, {}, 'done');
    assert.equal((await client.body(await client.head())).toString(), 'done');
});

test('a poll whose origin is down is 502 when it is made again', async (t) => {
    const both = await pair(t);
    const client = await ask(t, both, POLL);

    await held(both.server, 'response', 1);
    await both.origin.close();
    await both.server.publish(response('a', { action: 'hint' }));
    const head = await client.head();

    assert.equal(head.status, 502);
    assert.equal((await client.body(head)).toString(), 'Error while proxying to origin.\n');
});

test('a next link is asked for without what the client said', async (t) => {
    const both = await pair(t, { args: [], condition: '*,sig_key=secret' });
    const client = await ask(t, both, { 'Grip-Link': '<../n?x>; rel=next' }, 'A');
    const page = await both.origin.next();

    assert.equal(page.method, 'GET');
    assert.equal(page.url, '/n?x');
    assert.equal(page.headers.host, 'h');
    assert.equal(page.headers.cookie, undefined);
    assert.equal(page.headers.authorization, undefined);
    assert.ok(page.headers['grip-feature'].includes('link:gone'));
    const [head, claims, signature] = page.headers['grip-sig'].split('.');

    assert.equal(createHmac('sha256', 'secret').update(`${head}.${claims}`).digest('base64url'), signature);
    page.answer(200, { ...STREAM, 'Grip-Channel': 'c; prev-id=1', 'Grip-Link': '</m>; rel=next; timeout=1' }, 'B');
    await client.head();
    await hears(client, 'AB');
    const quiet = await both.origin.next();

    assert.equal(quiet.url, '/m');
    assert.equal(quiet.headers['grip-last'], 'c; last-id=1');
    quiet.answer(200, {}, 'C');
    await hears(client, 'C');
    assert.equal(await client.line(), '0');
});

test('a link to another server goes there', async (t) => {
    const both = await pair(t);
    const other = await Origin.open();

    t.after(() => other.close());
    const client = await ask(t, both, { 'Grip-Link': `<http://127.0.0.1:${other.port}/x>; rel=next` }, 'A');
    const page = await other.next();

    assert.equal(page.headers.host, `127.0.0.1:${other.port}`);
    page.answer(200, {}, 'B');
    await client.head();
    await hears(client, 'AB');
});

test('a client that leaves is told to the origin once', async (t) => {
    const both = await pair(t);
    const client = await ask(t, both, { ...STREAM, 'Grip-Link': '</gone>; rel=gone' }, 'A');

    await client.head();
    await held(both.server, 'stream', 1);
    client.close();
    const gone = await both.origin.next();

    assert.equal(gone.method, 'POST');
    assert.equal(gone.url, '/gone');
    assert.equal(gone.body, '');
    assert.equal(gone.headers['content-length'], '0');
    assert.equal(gone.headers.cookie, undefined);
    gone.answer(200);
    await held(both.server, 'stream', 0);
    await both.origin.quiet(300);
});

test('bodies and requests over their limits', async (t) => {
    const both = await pair(t, { condition: '*,debug' });
    const most = 'x'.repeat(100_000);
    const long = `${most}x`;
    const client = await ask(t, both, STREAM, long);

    await client.head();
    await hears(client, long);
    await held(both.server, 'stream', 1);
    await both.server.publish(stream('a', '!'));
    await hears(client, '!');

    const poll = await ask(t, both, POLL, long);
    const head = await poll.head();

    assert.equal(head.status, 502);
    assert.equal((await poll.body(head)).toString(), `GRIP instruct response too large from 127.0.0.1:${both.origin.port}\n`);

    const whole = await ask(t, both, POLL, most, `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${most.length}\r\n\r\n${most}`);

    await held(both.server, 'response', 1);
    whole.close();

    const post = await ask(t, both, POLL, '', `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${long.length}\r\n\r\n${long}`);
    const refused = await post.head();

    assert.equal(refused.status, 400);
    assert.equal((await post.body(refused)).toString(), 'Request too large to accept GRIP instruct.\n');
});

test('an instructed response in pieces is delayed until it is whole', async (t) => {
    const both = await pair(t);
    const client = await Peer.open(both.server.port);

    t.after(() => client.close());
    await client.say(GET);
    const asked = await both.origin.next();

    asked.response.writeHead(200, STREAM);
    asked.response.write('one ');
    await client.quiet(200);
    asked.response.end('two');
    await client.head();
    await hears(client, 'one two');
});

test('an origin that breaks in the middle is 502', async (t) => {
    const both = await pair(t);
    const client = await Peer.open(both.server.port);

    t.after(() => client.close());
    await client.say(GET);
    const asked = await both.origin.next();

    asked.response.writeHead(200, { ...POLL, 'Content-Length': '100' });
    asked.response.write('half');
    await new Promise((resolve) => setTimeout(resolve, 50));
    asked.drop();
    assert.equal((await client.head()).status, 502);
});

test('recover refreshes what is held', async (t) => {
    const both = await pair(t);
    const poll = await ask(t, both, POLL);

    await held(both.server, 'response', 1);
    const done = await fetch(`http://127.0.0.1:${both.server.control}/recover/`, { method: 'POST' });

    assert.equal(await done.text(), 'Updated\n');
    (await both.origin.next()).answer(200, {}, 'fresh');
    assert.equal((await poll.body(await poll.head())).toString(), 'fresh');
});

test('when it stops, polls are answered and streams end', async (t) => {
    const both = await pair(t);
    const poll = await ask(t, both, POLL, 'later');
    const open = await ask(t, both, STREAM, 'open');

    await open.head();
    await hears(open, 'open');
    await held(both.server, 'response', 1);
    await held(both.server, 'stream', 1);
    const began = Date.now();

    assert.equal((await both.server.stop('SIGTERM')).code, 0);
    assert.equal((await poll.body(await poll.head())).toString(), 'later');
    assert.equal(await open.line(), '0');
    assert.ok(Date.now() - began < 25_000);
});

test('routes with a prefix publish under it', async (t) => {
    const both = await pair(t, { condition: '*,prefix=pre-', target: ',sub=always' });
    const client = await ask(t, both, STREAM);

    await client.head();
    await held(both.server, 'stream', 1);
    await both.server.publish(stream('a', 'no'), stream('pre-always', 'no'), stream('pre-a', '1'), stream('always', '2'));
    await hears(client, '12');
});

test('clients that do not read do not hold up the others', async (t) => {
    const both = await pair(t);
    const slow = await ask(t, both, STREAM);
    const fast = await ask(t, both, STREAM);
    const item = stream('a', 'x'.repeat(50_000));

    await held(both.server, 'stream', 2);
    slow.pause();
    await fast.head();
    const reading = (async () => {
        for (let n = 0; n < 200 * 50_000;) n += (await chunk(fast)).length;
    })();

    for (let i = 0; i < 50; i++) await both.server.publish(item, item, item, item);
    await reading;
    await held(both.server, 'stream', 2);
    slow.resume();
    await both.server.publish(stream('a', 'end'));
    await hears(fast, 'end');
});

test('an event source that comes back hears what it missed', async (t) => {
    const both = await pair(t);
    const headers = { 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream', 'Grip-Channel': 'news; recover' };
    const event = (id) => stream('news', `id: ${id}\ndata: ${id}\n\n`, { id });
    const client = await ask(t, both, headers, ':hello\n\n');

    await held(both.server, 'stream', 1);
    await both.server.publish(event('1'));
    await client.head();
    await hears(client, ':hello\n\nid: 1\ndata: 1\n\n');
    client.close();
    await both.server.publish(event('2'), event('3'));
    const request = (id) => `GET / HTTP/1.1\r\nHost: h\r\nLast-Event-ID: ${id}\r\n\r\n`;
    const back = await ask(t, both, headers, ':hello\n\n', request('1'));

    await back.head();
    await hears(back, ':hello\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n');
    const late = await ask(t, both, headers, ':hello\n\n', request('0'));

    await late.head();
    await hears(late, ':hello\n\nevent: gap\ndata: 0\n\n');
});

/** n held streams: sockets that count what they hear and keep its end. */
async function streams(t, both, n) {
    const clients = [];

    for (let i = 0; i < n; i++) {
        const socket = connect({ port: both.server.port, host: '127.0.0.1' }, () => socket.write(GET));
        const client = { socket, heard: 0, tail: '' };

        socket.on('data', (bytes) => {
            client.heard += bytes.length;
            client.tail = (client.tail + bytes.toString('latin1', Math.max(0, bytes.length - 20))).slice(-20);
        });
        socket.on('error', () => {});
        clients.push(client);
        (await both.origin.next()).answer(200, STREAM, 'open');
    }
    t.after(() => clients.forEach(({ socket }) => socket.destroy()));
    await held(both.server, 'stream', n);
    return clients;
}

test('a thousand streams outlive their origin', async (t) => {
    const both = await pair(t);
    const clients = await streams(t, both, 1000);

    await both.origin.close();
    for (let i = 0; i < 10; i++) await both.server.publish(stream('a', `item ${i}`));
    await until('all have heard all', () => clients.every(({ tail }) => tail.endsWith('item 9\r\n')));
    await held(both.server, 'stream', 1000);
});

test('a flood costs no memory for clients that do not read', async (t) => {
    const CLIENTS = 20, ITEMS = 4000, SIZE = 5000;
    const both = await pair(t);
    const clients = await streams(t, both, CLIENTS);
    const memory = () => Number(readFileSync(`/proc/${both.server.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
    const items = Array.from({ length: 100 }, () => stream('a', 'x'.repeat(SIZE)));
    const before = memory();

    clients.forEach(({ socket }) => socket.pause());
    for (let i = 0; i < ITEMS / items.length; i++)
        await until('items are taken', async () => (await both.server.publish(...items)).status === 200);
    // 20 MB for each; frames are shared, and what waits is bounded. Sanitizers keep 256 MiB of freed memory, by default.
    const sanitized = readFileSync(`/proc/${both.server.pid}/maps`, 'utf8').includes('libasan');

    assert.ok(memory() - before < (sanitized ? 420 : 100) << 20, `${memory() - before} bytes`);
    await held(both.server, 'stream', CLIENTS);
    clients.forEach(({ socket }) => socket.resume());
    await until('all hear again', async () => {
        await both.server.publish(stream('a', 'end'));
        return clients.every(({ tail }) => tail.endsWith('end\r\n'));
    });
    assert.ok(clients.every(({ heard }) => heard < ITEMS * SIZE));
});
