// URL and URLSearchParams. The fast path is held against whatwg-url's state machine on a corpus.
import machine from 'whatwg-url/lib/url-state-machine.js';
import { equal, ok, test, throws } from './lib.js';

export { suite } from './lib.js';

function reference(input, base) {
  const baseURL = base === undefined ? null : machine.basicURLParse(base);
  if (base !== undefined && baseURL === null) return null;
  const record = machine.basicURLParse(input, { baseURL });
  if (record === null) return null;
  const hostname = record.host === null ? '' : machine.serializeHost(record.host);
  const port = record.port === null ? '' : String(record.port);
  return {
    href: machine.serializeURL(record),
    origin: machine.serializeURLOrigin(record),
    protocol: `${record.scheme}:`,
    username: record.username,
    password: record.password,
    host: port === '' ? hostname : `${hostname}:${port}`,
    hostname,
    port,
    pathname: machine.serializePath(record),
    search: record.query ? `?${record.query}` : '',
    hash: record.fragment ? `#${record.fragment}` : '',
  };
}

const members = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

function partsOf(url) {
  return url === null ? null : Object.fromEntries(members.map((name) => [name, url[name]]));
}

function same(input, base) {
  equal(partsOf(URL.parse(input, base)), reference(input, base), `${input} ${base ?? ''}`);
}

const schemes = ['http:', 'https:', 'ws:', 'wss:', 'HTTP:', 'ftp:', 'file:', 'data:', 'x:'];
const hosts = [
  '//example.com', '//a', '//localhost', '//127.0.0.1', '//127.1', '//1.2.3', '//256.1.1.1', '//01.2.3.4', '//0x7f.1', '//1.2.3.4.5', '//a.1', '//a.0x1', '//a1.b2',
  '//EXAMPLE.com', '//ex_ample.com', '//-a-.b', '//a..b', '//a.', '//.a', '//xn--nxasmq6b', '//xn--', '//a.xn--b', '//xnx--a', '//b\u00fccher.de', '//[::1]', '//[1:2::3]', '//u@h', '//u:p@h', '//%41',
  '//a%20b', '//a b', '//', '/', '', '//a\\b', '//a?b', '//1e3', '//a.1e3', '//0', '//9.9.9.9',
];
const ports = ['', ':', ':1', ':80', ':443', ':8080', ':080', ':65535', ':65536', ':0', ':99999', ':a', ':8787', ':32901', ':\u0138'];
const paths = [
  '', '/', '/a', '/a/b/', '//a', '/./a', '/../a', '/a/..', '/a/.', '/.a', '/..a', '/.../a', '/a/.b/c', '/%2e/a', '/%2E%2e/a', '/.%2e', '/%2ea', '/a%2e', '/a b', '/a\tb', '/\u00e9', '/a;b=c,d', "/a'b",
  '/a"b', '/a<b', '/a`b', '/a{b}', '/a|b', '/a^b', '/a[b]', '/a\\b', '/%', '/%zz', '/~a!$&()*+,=:@', '/a:80', '/.well-known/x', '/a:443/b', '/a/%2e./b',
];
const queries = ['', '?', '?a=b', '?a=b?c', "?a='b'", '?a b', '?\u00e9', '?a=/b/../c', '?"<>', '?a#', '?[]{}|\\^`', '?a@b:c', '?%zz'];
const fragments = ['', '#', '#a', '#a#b', '#a?b', '#a b', '#`', '#\u00e9', '#"<>', "#'"];

function* corpus() {
  for (const scheme of schemes) for (const host of hosts) for (const port of ports) yield `${scheme}${host}${port}/x`;
  for (const path of paths) for (const query of queries) for (const fragment of fragments) yield `http://h${path}${query}${fragment}`;
  for (const port of ports) for (const path of paths) yield `https://a.b${port}${path}`;
}

test('url: every member agrees with the state machine on the corpus', () => {
  for (const input of corpus()) same(input);
});

