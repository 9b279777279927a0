// pushpin.conf as the tree of a holdfast.toml, each value with the line it stands in; what reads that tree checks it.
import { folderOf, join, kindOf, listFolder, readText, shown } from './config_path.js';
import { didYouMean } from './config_table.js';

const SECTION = /^\[([^\]]+)\]$/;
const PAIR = /^([^=]+?)\s*=\s*(.*)$/;
const PORT = /^(?:(.*):)?(\d{1,5})$/;
const ADDRESSED = /^(tcp:\/\/.*:)(\d{1,5})$/;
const LEVELS = ['error', 'warn', 'info', 'debug'];
const DEFAULT_PORT = '7999';
const ANY_HOST = '0.0.0.0';

// --- the file ---

// Sections as Map of "section.key" to {text, where}.
function parseIni(text, file, into, problems) {
  let section = '';

  text.split('\n').forEach((raw, i) => {
    const line = raw.trim();
    const where = `${file}:${i + 1}`;
    const [, name] = line.match(SECTION) ?? [];
    const [, key, value] = line.match(PAIR) ?? [];

    if (line === '' || line[0] === '#' || line[0] === ';') return;
    if (name) section = name;
    else if (key) into.set(`${section}.${key}`, { text: value.replace(/^"(.*)"$/, '$1'), where });
    else problems.error(where, 'expected "key=value" or "[section]"');
  });
  return into;
}

// What each key means here; `quiet` are those of Pushpin's own processes.
const QUIET = [
  'global.include', 'global.libdir', 'runner.services', 'runner.condure_bin', 'runner.mongrel2_bin', 'runner.m2sh_bin', 'runner.zurl_bin',
  'runner.logdir', 'runner.client_buffer_size', 'proxy.sockjs_url', 'proxy.updates_check', 'proxy.organization_name', 'proxy.workers',
  'handler.share_all', 'handler.state_spec',
];

const METRICS = 'metrics are at /metrics of the address for publishing';
const ACCESS = 'the access log (--access-log, log.access) has it';
const REASONS = {
  'handler.prometheus_port': METRICS, 'proxy.prometheus_port': METRICS, 'handler.prometheus_prefix': METRICS,
  'proxy.log_from': ACCESS, 'proxy.log_user_agent': ACCESS,
};

class Conf {
  #values;
  #asked = new Set();

  // id: the instance's, of the command line.
  constructor(values, id, problems) {
    this.#values = values;
    this.id = id;
    this.problems = problems;
  }

