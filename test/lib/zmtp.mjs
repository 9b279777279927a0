// As little of ZeroMQ as its peers need: ZMTP 3.0 without security over TCP (rfc.zeromq.org/spec/23), and tnetstrings.
import { connect } from 'node:net';
import { Bell, PATIENCE_MS } from './bell.mjs';

const [MORE, LONG, COMMAND] = [1, 2, 4];
const GREETING_BYTES = 64;

function greeting() {
    const bytes = Buffer.alloc(GREETING_BYTES);

    bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
    bytes.write('NULL', 12);
    return bytes;
}

function frame(flags, body) {
    if (body.length < 256) return Buffer.concat([Buffer.from([flags, body.length]), body]);
    const head = Buffer.alloc(9, flags | LONG);

    head.writeBigUInt64BE(BigInt(body.length), 1);
    return Buffer.concat([head, body]);
}

function ready(type) {
    const size = Buffer.alloc(4);

    size.writeUInt32BE(type.length);
    return frame(COMMAND, Buffer.concat([Buffer.from('\x05READY\x0bSocket-Type'), size, Buffer.from(type)]));
}

/** A socket that has connected: PUSH, PUB, SUB or REQ. */
export class Zmq {
    #socket;
    #heard = Buffer.alloc(0);
    #parts = [];
    #messages = [];
    #bell = new Bell();
    #greeted = false;

    /** at: tcp://HOST:PORT. Resolves when the other side is ready. */
    static async open(t, type, at) {
        const { hostname, port } = new URL(at);
        const self = new Zmq();

        self.#socket = connect(Number(port), hostname);
        t.after(() => self.#socket.destroy());
        const done = new Promise((resolve, reject) => {
            self.ready = resolve;
            self.#socket.on('error', reject);
        });

        self.#socket.on('data', (bytes) => self.#hear(bytes));
        self.#socket.write(greeting());
        self.#socket.write(ready(type));
        await done;
        return self;
    }

    #hear(bytes) {
        this.#heard = Buffer.concat([this.#heard, bytes]);
        if (!this.#greeted) {
            if (this.#heard.length < GREETING_BYTES) return;
            this.#heard = this.#heard.subarray(GREETING_BYTES);
            this.#greeted = true;
        }
        while (this.#next());
        this.#bell.ring();
    }

    #next() {
        const [flags] = this.#heard;
        const head = flags & LONG ? 9 : 2;

        if (this.#heard.length < head) return false;
        const size = flags & LONG ? Number(this.#heard.readBigUInt64BE(1)) : this.#heard[1];

        if (this.#heard.length < head + size) return false;
        const body = Buffer.from(this.#heard.subarray(head, head + size));

        this.#heard = this.#heard.subarray(head + size);
        if (flags & COMMAND) this.ready();
        else {
            this.#parts.push(body);
            if (!(flags & MORE)) this.#messages.push(this.#parts.splice(0));
        }
        return true;
    }

    /** One message of these parts. */
    send(...parts) {
        this.#socket.write(Buffer.concat(parts.map((part, i) => frame(i + 1 < parts.length ? MORE : 0, Buffer.from(part)))));
    }

    /** The parts of the next message. */
    async next(ms = PATIENCE_MS) {
        await this.#bell.wait(() => this.#messages.length, ms, () => `expected a message of ZeroMQ within ${ms} ms`);
        return this.#messages.shift();
    }

    /** REQ: the reply to a request. */
    async ask(body) {
        this.send('', body);
        const [, reply] = await this.next();

        return reply;
    }
}

/** A value as a tnetstring; texts and Buffers are strings. */
export function tnet(value) {
    const [type, body] = value === null ? ['~', Buffer.alloc(0)]
        : Buffer.isBuffer(value) ? [',', value]
        : typeof value === 'string' ? [',', Buffer.from(value)]
        : typeof value === 'boolean' ? ['!', Buffer.from(String(value))]
        : typeof value === 'number' ? [Number.isInteger(value) ? '#' : '^', Buffer.from(String(value))]
        : Array.isArray(value) ? [']', Buffer.concat(value.map(tnet))]
        : ['}', Buffer.concat(Object.entries(value).flat().map(tnet))];

    return Buffer.concat([Buffer.from(`${body.length}:`), body, Buffer.from(type)]);
}

/** The value of a tnetstring; strings as texts. */
export const untnet = (bytes) => parse(bytes)[0];

function parse(bytes) {
    const colon = bytes.indexOf(':');
    const size = Number(bytes.subarray(0, colon));
    const body = bytes.subarray(colon + 1, colon + 1 + size);
    const type = String.fromCharCode(bytes[colon + 1 + size]);
    const read = { ',': () => String(body), '#': () => Number(body), '^': () => Number(body), '!': () => String(body) === 'true', '~': () => null, ']': () => list(body), '}': () => pairs(list(body)) };

    return [read[type](), bytes.subarray(colon + size + 2)];
}

function list(body) {
    const all = [];

    for (let rest = body; rest.length;) {
        const [value, more] = parse(rest);

        all.push(value);
        rest = more;
    }
    return all;
}

const pairs = (flat) => Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]]])));
