// A GRIP origin in a process of its own, so that it can be killed: `node origin.mjs PORT`. Says its port when it listens.
// Streams and polls are held on the channel "all", WebSockets subscribe to it and are echoed.
import { createServer } from 'node:http';

const EVENTS = 'application/websocket-events';
const SUBSCRIBE = 'c:{"type":"subscribe","channel":"all"}';
const event = (content) => `TEXT ${content.length.toString(16)}\r\n${content}\r\n`;

const server = createServer(async (request, response) => {
    const parts = [];

    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString('latin1');

    if (request.headers['content-type'] === EVENTS) {
        response.writeHead(200, { 'Content-Type': EVENTS, 'Sec-WebSocket-Extensions': 'grip' });
        response.end(body.startsWith('OPEN') ? `OPEN\r\n${event(SUBSCRIBE)}` : body.replace(/TEXT [0-9a-f]+\r\n(.*)\r\n/g, (_, text) => event(`m:${text}`)), 'latin1');
        return;
    }
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Grip-Hold': request.url === '/poll' ? 'response' : 'stream', 'Grip-Channel': 'all' });
    response.end('open\n');
});

server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(server.address().port));
