// Hibernatable sockets: acceptWebSocket and what follows, sleep and wake, sockets from before this process.
import { asleep, namespace, setup } from '../../src/api/durable.js';
import { DurableObject } from '../../src/api/rpc.js';
import { serialize } from '../../src/api/clone.js';
import { equal, ok, rejects, sleep, throws, uncaught } from './lib.js';
import { faults, gateway, oldTest, Response, settled, test, turn, until } from './gateway.js';

export { suite } from './lib.js';

const noted = (error) => `${error.name}: ${error.message}`;

class Hall extends DurableObject {
  static log = [];
  static made = 0;
  static last;
  count = 0;

  constructor(ctx, env) {
    super(ctx, env);
    Hall.made++;
    Hall.last = this;
    Hall.log.push(`new ${ctx.id.name} with ${ctx.getWebSockets().length}`);
  }

  async fetch(request) {
    const url = new URL(request.url);
    const [client, server] = new WebSocketPair();
    const tags = url.searchParams.has('tags') ? url.searchParams.get('tags').split(',') : undefined;
    this.ctx.acceptWebSocket(server, tags);
    if (url.searchParams.has('attach')) server.serializeAttachment(url.searchParams.get('attach'));
    if (url.pathname === '/throw') throw new Error('after accept');
    if (url.pathname === '/hello') server.send('hello');
    server.addEventListener('message', () => Hall.log.push('listener'));
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws, message) {
    this.count++;
    if (message === 'throw') throw new Error('handler');
    if (message === 'slow') await sleep(30);
    if (message === 'write') {
      ws.send('before');
      await this.ctx.storage.put('k', 'v');
      ws.send('after');
      return;
    }
    if (message === 'all') {
      for (const one of this.ctx.getWebSockets()) one.send('to all');
      return;
    }
    if (message === 'state') return ws.send(`${this.count} ${ws.deserializeAttachment()} ${this.ctx.getTags(ws)} ${this.ctx.getWebSockets().length}`);
    Hall.log.push(`${typeof message} ${typeof message === 'string' ? message : new Uint8Array(message)}`);
    ws.send(message);
  }

  webSocketClose(ws, code, reason, clean) {
    Hall.log.push(`close ${code} ${reason} ${clean} ${ws.readyState} ${this.ctx.getWebSockets().length} ${this.ctx.getTags(ws)}`);
    if (reason === 'leave it') return;
    ws.send('farewell');
    if (code !== 1005) ws.close(code, 'bye');
    Hall.log.push(ws.readyState);
  }

  webSocketError(ws, error) {
    Hall.log.push(`error ${error.message} ${ws.readyState} ${this.ctx.getWebSockets().length}`);
    ws.send('ignored');
  }

  /** Runs in the object: the value of fn's source with (ctx, ws…). */
  run(source) {
    return new Function('ctx', 'ws', `return (${source})`)(this.ctx, this.ctx.getWebSockets());
  }

  tryAccept(how) {
    const [a, b] = new WebSocketPair();
    const { ctx } = this;
    const attempt = (fn) => {
      try {
        fn();
        return 'fine';
      } catch (error) {
        return noted(error);
      }
    };
    switch (how) {
      case 'accepted': b.accept(); return attempt(() => ctx.acceptWebSocket(b));
      case 'twice': ctx.acceptWebSocket(b); return attempt(() => ctx.acceptWebSocket(b));
      case 'peer': a.accept(); return attempt(() => ctx.acceptWebSocket(b));
      case 'both': ctx.acceptWebSocket(a); return attempt(() => ctx.acceptWebSocket(b));
      case 'then accept': ctx.acceptWebSocket(b); return attempt(() => b.accept());
      case 'no socket': return attempt(() => ctx.acceptWebSocket({}));
      case 'string': return attempt(() => ctx.acceptWebSocket(b, 'tag'));
      case 'eleven': return attempt(() => ctx.acceptWebSocket(b, 'abcdefghija'.split('')));
      case 'long': return attempt(() => ctx.acceptWebSocket(b, ['é'.repeat(129)]));
      case 'tags': ctx.acceptWebSocket(b, ['b', 'a', 'b', '', 5]); return ctx.getTags(b);
      case 'no tags yet': return attempt(() => ctx.getTags(b));
      case 'plain tags': b.accept(); return attempt(() => ctx.getTags(b));
      default: return undefined;
    }
  }
}

