// The ws package in Node: plain echo, and the loop over all clients that its manual shows for a broadcast. Requests are Node's own.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocketServer } from 'ws';

const { BENCH_CERT: cert, BENCH_KEY: key } = process.env;
const answer = (request, response) => response.end('bench\n');
const http = cert ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer) : createServer(answer);
const server = new WebSocketServer({ server: http, perMessageDeflate: true });

http.listen(0, '127.0.0.1', () => console.log(`ready http${cert ? 's' : ''}://127.0.0.1:${http.address().port}`));

server.on('connection', (ws, request) => {
    const room = request.url.startsWith('/room/');

    ws.on('message', (message, binary) => {
        if (!room) return ws.send(message, { binary });
        for (const other of server.clients) other.send(message, { binary });
    });
});
