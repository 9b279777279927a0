// What GRIP promises, case by case: those that need a whole process, time, or both sides to be seen. Where the others are
// is in grip_cases.md.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GET, GRIP, POLL, STREAM, UPGRADE, ask, chunk, control, event, held, hears, message, overHttp, response, stream, tell } from '../lib/grip.mjs';
import { until } from '../lib/holdfast.mjs';
import { Origin, gateway, pair } from '../lib/origin.mjs';
import { Peer } from '../lib/peer.mjs';
import { scratch } from './app.mjs';

const JSON_TYPE = 'application/grip-instruct';
const FAILED = 'Error while proxying to origin.\n';

/** An origin and a gateway that does not ask again when a channel gets its first subscriber: that would come in between. */
function calm(t, options) {
    const folder = scratch(t, { 'holdfast.toml': '[publish]\nupdate_on_first_subscription = false\n' });

    return pair(t, { args: ['--config', join(folder, 'holdfast.toml')], ...options });
}

// Most of the time they wait for it.
const cases = (name, body) => describe(name, { concurrency: 8 }, body);
const seconds = (n) => new Promise((resolve) => setTimeout(resolve, n * 1000));

/** The whole answer to one request that the origin answers so. */
async function answer({ origin, server }, status, headers, body = '') {
    const asked = fetch(server.url('/'));

    (await origin.next()).answer(status, headers, body);
    const { status: code, statusText, headers: fields, ...got } = await asked;

    return { status: code, reason: statusText, fields, text: await (await asked).text(), ...got };
}

/** A stream whose head and body have come. */
async function streaming(t, both, headers, body = 'open\n') {
    const client = await ask(t, both, { ...STREAM, ...headers }, body);
    const head = await client.head();

    await hears(client, body);
    await held(both.server, 'stream', 1);
    return { client, head };
}

/** The rest of a poll: its head and its body. */
async function end(client) {
    const head = await client.head();

    return { ...head, text: (await client.body(head)).toString('latin1') };
}

