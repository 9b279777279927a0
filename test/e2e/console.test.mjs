// What an application prints, and where its errors say they are: the file and line that were written, not the bundle's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Holdfast } from '../lib/holdfast.mjs';
import { LAB } from './app.mjs';

let server;

before(async () => (server = await Holdfast.dev(LAB)));
after(async () => assert.equal((await server.stop()).code, 0));

/** The line of a source file that holds this text, counted from 1. */
const lineOf = (file, text) => readFileSync(join(LAB, file), 'utf8').split('\n').findIndex((line) => line.includes(text)) + 1;

test('console lines carry their place in the source', async () => {
    const mark = server.mark();

    await fetch(server.url('/http/console'));
    const log = await server.logged('a logged error', { from: mark });

    assert.match(log, new RegExp(`http\\.ts:${lineOf('http.ts', 'a line')}`));
    assert.match(log, /a line \{ with: \[ ?'an', 'object' ?\] \} 42/);
    assert.match(log, new RegExp(`http\\.ts:${lineOf('http.ts', 'a warning')}`));
    assert.match(log, /a warning/);
});

test('an uncaught error carries its stack in the source', async () => {
    const mark = server.mark();

    await fetch(server.url('/http/throw'));
    const log = await server.logged('thrown on purpose', { from: mark });

    assert.match(log, /Error: thrown on purpose/);
    assert.match(log, new RegExp(`http\\.ts:${lineOf('http.ts', "throw new Error('thrown on purpose')")}:\\d+`));
});

test('an error in a Durable Object too', async () => {
    const mark = server.mark();
    const { status } = await fetch(server.url('/lab/console/throw'));

    assert.equal(status, 500);
    assert.match(await server.logged('thrown on purpose', { from: mark }), new RegExp(`worker\\.ts:${lineOf('worker.ts', "throw new Error('thrown on purpose')")}:\\d+`));
});

test('in dev a 500 shows the error to the client', async () => {
    const answer = await fetch(server.url('/http/throw'));

    assert.equal(answer.status, 500);
    assert.match(await answer.text(), new RegExp(`thrown on purpose[^]*http\\.ts:${lineOf('http.ts', "throw new Error('thrown on purpose')")}`));
});
