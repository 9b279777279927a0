// The ws package in Node: plain echo, and the loop over all clients that its manual shows for a broadcast. Requests are Node's own.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const http = createServer((request, response) => response.end('bench\n'));
const server = new WebSocketServer({ server: http, perMessageDeflate: true });

http.listen(0, '127.0.0.1', () => console.log(`ready http://127.0.0.1:${http.address().port}`));

server.on('connection', (ws, request) => {
    const room = request.url.startsWith('/room/');

    ws.on('message', (message, binary) => {
        if (!room) return ws.send(message, { binary });
        for (const other of server.clients) other.send(message, { binary });
    });
});