// The first group waits longest, the others run beside it.
describe('GRIP', { concurrency: 2 }, () => {
    cases('a WebSocket over HTTP', () => {
        test('an idle origin is asked after its interval, which is 20 seconds at least, until it says 0', async (t) => {
            const { origin, open } = await overHttp(t);
            const began = Date.now();
            const socket = await open({ headers: { 'Keep-Alive-Interval': '5' } });
            const asked = await origin.next();

            assert.equal(asked.body, '');
            assert.ok(Date.now() - began >= 19_900);
            asked.events(event('TEXT', 'still here'), { 'Keep-Alive-Interval': '0' });
            assert.equal(await socket.hear(), 'text still here');
            await origin.quiet(1000);
        });

        test('a client that leaves before it is let in is not asked for again and again', async (t) => {
            const { origin, server } = await overHttp(t);
            const peer = await Peer.open(server.port);

            await peer.say(UPGRADE);
            (await origin.next()).events('', { 'Keep-Alive-Interval': '20' });
            await peer.quiet(100);
            peer.close();
            const last = await origin.next();

            assert.equal(last.body, 'DISCONNECT\r\n');
            last.events();
            await origin.quiet(1500);
        });

        test('an origin that is away for four seconds gets everything, in order', async (t) => {
            const { origin, open } = await overHttp(t);
            const socket = await open();
            const { port } = origin;

            await origin.close();
            for (const text of ['one', 'two', 'three']) await socket.say(text);
            await seconds(4);
            const back = await Origin.open({ port });

            t.after(() => back.close());
            for (const body of [event('TEXT', 'one'), event('TEXT', 'two') + event('TEXT', 'three')]) {
                const asked = await back.next();

                assert.equal(asked.body, body);
                asked.events();
            }
        });

        test('what is no control message changes nothing, for longer than ten seconds', async (t) => {
            const { origin, open } = await overHttp(t);
            const socket = await open({ headers: GRIP });
            const bad = ['c:', 'c:{', 'c:[]', 'c:{"type":"publish"}', 'c:{"type":"subscribe"}', 'c:{"type":"subscribe","channel":1}', 'c:{"type":"keep-alive","content":1}', 'c:{"type":"send-delayed","timeout":-1,"content":"x"}'];

            await tell(origin, socket, bad.map((text) => event('TEXT', text)).join(''));
            await socket.peer.quiet(11_000);
            await tell(origin, socket, event('TEXT', 'm:alive'));
            assert.equal(await socket.hear(), 'text alive');
        });

        test('twenty channels count', async (t) => {
            const { origin, server, open } = await overHttp(t);
            const socket = await open({ headers: GRIP });
            const names = Array.from({ length: 25 }, (_, i) => `c${i}`);

            await tell(origin, socket, names.map((channel) => control({ type: 'subscribe', channel })).join('') + event('TEXT', 'm:ok'));
            assert.equal(await socket.hear(), 'text ok');
            await server.publish(...[...names].reverse().map((name) => message(name, { content: name })), message('c0', { content: 'end' }));
            const heard = [];

            while (heard.at(-1) !== 'text end') heard.push(await socket.hear());
            assert.deepEqual(heard.slice(0, -1), names.slice(0, 20).reverse().map((name) => `text ${name}`));
        });
    });

    cases('a poll', () => {
        test('the published answer has its own status and replaces fields by name', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { ...POLL, 'X-T': '1', 'X-U': '2' });

            await held(both.server, 'response', 1);
            await both.server.publish(response('a', { code: 201, reason: 'Mine', headers: { 'X-T': 'new', 'Grip-Foo': 'x' }, body: 'hi' }));
            const { status, reason, fields, text } = await end(client);

            assert.deepEqual([status, reason, fields.get('x-t'), fields.get('x-u'), fields.get('grip-foo'), text], [201, 'Mine', 'new', '2', undefined, 'hi']);
        });

        test('a list of pairs keeps repeated fields in their order', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { ...POLL, X: 'old' });

            await held(both.server, 'response', 1);
            await both.server.publish(response('a', { headers: [['X', 'b'], ['Y', '1'], ['X', 'a']], body: '' }));
            assert.equal((await end(client)).fields.get('x'), 'b, a');
        });

        for (const [said, least] of [['6', 6], ['1', 5]])
            test(`Grip-Timeout: ${said} is ${least} seconds, and then the origin's answer comes`, async (t) => {
                const both = await calm(t);
                const began = Date.now();
                const client = await Peer.open(both.server.port);

                t.after(() => client.close());
                await client.say(GET);
                (await both.origin.next()).answer(500, { ...POLL, 'Grip-Timeout': said }, 'nothing new');
                const { status, text } = await end(client);

                assert.deepEqual([status, text], [500, 'nothing new'], 'held, whatever its status');
                assert.ok(Date.now() - began >= least * 1000 - 50);
            });

        test('a JSON instruction is the whole answer of the time-out, and fields of the response are not', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { 'Content-Type': JSON_TYPE, 'X-Http': '1' }, '{"hold":{"channels":[{"name":"a"}],"timeout":5},"response":{"code":404,"headers":{"X-Json":"1"},"body-bin":"aGk="}}');
            const { status, fields, text } = await end(client);

            assert.deepEqual([status, text, fields.get('x-json'), fields.get('x-http'), fields.get('content-type')], [404, 'hi', '1', undefined, undefined]);
        });

        test('who knows of an older item than the last one is asked for again at once', async (t) => {
            const both = await calm(t);
            const first = await ask(t, both, { ...POLL, 'Grip-Channel': 'a' });

            await held(both.server, 'response', 1);
            await both.server.publish(response('a', { body: 'two' }, { id: '2' }));
            assert.equal((await end(first)).text, 'two');
            await first.say('POST /again HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody');
            (await both.origin.next()).answer(200, { ...POLL, 'Grip-Channel': 'a; prev-id=1' });
            const again = await both.origin.next();

            assert.deepEqual([again.method, again.url, again.body, again.headers['grip-last']], ['POST', '/again', 'body', 'a; last-id=1']);
            again.answer(200, {}, 'caught up');
            assert.equal((await end(first)).text, 'caught up');
        });

        test('the link for who has gone is told once, and not when the request is repeated', async (t) => {
            const both = await calm(t);
            const gone = { ...POLL, 'Grip-Link': '</gone>; rel=gone' };
            const client = await ask(t, both, gone);

            await held(both.server, 'response', 1);
            await both.server.publish(response('a', { action: 'hint' }));
            const again = await both.origin.next();

            assert.equal(again.method, 'GET');
            again.answer(200, gone);
            await held(both.server, 'response', 1);
            await both.origin.quiet(200);
            await both.server.publish(response('a', { body: 'done' }));
            assert.equal((await end(client)).text, 'done');
            const told = await both.origin.next();

            assert.deepEqual([told.method, told.url, told.body, told.headers['content-length']], ['POST', '/gone', '', '0']);
            told.answer(200);
            client.close();
            await both.origin.quiet(200);
        });

        test('a patch changes the held JSON', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { ...POLL, 'Content-Type': 'application/json' }, '{"a":1,"b":[1,2]}\n');

            await held(both.server, 'response', 1);
            await both.server.publish(response('a', { 'body-patch': [{ op: 'replace', path: '/a', value: 2 }, { op: 'remove', path: '/b/0' }] }));
            const { text } = await end(client);

            assert.deepEqual(JSON.parse(text), { a: 2, b: [2] });
            assert.ok(text.endsWith('\n'));
        });
    });

    cases('a stream', () => {
        test('an old client gets no chunks', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, STREAM, 'open\n', 'GET / HTTP/1.0\r\nHost: h\r\n\r\n');
            const { fields } = await client.head();

            assert.equal(fields.get('transfer-encoding'), undefined);
            assert.equal(String(await client.bytes(5)), 'open\n');
            await held(both.server, 'stream', 1);
            await both.server.publish(stream('a', 'm1\n'));
            assert.equal(String(await client.bytes(3)), 'm1\n');
            await both.server.publish({ channel: 'a', formats: { 'http-stream': { action: 'close' } } });
            await client.eof();
        });

        test('items of other kinds are not for it, and accepted', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both);

            assert.equal((await both.server.publish(message('a', { content: 'x' }))).status, 200);
            await client.quiet(200);
        });

        test('its status may be another', async (t) => {
            const both = await calm(t);

            assert.deepEqual((({ status, reason }) => [status, reason])((await streaming(t, both, { 'Grip-Status': '202 Acc' })).head), [202, 'Acc']);
            const { status, reason, text } = await answer(both, 200, { 'Grip-Status': '404' }, 'no');

            assert.deepEqual([status, reason, text], [404, 'Not Found', 'no']);
        });

        test('fields and lists of channels add up, and twenty of them count', async (t) => {
            const both = await calm(t);
            const names = Array.from({ length: 25 }, (_, i) => `c${i}`);
            const client = await ask(t, both, [...Object.entries({ ...STREAM, 'Grip-Channel': names.slice(0, 5).join(', ') }), ['Grip-Channel', names.slice(5).join(',')]]);

            await client.head();
            await held(both.server, 'stream', 1);
            await both.server.publish(...[...names].reverse().map((name) => stream(name, 'x')), stream('c0', '.'));
            await hears(client, `${'x'.repeat(20)}.`);
        });

        test('what is sent when nothing else is', async (t) => {
            const heard = async (value, want) => {
                const both = await calm(t);
                const { client } = await streaming(t, both, { 'Grip-Keep-Alive': value });

                for (let i = 0; i < 2; i++) assert.equal(await chunk(client), want, value);
            };

            await Promise.all([heard('x\\n; format=cstring; timeout=2', 'x\n'), heard('a2EK; format=base64; timeout=1', 'ka\n'), heard('\\x41\\\\; format=cstring; timeout=0', 'A\\'), heard('\\t; format=cstring; timeout=1', '\t')]);
        });

        for (const [mode, beats] of [['idle', false], ['interval', true]])
            test(`a keep-alive of the mode ${mode} ${beats ? 'comes whatever else does' : 'waits for silence'}`, async (t) => {
                const both = await calm(t);
                const { client } = await streaming(t, both, { 'Grip-Keep-Alive': `K; timeout=5; mode=${mode}` });
                let heard = '';

                // Four to five seconds is the time; an item each 300 ms never leaves so much silence.
                for (let i = 0; i < 18; i++) {
                    await both.server.publish(stream('a', '.'));
                    await seconds(0.3);
                    while (client.pending.length) heard += await chunk(client);
                }
                assert.equal(heard.includes('K'), beats, heard);
                if (!beats) assert.equal(await chunk(client), 'K');
            });

        test('a JSON instruction has the only fields', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { 'Content-Type': `${JSON_TYPE}; charset=utf-8`, 'X-Http': '1' },
                '{"hold":{"mode":"stream","channels":[{"name":"a"}],"keep-alive":{"content":"K","timeout":1}},"response":{"headers":[["X-Json","1"]],"body":"open"}}');
            const { status, fields } = await client.head();

            assert.deepEqual([status, fields.get('x-json'), fields.get('x-http'), fields.get('content-type')], [200, '1', undefined, undefined]);
            await hears(client, 'open');
            assert.equal(await chunk(client), 'K');
            await both.server.publish(stream('a', 'item'));
            for (let text = ''; text !== 'item';) text = await chunk(client);
        });

        test('with a place in its channel and no link it ends behind its body', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { ...STREAM, 'Grip-Channel': 'a; prev-id=1' }, 'open\n');

            await client.head();
            await hears(client, 'open\n');
            assert.equal(await client.line(), '0');
        });

        test('items that come in the wrong order are put right', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both, { 'Grip-Channel': 'a; prev-id=5', 'Grip-Link': '</next>; rel=next' });
            const item = (id) => stream('a', `${id} `, { id: String(id), 'prev-id': String(id - 1) });

            await both.server.publish(item(6));
            await both.server.publish(item(8));
            await both.server.publish(item(7));
            await hears(client, '6 7 8 ');
            await both.server.publish(item(8));
            await both.server.publish(item(9));
            await hears(client, '9 ');
            await both.origin.quiet(100);
        });

        test('an item that is missing is waited for, and then asked for', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both, { 'Grip-Channel': 'a; prev-id=5', 'Grip-Link': '</next>; rel=next' });

            await both.server.publish(stream('a', '6', { id: '6', 'prev-id': '5' }));
            await hears(client, '6');
            const began = Date.now();

            await both.server.publish(stream('a', '9', { id: '9', 'prev-id': '8' }));
            const asked = await both.origin.next();

            assert.deepEqual([asked.method, asked.url, asked.headers['grip-last']], ['GET', '/next', 'a; last-id=6']);
            assert.ok(Date.now() - began >= 4900, 'five seconds');
            asked.answer(200, { ...STREAM, 'Grip-Channel': 'a; prev-id=9', 'Grip-Link': '</next>; rel=next' }, '789');
            await hears(client, '789');
            await both.server.publish(stream('a', 'x', { id: '10', 'prev-id': '9' }));
            await hears(client, 'x');
        });

        test('an item that need not wait does not', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both);

            await both.server.publish(stream('a', '1', { id: '1' }));
            await hears(client, '1');
            const began = Date.now();

            await both.server.publish(stream('a', '9', { id: '9', 'prev-id': '8', 'no-seq': true }));
            await hears(client, '9');
            assert.ok(Date.now() - began < 4000, 'no five seconds');
        });

        test('an id is delivered once', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both);

            for (const id of ['1', '1', '2', '1']) await both.server.publish(stream('a', id, { id }));
            await both.server.publish(stream('a', '.'));
            await hears(client, '12.');
        });

        test('a hint asks for the link at once', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both, { 'Grip-Channel': 'a; prev-id=5', 'Grip-Link': '</next>; rel=next' });

            await both.server.publish({ channel: 'a', formats: { 'http-stream': { action: 'hint' } } });
            const asked = await both.origin.next();

            assert.deepEqual([asked.url, asked.headers['grip-last']], ['/next', 'a; last-id=5']);
            asked.answer(200, {}, 'last words');
            await hears(client, 'last words');
            assert.equal(await client.line(), '0', 'neither hold nor link: the end');
        });

        test('a link that fails is tried again, later and later', async (t) => {
            const both = await calm(t);
            const client = await ask(t, both, { 'Grip-Link': '</next>; rel=next' }, 'A');
            const times = [];

            for (const status of [500, 500, 200]) {
                const asked = await both.origin.next();

                times.push(Date.now());
                asked.answer(status, {}, status === 200 ? 'B' : 'error');
            }
            await client.head();
            await hears(client, 'AB');
            assert.equal(await client.line(), '0');
            assert.ok(times[1] - times[0] >= 950 && times[2] - times[1] >= 1950, times.join(' '));
        });

        test('the first subscriber of a channel is refreshed once, a second later', async (t) => {
            const both = await pair(t);
            const { client } = await streaming(t, both, { 'Grip-Link': '</next>; rel=next' });
            const asked = await both.origin.next();

            assert.equal(asked.url, '/next');
            asked.answer(200, { ...STREAM, 'Grip-Link': '</next>; rel=next' }, 'fresh');
            await hears(client, 'fresh');
            await both.origin.quiet(1500);
        });
    });

    cases('filters', () => {
        const meta = { 'Grip-Set-Meta': 'user=alice' };
        const filtered = (t, both, names) => streaming(t, both, { ...meta, 'Grip-Channel': `a${names.map((name) => `; filter=${name}`).join('')}, b` });

        test('who sent it, who is to be skipped, who must be subscribed', async (t) => {
            const both = await calm(t);
            const { client } = await filtered(t, both, ['skip-self', 'skip-users', 'require-sub', 'no-such-filter']);

            for (const [text, fields] of [['1', { sender: 'alice' }], ['2', { sender: 'bob' }], ['3', { skip_users: 'bob, alice' }], ['4', { skip_users: 'bob' }], ['5', { require_sub: 'b' }], ['6', { require_sub: 'c' }]])
                await both.server.publish(stream('a', text, { meta: fields }));
            await both.server.publish(stream('a', '.'));
            await hears(client, '245.');
        });

        test('metadata goes into a text; a text that wants more is dropped, and the stream stays', async (t) => {
            const both = await calm(t);
            const { client } = await filtered(t, both, ['var-subst']);

            for (const text of ['hi %(user)s 100%%', '%(nobody)s', '!']) await both.server.publish(stream('a', text));
            await hears(client, 'hi alice 100%!');
        });

        test('content for others is passed over, with debug too', async (t) => {
            const both = await calm(t, { condition: '*,debug' });
            const { client } = await filtered(t, both, ['var-subst']);
            const only = (text, filters) => ({ channel: 'a', formats: { 'http-stream': { content: text, 'content-filters': filters } } });

            await both.server.publish(only('no', []), only('no', ['build-id']), only('yes', ['var-subst']));
            await hears(client, 'yes');
        });

        test('on a WebSocket a text that wants more is dropped as well', async (t) => {
            const { server, open } = await overHttp(t);
            const socket = await open({ headers: GRIP, body: `OPEN\r\n${control({ type: 'set-meta', name: 'user', value: 'alice' })}${control({ type: 'subscribe', channel: 'a', filters: ['skip-self', 'var-subst'] })}` });

            await server.publish(message('a', { content: '%(nobody)s' }));
            await server.publish(message('a', { content: 'x' }, { meta: { sender: 'alice' } }));
            await server.publish(message('a', { content: 'hi %(user)s' }));
            assert.equal(await socket.hear(), 'text hi alice');
        });

        test('an id in the body and in items', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both, {
                'Grip-Channel': 'a; prev-id=7; filter=build-id', 'Grip-Link': '</next>; rel=next', 'Grip-Set-Meta': 'id_format="%(a)s"',
            }, 'open\n');

            await both.server.publish(stream('a', 'id %I\n', { id: '8', 'prev-id': '7' }));
            await hears(client, 'id 8\n');
        });
    });

    test('instructions that are wrong are a bad gateway, and with debug it says why', async (t) => {
        const both = await calm(t);
        const debug = { origin: both.origin, server: await gateway(t, `*,debug 127.0.0.1:${both.origin.port}`) };
        const hold = (fields) => [200, { ...STREAM, ...fields }, ''];
        const json = (body, status = 200) => [status, { 'Content-Type': JSON_TYPE }, body];
        const keep = (value) => hold({ 'Grip-Keep-Alive': value });
        const filters = 'a; filter=skip-self; filter=skip-users; filter=require-sub; filter=build-id; filter=var-subst; filter=skip-self';

        for (const [args, why] of [
            [hold({ 'Grip-Hold': 'foo' }), "Grip-Hold must be set to either 'response' or 'stream'"],
            [hold({ 'Grip-Hold': 'Stream' }), "Grip-Hold must be set to either 'response' or 'stream'"],
            [hold({ 'Grip-Channel': filters }), "too many filters for channel 'a'"],
            [hold({ 'Grip-Hold': 'response', 'Grip-Timeout': 'abc' }), 'failed to parse Grip-Timeout'],
            [hold({ 'Grip-Hold': 'response', 'Grip-Timeout': '-1' }), 'Grip-Timeout has invalid value'],
            [keep(''), 'Grip-Keep-Alive cannot be empty'],
            [keep('x; format=zzz'), "no such Grip-Keep-Alive format 'zzz'"],
            [keep('x; mode=zzz'), "no such Grip-Keep-Alive mode 'zzz'"],
            [keep('x; timeout=zzz'), 'failed to parse Grip-Keep-Alive timeout value'],
            [keep('x; timeout=-1'), 'Grip-Keep-Alive timeout has invalid value'],
            [keep('\\xZZ; format=cstring'), 'failed to parse Grip-Keep-Alive cstring format'],
            [hold({ 'Grip-Set-Meta': '=x' }), 'Grip-Set-Meta cannot be empty'],
            [hold({ 'Grip-Status': 'x' }), 'Grip-Status contains invalid status code'],
            [hold({ 'Grip-Status': '1000' }), 'Grip-Status contains invalid status code'],
            [hold({ 'Grip-Link': '/next; rel=next' }), 'failed to parse Grip-Link value'],
            [hold({ 'Grip-Link': '</next>; rel=next; timeout=x' }), 'failed to parse Grip-Link timeout value'],
            [hold({ 'Grip-Link': '</next>; rel=next; timeout=-1' }), 'Grip-Link timeout has invalid value'],
            [json('{}', 201), 'response code for application/grip-instruct content must be 200'],
            [json('{'), 'failed to parse application/grip-instruct content as JSON'],
            [json('[]'), 'instruct must be an object'],
            [json('{"hold":{"mode":"stream"}}'), "hold does not contain 'channels'"],
            [json('{"hold":{"mode":"x","channels":[]}}'), "hold 'mode' must be set to either 'response' or 'stream'"],
        ]) {
            const { status, reason, fields, text } = await answer(both, ...args);

            assert.deepEqual([status, reason, fields.get('content-type'), text], [502, 'Bad Gateway', 'text/plain', FAILED], why);
            assert.equal((await answer(debug, ...args)).text, `Failed to parse accept instructions: ${why}\n`);
        }
        const empty = await answer(both, ...json('{}'));

        assert.deepEqual([empty.status, empty.text], [200, '']);
    });

    cases('publishing', () => {
        test('formats may stand in the item itself; one bad item refuses all', async (t) => {
            const both = await calm(t);
            const { client } = await streaming(t, both);
            const { status, text } = await both.server.publish({ channel: 'a', 'http-stream': { content: 'no' } }, { channel: 'a' });

            assert.deepEqual([status, text], [400, 'Invalid format: no formats specified\n']);
            await both.server.publish({ channel: 'a', 'http-stream': { content: 'yes' } });
            await hears(client, 'yes');
        });

        test('each takes its own format of one item', async (t) => {
            const { origin, server, open } = await overHttp(t);
            const socket = await open({ headers: GRIP, body: `OPEN\r\n${control({ type: 'subscribe', channel: 'a' })}` });
            const poll = await ask(t, { origin, server }, POLL);
            const { client } = await streaming(t, { origin, server });

            await held(server, 'response', 1);
            await server.publish({ channel: 'a', formats: { 'http-response': { body: 'to the poll' }, 'http-stream': { content: 'to the stream' }, 'ws-message': { content: 'to the socket' } } });
            assert.equal((await end(poll)).text, 'to the poll');
            await hears(client, 'to the stream');
            assert.equal(await socket.hear(), 'text to the socket');
        });
    });
});
