import { attempt, tick } from './describe.js';

/** Both ends accepted, and everything that happens at each written down. */
function pair(options) {
    const [a, b] = Object.values(new WebSocketPair());
    const log = [];

    for (const [name, ws] of [['a', a], ['b', b]]) {
        ws.accept(options);
        watch(name, ws, log);
    }
    return { a, b, log };
}

function watch(name, ws, log) {
    ws.addEventListener('message', (event) => log.push(`${name} message ${typeof event.data === 'string' ? event.data : event.data.constructor.name}`));
    ws.addEventListener('close', (event) => log.push(`${name} close ${event.code} ${event.reason} ${event.wasClean} state ${ws.readyState}`));
    ws.addEventListener('error', (event) => log.push(`${name} error ${event.message}`));
}

export const socketCases = {
    'pair: keys': () => Object.keys(new WebSocketPair()),
    'pair: values, spread, entries': () => {
        const made = new WebSocketPair();

        return [Object.values(made).every((ws) => ws instanceof WebSocket), [...Object.entries(made)].map(([key]) => key), typeof made[Symbol.iterator], made.length];
    },
    'pair: without new': () => attempt(() => WebSocketPair()),
    'pair: a fresh end': () => {
        const ws = new WebSocketPair()[0];

        return [ws.readyState, ws.url, ws.protocol, ws.extensions, ws.binaryType, ws.bufferedAmount];
    },
    'pair: constants': () => [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.READY_STATE_OPEN, new WebSocketPair()[0].CLOSED, new WebSocketPair()[0].READY_STATE_CLOSED],
    'pair: send before accept': () => attempt(() => new WebSocketPair()[0].send('x')),
    'pair: close before accept': () => [attempt(() => new WebSocketPair()[0].close(1000)), attempt(() => new WebSocketPair()[0].close(42))],
    'pair: accept twice': () => {
        const ws = new WebSocketPair()[0];

        ws.accept();
        return attempt(() => ws.accept());
    },
    'pair: what was sent before the other accepts': async () => {
        const [a, b] = Object.values(new WebSocketPair());
        const log = [];

        a.accept();
        watch('a', a, log);
        a.send('1');
        a.send('2');
        a.close(4001, 'bye');
        await tick(10);
        watch('b', b, log);
        b.accept();
        await tick(20);
        return [log, a.readyState, b.readyState];
    },
    'pair: a listener a microtask after accept': async () => {
        const [a, b] = Object.values(new WebSocketPair());
        const log = [];

        a.accept();
        a.send('early');
        b.accept();
        await null;
        watch('b', b, log);
        await tick(10);
        return log;
    },
    'pair: a listener long after accept': async () => {
        const [a, b] = Object.values(new WebSocketPair());
        const log = [];

        a.accept();
        a.send('lost');
        b.accept();
        await tick(20);
        watch('b', b, log);
        await tick(10);
        return log;
    },
    'pair: binaryType': () => {
        const ws = new WebSocketPair()[0];
        const seen = [ws.binaryType];

        for (const type of ['foo', 'arraybuffer', 'blob', null, 'ArrayBuffer']) {
            attempt(() => (ws.binaryType = type));
            seen.push(ws.binaryType);
        }
        return seen;
    },
    'send: a view sends its window': async () => {
        const { a, b } = pair();
        const got = new Promise((resolve) => b.addEventListener('message', ({ data }) => resolve(data)));

        b.binaryType = 'arraybuffer';
        a.send(new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 3));
        return got;
    },
    'send: binary arrives as': async () => {
        const { a, log } = pair();

        a.send(new Uint8Array([1]));
        await tick(10);
        return log;
    },
    'send: everything else is a string': async () => {
        const { a, log } = pair();

        for (const value of [new Blob(['x']), 42, null, [1, 2], true, undefined, { toString: () => 'own' }]) a.send(value);
        await tick(10);
        return log;
    },
    'send: nothing': () => attempt(() => pair().a.send()),
    'send: after close': () => {
        const { a } = pair();

        a.close(1000);
        return attempt(() => a.send('x'));
    },
    'send: the bytes are copied': async () => {
        const { a, b } = pair();
        const bytes = new Uint8Array([1, 2, 3]);
        const got = new Promise((resolve) => b.addEventListener('message', ({ data }) => resolve(data)));

        b.binaryType = 'arraybuffer';
        a.send(bytes);
        bytes.fill(9);
        return got;
    },
    'send: a hundred keep their order': async () => {
        const { a, b } = pair();
        const got = [];

        b.addEventListener('message', ({ data }) => got.push(Number(data)));
        for (let i = 0; i < 100; i++) a.send(String(i));
        await tick(10);
        return got.length === 100 && got.every((n, i) => n === i);
    },
    'close: bad codes': () => [0, 999, 1004, 1005, 1006, 1015, 5000, 'abc', null, -1, 65536 + 1000].map((code) => attempt(() => pair().a.close(code))),
    'close: good codes': () => [1000, 1001, 1002, 1003, 1007, 1011, 1014, 1016, 2999, 3000, 4999, '4000'].map((code) => {
        const { a } = pair();

        return [attempt(() => a.close(code)), a.readyState];
    }),
    'close: a reason without a code': () => attempt(() => pair().a.close(undefined, 'x')),
    'close: the length of a reason': () => [attempt(() => pair().a.close(1000, 'x'.repeat(123))), attempt(() => pair().a.close(1000, 'x'.repeat(124))), attempt(() => pair().a.close(1000, 'é'.repeat(62)))],
    'close: twice': () => {
        const { a } = pair();

        a.close(4000);
        return [attempt(() => a.close(4001)), a.readyState];
    },
    'close: without a code': async () => {
        const { a, log } = pair();

        a.close();
        await tick(20);
        return log;
    },
    'close: with a code, and what the listener sees': async () => {
        const { a, b, log } = pair();

        b.addEventListener('close', () => log.push(attempt(() => b.send('late'))));
        a.close(4000, 'why');
        await tick(20);
        return [log, a.readyState, b.readyState];
    },
    'close: half open': async () => {
        const { a, b, log } = pair({ allowHalfOpen: true });

        a.close(4000);
        await tick(10);
        log.push(attempt(() => b.send('late')));
        await tick(10);
        b.close(4100);
        await tick(10);
        return [log, a.readyState, b.readyState];
    },
    'event: MessageEvent': async () => {
        const { a, b } = pair();
        const got = new Promise((resolve) => b.addEventListener('message', resolve));

        a.send('x');
        const event = await got;

        return [event.constructor.name, event.type, event.data, event.origin, event.lastEventId, event.source, event.ports, event.isTrusted, event.bubbles, event.cancelable];
    },
    'event: CloseEvent defaults': () => {
        const event = new CloseEvent('close');

        return [event.code, event.reason, event.wasClean];
    },
    'event: onmessage': async () => {
        const [a, b] = Object.values(new WebSocketPair());
        const got = [];

        a.accept();
        b.onmessage = ({ data }) => got.push(data);
        b.accept();
        a.send('x');
        await tick(10);
        return got;
    },
    'event: a listener that throws': async () => {
        const { a, b, log } = pair();

        b.addEventListener('message', ({ data }) => {
            if (data === 'throw') throw new Error('boom');
        });
        a.send('throw');
        await tick(10);
        attempt(() => a.send('after'));
        await tick(10);
        return log;
    },
    'event: a listener that rejects': async () => {
        const { a, b, log } = pair();

        b.addEventListener('message', async ({ data }) => {
            if (data === 'reject') throw new Error('rejected on purpose');
        });
        a.send('reject');
        a.send('after');
        await tick(10);
        return log;
    },
    'attachment: round trip and limits': () => {
        const ws = new WebSocketPair()[0];
        const before = ws.deserializeAttachment();
        const value = { date: new Date(0), map: new Map([[1, { two: 3 }]]), bytes: new Uint8Array([1, 2]), none: undefined };

        ws.serializeAttachment(value);
        value.date = 'changed';
        return [
            before, ws.deserializeAttachment(), ws.deserializeAttachment() === ws.deserializeAttachment(),
            attempt(() => ws.serializeAttachment('x'.repeat(16_379))), attempt(() => ws.serializeAttachment('x'.repeat(16_384))),
            attempt(() => ws.serializeAttachment(() => 1)), attempt(() => ws.serializeAttachment()),
        ];
    },
    'response: 101 without a socket': () => attempt(() => new Response(null, { status: 101 })),
    'response: a socket with another status': () => attempt(() => new Response(null, { status: 200, webSocket: new WebSocketPair()[0] })),
    'response: a socket and a body': () => attempt(() => new Response('x', { status: 101, webSocket: new WebSocketPair()[0] })),
    'response: clone': () => attempt(() => new Response(null, { status: 101, webSocket: new WebSocketPair()[0] }).clone()),
    'response: copy': () => {
        const made = new Response(null, { status: 101, webSocket: new WebSocketPair()[0] });
        const copy = new Response(made.body, made);

        return [copy.status, copy.webSocket === made.webSocket, new Response('x').webSocket, new Response(null, { webSocket: null }).status];
    },
    'client: bad addresses': () => ['nonsense', 'ftp://a/', 'ws://a/#x', ''].map((url) => attempt(() => new WebSocket(url))),
    'client: bad protocols': () => ['bad token', '', ['a', 'bad token'], ['a', 'a']].map((protocols) => attempt(() => new WebSocket('ws://127.0.0.1:1/', protocols))),
    'client: while it connects': () => {
        const ws = new WebSocket('ws://127.0.0.1:1/');

        return [ws.readyState, ws.url, ws.protocol, attempt(() => ws.accept()), attempt(() => ws.send('x'))];
    },
    'client: nobody there': async () => {
        const log = [];
        const ws = new WebSocket('ws://127.0.0.1:1/');

        watch('ws', ws, log);
        await new Promise((resolve) => ws.addEventListener('close', resolve));
        return log;
    },
    'auto response: pairs': () => {
        const made = new WebSocketRequestResponsePair('a', 'b');

        return [made.request, made.response, attempt(() => new WebSocketRequestResponsePair('x'.repeat(2048), 'y').request.length), attempt(() => new WebSocketRequestResponsePair('x'.repeat(2049), 'y')), attempt(() => new WebSocketRequestResponsePair('x', 'y'.repeat(2049))), attempt(() => new WebSocketRequestResponsePair('x'))];
    },
};
