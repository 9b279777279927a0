import { host } from '../../src/api/host.js';
import { fullPipe, Pipe } from '../../src/api/pipe.js';
import { abortRequest, incomingRequest } from '../../src/api/request.js';
import { outgoingResponse, socketDoor } from '../../src/api/response.js';
import { fetchWith } from '../../src/api/fetch.js';
import { equal, flagsOff, ok, rejects, sleep, test, throws } from './lib.js';

export { suite } from './lib.js';

const BODY_USED = 'Body has already been used. It can only be used once. Use tee() first if you need to read it twice.';
const bytes = (...list) => new Uint8Array(list);
const utf8 = (text) => new TextEncoder().encode(text);
const text = (array) => new TextDecoder().decode(array);

/** What a body's pump writes, as one string, and how it ended. */
async function pumped(outflow) {
  const got = { text: '', end: '' };
  await outflow.pump({
    write(piece) {
      got.text += text(piece);
      return sleep(0);
    },
    end: () => (got.end = 'end'),
    abort: (error) => (got.end = `${error.name}: ${error.message}`),
  });
  return got;
}

/** The End of a connection, as far as responses are concerned, and its WebSocket. */
const end = { face: {} };
const webSocket = end.face;
socketDoor((value) => (value === webSocket ? end : undefined));

/* Headers */

