// The same questions to Holdfast and to workerd: expected.json is what workerd 1.20261117.1 answered (compatibility date
// 2026-11-01) when it ran test/e2e/apps/conformance. Where we answer otherwise on purpose, the answer and the reason are here.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { Holdfast } from '../lib/holdfast.mjs';

const APP = fileURLToPath(new URL('apps/conformance', import.meta.url));
const expected = JSON.parse(readFileSync(join(APP, 'expected.json'), 'utf8'));

const without = (event) => (value) => JSON.parse(JSON.stringify(value, (_, v) => (Array.isArray(v) ? v.filter((line) => line !== event) : v)));
const at = (i, ours) => (value) => value.map((v, j) => (j === i ? ours : v));
const AFTER_THE_END = without('b error Uncaught Error: Network connection lost.');

// name -> what becomes of workerd's answer, and why
const OURS = {
    // A socket that was closed in good order has no error behind its close event.
    'pair: what was sent before the other accepts': AFTER_THE_END,
    'close: without a code': AFTER_THE_END,
    'close: with a code, and what the listener sees': AFTER_THE_END,
    'close: half open': AFTER_THE_END,
    // The peer of a socket whose listener threw is told so by an error, too, and is CLOSED then.
    'event: a listener that throws': () => [
        'b message throw', 'b error Uncaught Error: boom', 'a error Uncaught Error: Network connection lost.',
        'a close 1006 WebSocket disconnected without sending Close frame. false state 3',
    ],
    // An element of a list in a result can be asked for.
    'call: pipelining': at(3, 2),
    // The standard: an event that cannot be cancelled was not.
    'events: once, objects, preventDefault': at(1, true),
    // Other words.
    'client: nobody there': at(0, /^ws error Uncaught Error: .*127\.0\.0\.1 port 1/),
    'alarm: set and get': at(7, 'TypeError TypeError: The value cannot be converted because it is not a valid Date.'),
    crypto: at(5, /^DOMException NotSupportedError: .*SHA-999/),
    // An AbortError that the application caused is not marked as worth another try.
    abort: (value) => JSON.parse(JSON.stringify(value).replaceAll(' [retryable]', '')),
};

let server;

before(async () => (server = await Holdfast.dev(APP)));
after(async () => assert.equal((await server.stop()).code, 0));

/** Equal, but that a RegExp stands for every string that it matches. */
function same(answer, wanted, place) {
    if (wanted instanceof RegExp) return assert.match(answer, wanted, place);
    if (!Array.isArray(wanted) || !Array.isArray(answer)) return assert.deepEqual(answer, wanted, place);
    assert.equal(answer.length, wanted.length, place);
    for (const [i, part] of wanted.entries()) same(answer[i], part, `${place}[${i}]`);
}

test('the questions are the ones that were answered', async () => {
    assert.deepEqual((await (await fetch(server.url('/'))).json()).sort(), Object.keys(expected).sort());
});

for (const [name, value] of Object.entries(expected))
    test(name, async () => {
        const answer = await (await fetch(server.url(`/${encodeURIComponent(name)}`), { signal: AbortSignal.timeout(PATIENCE_MS) })).json();

        same('value' in answer ? answer.value : answer, OURS[name] ? OURS[name](value) : value, name);
    });
