// What the gateway is told about origins and publishing: the [origin], [publish] and [zmq] tables of holdfast.toml.
// pushpin.conf becomes the same tables (config_pushpin.js). Names and defaults are Pushpin's where the thing is.
import { absolute, join } from './config_path.js';
import { Routes, readKey } from './config_routes.js';

const MS_MAX = 86_400_000;
const UINT_MAX = 0xffffffff;
// name: [least, most]; what nobody says is 0, the gateway's default (src/edge/edge.h).
const ORIGIN = {
  connection_subscription_max: [1, 100_000],
  connect_ms: [1, MS_MAX],
  response_ms: [1, MS_MAX],
  pool_idle_ms: [1, MS_MAX],
  max_open_requests: [0, UINT_MAX],
  breaker_failures: [1, 10_000],
  breaker_ms: [1, MS_MAX],
};
const PUBLISH = {
  max_headers_size: [256, 1 << 20],
  max_body_size: [1, 1 << 30],
  max_connections: [1, 100_000],
  message_rate: [0, UINT_MAX],
  message_hwm: [1, UINT_MAX],
  message_block_size: [0, UINT_MAX],
  message_wait_ms: [1, MS_MAX],
  id_cache_ms: [1, MS_MAX],
  subscription_linger_ms: [1, MS_MAX],
  history_count: [1, 1_000_000],
  history_bytes: [1, UINT_MAX],
  history_ms: [1, MS_MAX],
  history_total_bytes: [1, Number.MAX_SAFE_INTEGER],
};
const ZMQ = {
  stats_connection_ttl_ms: [1000, MS_MAX],
  stats_subscription_ttl_ms: [1000, MS_MAX],
  stats_report_interval_ms: [1000, MS_MAX],
};
const FLAGS = ['debug', 'auto_cross_origin', 'accept_pushpin_route', 'accept_x_forwarded_protocol'];
const FORWARDED = /^(truncate:\d{1,6}|append|truncate:\d{1,6}, *append)?$/;
const FORWARDED_SAYS = '"truncate:N", "append" or "truncate:N,append"';
const SPEC = /^(tcp:\/\/[^\s:]+|tcp:\/\/\[[^\]\s]+\]):(\d{1,5}|\*)$|^ipc:\/\/\S+$/;
const SPEC_SAYS = '"tcp://HOST:PORT" or "ipc://PATH"';
const LOGIN = /^[^:]+:/;

function readRange(table, rows, into) {
  for (const [name, [min, max]] of Object.entries(rows)) into[name] = table.integer(name, { min, max }) ?? into[name] ?? 0;
  return into;
}

function readForwarded(table, key, over) {
  const text = table.string(key, { match: FORWARDED, expected: FORWARDED_SAYS });
  const keep = text?.match(/truncate:(\d+)/)?.[1];

  if (text === undefined) return over ?? { truncate: false, keep: 0, append: false };
  return { truncate: keep !== undefined, keep: Number(keep ?? 0), append: text.includes('append') };
}

const keyAt = (table, key, text, folder) => readKey(text, folder, (why) => table.problems.error(table.whereOf(key), `${table.name}.${key}: ${why}`));

function readFlags(table, over) {
  return Object.fromEntries(FLAGS.map((name) => [name, table.boolean(name) ?? over[name] ?? false]));
}

// Where a path begins: the command line's in the working folder.
const placed = (where, path, folder) => (where.startsWith('--') ? absolute(path) : join(folder, path));

// Lines of the command line stand for all files.
function readRoutes(table, folder) {
  const routes = new Routes(table.problems);
  const file = table.string('file');
  const lines = table.placedStrings('routes');
  const given = lines.filter(({ where }) => where.startsWith('--'));

  if (file !== undefined && !given.length) routes.addFile(placed(table.whereOf('file'), file, folder), table.whereOf('file'));
  for (const { value, where } of given.length ? given : lines) routes.addLine(value, where, placed(where, '.', folder));
  return routes;
}

/**
 * An [origin] table over `over`, the options of another one. Returns {routes, watch, options}; routes is null when the table
 * names none, which an [[app]]'s own may do.
 */