test('headers: names are equal in any case, values are joined, iteration is sorted', () => {
  const headers = new Headers({ 'X-B': ' 1 ', a: 2 });
  headers.append('x-b', '3');
  headers.append('Set-Cookie', 'a=1');
  headers.append('set-cookie', 'b=2');
  equal(headers.get('X-b'), '1, 3');
  equal(headers.has('A'), true);
  equal(headers.get('none'), null);
  equal([...headers], [['a', '2'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-b', '1, 3']]);
  equal([...headers.keys()], ['a', 'set-cookie', 'set-cookie', 'x-b']);
  equal(headers.getSetCookie(), ['a=1', 'b=2']);
  equal(headers.getAll('set-cookie'), ['a=1', 'b=2']);
  equal(headers.get('set-cookie'), 'a=1, b=2');
  headers.delete('Set-Cookie');
  headers.set('a', 'z');
  equal(new Headers(headers).get('a'), 'z');
  equal(new Headers([['q', '1'], ['q', '2']]).get('q'), '1, 2');
  const seen = [];
  headers.forEach((value, name) => seen.push(`${name}=${value}`));
  equal(seen, ['a=z', 'x-b=1, 3']);
});

test('headers: bad names and values are TypeErrors', () => {
  const headers = new Headers();
  for (const name of ['', 'a b', 'a:', '\u00e9', 'a\n']) throws(() => headers.append(name, 'x'), 'TypeError', 'Invalid header name.');
  for (const value of ['a\nb', 'a\0', 'a\rb']) throws(() => headers.set('x', value), 'TypeError', 'Invalid header value.');
  headers.set('x', '\t a\tb\r\n');
  equal(headers.get('x'), 'a\tb');
  headers.set('y', '\u00e9');
  equal(headers.get('y'), '\u00e9');
  headers.set('z', '');
  equal(headers.get('z'), '');
  throws(() => new Headers([['a']]), 'TypeError');
  throws(() => new Headers('x'), 'TypeError');
  throws(() => headers.get(), 'TypeError', "Failed to execute 'get' on 'Headers': parameter 1 is not of type 'string'.");
});

test('headers: a change during iteration is seen', () => {
  const headers = new Headers({ a: '1', b: '2' });
  const seen = [];
  for (const [name] of headers) {
    seen.push(name);
    headers.delete('b');
  }
  equal(seen, ['a']);
});

/* Incoming requests */

test('incoming: method, url, headers and cf come from the head', () => {
  const request = incomingRequest('GET http://h.example/p?q=1\nHost: h.example\nX-A: 1\nx-a: 2\nEmpty:\nCookie: a=b: c\n', null, '{"colo":"HFT"}');
  equal([request.method, request.url, request.redirect, request.body, request.bodyUsed], ['GET', 'http://h.example/p?q=1', 'manual', null, false]);
  equal([...request.headers], [['cookie', 'a=b: c'], ['empty', ''], ['host', 'h.example'], ['x-a', '1, 2']]);
  equal(request.cf.colo, 'HFT');
  equal(request.cf, request.cf);
  ok(request instanceof Request && request instanceof Body);
  throws(() => request.headers.set('a', 'b'), 'TypeError', "Can't modify immutable headers.");
  equal(new Request(request).headers.get('x-a'), '1, 2');
  new Request(request).headers.set('a', 'b');
});

test('incoming: url is normalised', () => {
  equal(incomingRequest('GET http://H/a/../b c\n', null, '').url, 'http://h/b%20c');
  equal(incomingRequest('GET http://h\n', null, '').url, 'http://h/');
});

test('incoming: bodies are read whole, by parts, or not at all', async () => {
  const body = new Pipe(5);
  const request = incomingRequest('POST http://h/\n', body, '');
  body.push(utf8('he'));
  const read = request.text();
  equal(request.bodyUsed, true);
  body.push(utf8('llo'));
  body.end();
  equal(await read, 'hello');
  await rejects(request.text(), 'TypeError', BODY_USED);
  const other = incomingRequest('POST http://h/\n', fullPipe(utf8('{"a":1}')), '');
  equal(await other.json(), { a: 1 });
  const streamed = incomingRequest('POST http://h/\n', fullPipe(utf8('xyz')), '');
  equal(streamed.body, streamed.body);
  equal(streamed.bodyUsed, false);
  equal(text((await streamed.body.getReader().read()).value), 'xyz');
  equal(streamed.bodyUsed, true);
  await rejects(streamed.text(), 'TypeError', BODY_USED);
});

test('incoming: a source that fails rejects the reader', async () => {
  const body = new Pipe(-1);
  const request = incomingRequest('POST http://h/\n', body, '');
  const read = request.arrayBuffer();
  body.fail(new TypeError("Can't read from request stream because client disconnected."));
  await rejects(read, 'TypeError', "Can't read from request stream because client disconnected.");
});

test('incoming: the signal aborts when the flag asks for it', () => {
  const request = incomingRequest('GET http://h/\n', null, '');
  flagsOff.add('enable_request_signal');
  abortRequest(request);
  equal(request.signal.aborted, false);
  flagsOff.clear();
  abortRequest(request);
  equal(request.signal.aborted, true);
});

/* Requests of the application */

test('request: what the constructor takes and refuses', async () => {
  const request = new Request('http://h/a#f', { method: 'post', headers: { a: 'b' }, body: 'x', cf: { z: 1 }, unknown: 1 });
  equal([request.method, request.url, request.redirect, request.headers.get('a'), request.headers.get('content-type'), request.cf], ['POST', 'http://h/a#f', 'follow', 'b', 'text/plain;charset=UTF-8', { z: 1 }]);
  equal(new Request(new URL('http://h/u')).url, 'http://h/u');
  equal(new Request('http://h/', { method: 'PURGE' }).method, 'PURGE');
  throws(() => new Request('/y'), 'TypeError', 'Invalid URL: /y');
  throws(() => new Request('http://h/', { body: 'x' }), 'TypeError', 'Request with a GET or HEAD method cannot have a body.');
  throws(() => new Request('http://h/', { method: 'a b' }), 'TypeError', 'Invalid HTTP method string: a b');
  throws(() => new Request('http://h/', { redirect: 'x' }), 'TypeError');
  throws(() => new Request('http://h/', { signal: {} }), 'TypeError');
  throws(() => new Request(), 'TypeError');
  throws(() => new Body(), 'TypeError', 'Illegal constructor');
  equal(await request.text(), 'x');
});

test('request: a request made from another takes its body along', async () => {
  const first = new Request('http://h/', { method: 'POST', body: 'abc', headers: { a: '1' } });
  const second = new Request(first, { headers: { b: '2' } });
  equal([first.bodyUsed, second.headers.has('a'), second.headers.get('b'), second.method], [true, false, '2', 'POST']);
  equal(await second.text(), 'abc');
  throws(() => new Request(first), 'TypeError', 'Cannot reconstruct a Request with a used body.');
  const proxied = new Request('http://other/', incomingRequest('PUT http://h/\nX: y\n', fullPipe(utf8('data')), ''));
  equal([proxied.method, proxied.url, proxied.headers.get('x'), await proxied.text()], ['PUT', 'http://other/', 'y', 'data']);
});

test('request: clone gives both the whole body', async () => {
  const request = incomingRequest('POST http://h/\nA: b\n', fullPipe(utf8('abc')), '');
  const copy = request.clone();
  equal([await request.text(), await copy.text(), copy.headers.get('a'), copy.url], ['abc', 'abc', 'b', 'http://h/']);
  throws(() => request.clone(), 'TypeError', BODY_USED);
});

test('request: its signal follows the one it was given, or is its own', () => {
  const { signal } = new AbortController();
  equal(new Request('http://h/', { signal }).signal, signal);
  ok(new Request('http://h/').signal instanceof AbortSignal);
});

/* Bodies */

test('bodies: every kind and what Content-Type it brings', async () => {
  const form = new FormData();
  form.append('a', '1');
  const kinds = [
    ['text', 'text/plain;charset=UTF-8', 'text'],
    [utf8('bytes'), null, 'bytes'],
    [utf8('buffer').buffer, null, 'buffer'],
    [new DataView(utf8('xviewx').buffer, 1, 4), null, 'view'],
    [new Blob(['blob'], { type: 'a/b' }), 'a/b', 'blob'],
    [new URLSearchParams({ a: '1 2' }), 'application/x-www-form-urlencoded;charset=UTF-8', 'a=1+2'],
    [ReadableStream.from([utf8('st'), utf8('ream')]), null, 'stream'],
    [42, 'text/plain;charset=UTF-8', '42'],
    [{}, 'text/plain;charset=UTF-8', '[object Object]'],
  ];
  for (const [body, type, expected] of kinds) {
    const response = new Response(body);
    equal([response.headers.get('content-type'), await response.text()], [type, expected]);
  }
  ok(/^multipart\/form-data; boundary=/.test(new Response(form).headers.get('content-type')));
});

test('bodies: bytes are copied when the body is made', async () => {
  const array = bytes(97, 98);
  const response = new Response(array);
  array[0] = 0;
  equal(await response.text(), 'ab');
});

test('bodies: every way to read one', async () => {
  equal(await new Response('\ufeffa').text(), 'a');
  equal(await new Response(bytes(0xef, 0xbb, 0xbf, 0x61)).text(), 'a');
  equal(await new Response('[1]').json(), [1]);
  equal(await new Response('ab').bytes(), bytes(97, 98));
  ok((await new Response('ab').arrayBuffer()) instanceof ArrayBuffer);
  const blob = await new Response('ab', { headers: { 'content-type': 'x/y' } }).blob();
  equal([blob.size, blob.type, await blob.text()], [2, 'x/y', 'ab']);
  equal(await new Response().text(), '');
  equal((await new Response().arrayBuffer()).byteLength, 0);
  await rejects(new Response('{').json(), 'SyntaxError');
});

test('bodies: used, locked and disturbed ones are refused', async () => {
  const response = new Response('x');
  await response.text();
  equal([response.bodyUsed, response.body.locked], [true, true]);
  await rejects(response.json(), 'TypeError', BODY_USED);
  const locked = new Response('x');
  locked.body.getReader();
  await rejects(locked.text(), 'TypeError', 'This ReadableStream is currently locked to a reader.');
  const stream = new Response('x').body;
  const reader = stream.getReader();
  await reader.read();
  reader.releaseLock();
  throws(() => new Response(stream), 'TypeError', /disturbed/);
  throws(() => outgoingResponse(response), 'TypeError', BODY_USED);
  equal(new Response().bodyUsed, false);
});

test('bodies: a string chunk in a stream is no bytes (118)', async () => {
  await rejects(new Response(ReadableStream.from(['x'])).text(), 'TypeError', 'This ReadableStream did not return bytes.');
  equal(await pumped(outgoingResponse(new Response(ReadableStream.from(['x']))).body), { text: '', end: 'TypeError: This ReadableStream did not return bytes.' });
});

/* Responses */

test('response: status ranges and null bodies (26, 27, 28)', () => {
  const range = 'Responses may only be constructed with status codes in the range 200 to 599, inclusive.';
  const nullBody = 'Response with null body status (101, 204, 205, or 304) cannot have a body.';
  throws(() => new Response(null, { status: 101 }), 'RangeError', range);
  throws(() => new Response(null, { status: 600 }), 'RangeError', range);
  throws(() => new Response(null, { status: 0 }), 'RangeError', range);
  throws(() => new Response(null, { status: 200, webSocket }), 'RangeError', 'Responses with a WebSocket must have status code 101.');
  throws(() => new Response('x', { status: 101, webSocket }), 'TypeError', nullBody);
  for (const status of [204, 205, 304]) throws(() => new Response('x', { status }), 'TypeError', nullBody);
  equal(new Response('', { status: 204 }).body, null);
  equal(new Response(null, { webSocket: null }).webSocket, null);
});

test('response: a socket stays with its response, which has no clone (29)', () => {
  const response = new Response(null, { status: 101, webSocket });
  equal(response.webSocket === webSocket, true);
  throws(() => response.clone(), 'TypeError', 'Cannot clone a response to a WebSocket handshake.');
  const again = new Response(response.body, response);
  equal([again.webSocket === webSocket, again.status], [true, 101]);
});

test('response: members, json, redirect, error', async () => {
  const response = new Response('x', { status: 404, statusText: 'Nope', headers: { a: 'b' } });
  equal([response.status, response.statusText, response.ok, response.type, response.url, response.redirected], [404, 'Nope', false, 'default', '', false]);
  equal(new Response().statusText, '');
  const json = Response.json({ a: 1 }, { status: 201 });
  equal([json.status, json.headers.get('content-type'), await json.text()], [201, 'application/json', '{"a":1}']);
  equal(Response.json(1, { headers: { 'content-type': 'x/y' } }).headers.get('content-type'), 'x/y');
  equal(Response.json(1, { headers: { a: 'b' } }).headers.get('content-type'), 'application/json');
  throws(() => Response.json(undefined), 'TypeError');
  const redirect = Response.redirect('http://h/x', 301);
  equal([redirect.status, redirect.headers.get('location')], [301, 'http://h/x']);
  throws(() => Response.redirect('http://h/', 200), 'RangeError');
  equal([Response.error().type, Response.error().status], ['error', 0]);
});

test('response: clone gives both the body', async () => {
  const response = new Response('abc', { status: 201, headers: { a: 'b' } });
  const copy = response.clone();
  copy.headers.set('a', 'c');
  equal([await response.text(), await copy.text(), copy.status, response.headers.get('a')], ['abc', 'abc', 201, 'b']);
  throws(() => response.clone(), 'TypeError', BODY_USED);
  const streamed = new Response(ReadableStream.from([utf8('s')]));
  const twin = streamed.clone();
  equal([await streamed.text(), await twin.text()], ['s', 's']);
});

test('outgoing: a plain response is a head and a string', () => {
  equal(outgoingResponse(new Response('ok')), { status: 200, reason: '', head: 'Content-Type: text/plain;charset=UTF-8\n', end: null, handoff: null, body: 'ok' });
  equal(outgoingResponse(new Response(null, { status: 204 })), { status: 204, reason: '', head: '', end: null, handoff: null, body: null });
  const response = new Response('x', { headers: { 'X-Case': 'Kept' } });
  response.headers.append('set-cookie', 'a=1');
  response.headers.append('set-cookie', 'b=2');
  equal(outgoingResponse(response).head, 'X-Case: Kept\nContent-Type: text/plain;charset=UTF-8\nset-cookie: a=1\nset-cookie: b=2\n');
  equal(outgoingResponse(undefined), undefined);
  equal(outgoingResponse({ status: 200 }), undefined);
  throws(() => outgoingResponse(Response.error()), 'TypeError', 'Return value from serve handler must not be an error response (like Response.error())');
});

test('outgoing: streams are pumped as fast as the sink takes them', async () => {
  const parts = outgoingResponse(new Response(ReadableStream.from([utf8('ab'), utf8('cd')])));
  equal(parts.body.length, -1);
  equal(await pumped(parts.body), { text: 'abcd', end: 'end' });
});

test('outgoing: a fixed-length body has its length, and breaks when it is short (116)', async () => {
  const { readable, writable } = new FixedLengthStream(3);
  const writer = writable.getWriter();
  writer.write('ab');
  writer.close().catch(() => {});
  const { body } = outgoingResponse(new Response(readable));
  equal(body.length, 3);
  equal((await pumped(body)).end, 'TypeError: FixedLengthStream did not see all expected bytes before close().');
});

test('outgoing: a client that goes away breaks the writer', async () => {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  const { body } = outgoingResponse(new Response(readable));
  body.pump({ write: () => undefined, end: () => {}, abort: () => {} });
  await writer.write('x');
  body.cancel(new Error('client disconnected'));
  await sleep(1);
  await rejects(writer.write('y'), 'Error', 'client disconnected');
});

test('outgoing: Content-Encoding is obeyed unless the body is already encoded', async () => {
  const encoded = outgoingResponse(new Response('text', { headers: { 'content-encoding': 'gzip' } }));
  const pieces = [];
  await encoded.body.pump({ write: (piece) => void pieces.push(piece), end: () => {}, abort: () => {} });
  equal(await new Response(ReadableStream.from(pieces).pipeThrough(new DecompressionStream('gzip'))).text(), 'text');
  const manual = outgoingResponse(new Response('text', { headers: { 'content-encoding': 'gzip' }, encodeBody: 'manual' }));
  equal(manual.body, 'text');
  throws(() => new Response('x', { encodeBody: 'other' }), 'TypeError');
});

/* fetch */

/** Answers the next fetch; returns the call it got. */
function answering(answer) {
  const seen = {};
  host.fetch = async (call) => {
    seen.call = call;
    return { status: 200, reason: 'OK', url: '', head: '', length: -1, body: null, end: null, ...answer };
  };
  return seen;
}

test('fetch: the call carries the request', async () => {
  const seen = answering({ status: 201, reason: 'Made', head: 'X-A: b\n', body: fullPipe(utf8('hi')) });
  const response = await fetch('http://h:81/p?q#f', { method: 'POST', headers: { a: 'b' }, body: 'data', redirect: 'manual' });
  equal(seen.call, { method: 'POST', url: 'http://h:81/p?q', head: 'a: b\nContent-Type: text/plain;charset=UTF-8\n', body: 'data', redirect: 1, upgrade: false, service: '', signal: null });
  equal([response.status, response.statusText, response.headers.get('x-a'), response.url, response.redirected, await response.text()], [201, 'Made', 'b', 'http://h:81/p?q', false, 'hi']);
  throws(() => response.headers.set('a', 'b'), 'TypeError', "Can't modify immutable headers.");
  answering({ url: 'http://h/there' });
  const redirected = await fetch('http://h/here');
  equal([redirected.url, redirected.redirected, redirected.body], ['http://h/there', true, null]);
});

test('fetch: what is refused rejects', async () => {
  answering({});
  await rejects(fetch('/y'), 'TypeError', 'Invalid URL: /y');
  await rejects(fetch('ftp://h/x'), 'TypeError', 'Fetch API cannot load: ftp://h/x');
  await rejects(fetch('http://h/', { signal: AbortSignal.abort(new Error('no')) }), 'Error', 'no');
  host.fetch = async () => {
    throw new Error('Network connection lost.');
  };
  await rejects(fetch('http://h/'), 'Error', 'Network connection lost.');
});

test('fetch: a WebSocket is asked for by header or by scheme', async () => {
  const seen = answering({ status: 101, reason: 'Switching Protocols', end });
  const response = await fetch('https://h/ws', { method: 'POST', body: 'x', headers: { Upgrade: 'WebSocket' } });
  equal([seen.call.upgrade, seen.call.method, seen.call.url, response.status, response.webSocket === webSocket], [true, 'GET', 'https://h/ws', 101, true]);
  await fetch('wss://h/ws');
  equal([seen.call.upgrade, seen.call.url], [true, 'https://h/ws']);
  await fetchWith('API')('http://h/');
  equal([seen.call.upgrade, seen.call.service], [false, 'API']);
});

async function gzipped(source) {
  return new Response(new Response(source).body.pipeThrough(new CompressionStream('gzip'))).bytes();
}

test('fetch: coded bodies are decoded for JavaScript and passed on as they are', async () => {
  const packed = await gzipped('packed text');
  const answer = { head: 'Content-Encoding: gzip\nA: b\n', body: null };
  const again = async () => {
    answering({ ...answer, body: fullPipe(packed.slice()) });
    return fetch('http://h/');
  };
  equal(await (await again()).text(), 'packed text');
  const response = await again();
  equal(text((await response.body.getReader().read()).value), 'packed text');
  const collect = async (value) => {
    const pieces = [];
    const { body, head } = outgoingResponse(value);
    await body.pump({ write: (piece) => void pieces.push(...piece), end: () => {}, abort: (error) => pieces.push(error) });
    return { head, same: String(pieces) === String([...packed]), bytes: bytes(...pieces) };
  };
  equal((await collect(await again())).same, true);
  const fetched = await again();
  const wrapped = new Response(fetched.body, fetched);
  equal((await collect(wrapped)).same, true);
  const plain = new Response((await again()).body, { headers: { x: 'y' } });
  equal(text((await collect(plain)).bytes), 'packed text');
});

test('fetch: a coded body can be cancelled while it is waited for', async () => {
  let cancelled;
  answering({ head: 'Content-Encoding: gzip\n', body: new Pipe(-1, { cancelled: (reason) => (cancelled = reason) }) });
  const reader = (await fetch('http://h/')).body.getReader();
  const read = reader.read();
  await sleep(1);
  await reader.cancel('enough');
  equal([(await read).done, cancelled], [true, 'enough']);
});

test('fetch: sendBeacon posts', async () => {
  const seen = answering({});
  equal(navigator.sendBeacon('http://h/log', 'data'), true);
  await sleep(1);
  equal([seen.call.method, seen.call.body], ['POST', 'data']);
});

test('fetch: a request is used by it', async () => {
  answering({});
  const request = new Request('http://h/', { method: 'POST', body: 'x' });
  await fetch(request);
  equal(request.bodyUsed, true);
  await rejects(fetch(request), 'TypeError', BODY_USED);
});

/* Blob, File, FormData */

test('blob: parts, slices, type', async () => {
  const blob = new Blob(['a\u00e9', bytes(1), new Blob(['z']), utf8('q').buffer], { type: 'Text/Plain' });
  equal([blob.size, blob.type, await blob.bytes()], [6, 'text/plain', bytes(97, 0xc3, 0xa9, 1, 122, 113)]);
  equal(await blob.slice(-2).text(), 'zq');
  equal(await blob.slice(1, 3, 'x/y').text(), '\u00e9');
  equal(blob.slice(0, 0, 'x/y').type, 'x/y');
  equal(blob.slice(5, 2).size, 0);
  equal(text((await blob.slice(4).stream().getReader().read()).value), 'zq');
  equal(new Blob().size, 0);
  throws(() => new Blob('x'), 'TypeError');
  const file = new File(['x'], 'n.txt', { type: 'a/b', lastModified: 5 });
  equal([file.name, file.lastModified, file.type, file.size, file instanceof Blob], ['n.txt', 5, 'a/b', 1, true]);
  throws(() => new File(['x']), 'TypeError');
});

test('form data: members', () => {
  const form = new FormData();
  form.append('a', '1');
  form.append('a', 2);
  form.append('f', new Blob(['x'], { type: 't/u' }));
  form.append('g', new Blob(['x']), 'name.txt');
  equal([form.getAll('a'), form.get('f').name, form.get('f').type, form.get('g').name, form.get('z')], [['1', '2'], 'blob', 't/u', 'name.txt', null]);
  form.set('a', '9');
  form.delete('g');
  equal([...form.keys()], ['a', 'f']);
  throws(() => form.append('a'), 'TypeError', "Failed to execute 'append' on 'FormData': parameter 2 is not of type 'File or Blob or string'.");
});

test('form data: multipart goes there and back', async () => {
  const form = new FormData();
  form.append('na"me\r\n', 'va\nlue \u20ac');
  form.append('file', new File([bytes(0, 255, 13, 10, 45, 45)], 'f"\u00e9.bin', { type: 'a/b' }));
  const back = await new Response(form).formData();
  equal(back.get('na"me\r\n'), 'va\r\nlue \u20ac');
  const file = back.get('file');
  equal([file.name, file.type, await file.bytes()], ['f"\u00e9.bin', 'a/b', bytes(0, 255, 13, 10, 45, 45)]);
});

test('form data: reading bodies of browsers, and refusing others', async () => {
  const body = '--X\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--X\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/x\r\n\r\nhello\r\n--X--\r\n';
  const read = (text_, type) => new Response(text_, type === undefined ? undefined : { headers: { 'content-type': type } }).formData();
  const form = await read(body, 'multipart/form-data; boundary="X"');
  equal([form.get('a'), form.get('f').name, form.get('f').type, await form.get('f').text()], ['1', 'x.txt', 'text/x', 'hello']);
  equal([...(await read('a=1&b=x+y', 'application/x-www-form-urlencoded'))], [['a', '1'], ['b', 'x y']]);
  await rejects(read('x', 'text/plain'), 'TypeError', /^Unrecognized Content-Type header value\./);
  await rejects(new Response(bytes(1)).formData(), 'TypeError', 'Parsing a Body as FormData requires a Content-Type header.');
  const malformed = 'No initial boundary string (or you have a truncated message).';
  await rejects(read(body.slice(0, 60), 'multipart/form-data; boundary=X'), 'TypeError', malformed);
  await rejects(read('no', 'multipart/form-data; boundary=X'), 'TypeError', malformed);
});
