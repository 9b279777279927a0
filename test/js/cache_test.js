// The Cache API: what is kept, for how long, and how it comes back.
import '../../src/api/web.js';
import { Cache, caches } from '../../src/api/cache.js';
import { host } from '../../src/api/host.js';
import { equal, ok, rejects, test, throws } from './lib.js';

export { suite } from './lib.js';

const AT = 'https://a.example/x';
const cache = caches.default;
let now = 0;

host.now = () => now;

const response = (text, headers, status) => new Response(text, { headers, status });
const textOf = async (key) => (await cache.match(key))?.text();

/** Whether a response with these headers comes back. */
async function isKept(headers) {
  await cache.put(AT, response('x', headers));
  return cache.delete(AT);
}

test('cache: what was put comes back, as often as it is asked for', async () => {
  await cache.put(`${AT}#fragment`, response('one', { 'cache-control': 'max-age=60', 'x-a': '1' }));
  now += 2500;
  const found = await cache.match(new Request(AT));
  equal([await found.text(), found.status, found.headers.get('x-a'), found.headers.get('age'), found.headers.get('cf-cache-status')], ['one', 200, '1', '2', 'HIT']);
  equal(await textOf(AT), 'one');
  equal(await cache.match(`${AT}?other`), undefined);
  await cache.put(AT, response('two', { 'cache-control': 'max-age=60' }));
  equal(await textOf(AT), 'two');
  equal([await cache.delete(AT), await cache.delete(AT), await textOf(AT)], [true, false, undefined]);
});

test('cache: caches with a name are apart, and the same every time', async () => {
  const a = await caches.open('a');
  await a.put(AT, response('a'));
  equal(await (await (await caches.open('a')).match(AT)).text(), 'a');
  equal([await (await caches.open('b')).match(AT), await cache.match(AT)], [undefined, undefined]);
});

test('cache: a response says for how long', async () => {
  await cache.put(AT, response('x', { 'cache-control': 'max-age=1, s-maxage=10' }));
  now += 9999;
  equal(await textOf(AT), 'x');
  now += 1;
  equal(await textOf(AT), undefined);
  const later = (ms) => new Date(Date.now() + ms).toUTCString();
  for (const headers of [{}, { expires: later(60_000) }, { 'cache-control': 'public' }, { 'set-cookie': 'a=b', 'cache-control': 'private=Set-Cookie, max-age=9' }]) {
    ok(await isKept(headers), JSON.stringify(headers));
  }
  for (const headers of [{ 'cache-control': 'no-store' }, { 'cache-control': 'private, max-age=60' }, { 'cache-control': 'max-age=0' }, { 'set-cookie': 'a=b' }, { expires: later(-60_000) }, { expires: '0' }]) {
    ok(!await isKept(headers), JSON.stringify(headers));
  }
});

test('cache: only what a GET got', async () => {
  const post = new Request(AT, { method: 'POST', body: 'q' });
  await rejects(cache.put(post, response('x')), 'TypeError', 'Cannot cache response to non-GET request.');
  await rejects(cache.put(AT, response('x', {}, 206)), 'TypeError', 'Cannot cache response to a range request (206 Partial Content).');
  await rejects(cache.put(AT, response('x', { vary: '*' })), 'TypeError', "Cannot cache response with 'Vary: *' header.");
  await cache.put(AT, response('x'));
  equal(await cache.match(post), undefined);
  equal(await (await cache.match(post, { ignoreMethod: true })).text(), 'x');
  throws(() => new Cache(), 'TypeError', 'Illegal constructor');
});

test('cache: conditions are answered', async () => {
  await cache.put(AT, response('x', { etag: '"v1"', 'last-modified': 'Sat, 01 Jan 2022 00:00:00 GMT' }));
  const status = async (headers) => (await cache.match(new Request(AT, { headers }))).status;
  equal([await status({ 'if-none-match': '"v0", W/"v1"' }), await status({ 'if-none-match': '"v2"' })], [304, 200]);
  equal([await status({ 'if-modified-since': 'Sun, 02 Jan 2022 00:00:00 GMT' }), await status({ 'if-modified-since': 'Fri, 31 Dec 2021 00:00:00 GMT' })], [304, 200]);
});

test('cache: the least used leaves when there is no room', async () => {
  const big = 'x'.repeat(6 << 20);
  for (const n of [1, 2]) await cache.put(`${AT}${n}`, response(big));
  await cache.match(`${AT}1`);
  await cache.put(`${AT}3`, response(big));
  const kept = async (n) => (await cache.match(`${AT}${n}`)) !== undefined;
  equal([await kept(1), await kept(2), await kept(3)], [true, false, true]);
  await cache.put(`${AT}4`, response('x'.repeat(17 << 20)));
  equal([await kept(4), await kept(1)], [false, true]);
});
