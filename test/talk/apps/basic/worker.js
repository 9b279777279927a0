// What the conversations talk with: a route for each thing that HTTP and WebSocket can be asked.
import { DurableObject } from 'cloudflare:workers';

/** A socket that echoes; "close 4001 why" makes it close, "flood 100" makes it send so many messages of 64 KiB. */
function answer(ws, data) {
    if (typeof data === 'string' && data.startsWith('flood')) {
        for (let i = Number(data.slice(5)); i > 0; i--) ws.send('x'.repeat(65536));
        return;
    }
    if (typeof data === 'string' && data.startsWith('close')) {
        const [, code, reason] = data.split(' ');

        return code ? ws.close(Number(code), reason) : ws.close();
    }
    ws.send(data);
}

export class Room extends DurableObject {
    constructor(ctx, env) {
        super(ctx, env);
        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    }

    fetch() {
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(ws, data) {
        answer(ws, data);
    }

    webSocketClose(ws, code, reason) {
        if (code === 1005) ws.close();
        else if (code !== 1006) ws.close(code, reason);
    }
}

function plainSocket(headers = {}) {
    const { 0: client, 1: server } = new WebSocketPair();

    server.accept();
    server.binaryType = 'arraybuffer';
    server.addEventListener('message', (event) => answer(server, event.data));
    return new Response(null, { status: 101, webSocket: client, headers });
}

function greeting() {
    const { 0: client, 1: server } = new WebSocketPair();

    server.accept();
    server.send('one');
    server.send('two');
    server.close(4010, 'three');
    return new Response(null, { status: 101, webSocket: client });
}

function stream(...parts) {
    const encoder = new TextEncoder();

    return new ReadableStream({
        async start(controller) {
            for (const part of parts) {
                controller.enqueue(encoder.encode(part));
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
            controller.close();
        },
    });
}

/** Whether a client of /watched is there, and what its stream and its request heard when it left. */
const watched = { streams: 0, cancelled: 0, aborted: 0 };

function watch(request) {
    const tick = (controller) => controller.enqueue(new TextEncoder().encode('data: here\n\n'));

    watched.streams++;
    request.signal.addEventListener('abort', () => watched.aborted++);
    return events(new ReadableStream({ start: tick, cancel: () => void watched.cancelled++ }));
}

/** Fills a client that does not read, until it is told to wait. */
function endless() {
    const piece = new Uint8Array(65536).fill(120);

    watched.pulled = 0;
    return new Response(new ReadableStream({
        pull(controller) {
            watched.pulled += piece.length;
            controller.enqueue(piece);
        },
    }));
}

/** Events one by one, with pauses of so many milliseconds; then silence. */
function silence(parts, headers) {
    const encoder = new TextEncoder();

    return events(new ReadableStream({
        async start(controller) {
            for (const part of parts) {
                controller.enqueue(encoder.encode(part));
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        },
    }), headers);
}

const events = (body, headers) => new Response(body, { headers: { 'content-type': 'text/event-stream', ...headers } });

const routes = {
    '/client': (request) => new Response(request.headers.get('cf-connecting-ip')),
    '/watch': watch,
    '/watched': () => Response.json(watched),
    '/endless': endless,
    '/silent': () => silence(['data: one\n\n']),
    '/silent-in-a-line': () => silence(['data: o', 'ne']),
    '/silent-in-a-break': () => silence(['data: one\r']),
    '/silent-from-the-start': () => silence([]),
    '/silent-and-encoded': () => silence(['data: one\n\n'], { 'content-encoding': 'x-mine' }),
    '/silent-text': () => silence(['one\n'], { 'content-type': 'text/plain' }),
    '/resume': (request) => events(stream(`id: 8\ndata: after ${request.headers.get('last-event-id')}\n\n`)),
    '/': () => new Response('hello'),
    '/echo': (request) => new Response(request.body),
    '/size': async (request) => new Response(`${(await request.arrayBuffer()).byteLength} bytes`),
    '/ignore': () => new Response('not read'),
    '/method': (request) => new Response(request.method),
    '/url': (request) => new Response(request.url),
    '/header': (request) => new Response(String(request.headers.get('x-test'))),
    '/slow': async () => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        return new Response('slow');
    },
    '/stream': () => new Response(stream('one ', 'two ', 'three')),
    '/empty': () => new Response(null),
    '/204': () => new Response(null, { status: 204 }),
    '/304': () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
    '/404': () => new Response('nothing here', { status: 404 }),
    '/cookies': () => {
        const headers = new Headers();

        headers.append('set-cookie', 'a=1');
        headers.append('set-cookie', 'b=2');
        return new Response('cookies', { headers });
    },
    '/hop': () => new Response('hop', { headers: { connection: 'x-hop', 'keep-alive': 'timeout=1', 'x-kept': 'yes' } }),
    '/throw': () => {
        throw new Error('thrown on purpose');
    },
    '/plain': (request) => plainSocket(),
    '/protocol': () => plainSocket({ 'sec-websocket-protocol': 'b' }),
    '/greeting': () => greeting(),
    '/refuse': () => new Response('no socket here', { status: 403 }),
    '/do': (request, env) => env.ROOM.getByName('talk').fetch(request),
};

export default {
    fetch(request, env) {
        const route = routes[new URL(request.url).pathname];

        return route ? route(request, env) : new Response('no such route', { status: 404 });
    },
};
