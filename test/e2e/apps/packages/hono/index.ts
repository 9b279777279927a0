import { DurableObject } from 'cloudflare:workers';
import { Hono } from 'hono';
import { upgradeWebSocket } from 'hono/cloudflare-workers';
import { getSignedCookie, setSignedCookie } from 'hono/cookie';
import { etag } from 'hono/etag';
import { html } from 'hono/html';
import { HTTPException } from 'hono/http-exception';
import { jwt, sign } from 'hono/jwt';
import { stream, streamSSE } from 'hono/streaming';

type Env = { Bindings: { ROOM: DurableObjectNamespace } };

export class Room extends DurableObject {
    app = new Hono().get('/room/:name', (c) => {
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server);
        server.serializeAttachment(c.req.param('name'));
        return new Response(null, { status: 101, webSocket: client });
    });

    fetch(request: Request) {
        return this.app.fetch(request);
    }

    webSocketMessage(sender: WebSocket, message: string) {
        for (const socket of this.ctx.getWebSockets()) socket.send(`${sender.deserializeAttachment()}: ${message}`);
    }
}

const app = new Hono<Env>();

app.get('/', (c) => c.html(html`<h1>${'<hi>'}</h1>`));
app.get('/ws', upgradeWebSocket(() => ({ onMessage: (event, ws) => ws.send(`echo ${event.data}`) })));
app.get('/sse', (c) => streamSSE(c, async (s) => {
    for (const id of ['0', '1']) {
        await s.writeSSE({ id, event: 'tick', data: `n${id}` });
        await s.sleep(5);
    }
}));
app.get('/stream', (c) => stream(c, async (s) => {
    await s.write(new Uint8Array([65, 66]));
    await s.pipe(new Response(' piped').body!);
}));
app.get('/teapot', () => {
    throw new HTTPException(418, { message: 'teapot' });
});
app.get('/cookie/set', async (c) => {
    await setSignedCookie(c, 'a', 'b', 'secret');
    return c.text('set');
});
app.get('/cookie', async (c) => c.json(await getSignedCookie(c, 'secret')));
app.get('/etag', etag(), (c) => c.text('tagged'));
app.get('/token', async (c) => c.text(await sign({ sub: 'me' }, 'k')));
app.use('/jwt', jwt({ secret: 'k', alg: 'HS256' }));
app.get('/jwt', (c) => c.json(c.get('jwtPayload' as never)));
app.get('/room/:name', (c) => c.env.ROOM.getByName('all').fetch(c.req.raw));

export default app;
