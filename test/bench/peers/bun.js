// Bun as its manual shows it: plain echo, and its native publish to everybody on a topic.
const { BENCH_CERT: cert, BENCH_KEY: key } = process.env;
const server = Bun.serve({
    tls: cert && { cert: Bun.file(cert), key: Bun.file(key) },
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, server) {
        const room = new URL(request.url).pathname.startsWith('/room/');

        if (server.upgrade(request, { data: { room } })) return;
        return new Response('bench\n');
    },
    websocket: {
        idleTimeout: 0,
        perMessageDeflate: true,
        open(ws) {
            if (ws.data.room) ws.subscribe('room');
        },
        message(ws, message) {
            if (ws.data.room) server.publish('room', message, true);
            else ws.send(message);
        },
    },
});

console.log(`ready http${cert ? 's' : ''}://127.0.0.1:${server.port}`);
