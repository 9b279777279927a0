// The servers of the bench: each entry starts one on a free port of the loopback and returns
// {pid, url(path), atRest(), stop()}. atRest() waits until nothing more is going to be freed or put to sleep.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { family } from './proc.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const holdfast = process.env.HOLDFAST ?? join(here, '../../build/holdfast');
const originProgram = process.env.HOLDFAST_ORIGIN ?? join(here, '../../build/bench-origin');
const START_MS = 30_000;
const WARM_REQUESTS = 20;
const STOP_MS = 15_000;
const REST_MS = 20_000; // workerd hibernates after 10 s; garbage collectors get the rest

/** A package's program, wherever its installer put it (some installers move it, some may not run scripts). */
function programOf(...places) {
    for (const place of places) {
        const path = join(here, 'node_modules', place);

        if (existsSync(path)) return path;
    }
    throw new Error(`none of ${places.join(', ')}: run npm ci in ${here}`);
}

// What servers say of themselves while they are measured; one file, so that a failure can be looked into.
const log = openSync(join(tmpdir(), 'holdfast-bench.log'), 'w');

/** Starts a program; port(line) finds the port in a line of its stdout, or of fd 3 when control is set. */
async function start(program, args, port, { control = false, env = {}, rest, publish, done = () => {} } = {}) {
    const child = spawn(program, args, {
        cwd: here,
        stdio: ['ignore', 'pipe', log, ...(control ? ['pipe'] : [])],
        env: { ...process.env, ...env },
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const found = new Promise((resolve) => {
        createInterface({ input: control ? child.stdio[3] : child.stdout }).on('line', (line) => {
            const number = port(line);

            if (number) resolve(number);
        });
    });

    if (control) child.stdout.resume();
    const number = await Promise.race([
        found,
        ended.then((code) => Promise.reject(new Error(`${program} ended with status ${code}`))),
        sleep(START_MS, null, { ref: false }).then(() => Promise.reject(new Error(`${program} is not ready after 30 s`))),
    ]);

    return {
        pid: child.pid,
        port: number,
        publish, // the port that publishing is done at, if any
        url: (path, scheme = 'ws') => `${scheme}://127.0.0.1:${number}/${path}`,
        atRest: () => (rest ? rest(child.pid) : sleep(REST_MS)),
        async stop() {
            child.kill('SIGTERM');
            const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);

            await ended;
            clearTimeout(late);
            done();
        },
    };
}

/** A port that was free a moment ago, for a server that cannot choose one. */
const freePort = () => new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
        const { port } = probe.address();

        probe.close(() => resolve(port));
    });
});

/** A program that does not say when it is ready: somebody who asks its ports (the last is the one to be told) until they answer does. */
const untilOpen = (command, ...ports) => `${command} & trap "kill $!" TERM
    for port in ${ports.join(' ')}; do until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do kill -0 $! || exit 1; sleep 0.05; done; done
    echo ready http://127.0.0.1:$port; wait $!; wait $!`;

const readyPort = (line) => line.match(/^ready https?:\/\/127\.0\.0\.1:(\d+)/)?.[1];

/** A certificate for the servers that are asked to speak TLS. */
function makeCertificate(folder) {
    const files = { cert: join(folder, 'tls.pem'), key: join(folder, 'tls.key') };

    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=bench',
        '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
    return files;
}

/** A peer's program, with its certificate in the environment when it speaks TLS. */
function startPeer(program, args, isSecure) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
    const files = isSecure ? makeCertificate(folder) : null;

    return start(program, args, readyPort, {
        env: files ? { BENCH_CERT: files.cert, BENCH_KEY: files.key } : {},
        done: () => rmSync(folder, { recursive: true, force: true }),
    });
}

/** Until only the gateway is left, then a little longer. */
async function workerGone(pid) {
    for (const until = Date.now() + 90_000; family(pid).length > 1; await sleep(250))
        if (Date.now() > until) throw new Error('the worker process is still alive after 90 s without an event');
    await sleep(2000);
}

/** An HTTP origin for those that stand in front of one; they share nothing, so each gets its own. */
export function origin() {
    if (!existsSync(originProgram)) throw new Error(`there is no ${originProgram}`);
    return start(originProgram, [], (line) => line.match(/^ready (\d+)/)?.[1]);
}

