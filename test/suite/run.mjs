#!/usr/bin/env node
// The protocol suite: every case of cases.mjs with an echo of ours, which is a server and then a client.
//
//   node test/suite/run.mjs [--full] [FAMILY…]     FAMILY: 5, 6.4, 9.1.2
//
// A case is ok, non-strict (permitted, but not what is best) or failed. Nothing may be but ok.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { Holdfast } from '../lib/holdfast.mjs';
import { cases } from './cases.mjs';
import { dial, serve } from './wire.mjs';

const QUIET_MS = 50;
const OFFER = 'permessage-deflate; client_max_window_bits';

const APP = `
import { DurableObject } from 'cloudflare:workers';

export class Echo extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(ws, data) { ws.send(data); }
  webSocketClose(ws, code, reason) { if (code !== 1006) ws.close(code === 1005 ? 1000 : code, reason); }
}

function plain() {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.binaryType = 'arraybuffer';
  server.addEventListener('message', (event) => server.send(event.data));
  return new Response(null, { status: 101, webSocket: client });
}

// Echoes to a server until that closes.
const client = (url) => new Promise((resolve) => {
  const ws = new WebSocket(url);
  ws.binaryType = 'arraybuffer';
  ws.addEventListener('message', (event) => ws.send(event.data));
  ws.addEventListener('close', () => resolve(new Response('closed')));
  ws.addEventListener('error', () => resolve(new Response('error')));
});

export default {
  fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === '/plain') return plain();
    if (url.pathname === '/actor') return env.ECHO.getByName('echo').fetch(request);
    return client(url.searchParams.get('to'));
  },
};
`;

const CONFIG = {
    name: 'suite', main: 'worker.js', compatibility_date: '2026-11-01',
    durable_objects: { bindings: [{ name: 'ECHO', class_name: 'Echo' }] },
    migrations: [{ tag: 'v1', new_sqlite_classes: ['Echo'] }],
    holdfast: { websocket: { context_takeover: true, compression_bytes: 1 } },
};

const shown = ([kind, bytes]) => `${kind} ${JSON.stringify(bytes.toString('latin1').slice(0, 30))} (${bytes.length})`;
const short = (events) => `[${events.slice(0, 4).map(shown).join(', ')}${events.length > 4 ? `, … ${events.length}` : ''}]`;
const same = (a, b) => a.length === b.length && a.every(([kind, bytes], i) => kind === b[i][0] && bytes.equals(b[i][1]));
const list = (codes) => [codes].flat();

/** How the connection ended, as a complaint; null: well. */
function judgeEnd(w, { fails, ours }) {
    if (w.wrong) return w.wrong;
    if (fails) {
        if (!w.close) return 'the connection was not closed with a Close';
        if (!list(fails).includes(w.close.code)) return `closed with ${w.close.code} instead of ${fails}`;
    } else if (!w.close) {
        return 'our Close was not answered';
    } else if (!list(ours ?? 1000).includes(w.close.code)) {
        return `our Close was answered with ${w.close.code}`;
    }
    return w.over ? null : 'the connection stayed open';
}

/** Holds the case's conversation. isServer: we are one, and close the connection first. */
async function converse(w, one, isServer) {
    const { events, options } = one;
    const silent = options.fails || options.ours;

    await one.say(w);
    await w.until(() => w.close || w.over || (!silent && w.events.length >= events.length), PATIENCE_MS);
    if (options.quiet) await w.until(() => w.events.length > 0 || w.close, QUIET_MS);
    if (!silent && !w.close) await w.sayClose(1000);
    await w.until(() => w.close || w.over, PATIENCE_MS);
    if (isServer) {
        if (options.fails && w.close) await w.sayClose(w.close.code);
        w.end();
    }
    await w.until(() => w.over, PATIENCE_MS);
    w.destroy();
}

