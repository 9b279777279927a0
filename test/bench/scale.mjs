#!/usr/bin/env node
// Very many WebSocket connections on one Holdfast, held idle, then one message to all: what a connection costs.
//
//   node test/bench/scale.mjs [--connections=100000] [--rooms=100] [--idle=10] [--kinds=plain,hibernated]
//
// plain: Durable Objects that hold their sockets themselves (accept()); hibernated: acceptWebSocket(), and the worker process
// has ended. Memory is the private memory of all our processes, less what they took before the first connection; what the kernel
// keeps for its sockets is not in it.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Load } from './load.mjs';
import { cpuSeconds, memoryOf, openFiles } from './proc.mjs';
import { servers } from './servers.mjs';

const SOURCE_MAX = 20_000; // connections from one address: ports are some 28,000
const RESERVE = 500; // descriptors for other things
const KINDS = { plain: 'plain/%d', hibernated: 'room/%d' };

const { values } = parseArgs({
    options: {
        connections: { type: 'string', default: '100000' },
        rooms: { type: 'string', default: '100' },
        idle: { type: 'string', default: '10' },
        kinds: { type: 'string', default: 'plain,hibernated' },
    },
});

/** As many as were asked for, or as the limit on open files lets one process have. */
function connections() {
    const most = openFiles() - RESERVE;

    if (Number(values.connections) > most)
        console.log(`the limit on open files is ${openFiles()}: ${most} connections (raise it: prlimit --pid $$ --nofile=1048576:1048576, as root)`);
    return Math.min(Number(values.connections), most);
}

async function measure(kind, n) {
    const server = await servers.holdfast();
    const url = server.url(KINDS[kind]).replace('ws://', 'http://');
    const result = { kind, connections: n };

    try {
        await (await fetch(url.replace(/\/\w+\/%d/, '/warm'))).text();
        if (kind === 'hibernated') await server.atRest();
        else await sleep(1000);
        const before = memoryOf(server.pid);
        let cpu = cpuSeconds(server.pid);
        const load = Load.start(server.url(KINDS[kind]), { mode: 'once', connections: n, rooms: values.rooms, sources: Math.ceil(n / SOURCE_MAX) + 1 });

        result.openSeconds = (await load.heard('open')).seconds;
        result.openCpuUs = ((cpuSeconds(server.pid) - cpu) / n) * 1e6;
        if (kind === 'hibernated') await server.atRest();
        else await sleep(5000);
        const held = memoryOf(server.pid);

        result.bytes = Math.round((held.private - before.private) / n);
        result.gatewayBytes = Math.round((held.own - before.own) / n);
        result.processes = held.processes;
        cpu = cpuSeconds(server.pid);
        await sleep(Number(values.idle) * 1000);
        result.idleCpu = (cpuSeconds(server.pid) - cpu) / Number(values.idle);
        result.first = await load.next('all');
        cpu = cpuSeconds(server.pid);
        result.second = await load.next('all');
        await sleep(200);
        result.deliveryCpuUs = ((cpuSeconds(server.pid) - cpu) / n) * 1e6;
        result.bytesAfter = Math.round((memoryOf(server.pid).private - before.private) / n);
        await load.stop();
    } finally {
        await server.stop();
    }
    return result;
}

const n = connections();
const rows = [];

for (const kind of values.kinds.split(',')) rows.push(await measure(kind, n));
const line = (name, value) => console.log(`| ${name} | ${rows.map(value).join(' | ')} |`);

console.log(`\n| ${n} connections, ${values.rooms} rooms | ${rows.map(({ kind }) => kind).join(' | ')} |\n|---|${rows.map(() => '---:|').join('')}`);
line('memory of ours per idle connection', ({ bytes, processes }) => `${bytes} B (${processes} process${processes > 1 ? 'es' : ''})`);
line('of that the gateway', ({ gatewayBytes }) => `${gatewayBytes} B`);
line('open, all of them', ({ openSeconds }) => `${openSeconds.toFixed(1)} s`);
line('CPU to open one', ({ openCpuUs }) => `${openCpuUs.toFixed(0)} µs`);
line('CPU while idle', ({ idleCpu }) => `${(idleCpu * 100).toFixed(2)} %`);
line('the first message to all: median, last', ({ first }) => `${(first.p50_us / 1000).toFixed(0)} ms, ${(first.seconds * 1000).toFixed(0)} ms`);
line('the second', ({ second }) => `${(second.p50_us / 1000).toFixed(0)} ms, ${(second.seconds * 1000).toFixed(0)} ms`);
line('CPU per delivery', ({ deliveryCpuUs }) => `${deliveryCpuUs.toFixed(1)} µs`);
line('memory per connection after it', ({ bytesAfter }) => `${bytesAfter} B`);
