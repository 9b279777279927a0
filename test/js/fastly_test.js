// Modules for Fastly Compute: handoffs, backends, stores.
import { setEvaluating } from '../../src/api/context.js';
import { addFastlyModules, clientOf, isFastly, setupFastly } from '../../src/api/fastly.js';
import { fetch } from '../../src/api/fetch.js';
import { host } from '../../src/api/host.js';
import { native } from '../../src/api/native.js';
import { incomingRequest, Request } from '../../src/api/request.js';
import { outgoingResponse, Response } from '../../src/api/response.js';
import { equal, ok, rejects, suite, test, throws } from './lib.js';

const modules = {};
addFastlyModules(modules);
const from = (name) => modules[`fastly:${name}`];

native.storage.configure(false, 0, 0, 0);
setupFastly('app', {
  service_id: null,
  version: '7',
  backends: [
    { name: 'origin', url: 'https://origin.test:8443/base/', override_host: 'public.test' },
    { name: 'plain', url: 'http://127.0.0.1:3000', override_host: null },
  ],
  config_stores: { settings: { color: 'green' } },
  secret_stores: { 'my-secrets': { token: { base64: btoa('s3cret') } } },
  kv_stores: { files: { hello: { data: 'world' }, other: { base64: btoa('x'), metadata: 'about x' } } },
});

const incoming = (head) => incomingRequest(head, null, '');
const get = (text = '') => incoming(`GET http://site.test/a?b=1\nHost: site.test\n${text}`);

const { createFanoutHandoff } = from('fanout');
const { createWebsocketHandoff } = from('websocket');

// --- handoffs ---------------------------------------------------------------------------------------------------------------------

test('a handoff is a Response that names kind, backend and request', () => {
  const response = createFanoutHandoff(get('X-A: 1\n'), 'origin');
  ok(response instanceof Response);
  equal(outgoingResponse(response).handoff, { kind: 0, backend: 'origin', head: 'GET http://site.test/a?b=1\nHost: site.test\nX-A: 1\n' });
  equal(outgoingResponse(createWebsocketHandoff(get(), 'plain')).handoff.kind, 1);
});

test('an ordinary response is none, nor is one made of a handoff', () => {
  equal(outgoingResponse(new Response('x')).handoff, null);
  const response = createFanoutHandoff(get(), 'origin');
  equal(outgoingResponse(new Response(response.body, response)).handoff, null);
  equal(outgoingResponse(response.clone()).handoff, null);
});

test('the request is taken as it is now: changed headers, another method and path', () => {
  const request = get();
  request.headers.set('X-Forwarded-For', '10.0.0.1');
  const response = createFanoutHandoff(request, 'origin');
  request.headers.set('X-Later', 'no');
  equal(outgoingResponse(response).handoff.head, 'GET http://site.test/a?b=1\nHost: site.test\nX-Forwarded-For: 10.0.0.1\n');
  const other = new Request('http://site.test/other', { method: 'PUT', headers: { 'x-b': '2' } });
  equal(outgoingResponse(createFanoutHandoff(other, 'origin')).handoff.head, 'PUT http://site.test/other\nx-b: 2\n');
});

for (const [name, fn] of [['createFanoutHandoff', createFanoutHandoff], ['createWebsocketHandoff', createWebsocketHandoff]]) {
  test(`${name}: argument errors`, () => {
    equal(fn.name, name);
    equal(fn.length, 2);
    throws(() => fn(), 'TypeError', `${name}: At least 2 arguments required, but only 0 passed`);
    throws(() => fn(get()), 'TypeError', `${name}: At least 2 arguments required, but only 1 passed`);
    for (const value of [undefined, null, 1, 'x', {}, new Response()]) {
      throws(() => fn(value, 'origin'), 'Error', `${name}: request parameter must be an instance of Request`);
    }
    throws(() => fn(get(), ''), 'Error', `${name}: Backend parameter can not be an empty string`);
    throws(() => fn(get(), { toString: () => '' }), 'Error', `${name}: Backend parameter can not be an empty string`);
    throws(() => fn(get(), 'a'.repeat(255)), 'Error', `${name}: name can not be more than 254 characters`);
    throws(() => fn(get(), '\u00e9'.repeat(128)), 'Error', `${name}: name can not be more than 254 characters`);
    throws(() => fn(get(), Symbol('s')), 'TypeError', "can't convert symbol to string");
    throws(() => fn(get(), { toString() { throw new RangeError('mine'); } }), 'RangeError', 'mine');
    throws(() => new fn(get(), 'origin'), 'TypeError');
    equal(outgoingResponse(fn(get(), 'a'.repeat(254))).handoff.backend.length, 254);
    equal(outgoingResponse(fn(get(), null)).handoff.backend, 'null');
    equal(outgoingResponse(fn(get(), from('backend').Backend.fromName('plain'))).handoff.backend, 'plain');
  });

  test(`${name} is for events`, () => {
    setEvaluating(true);
    try {
      throws(() => fn(get(), 'origin'), 'Error', `${name} can only be used during request handling, not during initialization`);
    } finally {
      setEvaluating(false);
    }
  });
}

