// Files and command lines that people have: routes, pushpin.conf, the name `pushpin`, and a server in bash.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Holdfast, program, until } from '../lib/holdfast.mjs';
import { Origin, gateway } from '../lib/origin.mjs';
import { scratch } from './app.mjs';

const DOCS = fileURLToPath(new URL('../../docs/grip.md', import.meta.url));
const BASH = fileURLToPath(new URL('../../examples/bash/origin.sh', import.meta.url));
const PUBLIC = ['--port', '0', '--control', '127.0.0.1:0'];

async function origin(t) {
    const one = await Origin.open();

    t.after(() => one.close());
    return one;
}

/** What the origin answers to a request of that path, through the gateway. */
async function ask(server, one, path, text) {
    const response = fetch(server.url(path));

    (await one.next()).answer(200, {}, text);
    return (await response).text();
}

/** A port that nobody has for now. */
async function freePort() {
    const server = createServer();

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();

    await new Promise((resolve) => server.close(resolve));
    return port;
}

const controlOf = (server) => server.out.match(/^control (http:\S+)$/m)[1];

test('a routes file is read again when it changes; bad lines are told and skipped', async (t) => {
    const folder = scratch(t);
    const file = join(folder, 'routes');
    const [a, b] = [await origin(t), await origin(t)];

    writeFileSync(file, `* 127.0.0.1:${a.port}\nnonsense\n`);
    const server = await Holdfast.serve(['serve', '--routes', file, ...PUBLIC]);

    t.after(() => server.stop());
    await server.logged(`${file}:2: warning: must specify condition and at least one target`);
    assert.equal(await ask(server, a, '/1', 'from a'), 'from a');

    writeFileSync(file, `*,path_beg=/b 127.0.0.1:${b.port}\n* 127.0.0.1:${a.port}\n`);
    await server.logged(/app\.reload app=default routes=2/);
    assert.equal(await ask(server, b, '/b/1', 'from b'), 'from b');

    const mark = server.mark();

    rmSync(file);
    await server.logged(/app\.unchanged/, { from: mark });
    assert.equal(await ask(server, a, '/2', 'still a'), 'still a');
});

test('a hold stays when the routes change', async (t) => {
    const folder = scratch(t);
    const file = join(folder, 'routes');
    const one = await origin(t);

    writeFileSync(file, `* 127.0.0.1:${one.port}\n`);
    const server = await Holdfast.serve(['serve', '--routes', file, ...PUBLIC]);

    t.after(() => server.stop());
    const held = fetch(server.url('/'));

    (await one.next()).answer(200, { 'Grip-Hold': 'stream', 'Grip-Channel': 'a' }, 'held\n');
    const reader = (await held).body.getReader();
    const text = async () => Buffer.from((await reader.read()).value).toString();

    assert.equal(await text(), 'held\n');
    writeFileSync(file, '* test\n');
    await server.logged(/app\.reload app=default routes=1/);
    const { code, out } = await Holdfast.run(['publish', '--to', controlOf(server), 'a', 'hello']);

    assert.equal(code, 0);
    assert.equal(out, 'Published\n');
    assert.equal(await text(), 'hello\n');
    await reader.cancel();
});

test('a program that starts pushpin can start this one', async (t) => {
    const folder = scratch(t);
    const one = await origin(t);
    const [http, publish] = [await freePort(), await freePort()];

    symlinkSync(program, join(folder, 'pushpin'));
    writeFileSync(join(folder, 'routes'), `id=main,replace_beg=/base 127.0.0.1:${one.port},over_http,host=backend.example\n`);
    writeFileSync(join(folder, 'local.conf'), `[global]
include={libdir}/internal.conf
rundir=${folder}/run
[runner]
services=condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${http}
[proxy]
routesfile=routes
accept_pushpin_route=true
sig_iss=viceroy
sig_key=viceroy_dev_signing_key_dont_use_in_production
[handler]
push_in_http_addr=127.0.0.1
push_in_http_port=${publish}
stats_spec=ipc://{rundir}/{ipc_prefix}stats
`);
    const server = await Holdfast.serve([`--config=${join(folder, 'local.conf')}`, '--verbose'], { program: join(folder, 'pushpin') });

    t.after(() => server.stop());
    await until('a line that ends in "started"', () => /started$/m.test(server.out));
    assert.equal(server.port, http);
    assert.equal(controlOf(server), `http://127.0.0.1:${publish}`);
    const response = fetch(server.url('/x'), { headers: { 'Pushpin-Route': 'main' } });
    const asked = await one.next();

    assert.equal(asked.url, '/base/x');
    assert.equal(asked.headers.host, 'backend.example');
    assert.ok(asked.headers['grip-sig']);
    asked.answer(200, {}, 'ok');
    assert.equal(await (await response).text(), 'ok');
    assert.equal((await fetch(server.url('/x'))).status, 502, 'no route without the field');
    assert.equal((await server.stop('SIGTERM')).code, 0);
});

