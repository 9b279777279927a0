// An idle Durable Object leaves memory, then its worker process ends. Sockets, tags, attachments and storage stay.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, childrenOf, isAlive, until } from '../lib/holdfast.mjs';
import { LAB, hello, scratch } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(LAB, { args: ['--actor-idle-ms', '300', '--worker-idle-ms', '700', '--control', '127.0.0.1:0'] })));
after(async () => assert.equal((await server.stop()).code, 0));

const open = (name, query = '') => Client.open(server.ws(`/lab/${name}/socket${query}`));
const asleep = () => until('the worker is asleep', async () => (await server.status()).worker.state === 'asleep');

test('the instance goes, its socket stays, the next message finds everything again', async () => {
    const a = await open('one', '?tag=red&attach=kept');
    const b = await open('one', '?tag=blue');
    const before = await a.ask('who');

    assert.equal(before.sockets, 2);
    await asleep();
    const after = await a.ask('who');

    assert.notEqual(after.born, before.born, 'a new instance');
    assert.equal(after.id, before.id);
    assert.equal(after.name, 'one');
    assert.equal(after.heard, 1);
    assert.equal(after.sockets, 2);
    assert.deepEqual(await a.ask('self'), { re: 'self', tags: ['red'], attachment: { said: 'kept' } });
    await a.ask({ do: 'tell', tag: 'blue', data: 'found by its tag' });
    assert.equal(await b.next(), 'found by its tag');
    await a.close();
    await b.close();
});

test('the process is gone while everybody sleeps', async () => {
    const a = await open('two');

    await a.ask('who');
    const { worker } = await server.status();

    assert.equal(worker.state, 'running');
    assert.ok(isAlive(worker.pid));
    await asleep();
    await until('the process is gone', () => !isAlive(worker.pid) && childrenOf(server.pid).length === 0);
    assert.equal((await server.status()).sockets.hibernatable, 1);
    assert.equal((await a.ask('who')).sockets, 1);
    assert.notEqual((await server.status()).worker.pid, worker.pid);
    await a.close();
});

test('automatic answers and pings wake nobody', async () => {
    const a = await open('three');

    await a.ask('who');
    await asleep();
    const { starts } = (await server.status()).worker;

    for (let i = 0; i < 5; i++) {
        a.send('ping');
        assert.equal(await a.next(), 'pong');
        assert.equal(await a.ping(`${i}`), `${i}`);
    }
    assert.equal((await server.status()).worker.state, 'asleep');
    assert.equal((await server.status()).worker.starts, starts);
    assert.equal((await a.ask('who')).heard, 1);
    await a.close();
});

test('a Close wakes the object for its handler', async () => {
    const a = await open('four');

    await a.ask('who');
    await asleep();
    assert.deepEqual(await a.close(4009, 'while asleep'), { code: 4009, reason: 'while asleep' });
    const { value } = await (await fetch(server.url('/lab/four/get?key=closed'))).json();

    assert.deepEqual(value, { code: 4009, reason: 'while asleep', clean: true });
});

test('an alarm wakes a process that is gone', async () => {
    const a = await open('five');

    await a.ask({ do: 'alarm', ms: 2500 });
    await asleep();
    assert.equal(await a.next(), 'alarm');
    const { runs, next } = await a.ask('alarms');

    assert.equal(runs.length, 1);
    assert.equal(next, null);
    await a.close();
});

test('waiting code keeps the object awake', async () => {
    const a = await open('six');
    const { born } = await a.ask('who');

    a.send('{"do":"sleep","ms":1500}');
    assert.deepEqual(JSON.parse(await a.next()), { re: 'sleep', heard: 2 });
    assert.equal((await a.ask('who')).born, born);
    await a.close();
});

test('an accept()ed socket keeps the process', async () => {
    const a = await Client.open(server.ws('/http/plain'));

    a.send('x');
    await a.next();
    const { pid } = (await server.status()).worker;

    await a.quiet(2000);
    a.send('still there');
    assert.equal(await a.next(), 'plain still there');
    assert.equal((await server.status()).worker.pid, pid);
    await a.close();
});

test('what happened is in the log and in the metrics', async () => {
    assert.match(server.log, /actor\.sleep|hibernat|asleep/i);
    const control = server.log.match(/door=control at=127\.0\.0\.1:(\d+)/)?.[1];

    assert.ok(control, 'the log says where the control listener is');
    const metrics = await (await fetch(`http://127.0.0.1:${control}/metrics`)).text();

    assert.match(metrics, /^holdfast_\w*(wake|hibernat|sleep)\w*(\{.*\})? [1-9]/m);
});

test('a process that answered without waiting for anything goes, too', async (t) => {
    const folder = scratch(t, { 'app.js': hello() });
    const one = await Holdfast.dev(`${folder}/app.js`, { args: ['--worker-idle-ms', '300'] });

    t.after(() => one.stop());
    assert.equal(await (await fetch(one.url())).text(), 'hello');
    await until('the process is gone', async () => (await one.status()).worker.state === 'asleep');
    assert.equal(await (await fetch(one.url())).text(), 'hello');
});