test('url: references agree with the state machine for plain and odd bases', () => {
  const references = ['x', '?q', '#f', '', '.', '..', '//h/p', '///h', 'http:x', 'http://other/', 'wss://o/p?q#r', ...paths, ...queries, ...fragments];
  for (const base of ['http://a.b/c/d?e#f', 'https://a:8080/', 'http://A/', 'file:///a/b', 'data:x', 'http://a', 'nonsense']) {
    for (const reference of references) same(reference, base);
  }
});

test('url: random changes of plain URLs agree with the state machine', () => {
  let seed = 1;
  const random = (n) => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % n;
  };
  const characters = "/\\?#:@.%[]a0-_~ \t\n'\"<>^`{}|&=+;,!*()$\u00e9\ud800A2eExn";
  for (let i = 0; i < 8000; i++) {
    let text = ['http://example.com/path/to?x=1&y=2#top', 'wss://10.0.0.1:8787/room/a.b', 'https://a.b.c/'][random(3)];
    for (let edits = 1 + random(3); edits > 0; edits--) {
      const at = random(text.length);
      text = text.slice(0, at) + characters[random(characters.length)] + text.slice(at + random(2));
    }
    same(text.toWellFormed());
  }
});

const setters = {
  protocol: ['https', 'ws:', 'file', 'x', '1', ''],
  username: ['', 'me', 'a b', '\u00e9@'],
  password: ['', 'pw', ':/'],
  host: ['h', 'h:81', 'h:80', 'H.com:9/x', '', '1.1', 'a b', '[::1]:5'],
  hostname: ['h', 'h:81', '', 'X', '127.1'],
  port: ['', '80', '443', '8080', '65536', '9x', 'x', '00001'],
  pathname: ['', '/', 'a', '/a/b', '/../x', '/a b', '/a?b#c', '\\a', '/\u00e9', '//x'],
  search: ['', '?', 'a=b', '?a=b&c', '?a b', "?'", '#', '?\u00e9', '??'],
  hash: ['', '#', 'a', '#a b', '##', '\u00e9'],
};

test('url: setters agree with the standard steps', () => {
  for (const start of ['http://u:p@h:81/a/b?c#d', 'http://h/', 'wss://a.b/c?d', 'file:///x', 'data:abc', 'https://1.2.3.4:8443/p#f']) {
    for (const [member, values] of Object.entries(setters)) {
      for (const value of values) {
        const url = new URL(start);
        url[member] = value;
        equal(partsOf(url), reference(url.href), `${start} ${member}=${value}`);
        equal(url.href, referenceSet(start, member, value), `${start} ${member}=${value}`);
      }
    }
  }
});

