// Routes without a Durable Object.
type Route = (request: Request, env: any, ctx: ExecutionContext) => Response | Promise<Response>;

let goOn = () => {}; // the client has heard a part of /http/stream
let count = 0; // lives as long as the process

/** An accept()ed pair: it cannot be restored, so it shares the fate of its process. */
function plainSocket(): Response {
    const { 0: client, 1: server } = new WebSocketPair();

    server.accept();
    server.addEventListener('message', (event) => server.send(`plain ${event.data}`));
    return new Response(null, { status: 101, webSocket: client });
}

/** Connects outward, says each of our messages there, and tells us what comes back. */
async function relay(request: Request): Promise<Response> {
    const to = new URL(request.url).searchParams.get('to')!;
    const answer = await fetch(to, { headers: { Upgrade: 'websocket' } });

    if (!answer.webSocket) return new Response(`expected a WebSocket, got ${answer.status}`, { status: 502 });
    const other = answer.webSocket;
    const { 0: client, 1: server } = new WebSocketPair();

    other.accept();
    server.accept();
    server.addEventListener('message', (event) => other.send(`relayed ${event.data}`));
    other.addEventListener('message', (event) => server.send(event.data));
    other.addEventListener('close', (event) => server.close(event.code === 1005 ? 1000 : event.code, event.reason));
    return new Response(null, { status: 101, webSocket: client });
}

/** Talks with a server by `new WebSocket`; answers what happened, in order. */
async function outgoing(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const socket = new WebSocket(query.get('to')!, query.getAll('protocol'));
    const events: string[] = [];

    await new Promise<void>((resolve) => {
        socket.addEventListener('open', () => {
            events.push(`open ${socket.protocol}`);
            socket.send('hello');
        });
        socket.addEventListener('message', (event) => {
            events.push(`message ${event.data}`);
            socket.close(4000, 'done');
        });
        socket.addEventListener('error', () => events.push('error'));
        socket.addEventListener('close', (event) => {
            events.push(`close ${event.code} ${event.reason} ${event.wasClean}`);
            resolve();
        });
    });
    return Response.json(events);
}

export const httpRoutes: Record<string, Route> = {
    hello: (request, env) => new Response(env.GREETING),
    env: (request, env) => Response.json({ greeting: env.GREETING, depth: env.SETTINGS.depth }),
    echo: (request) =>
        new Response(request.body, { headers: { 'content-type': request.headers.get('content-type') ?? 'text/plain', 'x-method': request.method } }),
    json: async (request) => Response.json({ got: await request.json(), type: request.headers.get('content-type') }),
    url: (request) => new Response(request.url),
    cf: (request) => Response.json(request.cf ?? null),
    ip: (request) => Response.json([...request.headers].filter(([name]) => name === 'cf-connecting-ip')),
    redirect: () => Response.redirect('http://example.invalid/elsewhere', 302),
    count: () => new Response(String(++count)),
    stream: () => {
        const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();

        (async () => {
            for (let i = 0; i < 5; i++) {
                const heard = new Promise<void>((resolve) => (goOn = resolve));

                await writer.write(new TextEncoder().encode(`part ${i}\n`));
                await heard;
            }
            await writer.close();
        })();
        return new Response(readable, { headers: { 'content-type': 'text/plain' } });
    },
    goOn: () => {
        goOn();
        return new Response('on');
    },
    big: (request) => new Response('x'.repeat(Number(new URL(request.url).searchParams.get('bytes')))),
    digest: async (request) => {
        const hash = await crypto.subtle.digest('SHA-256', await request.arrayBuffer());

        return new Response([...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
    },
    later: (request, env, ctx) => {
        ctx.waitUntil(new Promise<void>((resolve) => setTimeout(() => (console.log('waited until the end'), resolve()), 100)));
        return new Response('now');
    },
    console: () => {
        console.log('a line', { with: ['an', 'object'] }, 42);
        console.warn('a warning');
        console.error(new Error('a logged error'));
        return new Response('said');
    },
    throw: () => {
        throw new Error('thrown on purpose');
    },
    reject: async () => {
        await Promise.reject(new TypeError('rejected on purpose'));
        return new Response('never');
    },
    unhandled: () => {
        Promise.reject(new Error('nobody handles this'));
        return new Response('fine');
    },
    undefined: () => undefined as unknown as Response,
    never: () => new Promise<Response>(() => {}),
    loop: () => {
        for (;;);
    },
    leak: () => {
        const kept: unknown[] = [];

        for (;;) kept.push(new Array(10_000).fill(kept.length));
    },
    fetch: async (request) => {
        const query = new URL(request.url).searchParams;

        try {
            const answer = await fetch(query.get('to')!, {
                method: query.get('method') ?? 'GET',
                redirect: (query.get('redirect') as RequestRedirect) ?? 'follow',
                body: query.get('body') ?? undefined,
                headers: { 'x-from': 'lab' },
            });

            return Response.json({
                status: answer.status, url: answer.url, redirected: answer.redirected,
                headers: Object.fromEntries(answer.headers), body: await answer.text(),
            });
        } catch (error: any) {
            return Response.json({ error: error.name, message: error.message });
        }
    },
    pass: (request) => fetch(new URL(request.url).searchParams.get('to')!, { method: request.method, body: request.body, headers: request.headers }),
    plain: plainSocket,
    relay,
    outgoing,
    proxy: (request) => fetch(new URL(request.url).searchParams.get('to')!, request),
};
