// The ws package in Node: plain echo, and the loop over all clients that its manual shows for a broadcast.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true }, () => {
    console.log(`ready http://127.0.0.1:${server.address().port}`);
});

server.on('connection', (ws, request) => {
    const room = request.url.startsWith('/room/');

    ws.on('message', (message, binary) => {
        if (!room) return ws.send(message, { binary });
        for (const other of server.clients) other.send(message, { binary });
    });
});
