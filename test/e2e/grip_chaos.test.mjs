// Chaos: clients of every kind, an origin that answers with instructions, nonsense, halves and silence, publishers, routes
// that change meanwhile, all at random. At the end nothing is left: every gauge is at nought, the process ends well (a build
// with AddressSanitizer finds leaks then), its memory was bounded. GRIP_CHAOS_MS: how long; GRIP_CHAOS_SEED: which walk.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { event } from '../lib/grip.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { EVENTS } from '../lib/origin.mjs';
import { frame } from '../lib/peer.mjs';

const RUN_MS = Number(process.env.GRIP_CHAOS_MS ?? 12_000);
const SEED = Number(process.env.GRIP_CHAOS_SEED ?? Date.now() % 1_000_000);
const CLIENTS = Number(process.env.GRIP_CHAOS_CLIENTS ?? 60);
const THREADS = Number(process.env.GRIP_CHAOS_THREADS ?? 2);
const MEMORY = 400 << 20; // with a sanitizer's share
const CALM_MS = 60_000; // requests to an origin that were not sent are repeated for half a minute

// --- chance ---

let state = SEED || 1;

function random(below) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
}

const pick = (list) => list[random(list.length)];
const chance = (percent) => random(100) < percent;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (n) => 'x'.repeat(random(n));
const channel = () => pick(['a', 'b', 'c', 'd']);
const id = () => String(random(8));

// --- the origin ---

let isCalm = false;
const sockets = new Set();

function instruction() {
    const seq = () => (chance(40) ? `; prev-id=${id()}` : '') + (chance(20) ? `; filter=${pick(['skip-self', 'build-id', 'var-subst', 'require-sub', 'nonsense'])}` : '') + (chance(15) ? '; recover' : '');
    const fields = [
        ['Grip-Hold', pick(['response', 'stream', 'stream', 'response', 'both'])],
        ['Grip-Channel', Array.from({ length: 1 + random(3) }, () => channel() + seq()).join(', ')],
    ];

    if (chance(50)) fields.push(['Grip-Link', `<${pick(['/next', 'page?x', '//127.0.0.1:1/x', 'http://other.example/', ':::', '/hold'])}>; rel=${pick(['next', 'next', 'gone'])}; timeout=${random(3)}`]);
    if (chance(20)) fields.push(['Grip-Link', '</gone>; rel=gone']);
    if (chance(30)) fields.push(['Grip-Keep-Alive', `${pick(['\\n', 'x', '""'])}; format=${pick(['raw', 'cstring', 'base64'])}; timeout=${random(3)}; mode=${pick(['idle', 'interval'])}`]);
    if (chance(20)) fields.push(['Grip-Set-Meta', `user=${id()}, id_format=%(a)s`]);
    if (chance(20)) fields.push(['Grip-Status', pick(['201 Fine', '204', '304', '999', '0'])]);
    if (chance(30)) fields.push(['Grip-Timeout', pick(['0', '1', '5', '-1', '9999999999'])]);
    if (chance(20)) fields.push(['Content-Type', 'text/event-stream']);
    return fields.filter(() => chance(95));
}

const instruct = () =>
    chance(20)
        ? text(100)
        : JSON.stringify({
              hold: { mode: pick(['response', 'stream']), timeout: random(7), channels: [{ name: channel(), 'prev-id': chance(30) ? id() : undefined }], 'keep-alive': chance(30) ? { content: 'k', timeout: 1 } : undefined },
              response: { code: pick([200, 201, 304, 42]), body: text(500), headers: { 'X-A': 'b' } },
          });

const control = (fields) => event('TEXT', `c:${JSON.stringify(fields)}`);

