// The rows in front of an origin: WebSocket-over-HTTP, publishing, holds; Holdfast beside Pushpin. The origin (origin.c) is the
// same program for both and spends a small part of what a server does, so it is nobody's bottleneck.
import { Load } from './load.mjs';
import { cpuSeconds, memoryOf, openFiles } from './proc.mjs';
import { gripServers, origin } from './servers.mjs';

const FIRST = 100; // holds that pay for what is started once
const SCHEMES = ['http', 'ws'];

/** One server with its origin for the time of a function. */
async function running(name, during) {
    const behind = await origin();
    const server = await gripServers[name](behind.port).catch(async (error) => {
        await behind.stop();
        throw error;
    });

    try {
        return await during(server, behind);
    } finally {
        await server.stop();
        await behind.stop();
    }
}

async function measure(server, behind, url, options) {
    const load = Load.start(url, { ...options, lossy: 1 });

    try {
        await load.heard('begin');
        const [before, originBefore] = [cpuSeconds(server.pid), cpuSeconds(behind.pid)];
        const end = await load.heard('end');
        const cpu = cpuSeconds(server.pid) - before;
        const each = (seconds) => (seconds / end.messages) * 1e6;

        return {
            us: each(cpu),
            rate: end.messages / end.seconds,
            p50: end.p50_us,
            p99: end.p99_us,
            loadUs: each(end.cpu),
            originUs: each(cpuSeconds(behind.pid) - originBefore),
            missed: end.missed + end.lost,
        };
    } finally {
        await load.stop();
    }
}

const echo = (name, { connections, seconds }) =>
    running(name, (server, behind) => measure(server, behind, server.url('echo'), { mode: 'echo', connections, seconds, settle: 1 }));

const publish = (name, { seconds }, scheme, count) =>
    running(name, (server, behind) =>
        measure(server, behind, server.url('listen', scheme), {
            mode: 'publish', connections: count, seconds, settle: 2, warm: 2, publish: server.publish,
        }));

/** Private memory of `idle` holds, less that of the first hundred: what each further one costs. */
const hold = (name, { idle }, scheme) =>
    running(name, async (server) => {
        const count = Math.min(idle, Math.floor(openFiles() / 1.1));
        const url = server.url('listen', scheme);
        const held = [];
        const more = async (connections) => {
            held.push(Load.start(url, { mode: 'idle', connections }));
            await held.at(-1).heard('open');
            await server.atRest();
            return memoryOf(server.pid);
        };

        try {
            const before = await more(FIRST);
            const after = await more(count - FIRST);
            const each = (key) => (after[key] - before[key]) / (count - FIRST);

            return { bytes: each('private'), pss: each('pss'), total: after.private, processes: after.processes, connections: count };
        } finally {
            for (const load of held) await load.stop();
        }
    });

/** The rows of `only`, each as {row, compared, rounds: {server: [figures of a round]}}. */
export async function* gripRows(only, names, options) {
    const { rounds, listeners, crowd } = options;
    const inTurn = async (row, compared, n, one) => {
        const figures = Object.fromEntries(names.map((name) => [name, []]));

        for (let round = 0; round < n; round++) for (const name of names) figures[name].push(await one(name));
        return { row, compared, figures };
    };

    if (only.includes('woh')) yield await inTurn('woh', 'us', rounds, (name) => echo(name, options));
    if (only.includes('publish'))
        for (const [size, count] of [['', listeners], ['-crowd', Math.min(crowd, Math.floor(openFiles() / 1.1))]])
            for (const scheme of SCHEMES)
                yield await inTurn(`publish-${scheme}${size}`, 'us', rounds, (name) => publish(name, options, scheme, count));
    if (only.includes('holds'))
        for (const scheme of SCHEMES) yield await inTurn(`holds-${scheme}`, 'bytes', 1, (name) => hold(name, options, scheme));
}
