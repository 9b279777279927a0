// Both sides of GRIP for a test: clients that are held and WebSockets whose origin answers requests, items for them.
import assert from 'node:assert/strict';
import { until } from './holdfast.mjs';
import { pair } from './origin.mjs';
import { OPS, Peer, frame } from './peer.mjs';

export const POLL = { 'Content-Type': 'text/plain', 'Grip-Hold': 'response', 'Grip-Channel': 'a' };
export const STREAM = { 'Content-Type': 'text/plain', 'Grip-Hold': 'stream', 'Grip-Channel': 'a' };
export const GET = 'GET /a/b?c HTTP/1.1\r\nHost: h\r\nCookie: secret=1\r\nAuthorization: Basic eDp5\r\n\r\n';
export const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
export const GRIP = { 'Sec-WebSocket-Extensions': 'grip' };

export const response = (channel, fields, more) => ({ channel, formats: { 'http-response': fields }, ...more });
export const stream = (channel, content, more) => ({ channel, formats: { 'http-stream': { content } }, ...more });
export const message = (channel, fields, more) => ({ channel, formats: { 'ws-message': fields }, ...more });

/** A client whose request the origin answers so. */
export async function ask(t, { origin, server }, headers, body = '', request = GET) {
    const client = await Peer.open(server.port);

    t.after(() => client.close());
    await client.say(request);
    (await origin.next()).answer(200, headers, body);
    return client;
}

/** The data of the next chunk of a response. */
export async function chunk(client, ms) {
    const n = parseInt(await client.line(ms), 16);
    const bytes = n ? await client.bytes(n) : Buffer.alloc(0);

    assert.equal(await client.line(), '');
    return bytes.toString('latin1');
}

/** Chunks until they make up that text. */
export async function hears(client, text, ms) {
    let heard = '';

    while (heard.length < text.length) heard += await chunk(client, ms);
    assert.equal(heard, text);
}

/** Waits until so many clients are held. */
export function held(server, mode, n) {
    const row = `holdfast_grip_holds{mode="${mode}"} ${n}\n`;

    return until(row, async () => (await (await fetch(`http://127.0.0.1:${server.control}/metrics`)).text()).includes(row));
}

/** Events as they stand in a body. */
export const event = (type, content) => (content === undefined ? `${type}\r\n` : `${type} ${content.length.toString(16)}\r\n${content}\r\n`);
export const control = (fields) => event('TEXT', `c:${JSON.stringify(fields)}`);

/** A client's end of a WebSocket. */
export class Socket {
    constructor(peer) {
        this.peer = peer;
    }

    say(text, options) {
        return this.peer.say(frame({ payload: Buffer.from(text, 'latin1'), ...options }));
    }

    close(code, reason = '') {
        const payload = Buffer.alloc(code ? 2 : 0);

        if (code) payload.writeUInt16BE(code);
        return this.say(Buffer.concat([payload, Buffer.from(reason)]).toString('latin1'), { op: OPS.close });
    }

    /** "text hello": what was heard next. */
    async hear(ms) {
        const { name, payload, code, reason } = await this.peer.frame(ms);

        return name === 'close' ? `close ${code} ${reason}`.trim() : `${name} ${payload.toString('latin1')}`.trim();
    }
}

/** A client whose OPEN the origin has answered with `body` and `headers`. */
export async function open(t, { origin, server, path = '/ws', fields, headers = {}, body = 'OPEN\r\n' }) {
    const peer = await Peer.open(server.port);

    t.after(() => peer.close());
    const head = peer.upgrade(path, fields);

    head.catch(() => {});
    const asked = await origin.next();

    assert.equal(asked.body, 'OPEN\r\n');
    asked.events(body, headers);
    const socket = new Socket(peer);

    socket.head = await head;
    socket.open = asked;
    return socket;
}

export async function overHttp(t, { target = '', ...options } = {}) {
    const { origin, server } = await pair(t, { target: `,over_http${target}`, ...options });

    return { origin, server, open: (more = {}) => open(t, { origin, server, ...more }) };
}

/** The origin's answer to what the client says. */
export async function tell(origin, socket, body, headers) {
    await socket.say('?');
    const asked = await origin.next();

    asked.events(body, headers);
    return asked;
}
