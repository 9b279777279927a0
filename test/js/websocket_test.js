// WebSocket, WebSocketPair: the states, checks and texts of the platform, and what crosses the link.
import { equal, ok, throws, sleep, uncaught } from './lib.js';
import { Client, gateway, oldTest, Response, settled, test, turn, until, webSocketServer } from './gateway.js';

export { suite } from './lib.js';

const NOT_ACCEPTED = /^You must call one of accept\(\) or state\.acceptWebSocket\(\) on this WebSocket before sending messages\.$/;

/** What a socket's listeners hear, in order. */
function heard(socket) {
  const list = [];
  socket.addEventListener('message', (event) => void list.push(event.data));
  socket.addEventListener('close', ({ code, reason, wasClean }) => void list.push(`close ${code} ${reason} ${wasClean} ${socket.readyState}`));
  socket.addEventListener('error', ({ message }) => void list.push(`error ${message}`));
  return list;
}

function pair() {
  const [a, b] = new WebSocketPair();
  return [a, b];
}

/** A client of a worker that accepts the other end and hands it to setUp. */
async function served(setUp, options) {
  let server;
  const client = await gateway.connect(() => {
    const [a, b] = pair();
    server = b;
    b.accept(options);
    setUp?.(b);
    return new Response(null, { status: 101, webSocket: a });
  });
  return [client, server];
}

/* 12.1 */

test('a pair has two enumerable ends, and is iterable', () => {
  const p = new WebSocketPair();
  equal(Object.keys(p), ['0', '1']);
  const [a, b] = p;
  ok(a === p[0] && b === p[1] && a instanceof WebSocket);
  throws(() => WebSocketPair(), 'TypeError', "Failed to construct 'WebSocketPair': Please use the 'new' operator, this object constructor cannot be called as a function.");
  class Mine extends WebSocketPair {}
  ok(new Mine()[1] instanceof WebSocket);
});

test('a fresh end reads as open', () => {
  const [a] = pair();
  equal([a.readyState, a.url, a.protocol, a.extensions, a.binaryType, a.bufferedAmount], [1, null, '', '', 'blob', 0]);
  equal([WebSocket.CLOSING, WebSocket.READY_STATE_CLOSED, a.OPEN], [2, 3, 1]);
});

oldTest('binary data is an ArrayBuffer by default', () => {
  equal(pair()[0].binaryType, 'arraybuffer');
});

test('nothing can be sent before accept()', () => {
  const [a] = pair();
  throws(() => a.send('x'), 'TypeError', NOT_ACCEPTED);
  throws(() => a.close(1000), 'TypeError', NOT_ACCEPTED);
  throws(() => a.close(42), 'InvalidAccessError', 'Invalid WebSocket close code: 42.');
  a.accept();
  a.accept();
  a.send('x');
});

async function beforeAccept() {
  const [a, b] = pair();
  a.accept();
  a.send('1');
  a.send('2');
  a.close(4001, 'bye');
  await settled();
  b.accept();
  const list = heard(b);
  await settled();
  return [list, a.readyState, b.readyState];
}

test('what was sent before accept() comes after it', async () => {
  equal(await beforeAccept(), [['1', '2', 'close 4001 bye true 3'], 3, 3]);
});

oldTest('what was sent before accept() comes after it', async () => {
  equal(await beforeAccept(), [['1', '2', 'close 4001 bye true 2'], 2, 2]);
});

test('a listener one microtask after accept() is early enough, a timer is not', async () => {
  const [a, b] = pair();
  a.accept();
  a.send('early');
  b.accept();
  await null;
  const list = heard(b);
  await settled();
  equal(list, ['early']);
  const [c, d] = pair();
  c.accept();
  c.send('lost');
  d.accept();
  await sleep(20);
  const late = heard(d);
  c.send('heard');
  await settled();
  equal(late, ['heard']);
});

test('binaryType takes two values', () => {
  const [a] = pair();
  a.binaryType = 'arraybuffer';
  a.binaryType = 'foo';
  equal(a.binaryType, 'arraybuffer');
  a.binaryType = 'blob';
  equal(a.binaryType, 'blob');
});

/* 12.2 */

async function echo(data, prepare) {
  const [a, b] = pair();
  const list = [];
  a.accept();
  b.accept();
  prepare?.(b);
  b.addEventListener('message', (event) => void list.push(event.data));
  a.send(data);
  await until(() => list.length > 0);
  return list[0];
}

test('send() converts what is neither text nor bytes', async () => {
  equal(await echo(new Blob(['x'])), '[object Blob]');
  equal(await echo(42), '42');
  equal(await echo(null), 'null');
  equal(await echo([1, 2]), '1,2');
  throws(() => pair()[0].send(), 'TypeError', "Failed to execute 'send' on 'WebSocket': parameter 1 is not of type 'ArrayBuffer or ArrayBufferView or string'.");
});

