// What the gateway itself can be told: the keys of holdfast.toml outside its [[app]] tables, of the "holdfast" table in a
// wrangler file, and of the command line. One reader, so that all three say the same things.
import { absolute, join, kindOf, shown } from './config_path.js';
import { ConfigError } from './config_tree.js';

// name: [default, least, most]. docs/configuration.md says what each means.
const LIMITS = {
  cpu_ms: [30_000, 1, 3_600_000],
  memory_mb: [512, 64, 1 << 20],
  actor_idle_ms: [10_000, 1, 86_400_000],
  worker_idle_ms: [20_000, 1, 86_400_000],
  drain_ms: [10_000, 1, 3_600_000],
  ready_ms: [20_000, 1, 3_600_000],
  head_ms: [15_000, 100, 3_600_000],
  message_bytes: [32 << 20, 125, 32 << 20],
  request_bytes: [100 << 20, 0, Number.MAX_SAFE_INTEGER],
  connections: [0, 0, 0xffffffff],
  send_queue_bytes: [4 << 20, 1024, 1 << 30],
  comment_ms: [30_000, 0, 3_600_000],
};
// The same for WebSockets; 0 ping_ms: never.
const SOCKETS = {
  ping_ms: [30_000, 0, 3_600_000],
  pong_ms: [20_000, 100, 3_600_000],
  compression_level: [4, 1, 9],
  compression_bits: [15, 9, 15],
  compression_bytes: [1024, 1, 32 << 20],
  message_rate: [0, 0, 30_000],
  message_burst: [0, 0, 30_000],
};
const ORIGIN = /^(self|null|https?:\/\/(\*\.)?[^\s/*]+)$/i;
const TRUSTED = /^(private|[0-9a-fA-F.:]+(\/\d{1,3})?)$/;
const THREADS_MAX = 64;
const HOST = /^[^\s/]+(\/\d{1,3})?$/;
const RESOLVE = /^[^:\s]+:\d{1,5}:\S+$/;
const URL_START = /^https?:\/\/[^/\s]+(\/\S*)?$/;
const ADDRESS = /^(.+):(\d{1,5})$/;
const BRACKETS = /^\[(.*)\]$/; // around an IPv6 address

const sayHost = 'a host, *.domain, host:port, address or network (10.0.0.0/8)';

// Puts what the command line said over a file's tree. sets: [{where, key, kind, text}].
export function overlay(tree, sets) {
  for (const { where, key, kind, text } of sets) {
    const path = key.split('.');
    const last = path.pop();
    let table = tree;

    for (const name of path) {
      if (!table.keys.has(name)) {
        const node = name === 'listen' ? { kind: 'list', where, items: [] } : { kind: 'table', where, keys: new Map() };

        table.keys.set(name, { where, node });
      }
      table = table.keys.get(name).node;
      if (table.kind === 'list') table = (table.items[0] ??= { kind: 'table', where, keys: new Map() });
      if (table.kind !== 'table') break; // the reader will say what is wrong with it
    }
    if (table.kind === 'table') put(table, last, where, kind, text);
  }
  return tree;
}

function put(table, key, where, kind, text) {
  if (kind === 'list' && key === 'services') return putService(table, where, text);
  if (kind !== 'list') {
    table.keys.set(key, { where, node: { kind, where, value: kind === 'number' ? Number(text) : kind === 'boolean' || text } });
    return;
  }
  if (table.keys.get(key)?.node.kind !== 'list') table.keys.set(key, { where, node: { kind: 'list', where, items: [] } });
  table.keys.get(key).node.items.push({ kind: 'string', where, value: text });
}

function putService(table, where, text) {
  const [name, ...url] = text.split('=');

  if (url.length === 0) throw new ConfigError(`holdfast: ${where}: expected NAME=URL, found "${text}"`);

  if (table.keys.get('services')?.node.kind !== 'table') {
    table.keys.set('services', { where, node: { kind: 'table', where, keys: new Map() } });
  }
  table.keys.get('services').node.keys.set(name, { where, node: { kind: 'string', where, value: url.join('=') } });
}

// A path of the configuration: from the file's folder, or from the working folder when the command line gave it.
export const place = (table, key, path, folder) => (table.whereOf(key).startsWith('--') ? absolute(path) : join(folder, path));

function readTls(table, folder) {
  const certificates = table.tables('certificates', { required: 'a list of tables {cert, key}' }).map((one) => {
    const cert = one.string('cert', { required: 'a PEM file with the certificate and its chain' });
    const key = one.string('key', { required: 'a PEM file with the private key' });

    one.rest();
    return { cert: cert && place(one, 'cert', cert, folder), key: key && place(one, 'key', key, folder) };
  });
  const min_version = table.string('min_version', { oneOf: ['1.2', '1.3'] }) ?? '1.2';

  table.rest();
  return { certificates, min_version };
}

// `host = "unix:PATH"` is a Unix socket.
function readSocket(item, host, folder) {
  const text = item.string('mode', { match: /^[0-7]{3,4}$/, expected: 'the mode as octal digits, such as "660"' }) ?? '600';

  if (item.has('port')) item.problems.error(item.whereOf('port'), `${item.name}.port: a Unix socket has no port`);
  item.allow('port');
  return { host, port: 0, path: place(item, 'host', host.slice('unix:'.length), folder), mode: parseInt(text, 8) };
}

function readListener(item, folder) {
  const host = item.string('host', { match: /^(?!unix:$)/, expected: 'an address or "unix:PATH"' }) ?? '127.0.0.1';
  const https = item.boolean('https') ?? false;
  const one = host.startsWith('unix:') ? readSocket(item, host, folder)
    : { host: host.replace(BRACKETS, '$1'), port: item.integer('port', { max: 65535 }) ?? 8787 };

  if (item.boolean('proxy_protocol')) one.proxy_protocol = true;
  if (item.has('tls')) one.tls = readTls(item.table('tls'), folder);
  else if (https) one.tls = { local: true };
  item.rest();
  return one;
}

function readListeners(table, folder) {
  const listeners = table.tables('listen').map((item) => readListener(item, folder));

  return listeners.length ? listeners : [{ host: '127.0.0.1', port: 8787 }];
}

// "HOST:PORT", or nothing.
function readControl(table) {
  const text = table.string('control', { match: ADDRESS, expected: 'HOST:PORT such as "127.0.0.1:8788"' });
  const [, host, port] = text?.match(ADDRESS) ?? [];

  if (Number(port) > 65535) table.problems.error(table.whereOf('control'), `control: expected a port up to 65535, found ${port}`);
  return text && { host: host.replace(BRACKETS, '$1'), port: Number(port) };
}

// In dev nobody waits for long: 0 leaves it to the gateway.
const DEV_LIMITS = { drain_ms: 0 };
const presets = (rows) => Object.fromEntries(Object.entries(rows).map(([name, [preset]]) => [name, preset]));

function readNumbers(table, rows, into) {
  for (const [name, [, min, max]] of Object.entries(rows)) into[name] = table.integer(name, { min, max }) ?? into[name];
}

// Limits over the given ones (the defaults when none are given).
export function readLimits(table, over) {
  const limits = { ...over };

  readNumbers(table, LIMITS, limits);
  table.rest();
  return limits;
}

// What holds for WebSockets, over the given.
export function readSockets(table, over = { ...presets(SOCKETS), compression: true, context_takeover: false, origins: [], slow: 'close', slow_mark: '' }) {
  const sockets = { ...over };

  readNumbers(table, SOCKETS, sockets);
  for (const name of ['compression', 'context_takeover']) sockets[name] = table.boolean(name) ?? sockets[name];
  if (table.has('origins')) sockets.origins = table.strings('origins', { match: ORIGIN, expected: '"https://example.com", "https://*.example.com", "self" or "null"' });
  sockets.slow = table.string('slow', { oneOf: ['close', 'drop'] }) ?? sockets.slow;
  sockets.slow_mark = table.string('slow_mark') ?? sockets.slow_mark;
  table.rest();
  return sockets;
}

export function readEgress(table, folder, over = { allow: [], deny: [], resolve: [], ca: [] }) {
  const list = (key, options) => (table.has(key) ? table.strings(key, options) : over[key]);
  const egress = {
    allow: list('allow', { match: HOST, expected: sayHost }),
    deny: list('deny', { match: HOST, expected: sayHost }),
    resolve: list('resolve', { match: RESOLVE, expected: 'HOST:PORT:ADDRESS such as "api.example.com:443:127.0.0.1"' }),
    ca: table.has('ca') ? readCa(table, folder) : over.ca,
  };

  table.rest();
  return egress;
}

function readCa(table, folder) {
  return table.placedStrings('ca').map(({ value, where }) => {
    const path = where.startsWith('--') ? absolute(value) : join(folder, value);

    if (kindOf(path) !== 'file') table.problems.error(where, `${table.name}.ca: there is no file ${shown(path)}`);
    return path;
  });
}

// Service bindings that are HTTP servers: {NAME: 'http://host:port'}.
export function readServices(table, over = {}) {
  const services = table.table('services');
  const urls = Object.fromEntries(services.keys().map((name) => [name, services.string(name, { match: URL_START, expected: 'an http:// or https:// URL' })]));

  return { ...over, ...urls };
}

function readAccess(log, folder) {
  const path = log.string('access');

  if (path === '') log.problems.error(log.whereOf('access'), 'log.access: expected a file or "-" (standard error)');
  return path ? { access: path === '-' ? path : place(log, 'access', path, folder) } : {};
}

// How the storage of Durable Objects is written: over the given.
export function readStore(table, over = { sync: 'full' }) {
  const sync = table.string('sync', { oneOf: ['full', 'normal'] }) ?? over.sync;

  table.rest();
  return { sync };
}

// All of it. folder: where relative paths begin.
export function readSettings(table, folder, dev = false) {
  const log = table.table('log');
  const settings = {
    listen: readListeners(table, folder),
    threads: table.integer('threads', { min: 1, max: THREADS_MAX }) ?? 0,
    state: place(table, 'state', table.string('state') ?? '.holdfast', folder),
    sandbox: table.string('sandbox', { oneOf: ['strict', 'auto', 'off'] }) ?? 'auto',
    control: readControl(table) ?? null,
    goodbye_ms: table.integer('goodbye_ms', { max: 3_600_000 }) ?? 0,
    max_connections: table.integer('max_connections', { max: 0xffffffff }) ?? 0,
    max_memory_mb: table.integer('max_memory_mb', { max: 1 << 20 }) ?? 0,
    max_connections_per_client: table.integer('max_connections_per_client', { max: 0xffffffff }) ?? 0,
    trusted_proxies: table.strings('trusted_proxies', { match: TRUSTED, expected: 'an address, a network (10.0.0.0/8) or "private"' }),
    log: {
      format: log.string('format', { oneOf: ['text', 'json'] }) ?? (dev ? 'text' : 'json'),
      level: log.string('level', { oneOf: ['debug', 'info', 'warn', 'error'] }) ?? 'info',
      ...readAccess(log, folder),
    },
    limits: readLimits(table.table('limits'), { ...presets(LIMITS), ...(dev ? DEV_LIMITS : {}) }),
    websocket: readSockets(table.table('websocket')),
    egress: readEgress(table.table('egress'), folder),
    services: readServices(table),
    store: readStore(table.table('store')),
  };

  log.rest();
  return settings;
}
