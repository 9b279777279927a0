#!/usr/bin/env node
// Very many WebSocket connections on one Holdfast, held idle, then one message to all: what a connection costs, and whether
// that stays so when there are more of them.
//
//   node test/bench/scale.mjs [--connections=1000,10000,100000] [--kinds=plain,hibernated,echo] [--room=1000] [--idle=30] [--threads=N]
//
// plain: Durable Objects that hold their sockets themselves (accept()); hibernated: acceptWebSocket(), and the worker process
// has ended. In both, one connection of each room (--room connections) speaks, and all hear it. echo: hibernated, and every
// connection speaks and hears itself. At last the worker process of the hibernated kinds is killed (SIGKILL), and all are told
// again: a connection that is cut ends the bench.
//
// Memory is private memory, less what was taken with a few connections; the kernel's is half of what its slabs grew by, because
// the other half are the clients' sockets. The limit on open files is one of each thread, so Holdfast and the load have as many
// as the largest number needs, for all numbers.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Load } from './load.mjs';
import { cpuSeconds, family, memoryOf, openFiles } from './proc.mjs';
import { servers } from './servers.mjs';

const SOURCE_MAX = 10_000; // connections from one address: connect() looks for a free port among 14,000 before it takes an odd one
const RESERVE = 500; // descriptors of a thread for other things
const UNEVEN = 1.1; // the kernel spreads connections over threads by chance
const FEW = 50; // connections that are there before memory is measured
const DELIVERIES = 100_000; // at least, for their CPU: the kernel counts it in hundredths of a second
const KINDS = {
    plain: { path: 'plain/%d', mode: 'once' },
    hibernated: { path: 'room/%d', mode: 'once' },
    echo: { path: 'echo/%d', mode: 'each' },
};

const { values } = parseArgs({
    options: {
        connections: { type: 'string', default: '1000,10000,100000' },
        kinds: { type: 'string', default: 'plain,hibernated,echo' },
        room: { type: 'string', default: '1000' },
        idle: { type: 'string', default: '30' },
        threads: { type: 'string' },
    },
});
const counts = values.connections.split(',').map(Number);
const kinds = values.kinds.split(',');
const threads = Number(values.threads ?? Math.ceil((Math.max(...counts) * UNEVEN) / (openFiles() - RESERVE)));

/** Bytes; slabs: the kernel's, where its sockets live. */
function memory(server) {
    const { own, private: all, processes } = memoryOf(server.pid);
    const slabs = Number(readFileSync('/proc/meminfo', 'latin1').match(/^Slab:\s+(\d+) kB/m)[1]) * 1024;

    return { gateway: own, worker: all - own, processes, slabs };
}

const hibernates = (kind) => kind !== 'plain';

/** Until nothing more is freed or put to sleep. */
const atRest = (server, kind) => (hibernates(kind) ? server.atRest() : sleep(5000));

function killWorker(server) {
    for (const { pid } of family(server.pid)) if (pid !== server.pid) process.kill(pid, 'SIGKILL');
}

/** CPU seconds of the server while it does that. */
async function cpuOf(server, what) {
    const before = cpuSeconds(server.pid);

    await what();
    return cpuSeconds(server.pid) - before;
}

async function open(server, kind, n, rooms) {
    const load = Load.start(server.url(KINDS[kind].path), {
        mode: KINDS[kind].mode,
        connections: n,
        threads: Math.min(n, threads),
        rooms,
        sources: Math.ceil(n / SOURCE_MAX) + 1,
    });

    return { load, opened: await load.heard('open') };
}

async function measure(kind, n) {
    const server = await servers.holdfast({ threads });
    const result = { kind, n };

    try {
        const few = await open(server, kind === 'plain' ? 'plain' : 'hibernated', FEW, 1);

        await few.load.next('all');
        await sleep(1000);
        const before = memory(server);
        let load;

        result.openCpu = await cpuOf(server, async () => {
            const all = await open(server, kind, n, Math.ceil(n / Number(values.room)));

            load = all.load;
            result.openSeconds = all.opened.seconds;
        });
        await atRest(server, kind);
        const held = memory(server);

        result.processes = held.processes;
        result.gatewayBytes = (held.gateway - before.gateway) / n;
        result.workerBytes = held.worker ? (held.worker - before.worker) / n : 0;
        result.kernelBytes = (held.slabs - before.slabs) / n / 2;
        result.idleCpu = (await cpuOf(server, () => sleep(Number(values.idle) * 1000))) / Number(values.idle);
        result.first = await load.next('all');
        const rounds = Math.ceil(DELIVERIES / n);

        result.deliveryCpu = (await cpuOf(server, async () => {
            for (let i = 0; i < rounds; i++) result.second = await load.next('all');
            await sleep(200);
        })) / rounds;
        const after = memory(server);

        result.bytesAfter = (after.gateway + after.worker - before.gateway - before.worker) / n;
        if (hibernates(kind)) {
            killWorker(server);
            result.killed = await load.next('all');
        }
        await load.stop();
        await few.load.stop();
    } finally {
        await server.stop();
    }
    return result;
}

const results = [];

for (const kind of kinds)
    for (const n of counts) {
        results.push(await measure(kind, n));
        console.error(`${kind}, ${n}: done`);
    }

const row = (name, cells) => console.log(`| ${name} | ${cells.join(' | ')} |`);
const line = (name, value) => row(name, results.map(value));
const times = (told) => (told ? `${(told.p50_us / 1000).toFixed(0)}, ${(told.seconds * 1000).toFixed(0)} ms` : '');

console.log(`\nRooms of ${values.room}; ${threads} threads; processes at rest: ${[...new Set(results.map(({ kind, processes }) => `${kind} ${processes}`))].join(', ')}\n`);
row('', results.map(({ kind, n }) => `${kind} ${n.toLocaleString('en')}`));
console.log(`|---|${results.map(() => '---:|').join('')}`);
line('memory per idle connection: the gateway', ({ gatewayBytes }) => `${gatewayBytes.toFixed(0)} B`);
line('… the worker', ({ workerBytes }) => `${workerBytes.toFixed(0)} B`);
line('… the kernel', ({ kernelBytes }) => `${kernelBytes.toFixed(0)} B`);
line('open, all of them', ({ openSeconds }) => `${openSeconds.toFixed(1)} s`);
line('CPU to open one', ({ openCpu, n }) => `${((openCpu / n) * 1e6).toFixed(0)} µs`);
line(`CPU while idle, ${values.idle} s`, ({ idleCpu }) => `${(idleCpu * 100).toFixed(2)} %`);
line('the first message to all: median, last', ({ first }) => times(first));
line('the next', ({ second }) => times(second));
line('CPU per message heard', ({ deliveryCpu, n }) => `${((deliveryCpu / n) * 1e6).toFixed(1)} µs`);
line('memory per connection after it', ({ bytesAfter }) => `${bytesAfter.toFixed(0)} B`);
line('the worker killed, all told again: median, last', ({ killed }) => times(killed));