// --- what an application gets besides -----------------------------------------------------------------------------------------------

test('an application for Fastly changes headers of what comes in, and knows its client', () => {
  ok(isFastly());
  const request = incoming('GET http://site.test/\nCF-Connecting-IP: 10.1.2.3\nHost: site.test\n');
  const event = {};
  clientOf(event, request);
  equal(event.client.address, '10.1.2.3');
  equal(event.client.geo, null);
  equal(request.headers.get('cf-connecting-ip'), null);
});

test('env has the variables of the platform', () => {
  const { env } = from('env');
  equal(env('FASTLY_HOSTNAME'), 'localhost');
  equal(env('FASTLY_SERVICE_VERSION'), '7');
  equal(env('FASTLY_SERVICE_ID'), '0000000000000000000000');
  equal(env('HOME'), undefined);
  equal(env('toString'), undefined);
  ok(/^[0-9a-f]{32}$/.test(env('FASTLY_TRACE_ID')));
  equal(globalThis.fastly.env.get('FASTLY_POP'), 'XXX');
});

// --- fetch with a backend -----------------------------------------------------------------------------------------------------------

let calls = [];
host.fetch = async (call) => {
  calls.push(call);
  return { status: 200, reason: '', url: '', head: '', body: null, end: null };
};

async function sent(...args) {
  calls = [];
  await fetch(...args);
  return calls[0];
}

test('fetch() goes to the backend that it names', async () => {
  equal((await sent('http://site.test/x?y', { backend: 'plain' })).service, 'backend:plain');
  equal(calls[0].url, 'http://site.test/x?y');
  equal((await sent('http://site.test/x?y#z', { backend: 'origin' })).url, 'https://public.test/base/x?y');
  equal((await sent(get(), { backend: 'plain' })).service, 'backend:plain');
  equal((await sent(new Request('http://site.test/', { backend: 'plain' }))).service, 'backend:plain');
  equal((await sent(new Request(new Request('http://site.test/', { backend: 'plain' })))).service, 'backend:plain');
  equal((await sent('http://site.test/')).service, '');
  await rejects(fetch('http://site.test/', { backend: 'nobody' }), 'TypeError', "Requested backend named 'nobody' does not exist");
});

test('backends of the application\'s own', async () => {
  const { Backend } = from('backend');
  const made = new Backend({ name: 'made', target: 'api.test:8080' });
  equal(`${made}`, 'made');
  equal(made.toName(), 'made');
  ok(made.isDynamic);
  equal((await sent('http://site.test/p?q', { backend: made })).url, 'http://api.test:8080/p?q');
  equal(calls[0].service, '');
  equal((await sent('http://site.test/p', { backend: new Backend({ name: 'tls', target: 'api.test', useSSL: true, hostOverride: 'api.test' }) })).url, 'https://api.test/p');
  ok(Backend.exists('made'));
  ok(!Backend.exists('nobody'));
  equal(Backend.health('plain'), 'unknown');
  ok(!Backend.fromName('plain').isDynamic);
  throws(() => Backend.fromName('nobody'), 'Error', "Backend.fromName: backend named 'nobody' does not exist");
  throws(() => new Backend(), 'TypeError', 'Backend constructor: configuration parameter must be an Object');
  throws(() => new Backend({}), 'TypeError', 'Backend constructor: name can not be null or undefined');
  throws(() => new Backend({ name: '' }), 'TypeError', 'Backend constructor: name can not be an empty string');
  throws(() => new Backend({ name: 'x' }), 'TypeError', 'Backend constructor: target can not be null or undefined');
  throws(() => new Backend({ name: 'x', target: 'http://a/' }), 'TypeError', /does not contain a valid/);
  throws(() => new Backend({ name: 'x', target: 'a.test', hostOverride: 'b.test' }), 'TypeError', /declare such a backend in fastly.toml/);
  throws(() => new Backend({ name: 'plain', target: 'a.test' }), 'TypeError', /already/);
});

// --- stores -------------------------------------------------------------------------------------------------------------------------

test('config stores', () => {
  const { ConfigStore } = from('config-store');
  const store = new ConfigStore('settings');
  equal(store.get('color'), 'green');
  equal(store.get('toString'), null);
  equal(new (from('dictionary').Dictionary)('settings').get('color'), 'green');
  throws(() => store.get(''), 'TypeError', 'ConfigStore key can not be an empty string');
  throws(() => store.get('k'.repeat(256)), 'TypeError', 'ConfigStore key can not be more than 255 characters');
  throws(() => new ConfigStore('nothing'), 'TypeError', "ConfigStore constructor: No ConfigStore named 'nothing' exists");
  throws(() => new ConfigStore(''), 'TypeError', 'ConfigStore constructor: name can not be an empty string');
  throws(() => new ConfigStore('1a'), 'TypeError', 'ConfigStore constructor: name must start with an ascii alpabetical character');
  throws(() => new ConfigStore('a-b'), 'TypeError', 'ConfigStore constructor: name can contain only ascii alphanumeric characters, underscores, and ascii whitespace');
});

