// The Web platform as an application meets it: one route a behaviour (test/e2e/platform.test.mjs).
const socketPair = () => {
    const pair = new WebSocketPair();

    return [pair[0], pair[1]];
};

const routes = {
    // Response rules
    'undefined': () => undefined,
    'string': () => 'text',
    'never': () => new Promise(() => {}),
    'throws': () => {
        throw new Error('boom');
    },
    'error-response': () => Response.error(),
    'socket': () => {
        const [client, server] = socketPair();

        server.accept();
        server.send('hello');
        return new Response(null, { status: 101, webSocket: client });
    },
    'accepted': () => {
        const [client] = socketPair();

        client.accept();
        return new Response(null, { status: 101, webSocket: client });
    },
    'refused': () => new Response('no', { status: 403 }),

    // Streams
    'fixed': () => {
        const { readable, writable } = new FixedLengthStream(3);
        const writer = writable.getWriter();

        writer.write('abc');
        writer.close();
        return new Response(readable);
    },
    'fixed-short': () => {
        const { readable, writable } = new FixedLengthStream(3);
        const writer = writable.getWriter();

        writer.write('ab');
        writer.close().catch(() => {});
        return new Response(readable);
    },
    'string-chunk': () => new Response(ReadableStream.from(['text'])),
    'ticks': () => {
        const { readable, writable } = new IdentityTransformStream();
        const writer = writable.getWriter();

        (async () => {
            for (let i = 0; i < 3; i++) {
                await writer.write(`data: ${i}\n\n`);
                await scheduler.wait(200);
            }
            await writer.close();
        })();
        return new Response(readable, { headers: { 'content-type': 'text/event-stream' } });
    },
    'echo': (request) => new Response(request.body, { headers: { 'x-length': request.headers.get('content-length') } }),
    'upper': (request) => new Response(request.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new TransformStream({ transform: (text, out) => out.enqueue(text.toUpperCase()) }))
        .pipeThrough(new TextEncoderStream())),
    'gzip': (request) => new Response(request.body.pipeThrough(new CompressionStream('gzip')), { headers: { 'content-encoding': 'gzip' }, encodeBody: 'manual' }),
    'encoded': () => new Response('x'.repeat(10000), { headers: { 'content-encoding': 'gzip' } }),
    'tee': async (request) => {
        const [one, two] = request.body.tee();

        return Response.json([await new Response(one).text(), (await new Response(two).bytes()).length]);
    },
    'form': async (request) => {
        const form = await request.formData();
        const file = form.get('file');

        return Response.json({ name: form.get('name'), file: file.name, type: file.type, text: await file.text() });
    },
    'cookies': () => {
        const response = new Response('x');

        response.headers.append('Set-Cookie', 'a=1; Path=/');
        response.headers.append('Set-Cookie', 'b=2');
        return response;
    },
    'used-body': async (request) => {
        await request.text();
        return new Response(await request.text());
    },

    // The rest
    'crypto': async () => {
        const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('key'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
        const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode('message')));

        return Response.json({ mac: [...mac].map((b) => b.toString(16).padStart(2, '0')).join(''), id: crypto.randomUUID() });
    },
    'channel': async () => {
        const { port1, port2 } = new MessageChannel();
        const got = new Promise((resolve) => (port2.onmessage = ({ data }) => resolve(data)));

        port1.postMessage({ when: new Date(5), list: new Map([[1, 2]]) });
        const { when, list } = await got;

        return Response.json([when.getTime(), [...list]]);
    },
    'timeout': async () => {
        const started = performance.now();

        try {
            await scheduler.wait(10_000, { signal: AbortSignal.timeout(30) });
            return new Response('waited');
        } catch (error) {
            return Response.json({ name: error.name, soon: performance.now() - started < 5_000 });
        }
    },
    // Longer than what nothing can end may last, and each of them the only thing that is waited for.
    'patient': async () => {
        await scheduler.wait(300);
        await scheduler.wait(10_000, { signal: AbortSignal.timeout(300) }).catch(() => {});
        await new Promise((resolve) => { AbortSignal.timeout(300).onabort = resolve; });
        return new Response('waited');
    },
    // Names of the runtime's own scope.
    'private': () => Response.json({ native: typeof native, hooks: typeof hooks, api: typeof api, global: typeof globalObject }),
    'globals': () => Response.json(Object.keys(globalThis)),
};

export default {
    fetch(request) {
        const { pathname } = new URL(request.url);
        const route = routes[pathname.slice(1)];

        return route ? route(request) : new Response(null, { status: 404 });
    },
};