export function readOrigin(table, folder, over = {}) {
  const named = table.has('file') || table.has('routes');
  const routes = readRoutes(table, folder);
  const key = (name) => (table.has(name) ? keyAt(table, name, table.string(name), folder) : over[name] ?? null);
  const options = {
    sig_iss: table.string('sig_iss') ?? over.sig_iss ?? null,
    sig_key: key('sig_key'),
    upstream_key: key('upstream_key'),
    ...readFlags(table, over),
    set_x_forwarded_protocol: table.string('set_x_forwarded_protocol', { oneOf: ['proto-only', 'true', 'false'] }) ?? over.set_x_forwarded_protocol ?? 'proto-only',
    x_forwarded_for: readForwarded(table, 'x_forwarded_for', over.x_forwarded_for),
    x_forwarded_for_trusted: readForwarded(table, 'x_forwarded_for_trusted', over.x_forwarded_for_trusted),
    orig_headers_need_mark: table.has('orig_headers_need_mark') ? table.strings('orig_headers_need_mark') : over.orig_headers_need_mark ?? [],
    cdn_loop: table.string('cdn_loop') || over.cdn_loop || null,
    answer_pings: table.boolean('answer_pings') ?? over.answer_pings ?? true,
    ...readRange(table, ORIGIN, Object.fromEntries(Object.keys(ORIGIN).map((name) => [name, over[name]]))),
  };
  const keys = [options.sig_key, options.upstream_key].filter((one) => one?.path).map((one) => one.path);

  table.rest();
  return { routes: named ? routes.list : null, watch: [...routes.files, ...keys], options };
}

// What the Fastly CLI's local server signs with. An application knows by the signature that a request has been handed off.
const LOCAL_KEY = { form: 'text', text: 'viceroy_dev_signing_key_dont_use_in_production' };
const signed = (options) => (options.sig_key ? options : { ...options, sig_iss: options.sig_iss ?? 'viceroy', sig_key: LOCAL_KEY });

/** The normalised `origin` of an application, or null. more: routes to its Fastly backends. */
export function originOf({ routes, options: own }, more = []) {
  const all = [...(routes ?? []), ...more];
  const options = more.length ? signed(own) : own;

  return routes || more.length ? { ...options, routes: all } : null;
}

/** [publish] and [zmq]. */
export function readGrip(publish, zmq, folder) {
  const keys = publish.placedStrings('keys').map(({ value, where }) => readKey(value, folder, (why) => publish.problems.error(where, `${publish.name}.keys: ${why}`)));
  const grip = {
    tokens: publish.strings('tokens', { match: /^\S+$/, expected: 'a token without blanks' }),
    logins: publish.strings('logins', { match: LOGIN, expected: '"user:password"' }),
    keys: keys.filter(Boolean),
    issuer: publish.string('issuer') ?? null,
    update_on_first_subscription: publish.boolean('update_on_first_subscription') ?? true,
    ...readRange(publish, PUBLISH, {}),
    zmq: readZmq(zmq),
  };

  publish.rest();
  return grip;
}

function readZmq(table) {
  const specs = (key) => table.strings(key, { match: SPEC, expected: SPEC_SAYS });
  const zmq = {
    pull: specs('pull'),
    sub: specs('sub'),
    sub_connect: table.boolean('sub_connect') ?? false,
    command: table.string('command', { match: SPEC, expected: SPEC_SAYS }) ?? null,
    stats: specs('stats'),
    stats_from: table.string('stats_from') ?? null,
    stats_format: table.string('stats_format', { oneOf: ['tnetstring', 'json'] }) ?? 'tnetstring',
    stats_connection_send: table.boolean('stats_connection_send') ?? true,
    ipc_file_mode: parseInt(table.string('ipc_file_mode', { match: /^[0-7]{3,4}$/, expected: 'the mode as octal digits, such as "660"' }) ?? '0', 8),
    ...readRange(table, ZMQ, {}),
  };

  table.rest();
  return zmq;
}