test('secret stores', async () => {
  const { SecretStore, SecretStoreEntry } = from('secret-store');
  const store = new SecretStore('my-secrets');
  const entry = await store.get('token');
  ok(entry instanceof SecretStoreEntry);
  equal(entry.plaintext(), 's3cret');
  equal(entry.rawBytes().length, 6);
  equal(await store.get('nothing'), null);
  equal(SecretStore.fromBytes(new Uint8Array([104, 105])).plaintext(), 'hi');
  throws(() => SecretStore.fromBytes('hi'), 'TypeError', 'SecretStore.fromBytes: bytes must be an ArrayBuffer or ArrayBufferView object');
  throws(() => new SecretStoreEntry(), 'TypeError', "SecretStoreEntry can't be instantiated directly");
  throws(() => new SecretStore('nothing'), 'TypeError', "SecretStore constructor: No SecretStore named 'nothing' exists");
  await rejects(store.get(''), 'TypeError', 'SecretStore key can not be an empty string');
  await rejects(store.get('a b'), 'TypeError', /^SecretStore key can contain only/);
});

test('KV stores keep what is put, over what they began with', async () => {
  const { KVStore } = from('kv-store');
  const files = new KVStore('files');
  equal(await (await files.get('hello')).text(), 'world');
  equal(await files.get('nothing'), null);
  equal((await files.get('other')).metadataText(), 'about x');
  equal(await files.put('hello', 'there', { metadata: 'm' }), undefined);
  const entry = await new KVStore('files').get('hello');
  equal(entry.metadataText(), 'm');
  equal(entry.bodyUsed, false);
  equal(await entry.text(), 'there');
  equal(entry.bodyUsed, true);
  await files.put('list', JSON.stringify([1, 2]));
  equal(await (await files.get('list')).json(), [1, 2]);
  await files.put('list', new Uint8Array([1, 2, 3]));
  equal((await (await files.get('list')).arrayBuffer()).byteLength, 3);
  equal(await files.list(), { list: ['hello', 'list', 'other'], cursor: undefined });
  equal(await files.list({ limit: 1 }), { list: ['hello'], cursor: 'hello' });
  equal((await files.list({ limit: 5, cursor: 'hello' })).list, ['list', 'other']);
  equal((await files.list({ prefix: 'li' })).list, ['list']);
  await files.delete('hello');
  await files.delete('list');
  await files.delete('nothing');
  equal(await files.get('hello'), null);
  equal((await files.list()).list, ['other']);
});

test('KV stores: modes, lifetime and errors', async () => {
  const { KVStore } = from('kv-store');
  const files = new KVStore('files');
  await files.put('m', 'b');
  await files.put('m', 'c', { mode: 'append' });
  await files.put('m', 'a', { mode: 'prepend' });
  equal(await (await files.get('m')).text(), 'abc');
  await rejects(files.put('m', 'x', { mode: 'add' }), 'TypeError', 'KVStore insert: Precondition failed');
  await files.put('fresh', 'x', { mode: 'add', ttl: 3600 });
  equal(await (await files.get('fresh')).text(), 'x');
  await rejects(files.put('m', 'x', { mode: 'y' }), 'TypeError', /mode must be one of/);
  await rejects(files.put('m', 'x', { ttl: -1 }), 'RangeError', 'KVStore.put: ttl can not be a negative number');
  await rejects(files.get(''), 'TypeError', 'KVStore key can not be an empty string');
  await rejects(files.get('k'.repeat(1025)), 'TypeError', 'KVStore key can not be more than 1024 characters');
  await rejects(files.get('a#b'), 'TypeError', 'KVStore key can not contain # character');
  await rejects(files.get('a\nb'), 'TypeError', 'KVStore key can not contain newline character');
  await rejects(files.get('..'), 'TypeError', "KVStore key can not be '.' or '..'");
  await rejects(files.get('.well-known/acme-challenge/x'), 'TypeError', 'KVStore key can not start with .well-known/acme-challenge/');
  throws(() => new KVStore('nothing'), 'TypeError', "KVStore constructor: No KVStore named 'nothing' exists");
  throws(() => new KVStore(''), 'TypeError', 'KVStore constructor: name can not be an empty string');
  await rejects(files.put('big', 'x'.repeat((30 << 20) + 1)), 'TypeError', 'KVStore value can not be more than 30 Megabytes in size');
});

export { suite };