  // {text, where} with {rundir} and the like put in; undefined when it is absent or empty.
  find(key) {
    const found = this.#values.get(key);

    this.#asked.add(key);
    return found?.text ? { text: found.text.replace(/\{(rundir|ipc_prefix|libdir)\}/g, (_, name) => this.#variable(name)), where: found.where } : undefined;
  }

  #variable(name) {
    const preset = { rundir: 'run', ipc_prefix: 'pushpin-', libdir: '/usr/lib/pushpin' };

    if (name === 'ipc_prefix' && this.id !== undefined) return `p${this.id}-`;
    this.#asked.add(`global.${name}`);
    return this.#values.get(`global.${name}`)?.text ?? preset[name];
  }

  bad({ where, text }, key, expected) {
    this.problems.error(where, `${key.replace(/^.*\./, '')}: expected ${expected}, found "${text}"`);
  }

  number(key) {
    const found = this.find(key);

    if (found && !/^-?\d+$/.test(found.text)) this.bad(found, key, 'a whole number');
    return found && { value: Number(found.text), where: found.where };
  }

  boolean(key) {
    const found = this.find(key);

    if (found && !/^(true|false)$/i.test(found.text)) this.bad(found, key, 'true or false');
    return found && { value: /^true$/i.test(found.text), where: found.where };
  }

  rest() {
    for (const [key, { text, where }] of this.#values) {
      const [section, name] = key.split('.', 2);

      if (this.#asked.has(key) || QUIET.includes(key) || /_specs?$|_bin$/.test(key) || text === '' || text === 'false') continue;
      if (REASONS[key]) this.problems.warn(where, `"${name}" is ignored: ${REASONS[key]}`);
      else this.problems.warn(where, `"${name}" in [${section}] has no meaning here, ignored${didYouMean(key, this.#asked).replace(/"[^".]*\./, '"')}`);
    }
  }
}

// --- the tree ---

class Tree {
  constructor(where) {
    this.root = { kind: 'table', where, keys: new Map() };
  }

  put(path, node, where) {
    const names = path.split('.');
    const last = names.pop();
    let table = this.root;

    for (const name of names) {
      if (!table.keys.has(name)) table.keys.set(name, { where, node: { kind: 'table', where, keys: new Map() } });
      table = table.keys.get(name).node;
    }
    table.keys.set(last, { where, node });
  }

  set(path, value, where) {
    this.put(path, { kind: typeof value, where, value }, where);
  }

  list(path, items, where) {
    this.put(path, { kind: 'list', where, items: items.map((item) => (item.kind ? item : { kind: 'string', where, value: item })) }, where);
  }
}

const table = (values, where) => ({
  kind: 'table',
  where,
  keys: new Map(Object.entries(values).map(([name, value]) => [name, { where, node: value?.kind ? value : { kind: typeof value, where, value } }])),
});

const commaList = (text) => text.split(',').map((part) => part.trim()).filter(Boolean);

// [[their key, ours]…], as they are.
const TEXTS = [
  ['proxy.sig_iss', 'origin.sig_iss'], ['proxy.sig_key', 'origin.sig_key'], ['proxy.upstream_key', 'origin.upstream_key'],
  ['proxy.x_forwarded_for', 'origin.x_forwarded_for'], ['proxy.x_forwarded_for_trusted', 'origin.x_forwarded_for_trusted'],
  ['proxy.set_x_forwarded_protocol', 'origin.set_x_forwarded_protocol'], ['proxy.cdn_loop', 'origin.cdn_loop'],
  ['handler.stats_format', 'zmq.stats_format'], ['handler.ipc_file_mode', 'zmq.ipc_file_mode'],
];
const LISTS = [['proxy.orig_headers_need_mark', 'origin.orig_headers_need_mark']];
const FLAGS = [
  ['proxy.debug', 'origin.debug'], ['proxy.auto_cross_origin', 'origin.auto_cross_origin'],
  ['proxy.accept_pushpin_route', 'origin.accept_pushpin_route'], ['proxy.accept_x_forwarded_protocol', 'origin.accept_x_forwarded_protocol'],
  ['handler.update_on_first_subscription', 'publish.update_on_first_subscription'],
  ['handler.push_in_sub_connect', 'zmq.sub_connect'], ['global.stats_connection_send', 'zmq.stats_connection_send'],
  ['runner.allow_compression', 'websocket.compression'],
];
// …, times that, at least that.
const NUMBERS = [
  ['runner.client_maxconn', 'max_connections', 1, 0],
  ['proxy.max_open_requests', 'origin.max_open_requests', 1, 0],
  ['handler.connection_subscription_max', 'origin.connection_subscription_max', 1, 1],
  ['handler.push_in_http_max_headers_size', 'publish.max_headers_size', 1, 1],
  ['handler.push_in_http_max_body_size', 'publish.max_body_size', 1, 1],
  ['handler.message_rate', 'publish.message_rate', 1, 0],
  ['handler.message_hwm', 'publish.message_hwm', 1, 1],
  ['handler.message_block_size', 'publish.message_block_size', 1, 0],
  ['handler.message_wait', 'publish.message_wait_ms', 1, 1],
  ['handler.id_cache_ttl', 'publish.id_cache_ms', 1000, 1],
  ['handler.subscription_linger', 'publish.subscription_linger_ms', 1000, 1],
  ['global.stats_connection_ttl', 'zmq.stats_connection_ttl_ms', 1000, 1000],
  ['handler.stats_subscription_ttl', 'zmq.stats_subscription_ttl_ms', 1000, 1000],
  ['handler.stats_report_interval', 'zmq.stats_report_interval_ms', 1000, 1000],
];
const SPECS = [['handler.push_in_spec', 'zmq.pull'], ['handler.push_in_sub_specs', 'zmq.sub'], ['handler.stats_spec', 'zmq.stats']];

function copyRows(conf, tree) {
  for (const [from, to] of TEXTS) {
    const found = conf.find(from);

    if (found) tree.set(to, found.text, found.where);
  }
  for (const [from, to] of LISTS) {
    const found = conf.find(from);

    if (found) tree.list(to, commaList(found.text), found.where);
  }
  for (const [from, to] of FLAGS) {
    const found = conf.boolean(from);

    if (found) tree.set(to, found.value, found.where);
  }
  for (const [from, to, times, least] of NUMBERS) {
    const found = conf.number(from);

    if (found) tree.set(to, Math.max(found.value * times, least), found.where);
  }
}

// --- listeners ---

function portOf(conf, text, where, key) {
  const [, host, port] = text.match(PORT) ?? [];

  if (port === undefined) conf.bad({ text, where }, key, '"PORT" or "ADDRESS:PORT"');
  return { host: host?.replace(/^\[(.*)\]$/, '$1') || ANY_HOST, port: Number(port ?? 0) };
}

// `certs/NAME.crt` with `NAME.key`; `default_PORT` is for one port, and the first there.
function certificatesFor(port, folder, where) {
  const names = listFolder(folder).filter((name) => name.endsWith('.crt')).map((name) => name.slice(0, -'.crt'.length));
  const own = names.filter((name) => name === `default_${port}`);
  const usable = [...own, ...names.filter((name) => !name.startsWith('default_'))].filter((name) => kindOf(join(folder, `${name}.key`)) === 'file');

  return usable.map((name) => table({ cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }, where));
}

function httpsListener(conf, text, where, folder) {
  const at = portOf(conf, text, where, 'https_ports');
  const certificates = certificatesFor(at.port, join(folder, 'runner/certs'), where);

  if (!certificates.length) {
    conf.problems.error(where, `https_ports: there is no NAME.crt with its NAME.key in ${shown(join(folder, 'runner/certs'))} for port ${at.port}`);
  }
  return table({ ...at, tls: table({ certificates: { kind: 'list', where, items: certificates } }, where) }, where);
}

// port: what the command line says instead of all of them, "[ADDRESS:]PORT".
function readListeners(conf, tree, folder, port) {
  const own = conf.find('runner.http_port');
  const http = port ? { text: port, where: '--port' } : own;
  const https = conf.find('runner.https_ports');
  const local = conf.find('runner.local_ports');
  const more = !port;
  const plain = http || (!https && !local) ? [http ?? { text: DEFAULT_PORT, where: tree.root.where }] : [];
  const items = [
    ...plain.flatMap(({ text, where }) => commaList(text).map((one) => table(portOf(conf, one, where, 'http_port'), where))),
    ...(https && more ? commaList(https.text).map((text) => httpsListener(conf, text, https.where, folder)) : []),
    ...(local && more ? commaList(local.text).map((path) => table({ host: `unix:${path}` }, local.where)) : []),
  ];

  tree.put('listen', { kind: 'list', where: tree.root.where, items }, tree.root.where);
}

// Instances on one machine are told apart by their ports.
const shift = (spec, offset) => spec.replace(ADDRESSED, (_, head, port) => `${head}${Number(port) + offset}`);

function readPublishing(conf, tree, offset) {
  const host = conf.find('handler.push_in_http_addr')?.text ?? '127.0.0.1';
  const port = conf.find('handler.push_in_http_port');

  if (port && !/^\d{1,5}$/.test(port.text)) conf.bad(port, 'push_in_http_port', 'a port');
  else if (port) tree.set('control', `${host}:${Number(port.text) + offset}`, port.where);
  for (const [from, to] of SPECS) {
    const found = conf.find(from);

    if (found) tree.list(to, commaList(found.text).map((spec) => shift(spec, offset)), found.where);
  }
  const command = conf.find('handler.command_spec');

  if (command) tree.set('zmq.command', shift(command.text, offset), command.where);
}

// The highest level that Pushpin has still means debug.
function readLevel(conf, tree, loglevel) {
  const own = conf.number('runner.log_level');
  const found = loglevel === undefined ? own : { value: Number(loglevel), where: '--loglevel' };

  if (found) tree.set('log.level', LEVELS[Math.min(Math.max(found.value, 0), LEVELS.length - 1)], found.where);
}

function readRoutesFile(conf, tree) {
  const found = conf.find('proxy.routesfile') ?? { text: 'routes', where: tree.root.where };

  tree.set('origin.file', found.text, found.where);
}

function readFiles(path, problems) {
  const values = new Map();
  const main = parseIni(readText(path), shown(path), new Map(), problems);
  const include = main.get('global.include');
  const other = include && !include.text.includes('{libdir}') && join(folderOf(path), include.text);

  if (other && kindOf(other) === 'file') parseIni(readText(other), shown(other), values, problems);
  else if (other) problems.error(include.where, `include: there is no file ${shown(other)}`);
  for (const [key, value] of main) values.set(key, value);
  return values;
}

/** The tree of a pushpin.conf. command: {port, id, loglevel}, what Pushpin's command line says of it; all may be absent. */
export function parsePushpin(path, { problems, command = {} }) {
  const conf = new Conf(readFiles(path, problems), command.id, problems);
  const tree = new Tree(`${shown(path)}:1`);
  const offset = command.id === undefined ? conf.number('global.port_offset')?.value ?? 0 : Number(command.id) * 10;

  readListeners(conf, tree, folderOf(path), command.port);
  tree.set('websocket.compression', false, tree.root.where);
  copyRows(conf, tree);
  readPublishing(conf, tree, offset);
  readLevel(conf, tree, command.loglevel);
  tree.set('log.format', 'text', tree.root.where);
  readRoutesFile(conf, tree);
  conf.find('global.port_offset');
  for (const key of ['global.rundir', 'global.ipc_prefix']) conf.find(key);
  conf.rest();
  return tree.root;
}
