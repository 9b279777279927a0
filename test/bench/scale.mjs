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
            for (let i = 0; i < rounds; i++) result.next = await load.next('all');
            await sleep(200);
        })) / rounds;
        const after = memory(server);

        result.bytesAfter = (after.gateway + after.worker - before.gateway - before.worker) / n;
        if (hibernates(kind)) {
            killWorker(server);
            result.killed = await load.next('all'); // fails when one of them was cut
            result.cut = n - result.killed.messages;
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

const shown = (n) => n.toLocaleString('en');
const row = (name, cells) => console.log(`| ${name} | ${cells.join(' | ')} |`);

/** A row: of each kind what value() says of it at every number of connections, rounded to so many digits. */
function line(name, unit, digits, value) {
    const cell = (kind) => results.filter((one) => one.kind === kind).map((one) => value(one)?.toFixed(digits) ?? '–').join(' · ');

    row(name + (unit && `, ${unit}`), kinds.map(cell));
}

console.log(`\nRooms of ${shown(Number(values.room))}, ${threads} threads.\n`);
row(`with ${counts.map(shown).join(' · ')} connections`, kinds);
console.log(`|---|${kinds.map(() => '---:|').join('')}`);
line('memory per idle connection: the gateway', 'B', 0, ({ gatewayBytes }) => gatewayBytes);
line('… the worker', 'B', 0, ({ workerBytes }) => workerBytes);
line('… the kernel', 'B', 0, ({ kernelBytes }) => kernelBytes);
line('open, all of them', 's', 1, ({ openSeconds }) => openSeconds);
line('CPU to open one', 'µs', 0, ({ openCpu, n }) => (openCpu / n) * 1e6);
line(`CPU while idle (${values.idle} s), of one processor`, '%', 2, ({ idleCpu }) => idleCpu * 100);
line('the first message: the median has it after', 'ms', 0, ({ first }) => first.p50_us / 1000);
line('… all have it after', 'ms', 0, ({ first }) => first.seconds * 1000);
line('the next: the median', 'ms', 0, ({ next }) => next.p50_us / 1000);
line('… all', 'ms', 0, ({ next }) => next.seconds * 1000);
line('CPU per message heard', 'µs', 1, ({ deliveryCpu, n }) => (deliveryCpu / n) * 1e6);
line('memory of ours per connection after it', 'B', 0, ({ bytesAfter }) => bytesAfter);
line('the worker killed, the next message: the median', 'ms', 0, ({ killed }) => killed && killed.p50_us / 1000);
line('… all', 'ms', 0, ({ killed }) => killed && killed.seconds * 1000);
line('connections that were cut', '', 0, ({ cut }) => cut);