test('a view sends its window, as a Blob or an ArrayBuffer', async () => {
  const view = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
  const blob = await echo(view);
  ok(blob instanceof Blob);
  equal([...new Uint8Array(await blob.arrayBuffer())], [1, 2]);
  const buffer = await echo(view, (socket) => (socket.binaryType = 'arraybuffer'));
  equal([...new Uint8Array(buffer)], [1, 2]);
});

test('bytes are those of the call', async () => {
  const bytes = new Uint8Array([1]);
  const [client, server] = await served();
  await turn(() => {
    server.send(bytes);
    bytes[0] = 2;
    server.send(bytes);
    server.send(bytes);
  });
  await settled();
  equal(client.received.map((one) => one[0]), [1, 2, 2]);
});

test('after close() nothing is sent, and a second close is ignored', () => {
  const [a] = pair();
  a.accept();
  a.close(1000);
  a.close(1000);
  throws(() => a.send('x'), 'TypeError', "Can't call WebSocket send() after close().");
  equal(a.readyState, 2);
});

test('close codes', () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 5000, 'abc', null]) {
    const [a] = pair();
    a.accept();
    const error = throws(() => a.close(code), 'InvalidAccessError', `Invalid WebSocket close code: ${code | 0}.`);
    equal(error.code, 15);
  }
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1014, 1016, 2999, 3000, 4999]) {
    const [a] = pair();
    a.accept();
    a.close(code);
    equal(a.readyState, 2);
  }
});

test('close reasons', () => {
  const [a] = pair();
  a.accept();
  throws(() => a.close(undefined, 'x'), 'InvalidAccessError', 'If you specify a WebSocket close reason, you must also specify a code.');
  const error = throws(() => a.close(1000, 'é'.repeat(62)), 'SyntaxError', 'WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.');
  equal(error.code, 12);
  a.close(1000, 'x'.repeat(123));
});

oldTest('close reasons', () => {
  const [a] = pair();
  a.accept();
  a.close(1000, 'x'.repeat(124));
});

test('an empty close is 1005', async () => {
  const [a, b] = pair();
  a.accept();
  b.accept();
  const list = heard(b);
  a.close();
  await settled();
  equal(list, ['close 1005  true 3']);
});

test('the automatic reply ends sending', async () => {
  const [a, b] = pair();
  const list = heard(b);
  a.accept();
  b.accept();
  a.close(4000);
  await until(() => list.length > 0);
  throws(() => b.send('x'), 'TypeError', "Can't call WebSocket send() after close().");
});

oldTest('a half-open end may still send', async () => {
  const [a, b] = pair();
  const list = heard(b);
  const back = heard(a);
  a.accept();
  b.accept();
  a.close(4000);
  await until(() => list.length > 0);
  b.send('x');
  await settled();
  equal(back, ['x']);
});

test('half-open by choice: late messages and a close of one\'s own', async () => {
  const [a, b] = pair();
  a.accept({ allowHalfOpen: true });
  b.accept({ allowHalfOpen: true });
  const list = heard(a);
  a.close(4000);
  await settled();
  b.send('late');
  b.close(4100);
  await settled();
  equal(list, ['late', 'close 4100  true 3']);
});

test('an exception in a listener ends its socket', async () => {
  const [a, b] = pair();
  a.accept();
  b.accept();
  const seen = [];
  const back = heard(a);
  b.addEventListener('message', () => {
    throw new Error('boom');
  });
  b.addEventListener('message', (event) => void seen.push(event.data));
  b.addEventListener('error', (event) => void seen.push(event.message));
  a.send('1');
  a.send('2');
  await settled(8);
  equal(seen, ['1', 'Uncaught Error: boom']);
  equal(back, ['error Uncaught Error: Network connection lost.', 'close 1006 WebSocket disconnected without sending Close frame. false 3']);
  equal(uncaught.map(String), ['Error: boom']);
});

test('a rejection in a listener does not', async () => {
  const [a, b] = pair();
  a.accept();
  b.accept();
  const seen = [];
  b.addEventListener('message', (event) => {
    seen.push(event.data);
    Promise.reject(new Error('later')).catch(() => {});
  });
  a.send('1');
  a.send('2');
  await settled();
  equal(seen, ['1', '2']);
});

test('a script may dispatch messages, and set handlers as properties', () => {
  const [a] = pair();
  const seen = [];
  a.onmessage = (event) => {
    seen.push(event.data);
  };
  a.dispatchEvent(new MessageEvent('message', { data: 'mine' }));
  equal(seen, ['mine']);
});

