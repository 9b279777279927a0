// What an application for Fastly Compute does with Fanout; /own/… is its own origin.
import { ConfigStore } from 'fastly:config-store';
import { env } from 'fastly:env';
import { createFanoutHandoff } from 'fastly:fanout';
import { KVStore } from 'fastly:kv-store';
import { SecretStore } from 'fastly:secret-store';
import { createWebsocketHandoff } from 'fastly:websocket';

addEventListener('fetch', (event) => event.respondWith(answer(event)));

async function answer({ request, client }) {
    const url = new URL(request.url);
    const [, first, second] = url.pathname.split('/');

    switch (first) {
    case 'fanout': return createFanoutHandoff(request, second);
    case 'tunnel': return createWebsocketHandoff(request, second);
    case 'changed': return createFanoutHandoff(changed(request), 'origin');
    case 'read':
        await request.text();
        return createFanoutHandoff(request, 'origin');
    case 'rewrapped': {
        const response = createFanoutHandoff(request, 'origin');

        return new Response(response.body, response);
    }
    case 'fetch': return fetch(request, { backend: second });
    case 'own': return request.headers.has('Grip-Sig') ? own(request, second) : createFanoutHandoff(request, 'self');
    case 'publish': return publish(await request.json());
    case 'stores': return stores(second, request);
    case 'env': return new Response(`${env(second)}`);
    case 'client': return new Response(client.address);
    default: return new Response('nothing here\n', { status: 404 });
    }
}

function changed(request) {
    request.headers.set('X-Forwarded-For', '10.9.8.7');
    request.headers.set('X-Mine', 'yes');
    request.headers.set('Host', 'forged.test');
    request.headers.set('CDN-Loop', 'forged');
    request.headers.delete('X-Secret');
    return new Request('http://forged.test/elsewhere?x=1', request);
}

const hold = (type, mode) => new Response(null, { headers: { 'Content-Type': type, 'Grip-Hold': mode, 'Grip-Channel': 'test' } });

async function own(request, what) {
    if (what === 'poll') return hold('text/plain', 'response');
    if (what === 'sse') return hold('text/event-stream', 'stream');
    if (request.headers.get('Content-Type') !== 'application/websocket-events') return new Response('no events\n', { status: 400 });
    const events = new Uint8Array(await request.arrayBuffer());
    const isOpen = new TextDecoder().decode(events).startsWith('OPEN\r\n');
    const word = JSON.stringify({ type: 'subscribe', channel: 'test' });
    const body = new ReadableStream({
        start(controller) {
            controller.enqueue(events);
            if (isOpen) controller.enqueue(new TextEncoder().encode(`TEXT ${(word.length + 2).toString(16)}\r\nc:${word}\r\n`));
            controller.close();
        },
    });

    return new Response(body, { headers: { 'Content-Type': 'application/websocket-events', ...(isOpen ? { 'Sec-WebSocket-Extensions': 'grip; message-prefix=""' } : {}) } });
}

// The address of Fastly's own interface.
const publish = (items) => fetch('http://api.fastly.test/service/0/publish/', { method: 'POST', backend: 'publisher', headers: { 'Fastly-Key': 'k' }, body: JSON.stringify({ items }) });

async function stores(which, request) {
    const files = new KVStore('files');

    if (request.method === 'PUT') await files.put(which, await request.text());
    return Response.json({
        color: new ConfigStore('settings').get('color'),
        token: (await new SecretStore('secrets').get('token')).plaintext(),
        file: await (await files.get(which))?.text() ?? null,
    });
}
