// One end of a WebSocket, written from RFC 6455 and RFC 7692 for the suite alone: it says any frame, also those that nobody
// may say, and writes down what comes: messages, pongs, the Close, the end. zlib is Node's.
import { createHash, randomBytes } from 'node:crypto';
import { createServer, connect } from 'node:net';
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const UPGRADE = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
export const OP = { cont: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const accept = (key) => createHash('sha1').update(key + GUID).digest('base64');
export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A zlib stream, one message after the other. fresh: the window is forgotten after each. */
class Codec {
    #make;
    #fresh;
    #stream = null;
    #chain = Promise.resolve();

    constructor(make, fresh) {
        this.#make = make;
        this.#fresh = fresh;
    }

    run(bytes) {
        return (this.#chain = this.#chain.then(() => this.#one(bytes)));
    }

    async #one(bytes) {
        const stream = (this.#stream ??= this.#make());
        const out = [];
        const take = (part) => out.push(part);

        if (this.#fresh) this.#stream = null;
        return new Promise((resolve, reject) => {
            stream.on('data', take).once('error', reject);
            stream.write(bytes, () => stream.flush(constants.Z_SYNC_FLUSH, () => {
                stream.off('data', take).off('error', reject);
                resolve(Buffer.concat(out));
            }));
        });
    }
}

/** What an answer to an offer says: {server_max_window_bits: 9, …}; null: nothing was agreed on. */
export function readExtensions(text) {
    if (!text) return null;
    const [name, ...params] = text.split(';').map((part) => part.trim());

    if (name !== 'permessage-deflate') throw new Error(`agreed on ${text}`);
    return Object.fromEntries(params.map((param) => {
        const [key, value] = param.split('=');

        return [key, value === undefined ? true : Number(value)];
    }));
}

export class End {
    events = []; // ['text', bytes], ['binary', bytes], ['ping', bytes], ['pong', bytes]
    close = null; // {code, reason} of the Close that came
    over = false; // the peer has closed its half
    said = null; // the code of our Close, which came first
    wrong = null; // what the peer did that it may not
    #socket;
    #masks;
    #in = Buffer.alloc(0);
    #message = null;
    #deflate = null;
    #inflate = null;
    #wake = [];
    #reading = Promise.resolve();

    /** client: we are one, and mask. agreed: of readExtensions(). */
    constructor(socket, client, agreed) {
        const mine = client ? 'client' : 'server';
        const theirs = client ? 'server' : 'client';
        const bits = (side) => (typeof agreed[`${side}_max_window_bits`] === 'number' ? agreed[`${side}_max_window_bits`] : 15);

        this.#socket = socket;
        this.#masks = client;
        if (agreed) {
            this.#deflate = new Codec(() => createDeflateRaw({ windowBits: Math.max(9, bits(mine)) }), agreed[`${mine}_no_context_takeover`]);
            this.#inflate = new Codec(() => createInflateRaw({ windowBits: bits(theirs) }), agreed[`${theirs}_no_context_takeover`]);
        }
        socket.on('data', (bytes) => (this.#reading = this.#reading.then(() => this.#hear(bytes))));
        socket.on('end', () => (this.#reading = this.#reading.then(() => this.#ended())));
        socket.on('close', () => (this.#reading = this.#reading.then(() => this.#ended())));
        socket.on('error', (error) => (this.error = error.code));
    }

    get compresses() {
        return this.#deflate !== null;
    }

    #ended() {
        this.over = true;
        this.#tell();
    }

    #tell() {
        for (const wake of this.#wake.splice(0)) wake();
    }

    /** Until check() or so many ms; tells which. */
    async until(check, ms) {
        const end = Date.now() + ms;

        while (!check()) {
            const left = end - Date.now();

            if (left <= 0) return false;
            await Promise.race([new Promise((resolve) => this.#wake.push(resolve)), later(left)]);
        }
        return true;
    }

    /** The bytes of a frame. */
    frame(op, payload = '', { fin = true, rsv = 0 } = {}) {
        const bytes = Buffer.from(payload);
        const head = Buffer.alloc(14);
        const bit = this.#masks ? 0x80 : 0;
        let n = 2;

        head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
        if (bytes.length < 126) {
            head[1] = bit | bytes.length;
        } else if (bytes.length < 65536) {
            head[1] = bit | 126;
            head.writeUInt16BE(bytes.length, 2);
            n = 4;
        } else {
            head[1] = bit | 127;
            head.writeBigUInt64BE(BigInt(bytes.length), 2);
            n = 10;
        }
        if (!this.#masks) return Buffer.concat([head.subarray(0, n), bytes]);
        const mask = randomBytes(4);
        const masked = Buffer.from(bytes);

        for (let i = 0; i < masked.length; i++) masked[i] ^= mask[i & 3];
        return Buffer.concat([head.subarray(0, n), mask, masked]);
    }

    /** The frames of a message, compressed where that was agreed on, `pieces` bytes a fragment (0: one frame). */
    async message(op, payload, pieces = 0) {
        let bytes = Buffer.from(payload);
        let rsv = 0;
        const frames = [];

        if (this.#deflate) {
            bytes = (await this.#deflate.run(bytes)).subarray(0, -4);
            if (bytes.length === 0) bytes = Buffer.from([0]);
            rsv = 4;
        }
        const step = pieces || Math.max(bytes.length, 1);

        for (let at = 0; at === 0 || at < bytes.length; at += step) {
            frames.push(this.frame(at ? OP.cont : op, bytes.subarray(at, at + step), { fin: at + step >= bytes.length, rsv: at ? 0 : rsv }));
        }
        return Buffer.concat(frames);
    }

    /** chop: bytes a write; 0: all at once. */
    async say(bytes, chop = 0) {
        if (!chop) {
            this.#socket.write(bytes);
            return;
        }
        for (let at = 0; at < bytes.length && !this.over; at += chop) {
            if (!this.#socket.write(bytes.subarray(at, at + chop))) await new Promise((resolve) => this.#socket.once('drain', resolve).once('close', resolve));
            if ((at / chop) % 16 === 0) await new Promise(setImmediate);
        }
    }

    async sayClose(code, reason = '') {
        const payload = code === null ? Buffer.alloc(0) : Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);

        this.said ??= { code };
        this.#socket.write(this.frame(OP.close, payload));
    }

    /** We are the server, or everything is over: the connection goes. */
    end() {
        this.#socket.end();
    }

    destroy() {
        this.#socket.destroy();
    }

    async #hear(bytes) {
        this.#in = this.#in.length ? Buffer.concat([this.#in, bytes]) : bytes;
        while (await this.#next()) continue;
        this.#tell();
    }

    async #next() {
        const b = this.#in;
        let n = 2;

        if (b.length < 2) return false;
        let length = b[1] & 127;

        if (length === 126) {
            if (b.length < 4) return false;
            length = b.readUInt16BE(2);
            n = 4;
        } else if (length === 127) {
            if (b.length < 10) return false;
            length = Number(b.readBigUInt64BE(2));
            n = 10;
        }
        const masked = b[1] >> 7;
        const all = n + (masked ? 4 : 0) + length;

        if (b.length < all) return false;
        let payload = b.subarray(all - length, all);

        if (Boolean(masked) === this.#masks) this.wrong = 'frames masked the wrong way';
        if (masked) {
            const mask = b.subarray(n, n + 4);

            payload = Buffer.from(payload);
            for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
        }
        this.#in = b.subarray(all);
        if (this.close) this.wrong = 'a frame behind its Close';
        else await this.#take(b[0] & 15, b[0] >> 7, (b[0] >> 4) & 7, payload);
        return true;
    }

    async #take(op, fin, rsv, payload) {
        if (op >= 8) {
            if (!fin || payload.length > 125 || rsv) this.wrong = 'a control frame that none is';
            if (op === OP.ping) this.events.push(['ping', payload]);
            else if (op === OP.pong) this.events.push(['pong', payload]);
            else if (op === OP.close) this.close = { code: payload.length ? payload.readUInt16BE(0) : null, reason: payload.subarray(2).toString() };
            else this.wrong = `opcode ${op}`;
            return;
        }
        if ((op === 0) !== (this.#message !== null) || op > 2) {
            this.wrong = `opcode ${op} at the wrong time`;
            return;
        }
        if (rsv && (rsv !== 4 || op === 0 || !this.#inflate)) this.wrong = `reserved bits ${rsv}`;
        if (op) this.#message = { op, parts: [], packed: rsv === 4 };
        this.#message.parts.push(payload);
        if (!fin) return;
        const { op: kind, parts, packed } = this.#message;
        let whole = Buffer.concat(parts);

        this.#message = null;
        if (packed) whole = await this.#inflate.run(Buffer.concat([whole, TAIL])).catch(() => Buffer.from('(cannot be expanded)'));
        this.events.push([kind === OP.text ? 'text' : 'binary', whole]);
    }
}

/** A client's end. offer: of Sec-WebSocket-Extensions, or nothing. */
export function dial(port, path, offer) {
    return new Promise((resolve, reject) => {
        const key = randomBytes(16).toString('base64');
        const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
        const extensions = offer ? `Sec-WebSocket-Extensions: ${offer}\r\n` : '';
        let heard = '';

        socket.on('error', reject);
        socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${UPGRADE}Sec-WebSocket-Version: 13\r\n${extensions}Sec-WebSocket-Key: ${key}\r\n\r\n`);
        socket.on('data', function head(bytes) {
            heard += bytes.toString('latin1');
            const at = heard.indexOf('\r\n\r\n');

            if (at < 0) return;
            socket.off('data', head).off('error', reject);
            const field = (name) => heard.match(new RegExp(`^${name}: (.*)\r$`, 'im'))?.[1];

            if (!heard.startsWith('HTTP/1.1 101 ') || field('Sec-WebSocket-Accept') !== accept(key)) reject(new Error(heard));
            else resolve(new End(socket, true, readExtensions(field('Sec-WebSocket-Extensions'))));
            if (heard.length > at + 4) socket.emit('data', Buffer.from(heard.slice(at + 4), 'latin1'));
        });
    });
}

/** A server that gives its end of each connection to take(end). answer(offer): what Sec-WebSocket-Extensions says, or nothing. */
export function serve(take, answer) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        let heard = '';

        socket.on('error', () => {});
        socket.on('data', function head(bytes) {
            heard += bytes.toString('latin1');
            const at = heard.indexOf('\r\n\r\n');

            if (at < 0) return;
            socket.off('data', head);
            const field = (name) => heard.match(new RegExp(`^${name}: (.*)\r$`, 'im'))?.[1];
            const extensions = answer(field('Sec-WebSocket-Extensions'));

            const agreed = extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : '';

            socket.write(`HTTP/1.1 101 Switching Protocols\r\n${UPGRADE}${agreed}Sec-WebSocket-Accept: ${accept(field('Sec-WebSocket-Key'))}\r\n\r\n`);
            take(new End(socket, false, readExtensions(extensions)));
            if (heard.length > at + 4) socket.emit('data', Buffer.from(heard.slice(at + 4), 'latin1'));
        });
    });

    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