/* 12.3 */

test('an end can be returned once, and only fresh', async () => {
  const returned = async (prepare) => {
    const [a] = pair();
    prepare(a);
    return gateway.connect(() => new Response(null, { status: 101, webSocket: a })).then(() => 'fine', (error) => error.message);
  };
  equal(await returned((a) => a.accept()), "Can't return WebSocket in a Response after calling accept().");
  const [a] = pair();
  await gateway.connect(() => new Response(null, { status: 101, webSocket: a }));
  throws(() => a.accept(), 'TypeError', "Can't accept() WebSocket that was already used in a response.");
  equal(await gateway.connect(() => new Response(null, { status: 101, webSocket: a })).catch((error) => error.message),
    "Can't return WebSocket that was already used in a response.");
});

/* with a client */

test('a client and an accepted end talk', async () => {
  const list = [];
  const [client, server] = await served((socket) => {
    list.push(heard(socket));
    socket.send('before the response');
  });
  equal([client.accepted.hibernate, client.accepted.halfOpen, client.accepted.actor], [false, false, '']);
  await client.send('hello');
  await turn(() => server.send('answer'));
  await settled();
  equal(client.received, ['before the response', 'answer']);
  equal(list[0], ['hello']);
  await client.close(4001, 'why');
  equal(list[0], ['hello', 'close 4001 why true 3']);
  equal(gateway.unacknowledged.size, 0);
});

test('a message and a close before the response', async () => {
  const [client] = await served((socket) => {
    socket.send('x');
    socket.close(4010);
  });
  await settled();
  equal([client.received, client.closed], [['x'], [4010, '']]);
});

test('a client that vanishes', async () => {
  let list;
  const [client] = await served((socket) => (list = heard(socket)));
  await client.vanish();
  equal(list, ['close 1006 WebSocket disconnected without sending Close frame. false 1']);
  equal(gateway.unacknowledged.size, 0);
});

test('the end that closes first hears the echo', async () => {
  let list;
  const [client, server] = await served((socket) => (list = heard(socket)));
  await turn(() => server.close(4002, 'srv'));
  await settled();
  equal(client.closed, [4002, 'srv']);
  equal(list, ['close 4002 srv true 3']);
});

test('a protocol error is an error event', async () => {
  let list;
  const [client] = await served((socket) => (list = heard(socket)));
  await client.breakProtocol(1002, 'Unknown opcode 3');
  equal(list, ['error Uncaught Error: WebSocket protocol error; protocolError.statusCode = 1002; protocolError.description = Unknown opcode 3']);
  equal(gateway.unacknowledged.size, 0);
});

test('a listener that throws drops the client', async () => {
  const [client] = await served((socket) => socket.addEventListener('message', () => {
    throw new Error('boom');
  }));
  await client.send('x');
  await settled();
  equal(client.closed, 'lost');
});

test('one message to many sockets crosses the link once', async () => {
  const all = [];
  for (let i = 0; i < 5; i++) all.push(await served());
  gateway.batches = 0;
  await turn(() => {
    const text = 'to all';
    for (const [, socket] of all) socket.send(text);
    for (const [, socket] of all) socket.send(text);
    const bytes = new Uint8Array([7, 8]);
    for (const [, socket] of all) socket.send(bytes);
  });
  await settled();
  equal(gateway.batches, 2);
  for (const [client] of all) equal([client.received.slice(0, 2), [...client.received[2]]], [['to all', 'to all'], [7, 8]]);
});

test('order holds between sockets and frames', async () => {
  const [one, a] = await served();
  const [two, b] = await served();
  await turn(() => {
    for (let i = 0; i < 100; i++) (i % 3 === 0 ? a : b).send(`${i}`);
    a.close(4000);
    b.send('last');
  });
  await settled();
  equal(one.received, Array.from({ length: 34 }, (_, i) => `${3 * i}`));
  equal(two.received.at(-1), 'last');
  equal(one.closed, [4000, '']);
});

test('a slow handler does not hold up the next message', async () => {
  const list = [];
  const [client] = await served((socket) => socket.addEventListener('message', async ({ data }) => {
    if (data === 'slow') await sleep(30);
    list.push(data);
  }));
  await client.send('slow');
  await client.send('fast');
  await until(() => list.length === 2);
  equal(list, ['fast', 'slow']);
});

/* 12.5 */

