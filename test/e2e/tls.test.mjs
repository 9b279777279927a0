// TLS, and Unix sockets: what curl and node see of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch, write } from './app.mjs';

const APP = `export default {
    fetch(request) {
        if (request.headers.get('upgrade') !== 'websocket') return new Response(request.url + ' ' + request.cf.tlsVersion);
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener('message', (event) => server.send(event.data));
        return new Response(null, { status: 101, webSocket: client });
    },
};`;

const writeAll = (folder, files) => Object.entries(files).forEach(([path, text]) => write(folder, path, text));
const curl = (...args) => execFileSync('curl', ['-sS', '--max-time', '10', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

function certificate(folder, stem, name) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${name}`,
        '-addext', `subjectAltName=DNS:${name}`, '-keyout', join(folder, `${stem}.key`), '-out', join(folder, `${stem}.pem`)], { stdio: 'ignore' });
}

// The common name of what a client of that name is shown.
function shown(port, servername) {
    return new Promise((resolve, reject) => {
        const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
            resolve(socket.getPeerCertificate().subject.CN);
            socket.destroy();
        });

        socket.on('error', reject);
    });
}

/** Asks for / on a new connection; resolves with what came and the session to go on with. */
function ask(port, options) {
    return new Promise((resolve, reject) => {
        const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'], ...options });
        const seen = { text: '', session: null };

        socket.on('session', (session) => (seen.session = session));
        socket.on('error', reject);
        socket.setEncoding('utf8').on('data', (text) => (seen.text += text));
        socket.on('end', () => resolve({ ...seen, reused: socket.isSessionReused(), alpn: socket.alpnProtocol, version: socket.getProtocol() }));
        socket.write('GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n');
    });
}

test('dev --https makes a certificate that curl and WebSocket clients verify', async (t) => {
    const folder = scratch(t);

    writeAll(folder, { 'app.js': APP });
    const server = await Holdfast.dev(join(folder, 'app.js'), { args: ['--https'], state: join(folder, 'state') });

    t.after(() => server.stop());
    assert.match(server.out, /^ready https:\/\/127\.0\.0\.1:\d+$/m);
    const authority = server.log.match(/(\S+authority\.pem) can sign for localhost only/)[1];

    for (const host of ['localhost', '127.0.0.1'])
        assert.equal(curl('--cacert', authority, `https://${host}:${server.port}/a?b`), `https://${host}:${server.port}/a?b TLSv1.3`);
    assert.equal(curl('--cacert', authority, '--tls-max', '1.2', `https://localhost:${server.port}/`), `https://localhost:${server.port}/ TLSv1.2`);
    assert.throws(() => curl(`https://localhost:${server.port}/`), /certificate/);
    assert.match(curl(`http://localhost:${server.port}/`), /This port speaks HTTPS/);
    await until('the failed handshakes in the log', () => /tls\.failed.*http request/.test(server.log));
    const socket = new WebSocket(`wss://localhost:${server.port}/`, { ca: readFileSync(authority) });
    const big = 'x'.repeat(300_000);

    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send(big);
    const [data] = await new Promise((resolve) => socket.once('message', (...args) => resolve(args)));

    assert.equal(String(data), big);
    socket.close(1000);
    const [code] = await new Promise((resolve) => socket.once('close', (...args) => resolve(args)));

    assert.equal(code, 1000);
    assert.equal(statSync(authority.replace('.pem', '.key')).mode & 0o777, 0o600);
});

test('serve takes certificates by name, and SIGHUP reads them again', async (t) => {
    const folder = scratch(t);

    writeAll(folder, {
        'app.js': APP,
        'holdfast.toml': `state = "state"
threads = 2
[[listen]]
port = 0
tls = { certificates = [{ cert = "one.pem", key = "one.key" }, { cert = "two.pem", key = "two.key" }] }
[[app]]
path = "app.js"
name = "app"
`,
    });
    certificate(folder, 'one', 'one.test');
    certificate(folder, 'two', 'two.test');
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    assert.equal(await shown(server.port, 'one.test'), 'one.test');
    assert.equal(await shown(server.port, 'two.test'), 'two.test');
    assert.equal(await shown(server.port, 'three.test'), 'one.test');
    certificate(folder, 'two', 'three.test');
    server.signal('SIGHUP');
    await until('the new certificate', async () => (await shown(server.port, 'three.test')) === 'three.test');
    writeAll(folder, { 'one.pem': 'rubbish' });
    server.signal('SIGHUP');
    await until('the log to say so', () => /tls\.unchanged.*one\.pem: expected a PEM certificate/.test(server.log));
    assert.equal(await shown(server.port, 'three.test'), 'three.test');
});

test('a session resumes at any edge, and when the certificates were read again', async (t) => {
    const folder = scratch(t);

    writeAll(folder, {
        'app.js': APP,
        'holdfast.toml': `threads = 3
[[listen]]
port = 0
tls = { certificates = [{ cert = "one.pem", key = "one.key" }] }
[[app]]
path = "app.js"
name = "app"
`,
    });
    certificate(folder, 'one', 'one.test');
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml')]);

    t.after(() => server.stop());
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
        let { session, ...first } = await ask(server.port, { maxVersion });

        assert.deepEqual([first.reused, first.alpn, first.version], [false, 'http/1.1', maxVersion]);
        for (let i = 0; i < 8; i++) {
            if (i === 4) server.signal('SIGHUP');
            const next = await ask(server.port, { maxVersion, session });

            assert.equal(next.reused, true);
            assert.ok(next.text.endsWith(` ${maxVersion}`));
            session = next.session ?? session;
        }
    }
});

test('a certificate that cannot be used is said at the start', async (t) => {
    const folder = scratch(t);

    writeAll(folder, {
        'app.js': APP,
        'holdfast.toml': '[[listen]]\nport = 0\ntls = { certificates = [{ cert = "no.pem", key = "no.key" }] }\n[[app]]\npath = "app.js"\nname = "app"\n',
    });
    const run = await Holdfast.run(['serve', '--config', join(folder, 'holdfast.toml')]);

    assert.equal(run.code, 2);
    assert.match(run.log, /no\.pem: cannot be read: No such file/);
});

test('a Unix socket, for two edges, replaces a stale one and goes with the program', async (t) => {
    const folder = scratch(t);
    const path = join(folder, 'http.sock');

    writeAll(folder, {
        'app.js': APP,
        'holdfast.toml': '[[listen]]\nhost = "unix:http.sock"\nmode = "660"\n[[listen]]\nport = 0\n[[app]]\npath = "app.js"\nname = "app"\n',
    });
    execFileSync('python3', ['-c', 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])', path]);
    const server = await Holdfast.serve(['serve', '--config', join(folder, 'holdfast.toml'), '--threads', '2']);

    t.after(() => server.stop());
    assert.match(server.out, /^ready unix:http\.sock$/m);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    for (let i = 0; i < 8; i++) {
        const answer = await new Promise((resolve, reject) => {
            httpRequest({ socketPath: path, path: '/x', headers: { host: 'unix.test' } }, (response) => {
                response.setEncoding('utf8').on('data', resolve);
            }).on('error', reject).end();
        });

        assert.equal(answer, 'http://unix.test/x undefined');
    }
    await server.stop();
    assert.ok(!existsSync(path));
});
