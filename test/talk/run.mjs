// Conversations: scripts of bytes said and heard, held with a running Holdfast over TCP. README.md has the language.
//
//   node run.mjs [--once] [--only TEXT] [FILE.talk…]        all files beside this one when none is named
//
// Each conversation is held twice: as written, and with its bytes sent one by one (--once leaves that out).
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Holdfast } from '../lib/holdfast.mjs';
import { parse } from './script.mjs';
import { hold } from './hold.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options, positionals } = parseArgs({
    options: { once: { type: 'boolean' }, only: { type: 'string', default: '' } },
    allowPositionals: true,
});
const files = positionals.length ? positionals : readdirSync(here).filter((name) => name.endsWith('.talk')).map((name) => join(here, name));
const servers = new Map(); // command line -> Holdfast
let failed = 0;
let passed = 0;

async function serverFor([app, ...args]) {
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
        for (const single of options.once ? [false] : [false, true]) {
            const server = await serverFor(talk.app);
            const mark = server.mark();

            try {
                await hold(talk, server.port, { single });
                good++;
            } catch (error) {
                bad++;
                console.log(`FAILED ${basename(file)}:${error.line ?? talk.line} ${talk.name}${single ? ' (byte by byte)' : ''}\n    ${error.message}`);
                const log = server.log.slice(mark).trim();

                if (log) console.log(log.replace(/^/gm, '    | '));
                if (server.exit) servers.delete(talk.app.join(' '));
                break; // byte by byte will hardly do better
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
