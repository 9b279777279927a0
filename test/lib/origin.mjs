// An origin that a test plays: every request waits until the test takes it and answers. And a Holdfast in front of it.
import { createServer } from 'node:http';
import { Bell, PATIENCE_MS } from './bell.mjs';
import { Holdfast } from './holdfast.mjs';
import { listen } from './ports.mjs';

export const EVENTS = 'application/websocket-events';

/** One request as it came: its body is whole. */
export class Asked {
    #response;

    constructor(request, body, response) {
        this.method = request.method;
        this.url = request.url;
        this.headers = request.headers;
        this.rawHeaders = request.rawHeaders;
        this.bytes = body;
        this.#response = response;
    }

    get body() {
        return this.bytes.toString('latin1');
    }

    /** The values of all fields of that name. */
    all(name) {
        return this.rawHeaders.filter((_, i) => i % 2 && this.rawHeaders[i - 1].toLowerCase() === name.toLowerCase());
    }

    /** headers: an object, or a list of pairs. The body's length is announced. */
    answer(status, headers = {}, body = '') {
        const bytes = Buffer.from(body, 'latin1');
        const list = Array.isArray(headers) ? headers : Object.entries(headers);
        const all = [...list, ['Content-Length', String(bytes.length)]];

        this.#response.writeHead(status, all.flat());
        this.#response.end(bytes);
    }

    /** WebSocket-over-HTTP: events, and more headers. */
    events(body = '', headers = {}) {
        this.answer(200, { 'Content-Type': EVENTS, ...headers }, body);
    }

    /** The response itself, for answers in pieces. */
    get response() {
        return this.#response;
    }

    /** The connection is cut instead of an answer. */
    drop() {
        this.#response.socket.destroy();
    }
}

export class Origin {
    #server;
    #waiting = [];
    #sockets = new Set(); // upgraded ones, too
    #bell = new Bell();
    port = 0;

    /** port 0: any. server: another http.Server, a TLS one for instance. */
    static async open({ port = 0, server } = {}) {
        const self = new Origin();

        self.#server = server ?? createServer();
        self.#server.on('request', async (request, response) => {
            const parts = [];

            for await (const part of request) parts.push(part);
            self.#waiting.push(new Asked(request, Buffer.concat(parts), response));
            self.#bell.ring();
        });
        self.#server.on('connection', (socket) => {
            self.#sockets.add(socket);
            socket.on('close', () => self.#sockets.delete(socket));
        });
        self.#server.keepAliveTimeout = 60_000;
        self.port = await listen(self.#server, port);
        return self;
    }

    get server() {
        return this.#server;
    }

    /** The next request, in the order of their last bytes. */
    async next(ms = PATIENCE_MS) {
        await this.#bell.wait(() => this.#waiting.length, ms, () => `the origin expected a request within ${ms} ms`);
        return this.#waiting.shift();
    }

    /** No request comes for so long. */
    async quiet(ms) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (this.#waiting.length) throw new Error(`expected no request, got ${this.#waiting[0].method} ${this.#waiting[0].url} ${JSON.stringify(this.#waiting[0].body)}`);
    }

    close() {
        for (const socket of this.#sockets) socket.destroy();
        return new Promise((resolve) => this.#server.close(resolve));
    }
}

/** A gateway in front of origins: routes as in a Pushpin routes file. Has `.publish(items)`. */
export async function gateway(t, routes, args = []) {
    const server = await Holdfast.serve(['serve', ...[routes].flat().flatMap((line) => ['--route', line]), '--port', '0', '--control', '127.0.0.1:0', ...args]);

    t.after(() => server.stop());
    server.publish = async (...items) => {
        const response = await fetch(`http://127.0.0.1:${server.control}/publish/`, { method: 'POST', body: JSON.stringify({ items }) });

        return { status: response.status, text: await response.text() };
    };
    return server;
}

/** Both: an origin and a gateway with the one route to it. options: of the target, ",over_http" for instance. */
export async function pair(t, { condition = '*', target = '', args } = {}) {
    const origin = await Origin.open();

    t.after(() => origin.close());
    return { origin, server: await gateway(t, `${condition} 127.0.0.1:${origin.port}${target}`, args) };
}