/** 'ok', or [verdict, why]. */
async function judge(w, one, isServer) {
    await converse(w, one, isServer);
    const { events, options } = one;
    const end = judgeEnd(w, options);
    const strict = same(w.events, events);

    if (end) return ['failed', end];
    if (strict && !w.late) return 'ok';
    if (strict || (options.lax && same(w.events, options.lax))) return options.either ? 'ok' : ['non-strict', w.late ? 'noticed late' : `heard ${short(w.events)}`];
    return ['failed', `heard ${short(w.events)} instead of ${short(events)}`];
}

const selected = (number, families) => families.length === 0 || families.some((family) => `${number}.`.startsWith(`${family}.`));

/** One way to meet the echo: open(offer) gives an End. */
async function runAll(name, list, open, isServer) {
    const sum = { ok: 0, 'non-strict': 0, failed: 0 };
    const began = Date.now();

    for (const one of list) {
        let verdict;

        try {
            verdict = await judge(await open(one.options.offer), one, isServer);
        } catch (error) {
            verdict = ['failed', error.message];
        }
        const [what, why] = [verdict].flat();

        sum[what]++;
        if (what !== 'ok') console.log(`${what.padEnd(10)} ${name} ${one.number}: ${why}`);
    }
    console.log(`${name}: ${sum.ok} ok, ${sum['non-strict']} non-strict, ${sum.failed} failed (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return sum;
}

/** We are the server: the application is asked to connect, and its connection is the End. */
async function reversed(holdfast, answer) {
    let arrived;
    const server = await serve((end) => arrived(end), answer);
    const to = encodeURIComponent(`ws://127.0.0.1:${server.address().port}/`);
    const open = () => new Promise((resolve, reject) => {
        arrived = resolve;
        fetch(holdfast.url(`/client?to=${to}`)).then((response) => response.text()).catch(reject);
    });

    return { open, close: () => server.close() };
}

/** The first offer of the client's, with what the case wants of it. */
function answerTo(wanted) {
    return (offer) => {
        if (!offer) return undefined;
        if (!wanted) return 'permessage-deflate';
        return wanted.split(',')[0].replace(/; client_max_window_bits$/, '');
    };
}

async function main(args) {
    const full = args.includes('--full');
    const families = args.filter((arg) => !arg.startsWith('--'));
    const all = cases(full).filter((one) => selected(one.number, families));
    const plain = all.filter((one) => !one.options.packed);
    const packed = all.filter((one) => !one.options.plain);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-suite-'));
    const sums = [];

    writeFileSync(join(folder, 'worker.js'), APP);
    writeFileSync(join(folder, 'wrangler.json'), JSON.stringify(CONFIG));
    const holdfast = await Holdfast.dev(folder);
    const { port } = holdfast;

    try {
        for (const path of ['/plain', '/actor']) {
            sums.push(await runAll(`server ${path}`, plain, () => dial(port, path), false));
            sums.push(await runAll(`server ${path}, compressed`, packed, async (offer) => {
                const end = await dial(port, path, offer ?? OFFER);

                if (!end.compresses) throw new Error(`${offer ?? OFFER} was declined`);
                return end;
            }, false));
        }
        let wanted;
        const without = await reversed(holdfast, () => undefined);
        const within = await reversed(holdfast, (offer) => answerTo(wanted)(offer));

        sums.push(await runAll('client', plain, without.open, true));
        sums.push(await runAll('client, compressed', packed, (offer) => ((wanted = offer), within.open()), true));
        without.close();
        within.close();
    } finally {
        await holdfast.stop();
        rmSync(folder, { recursive: true, force: true });
    }
    const count = (what) => sums.reduce((sum, one) => sum + one[what], 0);

    console.log(`suite: ${count('ok')} ok, ${count('non-strict')} non-strict, ${count('failed')} failed`);
    process.exit(count('failed') + count('non-strict') ? 1 : 0);
}

await main(process.argv.slice(2));
