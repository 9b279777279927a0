// What Durable Objects store, across requests, instances, processes and the whole program.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from '../lib/client.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;
let state;

const start = async () => (server = await Holdfast.dev(LAB, { state }));

before(async () => {
    state = mkdtempSync(join(tmpdir(), 'holdfast-state-'));
    await start();
});
after(async () => {
    assert.equal((await server.stop()).code, 0);
    rmSync(state, { recursive: true, force: true });
});

const open = (name) => Client.open(server.ws(`/lab/${name}/socket`));
const ask = async (name, verb) => (await fetch(server.url(`/lab/${name}/${verb}`))).json();

test('put, get, delete', async () => {
    const a = await open('kv');
    const value = { text: 'ä€😀', list: [1, 2.5, -3, null, true], nested: { deep: { er: 'x' } } };

    assert.equal((await a.ask({ do: 'get', key: 'k' })).value, undefined);
    await a.ask({ do: 'put', key: 'k', value });
    assert.deepEqual((await a.ask({ do: 'get', key: 'k' })).value, value);
    assert.equal((await a.ask({ do: 'delete', key: 'k' })).existed, true);
    assert.equal((await a.ask({ do: 'delete', key: 'k' })).existed, false);
    await a.close();
});

test('list: order, ranges, prefix, limit, reverse', async () => {
    const a = await open('list');

    for (const key of ['b', 'é', 'a', 'Z', 'aa', 'x']) await a.ask({ do: 'put', key, value: key.length });
    const keys = async (options) => (await a.ask({ do: 'list', options })).entries.map(([key]) => key);

    assert.deepEqual(await keys({}), ['Z', 'a', 'aa', 'b', 'x', 'é']);
    assert.deepEqual(await keys({ reverse: true }), ['é', 'x', 'b', 'aa', 'a', 'Z']);
    assert.deepEqual(await keys({ prefix: 'a' }), ['a', 'aa']);
    assert.deepEqual(await keys({ start: 'a', end: 'b' }), ['a', 'aa']);
    assert.deepEqual(await keys({ startAfter: 'a', limit: 2 }), ['aa', 'b']);
    assert.deepEqual(await keys({ prefix: 'a', reverse: true, limit: 1 }), ['aa']);
    await a.close();
});

test('objects do not see each other\'s storage', async () => {
    await ask('mine', 'put?key=k&value=mine');
    assert.equal((await ask('yours', 'get?key=k')).value, undefined);
    assert.equal((await ask('mine', 'get?key=k')).value, 'mine');
});

test('a transaction is all or nothing', async () => {
    const a = await open('txn');

    assert.deepEqual(await a.ask({ do: 'transaction', value: 1 }), { re: 'transaction', done: true });
    assert.deepEqual(await a.ask({ do: 'transaction', value: 2, fail: true }), { re: 'transaction', error: 'rolled back on purpose' });
    assert.equal((await a.ask({ do: 'get', key: 't' })).value, 1);
    await a.close();
});

test('an alarm fires at its time, and once', async () => {
    const a = await open('alarm');
    const { at } = await a.ask({ do: 'alarm', ms: 300 });

    assert.equal(await a.next(), 'alarm');
    assert.ok(Date.now() >= at);
    await a.quiet(500);
    const { runs, next } = await a.ask('alarms');

    assert.equal(runs.length, 1);
    assert.ok(runs[0].at >= at && runs[0].at < at + 20_000, `${runs[0].at - at} ms late`);
    assert.equal(runs[0].retryCount, 0);
    assert.equal(next, null);
    await a.close();
});

test('an alarm that fails comes again', async () => {
    const a = await open('retry');

    await a.ask({ do: 'alarm', ms: 50, fail: 1 });
    assert.equal(await a.next(), 'alarm');
    const { runs } = await a.ask('alarms');

    assert.deepEqual(runs.map(({ retryCount, isRetry }) => [retryCount, isRetry]), [[0, false], [1, true]]);
    assert.ok(runs[1].at - runs[0].at >= 1500, `after ${runs[1].at - runs[0].at} ms`);
    await a.close();
});

test('everything is there after a restart, and alarms that were due meanwhile fire', async () => {
    for (let i = 0; i < 20; i++) await ask(`kept-${i}`, `put?key=k&value=${i}`);
    await ask('kept-alarm', 'alarm?ms=600');
    await ask('kept-later', 'alarm?ms=4000');
    const { id } = await ask('kept-0', 'who');

    assert.equal((await server.stop()).code, 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await start();
    await until('the alarm that was due', async () => (await ask('kept-alarm', 'alarms')).runs.length === 1);
    assert.equal((await ask('kept-0', 'who')).id, id);
    for (let i = 0; i < 20; i++) assert.equal((await ask(`kept-${i}`, 'get?key=k')).value, `${i}`);
    await until('the other alarm', async () => (await ask('kept-later', 'alarms')).runs.length === 1);
});

test('everything is there after kill -9 of the whole program', async () => {
    const a = await open('hard');

    for (let i = 0; i < 50; i++) await a.ask({ do: 'put', key: `k${i}`, value: i });
    await ask('hard-alarm', 'alarm?ms=1500');
    await server.stop('SIGKILL');
    await start();
    const b = await open('hard');

    assert.equal((await b.ask({ do: 'list', options: {} })).entries.filter(([key]) => key.startsWith('k')).length, 50);
    await until('the alarm', async () => (await ask('hard-alarm', 'alarms')).runs.length === 1);
    await b.close();
});