class Silent extends DurableObject {
  fetch() {
    const [client, server] = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  count() {
    return this.ctx.getWebSockets().length;
  }
}

class Plain extends DurableObject {
  n = 0;

  fetch() {
    const [client, server] = new WebSocketPair();
    server.accept();
    server.addEventListener('message', () => server.send(`${++this.n}`));
    return new Response(null, { status: 101, webSocket: client });
  }
}

const exports = { Hall, Silent, Plain };
setup({ name: 'app', durable: { idle_ms: 160, classes: Object.keys(exports).map((name) => ({ name })) } }, exports, {});

const halls = namespace('Hall');
let n = 0;
const fresh = () => halls.getByName(`hall ${++n}`);
const connect = (stub, path = '/') => gateway.connect((request) => stub.fetch(request), `http://t${path}`);
const logged = () => Hall.log.splice(0);

test('accepting: what is refused, and why', async () => {
  const used = 'Error: Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.';
  const already = 'Error: Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`';
  const stub = fresh();
  const results = {};
  for (const how of ['accepted', 'twice', 'peer', 'both', 'then accept', 'no socket', 'string', 'eleven', 'long', 'tags', 'no tags yet', 'plain tags']) {
    results[how] = await turn(() => stub.tryAccept(how));
  }
  equal(results, {
    accepted: already,
    twice: already,
    peer: used,
    both: used,
    'then accept': "TypeError: Can't accept() WebSocket after enabling hibernation.",
    'no socket': "TypeError: Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'.",
    string: "TypeError: Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 2 is not of type 'Array'.",
    eleven: 'Error: a Hibernatable WebSocket cannot have more than 10 tags',
    long: `Error: "${'é'.repeat(129)}" is longer than the max tag length (256 characters).`,
    tags: ['b', 'a', '', '5'],
    'no tags yet': "Error: you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.",
    'plain tags': 'Error: only hibernatable websockets can have tags.',
  });
  await rejects(turn(() => stub.run('ctx.abort()')), 'Error');
});

test('getWebSockets: with a tag oldest first, without newest first', async () => {
  const stub = fresh();
  const all = [];
  for (const tags of ['a', 'b', 'a']) all.push(await connect(stub, `/?tags=${tags}&attach=${tags}${all.length}`));
  equal(await turn(() => stub.run('ws.map((one) => one.deserializeAttachment())')), ['a2', 'b1', 'a0']);
  equal(await turn(() => stub.run('ctx.getWebSockets("a").map((one) => one.deserializeAttachment())')), ['a0', 'a2']);
  equal(await turn(() => stub.run('ctx.getWebSockets("nope").length')), 0);
  equal(await turn(() => stub.run('ctx.getWebSockets()[0] === ws[0]')), true);
  equal(all.map(({ accepted }) => [accepted.hibernate, accepted.halfOpen, accepted.actor, accepted.name, accepted.tags]),
    ['a', 'b', 'a'].map((tag) => [true, true, `Hall/${stub.id}`, `hall ${n}`, [tag]]));
});

test('messages are text or ArrayBuffers; listeners hear nothing', async () => {
  const client = await connect(fresh(), '/hello');
  logged();
  await client.send('text');
  await client.send(new Uint8Array([1, 2]).buffer);
  await settled();
  equal(logged(), ['string text', 'object 1,2']);
  equal([client.received.slice(0, 2), [...client.received[2]]], [['hello', 'text'], [1, 2]]);
  equal(gateway.unacknowledged.size, 0);
});

test('automatic answers', async () => {
  const stub = fresh();
  const client = await connect(stub);
  equal(await turn(() => stub.run('ctx.getWebSocketAutoResponse()')), null);
  equal(await turn(() => stub.run('ctx.getWebSocketAutoResponseTimestamp(ws[0])')), null);
  equal(await turn(() => stub.run("(ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong')), ctx.getWebSocketAutoResponse().response)")), 'pong');
  logged();
  await client.send('ping');
  await client.send('ping2');
  await settled();
  equal([client.received, logged()], [['pong', 'ping2'], ['string ping2']]);
  equal(await turn(() => stub.run('ctx.getWebSocketAutoResponseTimestamp(ws[0]).getTime()')), client.auto);
  await rejects(turn(() => stub.run("ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('x'.repeat(2049), ''))")), 'RangeError',
    'Request cannot be larger than 2048 bytes. A request of size 2049 was provided.');
  await rejects(turn(() => stub.run("ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('', 'é'.repeat(1025)))")), 'RangeError',
    'Response cannot be larger than 2048 bytes. A response of size 2050 was provided.');
  await rejects(turn(() => stub.run('ctx.setWebSocketAutoResponse({})')), 'TypeError');
  await turn(() => stub.run('ctx.setWebSocketAutoResponse()'));
  equal(gateway.autos.get(`Hall/${stub.id}`), undefined);
});

test('event time-outs', async () => {
  const stub = fresh();
  equal(await turn(() => stub.run('[ctx.getHibernatableWebSocketEventTimeout(), ctx.setHibernatableWebSocketEventTimeout(5), ctx.getHibernatableWebSocketEventTimeout(), '
    + 'ctx.setHibernatableWebSocketEventTimeout(0), ctx.getHibernatableWebSocketEventTimeout()]')), [null, undefined, 5, undefined, null]);
  await rejects(turn(() => stub.run('ctx.setHibernatableWebSocketEventTimeout(604800001)')), 'Error', 'Event timeout should not exceed 604800000 ms.');
});

test('a handler that throws is logged, and all goes on', async () => {
  const stub = fresh();
  const client = await connect(stub);
  await client.send('throw');
  await settled();
  equal(uncaught.map(String), ['Error: handler']);
  await client.send('state');
  await settled();
  equal(client.received, ['2 null  1']);
  equal(gateway.unacknowledged.size, 0);
});

test('a slow handler lets later messages pass', async () => {
  const client = await connect(fresh());
  await client.send('slow');
  await client.send('b');
  await until(() => client.received.length === 2);
  equal(client.received, ['b', 'slow']);
  await until(() => gateway.unacknowledged.size === 0);
});

test('a client that closes', async () => {
  const stub = fresh();
  const client = await connect(stub, '/?tags=t');
  logged();
  client.answersClose = false;
  await client.close(4001, 'why');
  await settled();
  equal(logged(), ['close 4001 why true 2 1 t', 3]);
  equal([client.received, client.closed], [['farewell'], [4001, 'bye']]);
  equal(await turn(() => stub.run('ws.length')), 0);
  equal(gateway.unacknowledged.size, 0);
});

test('no answer unless the handler gives one', async () => {
  const client = await connect(fresh());
  await client.close(4001, 'leave it');
  await settled();
  equal(client.closed, undefined);
  const empty = await connect(fresh());
  logged();
  await empty.close();
  equal(logged(), ['close 1005  true 2 1 ', 2]);
});

test('the object closes first', async () => {
  const stub = fresh();
  const client = await connect(stub);
  client.answersClose = false;
  await turn(() => stub.run("ws[0].close(4300, 'srv')"));
  await settled();
  equal(client.closed, [4300, 'srv']);
  equal(await turn(() => stub.run('ws[0].readyState')), 2);
  logged();
  await client.close(4300, 'leave it');
  equal(logged(), ['close 4300 leave it true 3 1 ']);
});

test('a connection that is lost, a protocol that is broken', async () => {
  const stub = fresh();
  const client = await connect(stub);
  const other = await connect(stub);
  logged();
  await client.vanish();
  equal(logged().slice(0, 1), ['close 1006 WebSocket disconnected without sending Close frame. false 2 2 ']);
  await other.breakProtocol(1002, 'Unknown opcode 3');
  await settled();
  equal(logged(), ['error WebSocket protocol error; protocolError.statusCode = 1002; protocolError.description = Unknown opcode 3 2 0']);
  equal(other.received, []);
  equal(gateway.unacknowledged.size, 0);
});

test('abort() drops every socket', async () => {
  const stub = fresh();
  const clients = [await connect(stub), await connect(stub)];
  await rejects(turn(() => stub.run("ctx.abort('gone')")), 'Error', 'gone');
  await settled();
  equal(clients.map(({ closed }) => closed), ['lost', 'lost']);
  equal(await turn(() => halls.get(stub.id).run('ws.length')), 0);
});

test('sleep and wake', async () => {
  const stub = fresh();
  const client = await connect(stub, '/?tags=a,b&attach=mine');
  await client.send('x');
  const before = Hall.last;
  const [socket] = before.ctx.getWebSockets();
  await until(asleep);
  equal(gateway.states.at(-1), [true, 1, `Hall/${stub.id}`]);
  logged();
  await client.send('state');
  await settled();
  equal(client.received, ['x', '1 mine a,b 1']);
  equal(logged(), [`new hall ${n} with 1`]);
  ok(Hall.last !== before && Hall.last.ctx.getWebSockets()[0] !== socket);
  throws(() => before.ctx.acceptWebSocket(new WebSocketPair()[0]), 'Error', 'This Durable Object instance has been reset.');
});

test('an automatic answer wakes nobody', async () => {
  const stub = fresh();
  const client = await connect(stub);
  await turn(() => stub.run("ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))"));
  await until(asleep);
  const { made } = Hall;
  await client.send('ping');
  await settled();
  equal([client.received, Hall.made - made], [['pong'], 0]);
  equal(await turn(() => stub.run('[ctx.getWebSocketAutoResponseTimestamp(ws[0]) !== null, ctx.getWebSocketAutoResponse().request]')), [true, 'ping']);
});

test('a plain socket keeps the instance', async () => {
  const stub = namespace('Plain').getByName('p');
  const client = await gateway.connect((request) => stub.fetch(request));
  equal([client.accepted.hibernate, client.accepted.actor], [false, `Plain/${stub.id}`]);
  await client.send('x');
  await sleep(400);
  await client.send('x');
  await settled();
  equal(client.received, ['1', '2']);
  await client.close(1000);
  await until(asleep);
});

test('without handlers messages go nowhere, and the socket leaves the list', async () => {
  const stub = namespace('Silent').getByName('s');
  const client = await gateway.connect((request) => stub.fetch(request));
  await client.send('x');
  equal(await turn(() => stub.count()), 1);
  await client.close(4000);
  equal([client.closed, await turn(() => stub.count())], [undefined, 0]);
  equal(gateway.unacknowledged.size, 0);
});

test('a socket whose response never came is closed before sleep', async () => {
  const stub = fresh();
  await rejects(turn(() => stub.fetch('http://t/throw')), 'Error', 'after accept');
  equal(await turn(() => stub.run('ws[0].readyState')), 1);
  logged();
  await until(asleep);
  equal(logged().slice(0, 1), ['close 1006 WebSocket disconnected without sending Close frame. false 2 1 ']);
  equal(await turn(() => stub.run('ws.length')), 0);
});

test('a caller within the process talks to a hibernatable socket', async () => {
  const stub = fresh();
  const { webSocket } = await turn(() => stub.fetch('http://t/hello', { headers: { Upgrade: 'websocket' } }));
  const heard = [];
  await turn(() => {
    webSocket.accept();
    webSocket.onmessage = ({ data }) => {
      heard.push(data);
    };
    webSocket.onclose = ({ code, reason }) => {
      heard.push(`${code} ${reason}`);
    };
    webSocket.send('in');
  });
  await until(() => heard.length === 2);
  equal(heard, ['hello', 'in']);
  webSocket.close(4000, 'x');
  await until(() => heard.length === 4);
  equal(heard.slice(2), ['farewell', '4000 bye']);
});

/* sockets from before this process */

test('sockets come back with everything the gateway has', async () => {
  const id = halls.idFromName('cold');
  const actor = `Hall/${id}`;
  const accept = (more) => gateway.restored({ actor, name: 'cold', ...more });
  const second = accept({ since: 12, tags: ['x'], attachment: serialize('second') });
  const first = accept({ since: 11, tags: ['x', 'y'], attachment: serialize('first') });
  gateway.autos.set(actor, ['hi', 'ho']);
  logged();
  second.send('one');
  second.send('state');
  await until(() => second.received.length === 2);
  equal(second.received, ['one', '2 second x 2']);
  equal(logged(), ['new cold with 2', 'string one']);
  const stub = halls.get(id);
  equal(await turn(() => stub.run('[ws.map((one) => one.deserializeAttachment()), ctx.getWebSockets("x").length, ctx.getTags(ws[1]), ctx.getWebSocketAutoResponse().response]')),
    [['second', 'first'], 2, ['x', 'y'], 'ho']);
  await first.close(1000);
  equal(await turn(() => stub.run('ws.length')), 1);
  await until(() => gateway.unacknowledged.size === 0);
});

test('a close may be the first thing a cold object hears', async () => {
  const id = halls.idFromName('closing');
  const client = gateway.restored({ actor: `Hall/${id}`, name: 'closing', since: 1 });
  logged();
  await client.vanish();
  await until(() => gateway.unacknowledged.size === 0);
  equal(logged().slice(0, 2), ['new closing with 1', 'close 1006 WebSocket disconnected without sending Close frame. false 2 1 ']);
});

test('events of an unknown class or hold are acknowledged', async () => {
  const client = gateway.restored({ actor: `Nope/${'0'.repeat(64)}`, since: 1 });
  await client.send('x');
  equal(gateway.unacknowledged.size, 0);
});

/* the output gate */

test('a commit that fails takes the messages behind the write along', async () => {
  const stub = fresh();
  const client = await connect(stub);
  faults.commit = 'database or disk is full';
  await client.send('write');
  await settled();
  faults.commit = undefined;
  equal(client.received, ['before']);
  equal(uncaught.map(String), ['Error: database or disk is full']);
  equal(client.closed, undefined);
  await client.send('state');
  await settled();
  equal(client.received, ['before', '1 null  1']);
  await client.send('write');
  await settled();
  equal(client.received.slice(2), ['before', 'after']);
  equal(gateway.unacknowledged.size, 0);
});

test('abort() with uncommitted writes drops them, what depends on them, and the sockets', async () => {
  const stub = fresh();
  const client = await connect(stub);
  await rejects(turn(() => stub.run("(ctx.storage.put('k', 'v'), ws[0].send('depends'), ctx.abort('stop'))")), 'Error', 'stop');
  await settled();
  equal([client.received, client.closed], [[], 'lost']);
  equal(await turn(() => halls.get(stub.id).run("ctx.storage.get('k')")), undefined);
});

test('a loop over all sockets is one frame', async () => {
  const stub = fresh();
  const clients = [];
  for (let i = 0; i < 50; i++) clients.push(await connect(stub));
  gateway.batches = 0;
  await clients[0].send('all');
  await settled();
  equal(gateway.batches, 1);
  ok(clients.every(({ received }) => received[0] === 'to all'));
});

oldTest('no automatic close for hibernatable sockets', async () => {
  const client = await connect(fresh());
  equal(client.accepted.halfOpen, true);
});
