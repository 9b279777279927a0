// The access log: a line for each request and WebSocket, and what happens when its file moves or takes nothing.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const APP = `export default {
    async fetch(request) {
        if (request.url.endsWith('/never')) return new Promise((resolve) => { console.log('asked'); setTimeout(resolve, 4000); });
        if (request.headers.get('upgrade') !== 'websocket') return new Response('hello', { status: 201 });
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener('message', ({ data }) => server.send(data + data));
        server.addEventListener('close', () => server.close());
        return new Response(null, { status: 101, webSocket: client });
    },
};`;

async function serve(t, settings, args = []) {
    const folder = scratch(t, {
        'app.js': APP,
        'holdfast.toml': `state = "state"\ncontrol = "127.0.0.1:0"\n${settings}\n[[listen]]\nport = 0\n[[app]]\npath = "app.js"\nname = "app"\n`,
    });
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml'), ...args]);

    t.after(() => server.stop());
    return { server, folder };
}

const lines = (path) => readFileSync(path, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
// Holds a pipe open for reading and reads nothing.
const connectReader = (pipe) => spawn('sh', ['-c', `exec 3<"${pipe}"; exec sleep 60`], { stdio: 'ignore' });
const say = (port, bytes) => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let heard = '';

    socket.setEncoding('latin1').on('data', (text) => (heard += text)).on('error', () => {}).on('close', () => resolve(heard));
});

test('every request and WebSocket is a line of JSON in the file', async (t) => {
    const { server, folder } = await serve(t, '[log]\nformat = "json"\naccess = "access.log"');
    const log = join(folder, 'access.log');
    const found = async (what, match) => until(what, () => lines(log).find(match));

    await fetch(server.url('/x?a=1'), { headers: { referer: 'http://here/', 'user-agent': 'tester "1"' } });
    const worker = await found('a request', (line) => line.target === '/x?a=1');

    assert.deepEqual({ ...worker, time: 0, ms: 0 }, {
        time: 0, level: 'info', event: 'request', app: 'app', client: '127.0.0.1', method: 'GET', target: '/x?a=1', status: 201,
        bytes: 5, ms: 0, referer: 'http://here/', agent: 'tester "1"',
    });
    assert.ok(Math.abs(new Date(worker.time) - Date.now()) < 60_000 && Number.isInteger(worker.ms));
    await fetch(server.url('/a'), { method: 'HEAD' });
    assert.equal((await found('an answer without a body', (line) => line.method === 'HEAD')).bytes, 0);
    await say(server.port, 'nonsense\r\n\r\n');
    assert.equal((await found('a malformed request', (line) => line.error)).status, 400);

    const gone = connect(server.port, '127.0.0.1', () => gone.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n'));

    await server.logged('asked');
    gone.destroy();
    assert.deepEqual((({ client, status, bytes, cut }) => ({ client, status, bytes, cut }))(await found('a client that left', (line) => line.target === '/never')), { client: '127.0.0.1', status: 499, bytes: 0, cut: true });

    const socket = new WebSocket(server.ws('/talk'));

    await new Promise((resolve) => socket.on('open', resolve));
    socket.send('abc');
    await new Promise((resolve) => socket.on('message', resolve));
    assert.ok(!lines(log).some((line) => line.target === '/talk'), 'its line comes at its end');
    socket.close(4001, 'enough');
    const talk = await found('a WebSocket', (line) => line.target === '/talk');

    assert.deepEqual({ ...talk, time: 0, ms: 0 }, {
        time: 0, level: 'info', event: 'socket', app: 'app', client: '127.0.0.1', target: '/talk', code: 4001, bytes: 6,
        received: 3, messages_out: 1, messages_in: 1, ms: 0,
    });
});

test('a file that is moved away is made anew', async (t) => {
    const { server, folder } = await serve(t, '[log]\nformat = "text"\naccess = "access.log"');
    const log = join(folder, 'access.log');

    await fetch(server.url('/one'));
    await until('the first line', () => readFileSync(log, 'utf8').includes('target="/one"'));
    assert.match(readFileSync(log, 'utf8'), /^\d\d:\d\d:\d\d\.\d{3} info  request app="app" client="127.0.0.1" method="GET" target="\/one" status=201 bytes=5 ms=\d+ /);
    renameSync(log, `${log}.1`);
    await until('a new file', async () => {
        await fetch(server.url('/two'));
        return readFileSync(log, 'utf8').includes('target="/two"');
    });
    assert.ok(readFileSync(`${log}.1`, 'utf8').includes('target="/one"'));
});

test('a pipe that nobody reads costs lines, not answers', async (t) => {
    const folder = scratch(t);
    const pipe = join(folder, 'pipe');

    execFileSync('mkfifo', [pipe]);
    const reader = connectReader(pipe);

    t.after(() => reader.kill());
    const { server } = await serve(t, '', ['--access-log', pipe]);
    const control = server.control;
    const agent = 'x'.repeat(400);

    await until('lost lines', async () => {
        await Promise.all(Array.from({ length: 50 }, () => fetch(server.url('/'), { headers: { 'user-agent': agent } })));
        const metrics = await (await fetch(`http://127.0.0.1:${control}/metrics`)).text();

        return Number(metrics.match(/^holdfast_access_lines_lost_total (\d+)/m)[1]) > 0;
    });
    assert.equal((await fetch(server.url('/'))).status, 201);
});

test('- is standard error', async (t) => {
    const { server } = await serve(t, '', ['--access-log', '-', '--log', 'text']);

    await fetch(server.url('/here'));
    await until('the line', () => /request app=\S+ client=\S+ method=\S+ target="\/here" status=201/.test(server.log));
});

test('a file that cannot be opened is told at the start', async (t) => {
    const folder = scratch(t, { 'app.js': APP });
    const { code, log } = await Holdfast.run(['dev', join(folder, 'app.js'), '--port', '0', '--state', join(folder, 's'), '--access-log', '/nowhere/access.log']);

    assert.notEqual(code, 0);
    assert.match(log, /\/nowhere\/access\.log cannot be written: No such file or directory/);
});