function referenceSet(start, member, value) {
  const record = machine.basicURLParse(start);
  const override = (text, stateOverride) => machine.basicURLParse(text, { url: record, stateOverride });
  const opaque = machine.hasAnOpaquePath(record);
  const bare = machine.cannotHaveAUsernamePasswordPort(record);
  if (member === 'protocol') override(`${value}:`, 'scheme start');
  else if (member === 'username') bare || machine.setTheUsername(record, value);
  else if (member === 'password') bare || machine.setThePassword(record, value);
  else if (member === 'host' || member === 'hostname') opaque || override(value, member);
  else if (member === 'port' && value === '') record.port = bare ? record.port : null;
  else if (member === 'port') bare || override(value, 'port');
  else if (member === 'pathname' && !opaque) {
    record.path = [];
    override(value, 'path start');
  } else if (member === 'search') {
    record.query = value === '' ? null : '';
    if (value !== '') override(value.replace(/^\?/, ''), 'query');
  } else if (member === 'hash') {
    record.fragment = value === '' ? null : '';
    if (value !== '') override(value.replace(/^#/, ''), 'fragment');
  }
  return machine.serializeURL(record);
}

test('url: what is no URL is a TypeError', () => {
  throws(() => new URL('/x'), 'TypeError', 'Invalid URL string.');
  throws(() => new URL('http://'), 'TypeError');
  throws(() => new URL('x', 'y'), 'TypeError');
  equal(URL.canParse('/x'), false);
  equal(URL.canParse('/x', 'http://h'), true);
  equal(URL.parse('/x'), null);
});

test('url: converts to a string and JSON as its href', () => {
  const url = new URL('http://a/b');
  equal(String(url), 'http://a/b');
  equal(JSON.stringify({ url }), '{"url":"http://a/b"}');
});

test('url: searchParams and search follow each other', () => {
  const url = new URL('http://h/p?a=1&b=2#f');
  url.searchParams.append('c', 'x y&z');
  equal(url.href, 'http://h/p?a=1&b=2&c=x+y%26z#f');
  const { searchParams } = url;
  url.search = '?q=1';
  equal([...searchParams], [['q', '1']]);
  equal(searchParams, url.searchParams);
  searchParams.delete('q');
  equal(url.href, 'http://h/p#f');
  url.href = 'http://other/?z=1';
  equal(searchParams.get('z'), '1');
});

test('params: every form of the constructor', () => {
  equal(String(new URLSearchParams('?a=1&a=2&b')), 'a=1&a=2&b=');
  equal(String(new URLSearchParams([['a', '1'], ['b', '2']])), 'a=1&b=2');
  equal(String(new URLSearchParams({ a: 1, b: 'x y' })), 'a=1&b=x+y');
  equal(String(new URLSearchParams(new URLSearchParams('a=b'))), 'a=b');
  equal(String(new URLSearchParams(new Map([['k', 'v']]))), 'k=v');
  equal(String(new URLSearchParams()), '');
  throws(() => new URLSearchParams([['a']]), 'TypeError');
});

test('params: escapes are undone and made as forms have them', () => {
  const params = new URLSearchParams('a=%41+b&%C3%A9=%E2%82%AC&bad=%zz%ff&==&&x');
  equal([...params], [['a', 'A b'], ['\u00e9', '\u20ac'], ['bad', '%zz\ufffd'], ['', '='], ['x', '']]);
  equal(String(new URLSearchParams([["!'()*-._~", '\u00e9 &=+%']])), '%21%27%28%29*-._%7E=%C3%A9+%26%3D%2B%25');
});

test('params: get, set, has, delete, sort, size', () => {
  const params = new URLSearchParams('b=1&a=2&b=3');
  equal(params.get('b'), '1');
  equal(params.getAll('b'), ['1', '3']);
  equal(params.get('z'), null);
  params.set('b', '9');
  equal(String(params), 'b=9&a=2');
  params.append('a', '1');
  params.sort();
  equal(String(params), 'a=2&a=1&b=9');
  equal(params.size, 3);
  equal(params.has('a', '1'), true);
  params.delete('a', '2');
  equal(String(params), 'a=1&b=9');
  throws(() => params.get(), 'TypeError', "Failed to execute 'get' on 'URLSearchParams': parameter 1 is not of type 'USVString'.");
});

test('params: iteration is live and its iterators have a name', () => {
  const params = new URLSearchParams('a=1&b=2');
  const seen = [];
  for (const [key] of params) {
    seen.push(key);
    if (key === 'a') params.append('c', '3');
  }
  equal(seen, ['a', 'b', 'c']);
  equal([...params.keys()].join(), 'a,b,c');
  equal([...params.values()].join(), '1,2,3');
  equal(Object.prototype.toString.call(params.entries()), '[object URLSearchParams Iterator]');
  ok(params[Symbol.iterator] === params.entries);
});

test('patterns: match and name parts of URLs', () => {
  const pattern = new URLPattern({ pathname: '/rooms/:id/*' });
  equal(pattern.test('http://h/rooms/5/ws'), true);
  const { id, 0: rest } = pattern.exec('http://h/rooms/5/ws?x').pathname.groups;
  equal([id, rest], ['5', 'ws']);
  equal(pattern.exec('http://h/other'), null);
  equal(new URLPattern('https://*.example.com/:page?').exec('https://a.example.com/b').hostname.groups[0], 'a');
  equal(new URLPattern('/a', 'http://h').pathname, '/a');
});