function events() {
    const one = () =>
        pick([
            () => event('TEXT', `m:${text(200)}`),
            () => event('TEXT', text(50)),
            () => event('BINARY', `m:${text(70_000)}`),
            () => event('PING'),
            () => event('PONG', 'p'),
            () => control({ type: 'subscribe', channel: channel(), filters: chance(20) ? ['var-subst', 'skip-self'] : undefined }),
            () => control({ type: 'subscribe', channel: channel(), after_id: id(), gap: chance(50) ? 'gap' : undefined }),
            () => control({ type: 'unsubscribe', channel: channel() }),
            () => control({ type: 'set-meta', name: 'user', value: id() }),
            () => control({ type: 'keep-alive', content: 'k', timeout: 1 }),
            () => control({ type: 'send-delayed', content: 'd', timeout: 1 }),
            () => control({ type: 'flush-delayed' }),
            () => (chance(20) ? control({ type: 'detach' }) : ''),
            () => (chance(20) ? event('CLOSE', `\x03\xe8bye`) : ''),
            () => (chance(10) ? event('DISCONNECT') : ''),
            () => (chance(5) ? 'NONSENSE zz\r\n' : ''),
            () => (chance(5) ? 'TEXT ffffffff\r\n' : ''),
            () => (chance(10) ? event('TEXT', 'c:{') : ''),
        ])();

    return Array.from({ length: random(5) }, one).join('');
}

function answerEvents(body, response) {
    const opens = body.startsWith('OPEN') ? (chance(95) ? event('OPEN') : '') : '';
    const fields = { 'Content-Type': EVENTS };

    if (opens && chance(80)) fields['Sec-WebSocket-Extensions'] = pick(['grip', 'grip; message-prefix=""', 'grip; message-prefix="m:"']);
    if (chance(20)) fields['Keep-Alive-Interval'] = pick(['1', '20', '-1', 'x']);
    if (chance(10)) fields['Content-Bytes-Accepted'] = String(random(2000));
    if (chance(10)) fields['Set-Meta-A'] = text(20);
    if (body.includes('CLOSE') && chance(80)) return respond(response, 200, fields, opens + event('CLOSE', '\x03\xe8'));
    return respond(response, 200, fields, opens + events());
}

function respond(response, status, fields, body) {
    const list = Array.isArray(fields) ? fields : Object.entries(fields);

    if (response.destroyed || response.socket?.destroyed) return;
    response.writeHead(status, [...list, ['Content-Length', String(Buffer.byteLength(body, 'latin1'))]].flat());
    response.end(body, 'latin1');
}

