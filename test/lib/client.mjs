// A WebSocket client for tests (the ws package): messages are taken one after the other, everything has a deadline.
import { WebSocket } from 'ws';
import { Bell, PATIENCE_MS } from './bell.mjs';

export class Client {
    #socket;
    #messages = [];
    #bell = new Bell();
    /** {code, reason} once it is closed. */
    closed = null;

    static async open(url, { protocols, ...options } = {}) {
        const client = new Client(url, protocols, options);

        await client.opened;
        return client;
    }

    constructor(url, protocols, options) {
        const socket = (this.#socket = new WebSocket(url, protocols ?? [], { perMessageDeflate: false, ...options }));

        this.opened = new Promise((resolve, reject) => {
            socket.once('open', resolve);
            socket.once('error', reject);
            socket.once('unexpected-response', (_, response) => reject(Object.assign(new Error(`status ${response.statusCode}`), { status: response.statusCode })));
        });
        this.opened.catch(() => {});
        socket.on('error', () => {});
        socket.on('message', (data, binary) => {
            this.#messages.push(binary ? data : data.toString());
            this.#bell.ring();
        });
        socket.on('close', (code, reason) => {
            this.closed = { code, reason: reason.toString() };
            this.#bell.ring();
        });
    }

    get protocol() {
        return this.#socket.protocol;
    }

    get extensions() {
        return this.#socket.extensions;
    }

    /** options: as ws has them (binary, compress, fin). */
    send(data, options) {
        this.#socket.send(data, options);
    }

    ping(data) {
        const answer = new Promise((resolve) => this.#socket.once('pong', (bytes) => resolve(bytes.toString())));

        this.#socket.ping(data);
        return answer;
    }

    /** The next message: a string, or a Buffer when it was binary. */
    async next(ms = PATIENCE_MS) {
        await this.#for('a message', () => this.#messages.length || this.closed, ms);
        if (!this.#messages.length) throw new Error(`expected a message, but the socket was closed: ${this.closed.code} ${this.closed.reason}`);
        return this.#messages.shift();
    }

    /** Sends a command and returns the answer to it, both JSON. */
    async ask(command, ms) {
        this.send(JSON.stringify(typeof command === 'string' ? { do: command } : command));
        return JSON.parse(await this.next(ms));
    }

    /** How it was closed. */
    async end(ms = PATIENCE_MS) {
        await this.#for('a close', () => this.closed, ms);
        return this.closed;
    }

    /** Nothing is heard for so long, and it stays open. */
    async quiet(ms) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (this.#messages.length) throw new Error(`expected silence, heard ${this.#messages[0]}`);
        if (this.closed) throw new Error(`expected silence, but the socket was closed: ${this.closed.code}`);
    }

    async close(code, reason) {
        this.#socket.close(code, reason);
        return this.end();
    }

    terminate() {
        this.#socket.terminate();
    }

    #for(what, check, ms) {
        return this.#bell.wait(check, ms, () => `expected ${what} within ${ms} ms`);
    }
}
