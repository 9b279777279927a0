// What Holdfast and workerd both run: the shortest Durable Objects that echo and that tell everybody.
import { DurableObject } from 'cloudflare:workers';

class Holder extends DurableObject {
    fetch() {
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketClose(ws) {
        ws.close();
    }
}

export class Echo extends Holder {
    webSocketMessage(ws, message) {
        ws.send(message);
    }
}

export class Room extends Holder {
    webSocketMessage(ws, message) {
        for (const other of this.ctx.getWebSockets()) other.send(message);
    }
}

/** Holds its sockets itself: they do not hibernate, and it does not sleep. */
export class Plain extends DurableObject {
    all = new Set();

    fetch() {
        const { 0: client, 1: server } = new WebSocketPair();

        server.accept();
        this.all.add(server);
        server.addEventListener('close', () => this.all.delete(server));
        server.addEventListener('message', ({ data }) => {
            for (const other of this.all) other.send(data);
        });
        return new Response(null, { status: 101, webSocket: client });
    }
}

export default {
    fetch(request, env) {
        const [, kind, name] = new URL(request.url).pathname.split('/');

        if (kind === 'echo') return env.ECHO.getByName(name).fetch(request);
        if (kind === 'room') return env.ROOM.getByName(name).fetch(request);
        if (kind === 'plain') return env.PLAIN.getByName(name).fetch(request);
        return new Response('bench\n');
    },
};
