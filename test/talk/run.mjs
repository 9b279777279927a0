// Conversations: scripts of bytes said and heard, held with a running Holdfast over TCP and TLS. README.md has the language.
//
//   node run.mjs [--once] [--tcp] [--only TEXT] [FILE.talk…]        all files beside this one when none is named
//
// Each conversation is held three times: as written, with its bytes sent one by one (--once leaves that out), and over TLS (--tcp
// leaves that out).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Holdfast } from '../lib/holdfast.mjs';
import { parse } from './script.mjs';
import { hold } from './hold.mjs';

const WIDTH = 4; // conversations at a time, each in all ways
const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options, positionals } = parseArgs({
    options: { once: { type: 'boolean' }, tcp: { type: 'boolean' }, only: { type: 'string', default: '' } },
    allowPositionals: true,
});
const files = positionals.length ? positionals : readdirSync(here).filter((name) => name.endsWith('.talk')).map((name) => join(here, name));
const servers = new Map(); // of a file: application and settings -> Holdfast
const folders = [];
let failed = 0;
let passed = 0;

const waysOf = { tcp: {}, 'byte by byte': { single: true }, 'over TLS': { tls: true } };
const ways = Object.keys(waysOf).filter((way) => !(options.once && way === 'byte by byte') && !(options.tcp && way === 'over TLS'));

/** A holdfast.toml of these lines for an application of ours, on any port. */
function configure(folder, name, lines, tls) {
    const listen = `port = 0\n${tls ? 'tls = { certificates = [{ cert = "cert.pem", key = "key.pem" }] }\n' : ''}`;
    const whole = [...lines, ...(lines.includes('[[listen]]') ? [] : ['[[listen]]'])].join('\n');

    writeFileSync(join(folder, 'holdfast.toml'), [
        `state = "state"\ncontrol = "127.0.0.1:0"\nlog.format = "text"${/^threads/m.test(whole) ? '' : '\nthreads = 1'}`,
        whole.replace('[[listen]]', `[[listen]]\n${listen}`),
        `[[app]]\nname = "${name}"\npath = "${join(here, 'apps', name)}"\n`,
    ].join('\n'));
    if (tls) execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=talk',
        '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'ignore' });
    return join(folder, 'holdfast.toml');
}

function start({ args: [name, ...args], lines }, tls) {
    if (!lines.length) return Holdfast.dev(join(here, 'apps', name), { args: tls ? ['--https', ...args] : args });
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-talk-'));

    folders.push(folder);
    return Holdfast.serve(['serve', '--config', configure(folder, name, lines, tls), ...args]);
}

/** The server of a conversation; one that is alone has its own, each time. */
function serverFor({ app, name, steps }, way) {
    const { tls } = waysOf[way];
    const key = JSON.stringify([app, tls, ...(steps.some(({ verb }) => verb === 'alone') ? [name, way] : [])]);

    if (!servers.has(key)) servers.set(key, start(app, tls));
    return servers.get(key);
}

/** Ends them all; one that did not end well is a failure. */
async function stopServers() {
    for (const server of servers.values()) {
        const exit = await (await server).stop();

        if (exit.code === 0) continue;
        console.log(`FAILED holdfast ended with ${exit.signal ?? exit.code}`);
        failed++;
    }
    servers.clear();
}

/** Whether it was held in that way; what goes wrong is said. */
async function holdOneWay(talk, file, way) {
    const server = await serverFor(talk, way);
    const mark = server.mark();

    try {
        await hold(talk, server, waysOf[way]);
        return true;
    } catch (error) {
        console.log(`FAILED ${basename(file)}:${error.line ?? talk.line} ${talk.name}${way === 'tcp' ? '' : ` (${way})`}\n    ${error.message}`);
        const log = server.log.slice(mark).trim();

        if (log) console.log(log.replace(/^/gm, '    | '));
        return false;
    }
}

/** All of a file, some at a time: most of their time is waiting. */
async function holdFile(file) {
    const began = Date.now();
    const talks = parse(readFileSync(file, 'utf8'), file).filter(({ name }) => name.includes(options.only));
    const sum = { held: 0, failed: 0 };
    const work = async () => {
        for (let talk; (talk = talks.shift()); ) {
            for (const isHeld of await Promise.all(ways.map((way) => holdOneWay(talk, file, way)))) sum[isHeld ? 'held' : 'failed']++;
        }
    };

    await Promise.all(Array.from({ length: WIDTH }, work));
    console.log(`${sum.failed ? 'not ok' : 'ok'} ${basename(file)}: ${sum.held} held, ${sum.failed} failed, ${Date.now() - began} ms`);
    passed += sum.held;
    failed += sum.failed;
}

try {
    for (const file of files) {
        await holdFile(file);
        await stopServers();
    }
} finally {
    await stopServers();
    for (const folder of folders) rmSync(folder, { recursive: true });
}
console.log(`${passed} conversations held, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