test('a server in bash gets event streams and WebSockets', async (t) => {
    const port = await freePort();
    const server = await gateway(t, `* 127.0.0.1:${port},over_http`);
    const bash = spawn(BASH, [String(port), String(server.control)], { stdio: ['ignore', 'ignore', 'inherit'] });

    t.after(() => bash.kill());
    await until('nc listens', async () => (await fetch(server.url('/'), { method: 'POST', body: 'first' })).status === 200);
    const reader = (await fetch(server.url('/'))).body.getReader();
    const text = async () => Buffer.from((await reader.read()).value).toString();

    assert.equal(await text(), 'data: welcome\n\n');
    const socket = new WebSocket(server.ws('/ws'));
    const messages = [];

    socket.on('message', (data) => messages.push(String(data)));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));

    const written = await fetch(server.url('/'), { method: 'POST', body: 'a "wall"\nof text' });

    assert.equal(await written.text(), 'written\n');
    assert.equal(await text(), 'data: a "wall"\ndata: of text\n\n');
    await until('the wall is seen', () => messages.includes('a "wall"\nof text'));
    socket.send('from a socket');
    assert.equal(await text(), 'data: from a socket\n\n');
    await until('its own line', () => messages.includes('from a socket'));
    const closed = new Promise((resolve) => socket.on('close', resolve));

    socket.close(1000);
    assert.equal(await closed, 1000);
    await reader.cancel();
});

/** The servers of docs/grip.md, in its order, each at a port of its own. */
function fromDocs(t, port) {
    const blocks = [...readFileSync(DOCS, 'utf8').matchAll(/^( *)```js\n([^]*?)^\1```$/gm)].map((found) => found[2]);
    const file = join(scratch(t), 'origin.mjs');

    return (i) => {
        const head = blocks[i].includes('import ') ? '' : "import { createServer } from 'node:http';\n";

        writeFileSync(file, head + blocks[i].replace('listen(3000)', `listen(${port}, '127.0.0.1')`));
        const child = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'inherit'] });

        t.after(() => child.kill());
    };
}

test('the first steps of docs/grip.md work', async (t) => {
    const port = await freePort();
    const server = await gateway(t, `* 127.0.0.1:${port}`);

    fromDocs(t, port)(0);
    const response = await until('the origin answers', async () => {
        const one = await fetch(server.url('/'));

        return one.status === 200 && one;
    });
    const reader = response.body.getReader();
    const text = async () => Buffer.from((await reader.read()).value).toString();

    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.equal(await text(), 'data: welcome\n\n');
    assert.equal((await Holdfast.run(['publish', 'news', 'data: hello\n'], { env: { GRIP_URL: controlOf(server) } })).code, 0);
    assert.equal(await text(), 'data: hello\n\n', 'a whole event, blank line and all');
    assert.deepEqual(await server.publish({ channel: 'news', formats: { 'http-stream': { content: 'data: hello\n\n' } } }), { status: 200, text: 'Published\n' });
    assert.equal(await text(), 'data: hello\n\n');
    await reader.cancel();
});

test('the WebSocket server of docs/grip.md works', async (t) => {
    const port = await freePort();
    const server = await gateway(t, `* 127.0.0.1:${port},over_http`);

    fromDocs(t, port)(1);
    await until('the origin answers', async () => (await fetch(server.url('/'))).status === 200);
    const socket = new WebSocket(server.ws('/'));
    const heard = [];

    socket.on('message', (data) => heard.push(String(data)));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send('m:hello');
    await until('the echo', () => heard.includes('hello'));
    assert.equal((await Holdfast.run(['publish', '--to', controlOf(server), 'news', 'to all'])).code, 0);
    await until('the message', () => heard.includes('to all'));
    const closed = new Promise((resolve) => socket.on('close', resolve));

    socket.close(1000);
    assert.equal(await closed, 1000);
});
