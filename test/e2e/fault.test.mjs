// A thousand hibernated sockets in fifty rooms, the worker killed with SIGKILL twenty times under load:
// no socket closes, every write that was answered is stored, no message is lost without a log line.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { frame } from '../lib/peer.mjs';
import { PATIENCE_MS } from '../lib/bell.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

const SOCKETS = Number(process.env.FAULT_SOCKETS ?? 1000);
const ROOMS = Number(process.env.FAULT_ROOMS ?? 50);
const KILLS = Number(process.env.FAULT_KILLS ?? 20);
const BETWEEN_MS = 300; // after each new process answered its first message

// Each message "N" of a socket is stored under "SOCKET:N" and answered with the same text; it may be said twice.
const WORKER = `
import { DurableObject } from 'cloudflare:workers';

export class Room extends DurableObject {
    async fetch(request) {
        const id = new URL(request.url).searchParams.get('id');

        if (!id) return Response.json([...(await this.ctx.storage.list()).keys()]);
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server);
        server.serializeAttachment(id);
        return new Response(null, { status: 101, webSocket: client });
    }

    async webSocketMessage(ws, n) {
        await this.ctx.storage.put(ws.deserializeAttachment() + ':' + n, 1);
        ws.send(n);
    }

    webSocketClose(ws) {
        ws.close();
    }
}

export default {
    fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.split('/')[1]).fetch(request),
};
`;

/** As little as a client can be: small texts only, the next one goes out when the last was answered. */
class Speaker {
    answered = 0; // 1 … answered were
    repeats = 0; // answers heard again
    strange = []; // answers to nothing
    closed = false;
    #saying = false;
    #sent = 0;
    #rest = Buffer.alloc(0);

    constructor(id, port, room) {
        this.id = id;
        this.room = room;
        this.opened = new Promise((resolve, reject) => {
            this.socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
                this.socket.write(
                    `GET /${room}?id=${id} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
                        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
                );
            });
            this.socket.on('error', reject);
            this.socket.on('close', () => {
                this.closed = true;
                reject(new Error(`socket ${id} was closed`));
            });
            this.socket.on('data', (bytes) => {
                this.#rest = this.#rest.length ? Buffer.concat([this.#rest, bytes]) : bytes;
                if (this.#sent === 0 && !this.#upgraded(resolve, reject)) return;
                this.#frames();
            });
        });
        this.opened.catch(() => {});
    }

    #upgraded(resolve, reject) {
        const end = this.#rest.indexOf('\r\n\r\n');

        if (this.isOpen) return true;
        if (end < 0) return false;
        if (!this.#rest.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
            reject(new Error(this.#rest.toString('latin1')));
            return false;
        }
        this.isOpen = true;
        this.#rest = this.#rest.subarray(end + 4);
        resolve();
        return true;
    }

    #frames() {
        while (this.#rest.length >= 2 && this.#rest.length >= 2 + this.#rest[1]) {
            const n = this.#rest[1];

            if (this.#rest[0] !== 0x81) this.strange.push(`frame ${this.#rest[0].toString(16)} ${this.#rest.subarray(2, 2 + n).toString('latin1')}`);
            else this.#heard(Number(this.#rest.subarray(2, 2 + n)));
            this.#rest = this.#rest.subarray(2 + n);
        }
    }

    #heard(n) {
        if (n === this.answered + 1) {
            this.answered = n;
            if (this.#saying) this.say();
        } else if (n >= 1 && n <= this.answered) this.repeats++;
        else this.strange.push(n);
    }

    say() {
        this.#saying = true;
        this.socket.write(frame({ payload: Buffer.from(String(++this.#sent)) }));
    }

    /** Says nothing after the answer that it waits for. */
    quiet() {
        this.#saying = false;
    }

    get isWaiting() {
        return this.answered < this.#sent;
    }
}

test(`${SOCKETS} sockets in ${ROOMS} rooms, ${KILLS} kills`, async (t) => {
    const state = mkdtempSync(join(tmpdir(), 'holdfast-fault-'));
    const folder = scratch(t, {
        'worker.js': WORKER,
        'wrangler.json': { name: 'fault', main: 'worker.js', compatibility_date: '2026-11-01', durable_objects: { bindings: [{ name: 'ROOM', class_name: 'Room' }] } },
    });
    const server = await Holdfast.dev(folder, { state, args: ['--actor-idle-ms', '300', '--worker-idle-ms', '600'] });

    t.after(async () => {
        assert.equal((await server.stop()).code, 0);
        rmSync(state, { recursive: true, force: true });
    });
    const all = Array.from({ length: SOCKETS }, (_, i) => new Speaker(i, server.port, `room-${i % ROOMS}`));

    await Promise.all(all.map(({ opened }) => opened));
    await until('all sleep', async () => (await server.status()).worker.state === 'asleep');
    assert.equal((await server.status()).sockets.hibernatable, SOCKETS);

    const total = () => all.reduce((sum, { answered }) => sum + answered, 0);
    const pids = new Set();
    const times = [];

    for (const one of all) one.say();
    for (let kill = 0; kill < KILLS; kill++) {
        const before = total();
        const began = performance.now();

        await until(`an answer after kill ${kill}`, () => total() > before, 4 * PATIENCE_MS);
        times.push(performance.now() - began);
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
        pids.add(await server.killWorker());
    }
    for (const one of all) one.quiet();
    await until('every message is answered', () => {
        const silent = all.filter(({ isWaiting }) => isWaiting);

        if (silent.length) throw new Error(`${silent.length} sockets wait for an answer, the first is ${silent[0].id} after ${silent[0].answered}`);
        return true;
    }, 4 * PATIENCE_MS);

    assert.equal(pids.size, KILLS, 'twenty processes died');
    assert.equal(all.filter(({ closed }) => closed).length, 0, 'no socket was closed');
    assert.deepEqual(all.flatMap(({ strange }) => strange), [], 'no answer to nothing, none left out');
    for (let room = 0; room < ROOMS; room++) {
        const stored = new Set(await (await fetch(server.url(`/room-${room}`))).json());

        for (const { id, answered } of all.filter((one) => one.room === `room-${room}`))
            for (let n = 1; n <= answered; n++) assert.ok(stored.has(`${id}:${n}`), `answer ${n} of socket ${id} was not stored`);
    }
    const repeats = all.reduce((sum, one) => sum + one.repeats, 0);
    const pauses = times.slice(1).sort((a, b) => a - b);

    t.diagnostic(`${total()} messages stored and answered, ${repeats} answered twice; first answer after a kill: median ${Math.round(pauses[pauses.length >> 1])} ms, longest ${Math.round(pauses.at(-1))} ms`);
    if (process.env.FAULT_LOG) (await import('node:fs')).writeFileSync(process.env.FAULT_LOG, server.log);
    for (const one of all) one.socket.destroy();
});