/** Servers in front of an origin at that port: WebSocket-over-HTTP, GRIP, publishing. */
export const gripServers = {
    async holdfast(port) {
        const control = await freePort();
        const args = ['serve', '--route', `* 127.0.0.1:${port},over_http`, '--port', '0', '--control', `127.0.0.1:${control}`];

        return start(holdfast, args, readyPort, { publish: control, rest: () => sleep(2000) });
    },
    async pushpin(port) {
        const folder = mkdtempSync(join(tmpdir(), 'holdfast-pushpin-'));
        const ports = { HTTP: await freePort(), PUBLISH: await freePort(), PULL: await freePort(), COMMAND: await freePort() };
        const conf = readFileSync(join(here, 'peers/pushpin.conf'), 'utf8').replace(/FOLDER|HTTP(?=\n)|PUBLISH|PULL|COMMAND/g, (word) => ports[word] ?? folder);

        writeFileSync(join(folder, 'pushpin.conf'), conf);
        writeFileSync(join(folder, 'routes'), `* 127.0.0.1:${port},over_http\n`);
        const server = await start('bash', ['-c', untilOpen(`pushpin --config=${folder}/pushpin.conf --merge-output >&2`, ports.PUBLISH, ports.HTTP)], readyPort, {
            publish: ports.PUBLISH,
            rest: () => sleep(2000),
            done: () => rmSync(folder, { recursive: true, force: true }),
        });

        // It listens before its processes have found each other: until then some requests are answered with 500, or not at all.
        for (let good = 0; good < WARM_REQUESTS; good++) {
            const answer = await fetch(server.url('warm', 'http'), { signal: AbortSignal.timeout(1000) }).catch(() => null);

            if (!answer?.ok) good = -1;
            await sleep(20);
        }
        return server;
    },
};

/** isSecure: wss:// and https://, for those of `secure`. */
export const secure = ['holdfast', 'bun', 'ws'];
export const servers = {
    /** One edge, as the others have one loop; or more. */
    holdfast({ threads = 1, isSecure = false } = {}) {
        const state = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
        const tls = isSecure ? 'tls = { certificates = [{ cert = "tls.pem", key = "tls.key" }] }\n' : '';

        if (isSecure) makeCertificate(state);
        writeFileSync(join(state, 'holdfast.toml'), `state = "state"
threads = ${threads}
[[listen]]
port = 0
${tls}[[app]]
path = "${join(here, 'app')}"
`);
        return start(holdfast, ['serve', '--config', join(state, 'holdfast.toml')], readyPort, {
            rest: workerGone,
            done: () => rmSync(state, { recursive: true, force: true }),
        });
    },
    workerd() {
        const program = programOf('@cloudflare/workerd-linux-64/bin/workerd', '@cloudflare/workerd-linux-arm64/bin/workerd');
        const port = (line) => JSON.parse(line).event === 'listen' && JSON.parse(line).port;

        return start(program, ['serve', '--control-fd=3', join(here, 'peers/workerd.capnp')], port, { control: true });
    },
    bun({ isSecure }) {
        const program = programOf('bun/bin/bun.exe', '@oven/bun-linux-x64/bin/bun', '@oven/bun-linux-aarch64/bin/bun');

        return startPeer(program, [join(here, 'peers/bun.js')], isSecure);
    },
    async nchan() {
        const folder = mkdtempSync(join(tmpdir(), 'holdfast-nchan-'));
        const port = await freePort();
        const text = readFileSync(join(here, 'peers/nchan.conf'), 'utf8').replaceAll('FOLDER', folder).replaceAll('PORT', port);

        if (!existsSync('/usr/sbin/nginx')) throw new Error('nchan: there is no nginx (apt-get install libnginx-mod-nchan), or leave it out: --servers');
        // Its worker may write in the folder, whoever it runs as.
        writeFileSync(join(folder, 'nginx.conf'), process.getuid() === 0 ? `user root;\n${text}` : text);
        const asks = untilOpen(`/usr/sbin/nginx -e stderr -p ${folder} -c ${folder}/nginx.conf`, port);

        return start('bash', ['-c', asks], readyPort, { done: () => rmSync(folder, { recursive: true, force: true }) });
    },
    ws({ isSecure }) {
        require.resolve('ws');
        return startPeer(process.execPath, [join(here, 'peers/ws.mjs')], isSecure);
    },
};
