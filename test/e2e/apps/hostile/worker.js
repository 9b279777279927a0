// What bad peers are let loose on: rooms, sockets, bodies, and code that writes without end.
import { DurableObject } from 'cloudflare:workers';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const noise = new Uint8Array(65_536).fill(120);
let gone = 0; // clients that left while their response was being written

export class Room extends DurableObject {
    fetch() {
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(ws, data) {
        if (data === 'many') for (let i = 0; i < 40; i++) ws.send(noise);
        else if (data === 'count') ws.send(String(this.ctx.getWebSockets().length));
        else for (const other of this.ctx.getWebSockets()) other.send(data);
    }

    webSocketClose(ws) {
        ws.close();
    }
}

/** Takes its time to wake. */
export class Slow extends Room {
    constructor(ctx, env) {
        super(ctx, env);
        ctx.blockConcurrencyWhile(() => sleep(200));
    }
}

function echo() {
    const { 0: client, 1: server } = new WebSocketPair();

    server.accept();
    server.addEventListener('message', ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
}

/** A socket that is written to for as long as it is open. */
function torrent() {
    const { 0: client, 1: server } = new WebSocketPair();

    server.accept();
    (async () => {
        while (server.readyState === 1) {
            server.send(noise);
            await sleep(1);
        }
    })();
    return new Response(null, { status: 101, webSocket: client });
}

function endless() {
    return new Response(new ReadableStream({
        pull: (controller) => controller.enqueue(noise),
        cancel: () => void gone++,
    }));
}

/** Many calls at once of a server that does not answer; they are given up after ms. */
async function fetches(url, n, ms) {
    const calls = Array.from({ length: n }, () => fetch(url, { signal: AbortSignal.timeout(ms) }).then(() => 'answered', (error) => error.name));
    const count = {};

    for (const end of await Promise.all(calls)) count[end] = (count[end] ?? 0) + 1;
    return Response.json(count);
}

export default {
    async fetch(request, env) {
        const url = new URL(request.url);
        const [, what, name] = url.pathname.split('/');

        switch (what) {
            case 'room':
                return env.ROOM.getByName(name).fetch(request);
            case 'slow':
                return env.SLOW.getByName(name).fetch(request);
            case 'echo':
                return echo();
            case 'torrent':
                return torrent();
            case 'endless':
                return endless();
            case 'events':
                return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('data: hello\n\n')) }), { headers: { 'content-type': 'text/event-stream' } });
            case 'big':
                return new Response(new Uint8Array(Number(name)));
            case 'gone':
                return new Response(String(gone));
            case 'size':
                return new Response(String((await request.arrayBuffer()).byteLength));
            case 'later':
                console.log('later');
                await sleep(Number(name));
                return new Response('later');
            case 'fetches':
                return fetches(url.searchParams.get('url'), Number(url.searchParams.get('n')), Number(url.searchParams.get('ms')));
            default:
                return new Response('fine');
        }
    },
};
