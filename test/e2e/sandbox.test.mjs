// What a worker process can reach: its links and its state folder, nothing else.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Holdfast } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;
let pid;

before(async () => {
    server = await Holdfast.dev(LAB);
    await fetch(server.url('/lab/sandbox/put?key=a&value=b'));
    ({ pid } = (await server.status()).worker);
});
after(async () => assert.equal((await server.stop()).code, 0));

const status = (name) => readFileSync(`/proc/${pid}/status`, 'latin1').match(new RegExp(`^${name}:\\s+(\\S+)`, 'm'))?.[1];

test('a system call filter is on, and privileges cannot come back', () => {
    assert.equal(status('Seccomp'), '2');
    assert.equal(status('NoNewPrivs'), '1');
    assert.equal(status('CapEff'), '0000000000000000');
});

test('it has no descriptors but its links, its storage and its own', () => {
    const own = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));

    for (const path of own.filter((path) => path.startsWith('/') && !/\/(dev\/|memfd:)|\/proc\/(self|\d+)\/statm$/.test(path)))
        assert.ok(path.includes(server.state), `an open file outside the state folder: ${path}`);
    assert.ok(!own.some((path) => /^socket:/.test(path) && readFileSync(`/proc/${pid}/net/tcp`, 'latin1').includes(` ${path.match(/\d+/)[0]} `)), 'no TCP socket');
});

test('what could not be applied is in the log, or the network and mount namespaces are its own', () => {
    const differs = (kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`);

    for (const kind of ['net', 'mnt'])
        assert.ok(differs(kind) || /sandbox[^\n]*(namespace|net|mount)/i.test(server.log), `${kind} namespace is shared and the log does not say so`);
});

test('strict runs a complete sandbox or refuses to run', async () => {
    try {
        const strict = await Holdfast.dev(LAB, { args: ['--sandbox', 'strict'] });

        assert.equal((await fetch(strict.url('/http/hello'))).status, 200);
        assert.equal((await strict.stop()).code, 0);
    } catch (error) {
        assert.match(error.message, /sandbox/i);
    }
});

test('off is off', async () => {
    const off = await Holdfast.dev(LAB, { args: ['--sandbox', 'off'] });

    assert.equal((await fetch(off.url('/http/hello'))).status, 200);
    const worker = (await off.status()).worker.pid;

    assert.match(readFileSync(`/proc/${worker}/status`, 'latin1'), /^Seccomp:\s+0/m);
    assert.equal((await off.stop()).code, 0);
});
