// make bench: Holdfast beside workerd, Bun, ws and nchan, and in front of an origin beside Pushpin, in one run on one machine. Prints
// a table; decides nothing.
//
//   node run.mjs [--only http,echo,broadcast,fanout,json,deflate,latency,connect,idle,tls,woh,publish,holds] [--seconds 5] [--rounds 3]
//                  [--servers holdfast,workerd,bun,ws,nchan] [--grip holdfast,pushpin] [--connections 100] [--listeners 1000] [--crowd 10000] [--idle 10000] [--json FILE]
//
// CPU of a server is user and system time of all its processes, children that ended included, over the messages that the
// load received. Each figure is the median of the rounds, in which the servers take turns.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missing } from '../lib/pushpin.mjs';
import { gripRows } from './grip.mjs';
import { Load } from './load.mjs';
import { cpuSeconds, memoryOf, openFiles } from './proc.mjs';
import { secure, servers } from './servers.mjs';
import { table } from './table.mjs';

const { values: options } = parseArgs({
    options: {
        only: { type: 'string', default: 'http,echo,broadcast,fanout,json,deflate,latency,connect,idle,tls,woh,publish,holds' },
        servers: { type: 'string', default: 'holdfast,workerd,bun,ws,nchan' },
        grip: { type: 'string', default: 'holdfast,pushpin' },
        seconds: { type: 'string', default: '5' },
        rounds: { type: 'string', default: '3' },
        connections: { type: 'string', default: '100' },
        listeners: { type: 'string', default: '1000' },
        crowd: { type: 'string', default: '10000' },
        idle: { type: 'string', default: '10000' },
        json: { type: 'string' },
    },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const only = options.only.split(',');
const names = options.servers.split(',');
const gripNames = gripServersOf(options.grip.split(','));
const [seconds, rounds, connections, listeners, crowd, idle] = [
    options.seconds, options.rounds, options.connections, options.listeners, options.crowd, options.idle,
].map(Number);
const results = [];

/** Without those that are not there: who has no Pushpin still wants our figures. */
function gripServersOf(list) {
    const why = ['woh', 'publish', 'holds'].some((row) => only.includes(row)) && list.includes('pushpin') && missing();

    if (why) console.error(`Pushpin is left out: ${why}`);
    return why ? list.filter((name) => name !== 'pushpin') : list;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const medianOf = (list, key) => median(list.map((one) => one[key]));

/** So many connections, as far as the limit on open files allows: workerd opens two for each. */
const atMost = (n, name) => Math.min(n, Math.floor(openFiles() / (name === 'workerd' ? 2.2 : 1.1)));

/** One server, one load, one round: CPU and times a message. */
async function talk(server, mode, path, count, { scheme, ...more }) {
    const load = await Load.start(server.url(path, scheme), { mode, connections: count, seconds, ...more });

    try {
        await load.heard('begin');
        const before = cpuSeconds(server.pid);
        const end = await load.heard('end');
        const cpu = cpuSeconds(server.pid) - before;

        return {
            us: (cpu / end.messages) * 1e6,
            rate: end.messages / end.seconds,
            p50: end.p50_us,
            p99: end.p99_us,
            loadUs: (end.cpu / end.messages) * 1e6,
            busy: cpu / end.seconds,
            packed: end.packed / end.messages,
        };
    } finally {
        await load.stop();
    }
}

/** The medians of the rounds. Within a round the machine was in one mood: the median of the ratios says more than their ratio. */
function figuresOf(rows, name, compared) {
    const keys = Object.keys(rows[name][0]);

    return {
        ...Object.fromEntries(keys.map((key) => [key, medianOf(rows[name], key)])),
        ...(rows.holdfast && { ratio: median(rows[name].map((figure, i) => rows.holdfast[i][compared] / figure[compared])) }),
    };
}

async function gripAll() {
    for await (const { row, compared, figures } of gripRows(only, gripNames, { seconds, rounds, connections, listeners, crowd, idle }))
        results.push({ row, servers: Object.fromEntries(gripNames.map((name) => [name, figuresOf(figures, name, compared)])) });
}

const isSecure = (row) => row.startsWith('tls');
const schemeOf = (row) => (isSecure(row) ? 'wss' : 'ws');
const namesOf = (row) => names.filter((name) => !isSecure(row) || secure.includes(name));

async function talkAll(row, mode, path, count, more = { scheme: schemeOf(row) }) {
    const rows = Object.fromEntries(namesOf(row).map((name) => [name, []]));

    for (let round = 0; round < rounds; round++)
        for (const name of namesOf(row)) {
            const server = await servers[name]({ isSecure: isSecure(row) });

            try {
                rows[name].push(await talk(server, mode, path, typeof count === 'function' ? count(name) : count, more));
            } finally {
                await server.stop();
            }
        }
    const compared = row === 'latency' ? 'p50' : 'us';

    results.push({ row, servers: Object.fromEntries(namesOf(row).map((name) => [name, figuresOf(rows, name, compared)])) });
}

/** Connections that one after the other open and stay: 64 handshakes are under way at a time. */
async function connectOnce(row, name) {
    const server = await servers[name]({ isSecure: isSecure(row) });
    const url = server.url('echo/%d', schemeOf(row));
    const held = [];

    try {
        // The first ones pay for what is started once.
        held.push(await Load.start(url, { mode: 'idle', connections: 100, rooms: 50 }));
        await held[0].heard('open');
        const before = cpuSeconds(server.pid);

        held.push(await Load.start(url, { mode: 'idle', connections: listeners * 4, rooms: 50 }));
        const { seconds: took } = await held[1].heard('open');

        return { us: ((cpuSeconds(server.pid) - before) / (listeners * 4)) * 1e6, rate: (listeners * 4) / took };
    } finally {
        for (const load of held) await load.stop();
        await server.stop();
    }
}

async function connectAll(row) {
    const rows = Object.fromEntries(namesOf(row).map((name) => [name, []]));

    for (let round = 0; round < rounds; round++) for (const name of namesOf(row)) rows[name].push(await connectOnce(row, name));
    results.push({ row, servers: Object.fromEntries(namesOf(row).map((name) => [name, figuresOf(rows, name, 'us')])) });
}

/**
 * Memory of `idle` connections in 50 rooms, less that of the first hundred: what each further one costs.
 */
async function idleAll(row) {
    const figures = {};
    const first = 100;

    for (const name of namesOf(row)) {
        const server = await servers[name]({ isSecure: isSecure(row) });
        const url = server.url('echo/%d', schemeOf(row));
        const count = atMost(idle, name);
        const held = [];

        try {
            held.push(await Load.start(url, { mode: 'idle', connections: first, rooms: 50 }));
            await held[0].heard('open');
            await server.atRest();
            const before = memoryOf(server.pid);

            held.push(await Load.start(url, { mode: 'idle', connections: count - first, rooms: 50 }));
            const { seconds: opening } = await held[1].heard('open');

            await server.atRest();
            const after = memoryOf(server.pid);

            figures[name] = {
                bytes: (after.private - before.private) / (count - first),
                pss: (after.pss - before.pss) / (count - first),
                total: after.private,
                processes: after.processes,
                connections: count,
                opening,
            };
        } finally {
            for (const load of held) await load.stop();
            await server.stop();
        }
    }
    if (figures.holdfast) for (const figure of Object.values(figures)) figure.ratio = figures.holdfast.bytes / figure.bytes;
    results.push({ row, servers: figures });
}

/** The peers' packages and the load generator, when they are missing. */
function prepare() {
    const say = { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] };

    if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund'], say);
    if (!process.env.HOLDFAST_LOAD) execFileSync('ninja', ['-C', join(here, '../../build'), 'load', 'bench-origin'], say);
}

prepare();
if (only.includes('http')) await talkAll('http', 'request', '', connections, { scheme: 'http' });
if (only.includes('echo')) await talkAll('echo', 'echo', 'echo/0', connections);
if (only.includes('broadcast')) await talkAll('broadcast', 'broadcast', 'room/0', listeners);
if (only.includes('fanout')) await talkAll('fanout', 'broadcast', 'room/0', (name) => atMost(crowd, name));
if (only.includes('json')) await talkAll('json', 'broadcast', 'room/0', listeners, { size: 1024, json: 1 });
if (only.includes('deflate')) await talkAll('deflate', 'broadcast', 'room/0', listeners, { size: 1024, json: 1, deflate: 1 });
if (only.includes('latency')) await talkAll('latency', 'echo', 'echo/0', 1);
if (only.includes('connect')) await connectAll('connect');
if (only.includes('idle')) await idleAll('idle');
if (only.includes('tls')) {
    await talkAll('tls', 'echo', 'echo/0', connections);
    await connectAll('tls-connect');
    await idleAll('tls-idle');
}
await gripAll();

console.log(table(results, { connections, listeners, crowd: atMost(crowd), idle, seconds, rounds }));
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
