// What libraries for real-time applications use of Node.js: /NAME runs one of these.
import assert from 'node:assert';
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import crypto, { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import dc from 'node:diagnostics_channel';
import EventEmitter, { on, once } from 'node:events';
import path from 'path';
import proc from 'node:process';
import qs from 'node:querystring';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import url, { fileURLToPath } from 'node:url';
import * as util from 'node:util';
import { DurableObject } from 'cloudflare:workers';
import { works } from './old.cjs';

const storage = new AsyncLocalStorage<string>();

async function deep(n: number): Promise<string | undefined> {
    await null;
    return n === 0 ? storage.getStore() : deep(n - 1);
}

async function* stores() {
    for (let i = 0; i < 3; i++) {
        await sleep(1);
        yield storage.getStore();
    }
}

export class Room extends DurableObject {
    fetch(request: Request) {
        return storage.run(new URL(request.url).search, async () => {
            const seen = [await deep(3)];

            await this.ctx.storage.put('x', 1);
            seen.push(storage.getStore());
            for await (const store of stores()) seen.push(store);
            seen.push(...(await Promise.all([3, 1].map((ms) => sleep(ms).then(() => storage.getStore())))));
            return Response.json(seen);
        });
    }
}

const parts: Record<string, () => unknown> = {
    async async_hooks() {
        const seen: unknown[] = [];
        const see = () => seen.push(storage.getStore() ?? 'nothing');

        await storage.run('a', async () => {
            const inA = AsyncLocalStorage.snapshot();
            const bound = AsyncResource.bind(see);

            storage.run('b', () => inA(see));
            await new Promise((resolve) => setTimeout(resolve, 1));
            see();
            storage.exit(bound);
            storage.exit(see);
            await Promise.reject(new Error('no')).catch(see);
        });
        see();
        return seen;
    },
    buffer: () => [
        Buffer.from('héllo').toString('base64url'), Buffer.from('aGk_', 'base64url').toString('hex'), Buffer.concat([Buffer.from([1]), Buffer.alloc(2)]).readUint16BE(0),
        globalThis.Buffer === Buffer, Buffer.from('a') instanceof Uint8Array,
    ],
    crypto: () => [
        createHash('sha256').update('a').update('b').digest('hex'), createHash('md5').update('a').digest('base64'), createHmac('sha1', 'k').update('d').digest('hex'),
        randomBytes(4).length, timingSafeEqual(Buffer.from('a'), Buffer.from('a')), crypto.webcrypto === globalThis.crypto,
        crypto.pbkdf2Sync('p', 's', 10, 16, 'sha256').toString('hex'),
    ],
    diagnostics_channel() {
        const heard: unknown[] = [];

        dc.subscribe('x', (message) => heard.push(message));
        dc.channel('x').publish(3);
        return heard;
    },
    async events() {
        const emitter = new EventEmitter();
        const first = once(emitter, 'x');
        const values: unknown[] = [];

        emitter.emit('x', 1, 2);
        setTimeout(() => [5, 6].forEach((n) => emitter.emit('y', n)), 1);
        for await (const [value] of on(emitter, 'y')) if (values.push(value) === 2) break;
        return [await first, values];
    },
    old: () => works,
    path: () => [path.join('/a', '../b', 'c.txt'), path.resolve('x'), path.relative('/a/b', '/a/c')],
    process: () => [process.env.MODE, proc === process, process.platform, global === globalThis, typeof process.versions.node],
    async stream() {
        const upper = new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) });
        let text = '';

        await pipeline(Readable.from(['a', 'b']), upper, async (source: AsyncIterable<Uint8Array>) => {
            for await (const chunk of source) text += chunk;
        });
        return [text, await new Response(Readable.toWeb(Readable.from([Buffer.from('web')])) as BodyInit).text()];
    },
    text() {
        const decoder = new StringDecoder('utf8');

        return [decoder.write(Buffer.from([0xc3])) + decoder.write(Buffer.from([0xa9])), qs.stringify({ x: [1, 2], y: 'z w' }), url.parse('http://u:p@h:1/p').host, fileURLToPath('file:///a%20b')];
    },
    timers: async () => [await sleep(5, 'slept'), await new Promise((resolve) => process.nextTick(resolve, 'ticked'))],
    util: async () => [
        util.format('%s %d %j', 'a', 1, { b: 2 }), await util.promisify((a: number, done: (e: null, b: number) => void) => done(null, a + 1))(1),
        util.isDeepStrictEqual({ a: [1] }, { a: [1] }), util.isDeepStrictEqual({ a: [1] }, { a: [2] }),
        (() => {
            try {
                assert.equal(1, 2);
            } catch (error) {
                return (error as { code: string }).code;
            }
        })(),
    ],
};

export default {
    async fetch(request: Request, env: { ROOM: DurableObjectNamespace }) {
        const name = new URL(request.url).pathname.slice(1);

        return name === 'room' ? env.ROOM.getByName('a').fetch(request) : Response.json(await parts[name]());
    },
};
