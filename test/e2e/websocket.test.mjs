// WebSockets through a Durable Object and through the worker itself, by the ws package.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;
let rooms = 0;

before(async () => (server = await Holdfast.dev(LAB)));
after(async () => assert.equal((await server.stop()).code, 0));

const open = (name, query = '') => Client.open(server.ws(`/lab/${name}/socket${query}`));
const room = () => `room-${++rooms}`;
const ask = async (name, verb) => (await fetch(server.url(`/lab/${name}/${verb}`))).json();

test('text is echoed as text, binary as binary', async () => {
    const a = await open(room());

    a.send('hello ä');
    assert.deepEqual(JSON.parse(await a.next()), { re: 'echo', data: 'hello ä' });
    a.send(Buffer.from([0, 255, 1]));
    assert.deepEqual(await a.next(), Buffer.from([0, 255, 1]));
    await a.close();
});

test('a thousand messages keep their order', async () => {
    const a = await open(room());

    for (let i = 0; i < 1000; i++) a.send(`${i}`);
    for (let i = 0; i < 1000; i++) assert.equal(JSON.parse(await a.next()).data, `${i}`);
    await a.close();
});

test('big messages come back whole', async () => {
    const a = await open(room());
    const bytes = Buffer.alloc(5_000_000, 'abcdefg');

    a.send(bytes);
    assert.ok(bytes.equals(await a.next()));
    await a.close();
});

test('a Durable Object has a name, an id, and one instance', async () => {
    const name = room();
    const [a, b] = [await open(name), await open(name)];
    const [one, two] = [await a.ask('who'), await b.ask('who')];

    assert.equal(one.name, name);
    assert.match(one.id, /^[0-9a-f]{64}$/);
    assert.equal(one.id, two.id);
    assert.equal(one.born, two.born);
    assert.equal(two.heard, 2);
    assert.equal(two.sockets, 2);
    assert.notEqual((await ask(room(), 'who')).id, one.id);
});

test('tags choose sockets, the oldest first; without a tag the newest first', async () => {
    const name = room();
    const a = await open(name, '?tag=red&tag=big&attach=a');
    const b = await open(name, '?tag=blue&attach=b');
    const c = await open(name, '?tag=red&attach=c');
    const said = async (tag) => (await a.ask({ do: 'sockets', tag })).attachments.map((attachment) => attachment.said);

    assert.deepEqual(await said('red'), ['a', 'c']);
    assert.deepEqual(await said('blue'), ['b']);
    assert.deepEqual(await said('none'), []);
    assert.deepEqual(await said(undefined), ['c', 'b', 'a']);
    assert.deepEqual((await a.ask('self')).tags, ['red', 'big']);
    await a.ask({ do: 'tell', tag: 'blue', data: 'only for blue' });
    assert.equal(await b.next(), 'only for blue');
    await c.quiet(50);
});

test('a message to all reaches all', async () => {
    const name = room();
    const all = await Promise.all(Array.from({ length: 50 }, () => open(name)));

    all[0].send(JSON.stringify({ do: 'tell', data: 'everybody' }));
    for (const one of all.slice(1)) assert.equal(await one.next(), 'everybody');
    assert.equal(await all[0].next(), 'everybody');
    assert.deepEqual(JSON.parse(await all[0].next()), { re: 'tell' });
});

test('attachments are kept, as copies', async () => {
    const a = await open(room(), '?attach=first');

    assert.deepEqual((await a.ask('self')).attachment, { said: 'first' });
    await a.ask({ do: 'attach', value: { list: [1, { deep: 'x' }], nothing: null } });
    assert.deepEqual((await a.ask('self')).attachment, { list: [1, { deep: 'x' }], nothing: null });
});

test('automatic answers do not reach the object', async () => {
    const a = await open(room());
    const before = (await a.ask('who')).heard;

    a.send('ping');
    assert.equal(await a.next(), 'pong');
    assert.equal((await a.ask('who')).heard, before + 1);
});

test('pings are answered', async () => {
    const a = await open(room());

    assert.equal(await a.ping('are you there'), 'are you there');
});

test('a Close of the client reaches the handler and comes back', async () => {
    const name = room();
    const a = await open(name);

    assert.deepEqual(await a.close(4001, 'that was it'), { code: 4001, reason: 'that was it' });
    assert.deepEqual((await ask(name, 'get?key=closed')).value, { code: 4001, reason: 'that was it', clean: true });
    assert.equal((await ask(name, 'who')).sockets, 0);
});

test('a lost connection is code 1006', async () => {
    const name = room();
    const a = await open(name);

    await a.ask('who');
    a.terminate();
    const { value } = await until('webSocketClose', async () => {
        const found = await ask(name, 'get?key=closed');

        return found.value && found;
    });

    assert.deepEqual(value, { code: 1006, reason: 'WebSocket disconnected without sending Close frame.', clean: false });
    assert.equal((await ask(name, 'who')).sockets, 0);
});

test('the object closes with a code and a reason', async () => {
    const name = room();
    const [a, b] = [await open(name, '?tag=x'), await open(name)];

    await ask(name, 'close?tag=x&code=4300&reason=enough');
    assert.deepEqual(await a.end(), { code: 4300, reason: 'enough' });
    assert.equal((await b.ask('who')).sockets, 1);
});

test('ctx.abort drops the sockets of that object and of no other', async () => {
    const [name, other] = [room(), room()];
    const [a, b] = [await open(name), await open(other)];

    a.send('{"do":"abort"}');
    assert.equal((await a.end()).code, 1006);
    assert.equal((await b.ask('who')).sockets, 1);
    assert.equal((await ask(name, 'who')).sockets, 0);
});

test('an exception in a handler closes nothing', async () => {
    const a = await open(room());
    const mark = server.mark();

    a.send('{"do":"throw"}');
    await server.logged('thrown on purpose', { from: mark });
    assert.equal((await a.ask('who')).heard, 2);
});

test('events of one object overlap where it waits, but not within storage', async () => {
    const name = room();
    const [a, b] = [await open(name), await open(name)];

    a.send('{"do":"sleep","ms":1500}');
    await a.quiet(50);
    assert.equal((await b.ask('who')).heard, 2);
    assert.equal(JSON.parse(await a.next()).heard, 2);
    const all = await Promise.all(Array.from({ length: 30 }, () => ask(name, 'count')));

    assert.deepEqual(all.map(({ n }) => n).sort((x, y) => x - y), Array.from({ length: 30 }, (_, i) => i + 1));
});

test('blockConcurrencyWhile keeps others out', async () => {
    const name = room();
    const [a, b] = [await open(name), await open(name)];

    a.send('{"do":"blocked","ms":600}');
    await new Promise((resolve) => setTimeout(resolve, 200));
    b.send('{"do":"who"}');
    assert.equal(JSON.parse(await a.next()).heard, 1);
    assert.equal(JSON.parse(await b.next()).heard, 2);
});

test('an accept()ed socket talks with the worker itself', async () => {
    const a = await Client.open(server.ws('/http/plain'));

    a.send('hello');
    assert.equal(await a.next(), 'plain hello');
    assert.deepEqual(await a.close(4005, 'bye'), { code: 4005, reason: 'bye' });
});

test('an upgrade that the worker refuses is an answer like any other', async () => {
    await assert.rejects(Client.open(server.ws('/http/hello')), /200/);
    await assert.rejects(Client.open(server.ws('/nowhere')), /404/);
});
