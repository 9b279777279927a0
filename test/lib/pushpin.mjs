// Debian's Pushpin beside ours: both run the same pushpin.conf and routes, in a folder of their own, at ports of their own, so
// that a service of the package may run as well.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from './bell.mjs';
import { Holdfast, until } from './holdfast.mjs';

const PROGRAMS = ['/usr/bin/pushpin', '/usr/bin/condure', '/usr/bin/zurl'];
const INSTALL = fileURLToPath(new URL('../../tools/install-packages', import.meta.url));
const STOP_MS = 5_000;
const HELD_MS = 2_000;
const WARM = 'is.it.ready'; // a host of its own

const isThere = () => PROGRAMS.every((path) => existsSync(path));

/** False, or why there is nothing to compare with. On a Debian the packages are installed; that they cannot be is an error. */
export function missing() {
    if (isThere()) return false;
    if (!existsSync('/usr/bin/dpkg-query')) return "needs Debian's packages pushpin and zurl";
    execFileSync(INSTALL, ['test'], { stdio: ['ignore', 'inherit', 'inherit'] });
    return false;
}

function conf(folder, { http, publish, pull, command }, more) {
    const inner = (name) => `ipc://${folder}/zurl-${name}`;

    return `[global]
include={libdir}/internal.conf
rundir=${folder}
ipc_prefix=
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${http}
logdir=${folder}
log_level=2
client_buffer_size=8192
client_maxconn=1000
condure_bin=condure
zurl_bin=zurl
[proxy]
routesfile=routes
zurl_out_specs=${inner('in')}
zurl_out_stream_specs=${inner('in-stream')}
zurl_in_specs=${inner('out')}
sig_key=changeme
${more.proxy ?? ''}
[handler]
push_in_spec=tcp://127.0.0.1:${pull}
push_in_http_addr=127.0.0.1
push_in_http_port=${publish}
command_spec=tcp://127.0.0.1:${command}
message_rate=2500
message_hwm=25000
${more.handler ?? ''}
`;
}

const isOpen = (port) => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() && true)).on('error', () => resolve(false));
});

/** A server whose answer needs all processes of Pushpin: they find one another after they listen, and lose messages before. */
async function warmServer() {
    const server = createServer((request, response) => {
        if (request.url === '/') response.setHeader('Grip-Link', '</next>; rel=next');
        else response.setHeader('Grip-Hold', 'stream').setHeader('Grip-Channel', WARM);
        response.end(request.url === '/' ? 'page' : ' held');
    });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
}

const isReady = (port) => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET / HTTP/1.1\r\nHost: ${WARM}\r\nConnection: close\r\n\r\n`));
    const late = setTimeout(() => socket.destroy(), HELD_MS);
    let text = '';

    socket.setEncoding('latin1').on('error', () => {}).on('close', () => {
        clearTimeout(late);
        resolve(text.includes(' held'));
    });
    socket.on('data', (part) => (text += part).includes(' held') && socket.destroy());
});

function writeFiles(name, at, ports, routes, more, warm) {
    const folder = join(at, name);

    mkdirSync(folder);
    writeFileSync(join(folder, 'routes'), `${routes[name] ?? routes}${WARM} 127.0.0.1:${warm}\n`);
    writeFileSync(join(folder, 'pushpin.conf'), conf(folder, ports, more));
    return `--config=${join(folder, 'pushpin.conf')}`;
}

/**
 * Both of them, until the test ends. folder: theirs; ports: eight free ones; routes: the file's text, or {theirs, ours};
 * more: lines of the sections, {proxy, handler}. Returns {theirs, ours}, each {port, publish, pull, command}.
 */
export async function both(t, folder, ports, routes, more = {}) {
    const [theirs, ours] = [ports.slice(0, 4), ports.slice(4)].map(([http, publish, pull, command]) => ({ http, publish, pull, command }));
    const warm = await warmServer();
    const child = spawn(PROGRAMS[0], [writeFiles('theirs', folder, theirs, routes, more, warm.address().port), '--merge-output'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));

    t.after(async () => {
        warm.closeAllConnections();
        warm.close();
        const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);

        child.kill('SIGTERM');
        await ended;
        clearTimeout(late);
    });
    const server = await Holdfast.serve(['pushpin', writeFiles('ours', folder, ours, routes, more, warm.address().port)]);

    t.after(() => server.stop());
    await until("Debian's pushpin answers", async () => (await isOpen(theirs.publish)) && isReady(theirs.http));
    return { theirs: { ...theirs, port: theirs.http }, ours: { ...ours, port: ours.http } };
}

/** What comes for these bytes until the connection ends, or for so long. */
export function raw(port, bytes, ms = PATIENCE_MS) {
    return new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        const late = setTimeout(() => socket.destroy(), ms);
        let text = '';

        socket.setEncoding('latin1').on('data', (part) => (text += part)).on('error', (error) => (text += error.code));
        socket.on('close', () => {
            clearTimeout(late);
            resolve(text);
        });
        socket.write(bytes);
    });
}
