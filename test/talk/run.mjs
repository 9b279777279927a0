// Conversations: scripts of bytes said and heard, held with a running Holdfast over TCP and TLS. README.md has the language.
//
//   node run.mjs [--once] [--tcp] [--only TEXT] [FILE.talk…]        all files beside this one when none is named
//
// Each conversation is held three times: as written, with its bytes sent one by one (--once leaves that out), and over TLS (--tcp
// leaves that out).
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Holdfast } from '../lib/holdfast.mjs';
import { parse } from './script.mjs';
import { hold } from './hold.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options, positionals } = parseArgs({
    options: { once: { type: 'boolean' }, tcp: { type: 'boolean' }, only: { type: 'string', default: '' } },
    allowPositionals: true,
});
const files = positionals.length ? positionals : readdirSync(here).filter((name) => name.endsWith('.talk')).map((name) => join(here, name));
const servers = new Map(); // command line -> Holdfast
let failed = 0;
let passed = 0;

const waysOf = { tcp: {}, 'byte by byte': { single: true }, 'over TLS': { tls: true } };
const ways = Object.keys(waysOf).filter((way) => !(options.once && way === 'byte by byte') && !(options.tcp && way === 'over TLS'));

async function serverFor([app, ...args], tls) {
    if (tls) args = ['--https', ...args];
    const key = [app, ...args].join(' ');

    if (!servers.has(key)) servers.set(key, await Holdfast.dev(join(here, 'apps', app), { args }));
    return servers.get(key);
}

async function holdFile(file) {
    const began = Date.now();
    let bad = 0;
    let good = 0;

    for (const talk of parse(readFileSync(file, 'utf8'), file)) {
        if (!talk.name.includes(options.only)) continue;
        for (const way of ways) {
            const server = await serverFor(talk.app, waysOf[way].tls);
            const mark = server.mark();

            try {
                await hold(talk, server.port, waysOf[way]);
                good++;
            } catch (error) {
                bad++;
                console.log(`FAILED ${basename(file)}:${error.line ?? talk.line} ${talk.name}${way === 'tcp' ? '' : ` (${way})`}\n    ${error.message}`);
                const log = server.log.slice(mark).trim();

                if (log) console.log(log.replace(/^/gm, '    | '));
                if (server.exit) servers.delete(talk.app.join(' '));
                break; // the other ways will hardly do better
            }
        }
    }
    console.log(`${bad ? 'not ok' : 'ok'} ${basename(file)}: ${good} held, ${bad} failed, ${Date.now() - began} ms`);
    failed += bad;
    passed += good;
}

try {
    for (const file of files) await holdFile(file);
} finally {
    for (const server of servers.values()) {
        const exit = await server.stop();

        if (exit.code !== 0) {
            console.log(`FAILED holdfast ended with ${exit.signal ?? exit.code}`);
            failed++;
        }
    }
}
console.log(`${passed} conversations held, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