/** The ways in which an origin fails. */
const evils = [
    (raw) => raw.destroy(),
    (raw) => raw.resetAndDestroy(),
    (raw) => raw.end('HTTP/1.1 200 OK\r\nContent-Le'),
    (raw) => raw.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\nGrip-Hold: stream\r\nGrip-Channel: a\r\n\r\nhalf'),
    (raw) => raw.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nGrip-Hold: stream\r\nGrip-Channel: a\r\n\r\n5\r\nhe'),
    (raw) => raw.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\nGrip-Hold: response\r\nGrip-Channel: a\r\n\r\nhangs'),
    (raw) => raw.write('HTTP/1.1 200 OK\r\n'),
    (raw) => raw.end('\x16\x03\x01 nonsense \r\n\r\n'),
    (raw) => raw.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil close'),
    (raw) => raw.end(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(80_000)}\r\n\r\n`),
    (raw) => raw.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    () => {},
];

/** A body in pieces, some of them long, perhaps never whole. */
async function trickle(response, fields) {
    response.writeHead(200, fields.flat());
    for (let i = random(6); i > 0 && !response.destroyed; i--) {
        response.write(text(chance(20) ? 200_000 : 2000));
        await wait(random(100));
    }
    if (chance(80)) response.end();
}

function answer(request, body, response) {
    const isEvents = request.headers['content-type'] === EVENTS;

    if (isCalm) return respond(response, 200, isEvents ? { 'Content-Type': EVENTS } : {}, isEvents && body.startsWith('OPEN') ? event('OPEN') : '');
    if (!response.socket) return undefined; // it is gone already
    if (chance(12)) return pick(evils)(response.socket);
    if (isEvents) return answerEvents(body, response);
    if (chance(10)) return void trickle(response, chance(60) ? instruction() : []);
    if (chance(10)) return respond(response, 200, { 'Content-Type': 'application/grip-instruct' }, instruct());
    if (chance(10)) return respond(response, pick([200, 204, 304, 404, 500]), chance(50) ? instruction() : {}, text(2000));
    return respond(response, 200, instruction(), text(chance(10) ? 300_000 : 1000));
}

function upgrade(request, raw) {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

    raw.on('error', () => {});
    if (isCalm) return raw.end('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n');
    if (chance(15)) return pick(evils)(raw);
    raw.write(`HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chance(70) ? 'Sec-WebSocket-Extensions: grip\r\n' : ''}\r\n`);
    void speak(raw, null, () => pick([`m:${text(200)}`, `c:${JSON.stringify({ type: pick(['subscribe', 'unsubscribe', 'subscribe', 'keep-alive', 'send-delayed']), channel: channel(), content: 'x', timeout: 1 })}`, chance(10) ? 'c:{"type":"detach"}' : 'x']));
}

async function openOrigin() {
    const server = createServer((request, response) => {
        const parts = [];

        request.on('data', (part) => parts.push(part));
        request.on('error', () => {});
        response.on('error', () => {});
        request.on('end', () => answer(request, Buffer.concat(parts).toString('latin1'), response));
    });

    server.on('upgrade', upgrade);
    server.on('clientError', (_, socket) => socket.destroy());
    server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => sockets.delete(socket));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
}

// --- clients ---

/** Says frames until it does not want to any more. mask null: as a server. */
async function speak(socket, mask, say) {
    for (let i = random(12); i > 0 && !socket.destroyed && !isCalm; i--) {
        const op = pick([1, 1, 1, 2, 9, 10, chance(20) ? 8 : 1, chance(5) ? 7 : 1]);
        const payload = op > 7 ? Buffer.from(op === 8 && chance(50) ? '\x03\xe8' : '', 'latin1') : Buffer.from(say());

        socket.write(frame({ op, payload, ...(mask === null ? { mask } : {}) }));
        await wait(random(150));
    }
    if (chance(50)) socket.destroy();
    else if (chance(50)) socket.end(frame({ op: 8, payload: Buffer.from('\x03\xe8', 'latin1'), ...(mask === null ? { mask } : {}) }));
}

const host = () => pick(['http', 'ws', 'woh', 'one', 'dead', 'cors', 'none', 'test']);

/** A long body only at first: an end behind more than the system's buffers hold is not heard while a response waits. */
function requestOf(isFirst) {
    const method = pick(['GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS']);
    const body = method === 'POST' ? text(isFirst && chance(20) ? 150_000 : 2000) : '';
    const more = method === 'POST' ? (chance(50) ? `Content-Length: ${body.length}\r\n\r\n${body}` : `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n${body.length ? '0\r\n\r\n' : '\r\n'}`) : '\r\n';

    return `${method} /${pick(['', 'hold', 'x?callback=cb&body=y', 'response', 'stream'])} HTTP/1.1\r\nHost: ${host()}\r\nOrigin: http://o\r\n${chance(20) ? `Last-Event-ID: ${id()}\r\n` : ''}${more}`;
}

const clients = new Set();
const KEY = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

async function client(port) {
    const socket = connect({ port, host: '127.0.0.1' });

    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    await new Promise((resolve) => {
        socket.on('error', resolve).on('connect', resolve);
    });
    if (chance(80)) socket.resume();
    if (chance(50)) {
        socket.write(`GET /${chance(20) ? 'ws' : ''} HTTP/1.1\r\nHost: ${host()}\r\n${KEY}\r\n`);
        if (chance(80)) await wait(random(100));
        await speak(socket, undefined, () => text(chance(10) ? 150_000 : 300));
    } else {
        for (let i = 0, n = 1 + random(3); i < n && !socket.destroyed; i++) {
            const request = requestOf(i === 0);

            socket.write(chance(90) ? request : request.slice(0, random(request.length)), 'latin1');
            await wait(random(400));
        }
    }
    await wait(random(1500));
    if (chance(30) && !socket.writableEnded) socket.resetAndDestroy();
    else socket.destroy();
}

// --- publishers ---

function item() {
    const close = { action: 'close', code: 1001, reason: 'r' };
    const content = pick([text(300), text(300), text(300), '%(user)s', '%I', '%', text(150_000)]);
    const formats = {
        'http-response': chance(60) ? pick([{ body: content }, { action: 'hint' }, { 'body-patch': [{ op: 'add', path: '/a', value: 1 }] }, { code: 204, body: '' }]) : undefined,
        'http-stream': chance(60) ? pick([{ content }, { content }, { content }, { action: 'hint' }, chance(20) ? close : { content }]) : undefined,
        'ws-message': chance(60) ? pick([{ content }, { content }, { 'content-bin': 'AAEC' }, { type: 'ping', content: '' }, { action: 'refresh' }, chance(20) ? close : { content }]) : undefined,
    };

    return {
        channel: channel(),
        formats,
        ...(chance(40) ? { id: id() } : {}),
        ...(chance(30) ? { 'prev-id': id() } : {}),
        ...(chance(10) ? { 'no-seq': true } : {}),
        ...(chance(20) ? { meta: { sender: id(), skip_users: id() } } : {}),
    };
}