test('new WebSocket() checks its arguments', () => {
  const bad = (what, ...args) => {
    const error = throws(() => new WebSocket(...args), 'SyntaxError', `WebSocket Constructor: The ${what}`);
    equal(error.code, 12);
  };
  bad('url is invalid.', 'nope');
  bad('url scheme must be ws or wss.', 'http://x/');
  bad('url fragment must be empty.', 'ws://x/#a');
  bad('protocol header token is invalid.', 'ws://x/', 'a b');
  bad('protocol header token is invalid.', 'ws://x/', '');
  bad('protocols header cannot have repeating values.', 'ws://x/', ['a', 'a']);
  throws(() => new WebSocket('ws://x/', ['a', 'b c']), 'SyntaxError', 'WebSocket Constructor: One of the protocol header tokens is invalid.');
});

test('a refused connection', async () => {
  const socket = new WebSocket('ws://nowhere.test/');
  const list = heard(socket);
  equal(socket.readyState, 0);
  throws(() => socket.accept(), 'TypeError', "Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
  throws(() => socket.send('x'), 'TypeError', NOT_ACCEPTED);
  await until(() => list.length === 2);
  equal(list, ['error Uncaught Error: Network connection lost.', 'close 1006 Failed to establish websocket connection false 3']);
});

test('a server that does not upgrade', async () => {
  gateway.servers.set('http://plain.test/', async () => ({ status: 200 }));
  const socket = new WebSocket('ws://plain.test/');
  const list = heard(socket);
  await until(() => list.length === 2);
  equal(list, [
    'error Uncaught Error: Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching protocols), but received 200 instead.',
    'close 1006 Failed to establish websocket connection false 3']);
});

test('a server that does', async () => {
  const server = webSocketServer('https://chat.test/x', 'Sec-WebSocket-Protocol: p1\nSec-WebSocket-Extensions: permessage-deflate\n');
  const socket = new WebSocket('wss://chat.test/x', ['p1', 'p2']);
  const list = heard(socket);
  socket.addEventListener('open', () => void list.push(`open ${socket.protocol} ${socket.extensions} ${socket.url}`));
  await until(() => list.length === 1);
  equal(server.call.head, 'Upgrade: websocket\nSec-WebSocket-Extensions: permessage-deflate\nSec-WebSocket-Protocol: p1, p2\n');
  await turn(() => socket.send('hi'));
  await server.send('there');
  await turn(() => socket.close(3001, 'r'));
  await settled();
  equal(server.received, ['hi']);
  equal(list, ['open p1 permessage-deflate wss://chat.test/x', 'there', 'close 3001 r true 3']);
});

test('close() while it connects', async () => {
  gateway.servers.set('http://slow.test/', () => new Promise(() => {}));
  const socket = new WebSocket('ws://slow.test/');
  const list = heard(socket);
  socket.close();
  equal(socket.readyState, 1);
  await until(() => list.length === 2);
  equal(list, ['error Uncaught Error: Network connection lost.', 'close 1006 Failed to establish websocket connection false 3']);
});

test('returning a server\'s socket joins it with the client', async () => {
  const server = webSocketServer('http://up.test/');
  const client = await gateway.connect(async () => {
    const response = await fetch('http://up.test/', { headers: { Upgrade: 'websocket' } });
    return response;
  });
  ok(client instanceof Client);
  equal(client.joined, server.hold);
});

test('sockets of two edges are joined here', async () => {
  const server = webSocketServer('http://far.test/');
  gateway.clients.delete(server.hold);
  server.hold += 2 ** 45;
  gateway.clients.set(server.hold, server);
  const client = await gateway.connect(() => fetch('http://far.test/', { headers: { Upgrade: 'websocket' } }));
  equal(client.joined, undefined);
  await client.send('up');
  await server.send(new Uint8Array([1]).buffer);
  await settled();
  equal([server.received, [...client.received[0]]], [['up'], [1]]);
  server.answersClose = false;
  await client.close(3500, 'bye');
  await settled();
  equal(server.closed, [3500, 'bye']);
  await server.close(3500, 'bye');
  await settled();
  equal([client.closed, gateway.unacknowledged.size], [[3500, 'bye'], 0]);
});

/* 2.12 */

test('attachments are copies, with a limit', () => {
  const [a] = pair();
  equal(a.deserializeAttachment(), null);
  const value = { n: 1, list: [1, 2] };
  a.serializeAttachment(value);
  value.n = 2;
  const copy = a.deserializeAttachment();
  equal([copy.n, copy.list], [1, [1, 2]]);
  ok(a.deserializeAttachment() !== copy);
  a.serializeAttachment('x'.repeat(16379));
  throws(() => a.serializeAttachment('x'.repeat(16384)), 'Error', "A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16390 bytes.");
  throws(() => a.serializeAttachment(() => 1), 'DataCloneError', '()=>1 could not be cloned.');
  throws(() => a.serializeAttachment(), 'TypeError');
});
