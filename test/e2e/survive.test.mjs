// The worker process dies in every way; hibernatable sockets and answered writes do not.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(LAB, { args: ['--cpu-ms', '400', '--memory-mb', '256'] })));
after(async () => assert.equal((await server.stop()).code, 0));
afterEach(() => assert.equal(server.exit, null, 'the gateway lives'));

const open = (name, query = '') => Client.open(server.ws(`/lab/${name}/socket${query}`));
const ask = async (name, verb) => (await fetch(server.url(`/lab/${name}/${verb}`))).json();

test('kill -9: sockets, tags and attachments stay, the next message is answered by a new process', async () => {
    const name = 'killed';
    const [a, b] = [await open(name, '?tag=t&attach=x'), await open(name)];
    const before = await a.ask('who');

    await a.ask({ do: 'put', key: 'k', value: [1, 2] });
    const pid = await server.killWorker();
    const after = await a.ask('who');

    assert.notEqual(after.born, before.born);
    assert.equal(after.sockets, 2);
    assert.deepEqual(await a.ask('self'), { re: 'self', tags: ['t'], attachment: { said: 'x' } });
    assert.deepEqual((await a.ask({ do: 'get', key: 'k' })).value, [1, 2]);
    await b.ask({ do: 'tell', tag: 't', data: 'over there' });
    assert.equal(await a.next(), 'over there');
    assert.notEqual((await server.status()).worker.pid, pid);
    await server.logged(/worker/i);
});

test('an event that was not finished is delivered again, once', async () => {
    const a = await open('again');

    a.send('{"do":"put-then-sleep","key":"times","ms":1500}');
    await until('the write', async () => (await ask('again', 'get?key=times')).value === 1);
    await server.killWorker();
    assert.deepEqual(JSON.parse(await a.next()), { re: 'put-then-sleep', times: 2 });
    await a.quiet(600);
    assert.equal((await ask('again', 'get?key=times')).value, 2);
});

test('messages that come while the process is gone are answered in their order', async () => {
    const a = await open('order');

    await a.ask('who');
    const killed = server.killWorker();

    for (let i = 0; i < 100; i++) a.send(`${i}`);
    await killed;
    for (let i = 0; i < 100; i++) assert.equal(JSON.parse(await a.next()).data, `${i}`);
});

test('a request under way is told, the next one is answered', async () => {
    const slow = fetch(server.url('/lab/slow/put-then-sleep?key=begun&ms=60000'));

    await until('it has begun', async () => (await ask('slow', 'get?key=begun')).value === 1);
    await server.killWorker();
    assert.equal((await slow).status, 503);
    assert.equal((await fetch(server.url('/http/hello'))).status, 200);
});

test('accept()ed sockets close with 1011', async () => {
    const a = await Client.open(server.ws('/http/plain'));

    a.send('x');
    await a.next();
    await server.killWorker();
    assert.equal((await a.end()).code, 1011);
});

test('an event that loops for ever twice costs its own socket, nobody else\'s', async () => {
    const [a, b] = [await open('loops'), await open('loops')];
    const c = await open('bystander');
    const mark = server.mark();

    a.send('{"do":"loop"}');
    assert.equal((await a.end()).code, 1011);
    await server.logged(/CPU/i, { from: mark });
    assert.equal((await b.ask('who')).sockets, 1);
    assert.equal((await c.ask('who')).sockets, 1);
});

test('an event that eats all memory twice costs its own socket, nobody else\'s', async () => {
    const [a, b] = [await open('leaks'), await open('leaks')];
    const mark = server.mark();

    a.send('{"do":"leak"}');
    assert.equal((await a.end(60_000)).code, 1011);
    await server.logged(/memory/i, { from: mark });
    assert.equal((await b.ask('who')).sockets, 1);
});

test('a request that loops or leaks is answered with an error, and the next one is fine', async () => {
    for (const path of ['/http/loop', '/http/leak']) {
        const { status } = await fetch(server.url(path));

        assert.ok(status === 503 || status === 500, `${path}: ${status}`);
        assert.equal(await (await fetch(server.url('/http/hello'))).text(), 'hello');
    }
});

test('ten kills in a row under traffic', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => open(`storm-${i % 5}`)));

    for (let round = 0; round < 10; round++) {
        const answers = all.map((one) => one.ask({ do: 'echo', data: `${round}` }));

        await server.killWorker().catch(() => {}); // between two processes there is none to kill
        for (const [i, answer] of (await Promise.all(answers)).entries()) assert.equal(answer.data, `${round}`, `socket ${i}`);
    }
    for (const one of all) assert.equal(one.closed, null);
});