async function publisher(control) {
    const at = (path, init) => fetch(`http://127.0.0.1:${control}${path}`, init).then((r) => r.text(), () => '');

    if (chance(85)) await at('/publish/', { method: 'POST', body: chance(95) ? JSON.stringify({ items: Array.from({ length: 1 + random(6) }, item) }) : text(100) });
    else await at(...pick([['/recover/', { method: 'POST' }], ['/channels?prefix=a'], ['/metrics']]));
    await wait(random(20));
}

// --- routes ---

function routes(port) {
    const there = `127.0.0.1:${port}`;
    const nowhere = '127.0.0.1:1';
    const more = () => pick(['', '', ',debug', ',prefix=p-', ',replace_beg=/r', ',id=r', ',sig_key=k,sig_iss=i', ',log_level=3', ',,']);

    return [
        `http${more()} ${there}`,
        `ws${more()} ${there}`,
        `woh${more()} ${there},over_http`,
        `one${more()} ${there},over_http,one_event,sub=d`,
        `dead ${nowhere} ${there}`,
        `cors,aco,jsonp_mode=${pick(['basic', 'extended'])} ${there},sub=a`,
        chance(80) ? `none,no_grip ${there}` : 'none',
        'test test',
    ].filter(() => chance(96)).join('\n');
}

// --- the walk ---

const metrics = async (server) => (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text();

const GAUGES = ['requests_open', 'upstream_open', 'upstream_waiting', 'woh_open', 'woh_pending_bytes', 'ws_origins_open', 'holds', 'grip_holds', 'grip_waiting', 'items_queued', 'items_queued_bytes', 'items_parked', 'subscriptions', 'queued_bytes'];

/** Lines of gauges that are not at nought. */
async function left(server) {
    const lines = (await metrics(server)).split('\n');

    return lines.filter((line) => GAUGES.some((name) => line.match(new RegExp(`^holdfast_${name}(?:\\{| )`))) && !line.endsWith(' 0'));
}

const ZMQ = (folder) => `[zmq]\nstats = ["tcp://127.0.0.1:*"]\npull = ["ipc://${folder}/pull"]\nsub = ["ipc://${folder}/sub"]\ncommand = "ipc://${folder}/command"\n`;

const memory = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)[1]) * 1024;

test(`a walk of ${RUN_MS / 1000} s leaves nothing behind (GRIP_CHAOS_SEED=${SEED})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
    const origin = await openOrigin();
    const file = join(folder, 'routes');
    const config = join(folder, 'holdfast.toml');

    t.after(() => {
        rmSync(folder, { recursive: true });
        for (const socket of sockets) socket.destroy();
        origin.close();
    });
    writeFileSync(file, routes(origin.address().port));
    writeFileSync(config, `threads = ${THREADS}\n[origin]\nfile = "${file}"\n${SEED % 2 ? ZMQ(folder) : ''}[publish]\nmessage_wait_ms = 500\nsubscription_linger_ms = 1000\n`);
    const server = await Holdfast.serve(['serve', '--config', config, '--port', '0', '--control', '127.0.0.1:0']);

    t.after(() => server.stop());
    const end = Date.now() + RUN_MS;
    const forever = async (step) => {
        while (Date.now() < end && !server.exit) await step();
    };

    await Promise.all([
        ...Array.from({ length: CLIENTS }, () => forever(() => client(server.port))),
        ...Array.from({ length: 3 }, () => forever(() => publisher(server.control))),
        forever(async () => {
            writeFileSync(file, routes(origin.address().port));
            await wait(300 + random(700));
        }),
    ]);
    assert.equal(server.exit, null, server.log.slice(-6000));
    assert.ok(memory(server.pid) < MEMORY, `${memory(server.pid)} bytes`);
    isCalm = true;
    await until('all clients have left', () => clients.size === 0);
    for (const socket of sockets) socket.destroy();
    await until('all gauges at nought', async () => (await left(server)).length === 0, CALM_MS).catch(async (error) => {
        throw new Error(`${error.message}: ${await left(server)}`);
    });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
