// One raw TCP connection that says bytes and hears bytes: HTTP/1.1 heads and bodies, WebSocket frames, the end.
// Nothing is corrected or added, so that a test can say what no proper client would.
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Bell, PATIENCE_MS } from './bell.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const OPS = { cont: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const OP_NAMES = Object.fromEntries(Object.entries(OPS).map(([name, op]) => [op, name]));

export function show(bytes, most = 200) {
    const text = JSON.stringify(Buffer.from(bytes.subarray(0, most)).toString('latin1'))
        .replace(/[\x7f-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);

    return bytes.length > most ? `${text}… (${bytes.length} bytes)` : text;
}

export class Peer {
    #socket;
    #plain; // the connection below TLS
    #heard = Buffer.alloc(0);
    #parts = []; // heard since, not yet joined
    #ended = null; // 'end' or the error
    #bell = new Bell();

    /** tls: speaks TLS, with a server whose certificate nobody has to know. preface: bytes before that. */
    static open(port, { host = '127.0.0.1', tls = false, preface } = {}) {
        return new Promise((resolve, reject) => {
            const plain = connect({ port, host, noDelay: true, allowHalfOpen: true });

            if (preface) plain.write(preface);
            const socket = tls ? connectTls({ socket: plain, allowHalfOpen: true, rejectUnauthorized: false }) : plain;

            socket.once('error', reject);
            socket.once(tls ? 'secureConnect' : 'connect', () => {
                socket.off('error', reject);
                resolve(new Peer(socket, plain));
            });
        });
    }

    constructor(socket, plain = socket) {
        this.#socket = socket;
        this.#plain = plain;
        socket.on('data', (bytes) => {
            this.#parts.push(bytes);
            this.#bell.ring();
        });
        socket.on('end', () => {
            this.#ended ??= 'end';
            this.#bell.ring();
        });
        socket.on('error', (error) => {
            this.#ended ??= error.code ?? error.message;
            this.#bell.ring();
        });
        socket.on('close', () => {
            this.#ended ??= 'end';
            this.#bell.ring();
        });
    }

    /** Says bytes; each of the first `single` in a packet of its own. */
    async say(bytes, single = 0) {
        bytes = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
        for (let i = 0; i < single && i < bytes.length; i++) {
            this.#socket.write(bytes.subarray(i, i + 1));
            await new Promise(setImmediate);
        }
        if (bytes.length > single) this.#socket.write(bytes.subarray(single));
    }

    /** No more will be said (FIN); hearing goes on. */
    end() {
        this.#socket.end();
    }

    /** The connection is dropped with a reset. */
    reset() {
        this.#plain.resetAndDestroy();
    }

    close() {
        this.#socket.destroy();
    }

    /** Nothing is read any more, so that the other side's buffers fill. */
    pause() {
        this.#socket.pause();
    }

    resume() {
        this.#socket.resume();
    }

    /** on() is called when the connection is over. */
    onEnd(on) {
        this.#socket.on('close', on);
    }

    /** What was heard and not taken yet. */
    get pending() {
        if (this.#parts.length) this.#heard = Buffer.concat([this.#heard, ...this.#parts.splice(0)]);
        return this.#heard;
    }

    /** Takes what find(pending) measures: a count of bytes, or null while they are not all there. */
    async #take(what, find, ms = PATIENCE_MS) {
        let n = null;

        await this.#bell.wait(() => (n = find(this.pending)) !== null || this.#ended, ms, () => `expected ${what} within ${ms} ms, heard ${show(this.#heard)}`);
        if (n === null) throw new Error(`expected ${what}, but the connection ended (${this.#ended}) after ${show(this.#heard)}`);
        const taken = this.#heard.subarray(0, n);

        this.#heard = this.#heard.subarray(n);
        return taken;
    }

    bytes(n, ms) {
        return this.#take(`${n} bytes`, (heard) => (heard.length >= n ? n : null), ms);
    }

    /** A line without its CRLF. */
    async line(ms) {
        const line = await this.#take('a line', (heard) => {
            const at = heard.indexOf('\r\n');

            return at < 0 ? null : at + 2;
        }, ms);

        return line.subarray(0, -2).toString('latin1');
    }

    /** {status, reason, fields: Map of lower-case name -> value, repeated ones joined with ", "}. */
    async head(ms) {
        const first = await this.line(ms);
        const match = first.match(/^HTTP\/1\.1 (\d{3}) (.*)$/);

        if (!match) throw new Error(`expected a status line, heard ${JSON.stringify(first)}`);
        const fields = new Map();

        for (let line = await this.line(ms); line; line = await this.line(ms)) {
            const [, name, value] = line.match(/^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/) ?? [];

            if (!name) throw new Error(`expected a header field, heard ${JSON.stringify(line)}`);
            const key = name.toLowerCase();

            fields.set(key, fields.has(key) ? `${fields.get(key)}, ${value}` : value);
        }
        return { status: Number(match[1]), reason: match[2], fields };
    }

    /** The body that belongs to a head. */
    async body({ status, fields }, toHead = false, ms = PATIENCE_MS) {
        if (toHead || status < 200 || status === 204 || status === 304) return Buffer.alloc(0);
        if (/chunked/i.test(fields.get('transfer-encoding') ?? '')) return this.#chunks(ms);
        if (fields.has('content-length')) return this.bytes(Number(fields.get('content-length')), ms);
        return this.rest(ms);
    }

    async #chunks(ms) {
        const parts = [];

        for (;;) {
            const size = await this.line(ms);

            if (!/^[0-9a-f]+$/i.test(size)) throw new Error(`expected a chunk size, heard ${JSON.stringify(size)}`);
            const n = parseInt(size, 16);

            if (n) parts.push(await this.bytes(n, ms));
            const end = await this.line(ms);

            if (end) throw new Error(`expected the end of a chunk, heard ${JSON.stringify(end)}`);
            if (!n) return Buffer.concat(parts);
        }
    }

    /** Everything up to the end of the connection. */
    rest(ms) {
        return this.#take('the end of the connection', (heard) => (this.#ended === 'end' ? heard.length : null), ms);
    }

    /** The connection ends here, with nothing more; a reset counts when it is allowed. */
    async eof({ ms, reset = false } = {}) {
        const rest = await this.#take('the end of the connection', (heard) =>
            this.#ended === 'end' || (reset && this.#ended) ? heard.length : heard.length ? 0 : null, ms);

        if (rest.length || this.pending.length)
            throw new Error(`expected the end of the connection, heard ${show(rest.length ? rest : this.pending)}`);
    }

    /** Nothing is heard for so long, and the connection stays. */
    async quiet(ms) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (this.pending.length) throw new Error(`expected silence, heard ${show(this.pending)}`);
        if (this.#ended) throw new Error(`expected silence, but the connection ended (${this.#ended})`);
    }

    /** The opening handshake of a WebSocket, both sides of it; resolves with the answer's head. */
    async upgrade(path, fields = {}) {
        const key = randomBytes(16).toString('base64');
        const all = {
            Host: 'localhost', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key, ...fields,
        };

        await this.say(`GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
        const head = await this.head();

        if (head.status !== 101) throw new Error(`expected 101, heard ${head.status} ${head.reason}`);
        const accept = createHash('sha1').update(key + GUID).digest('base64');

        if (head.fields.get('sec-websocket-accept') !== accept)
            throw new Error(`expected Sec-WebSocket-Accept ${accept}, heard ${head.fields.get('sec-websocket-accept')}`);
        return head;
    }

    /** One frame as it came: {fin, rsv, op, name, payload, code, reason}. */
    async frame(ms) {
        const [first, second] = await this.bytes(2, ms);
        let n = second & 127;

        if (second & 128) throw new Error('expected an unmasked frame, heard a masked one');
        if (n === 126) n = (await this.bytes(2, ms)).readUInt16BE();
        else if (n === 127) n = Number((await this.bytes(8, ms)).readBigUInt64BE());
        const payload = Buffer.from(await this.bytes(n, ms));
        const op = first & 15;
        const frame = { fin: first >> 7 === 1, rsv: (first >> 4) & 7, op, name: OP_NAMES[op] ?? `op ${op}`, payload };

        if (op === OPS.close) {
            frame.code = n >= 2 ? payload.readUInt16BE() : 1005;
            frame.reason = payload.subarray(2).toString();
        }
        return frame;
    }
}

/** A frame's bytes as a client sends it, or as told: {op, payload, fin, rsv, mask: bytes or null, length: 7, 16 or 64}. */
export function frame({ op = OPS.text, payload = Buffer.alloc(0), fin = true, rsv = 0, mask = randomBytes(4), length }) {
    const n = payload.length;
    const form = length ?? (n < 126 ? 7 : n < 65536 ? 16 : 64);
    const head = Buffer.alloc(form === 7 ? 2 : form === 16 ? 4 : 10);

    head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
    head[1] = (mask ? 0x80 : 0) | (form === 7 ? n : form === 16 ? 126 : 127);
    if (form === 16) head.writeUInt16BE(n, 2);
    if (form === 64) head.writeBigUInt64BE(BigInt(n), 2);
    if (!mask) return Buffer.concat([head, payload]);
    const masked = Buffer.from(payload);

    for (let i = 0; i < n; i++) masked[i] ^= mask[i & 3];
    return Buffer.concat([head, mask, masked]);
}
