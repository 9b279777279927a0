// fastly.toml: what a local runtime needs of it, as one application. Its backends are routes to origins too, by their names,
// for the requests that it hands off.
import { folderOf, join, kindOf, readBytes, readText, shown, variable } from './config_path.js';
import { Table } from './config_table.js';
import { ConfigError, fromValue, parseToml } from './config_tree.js';
import { ENTRY, LOADERS, appName, plainApp } from './config_wrangler.js';

export const FASTLY_FILE = 'fastly.toml';

const MAINS = ['src/index.js', 'src/index.ts', 'src/main.js', 'src/main.ts', 'index.js', 'index.ts', 'bin/index.js'];
const COMPILER = /js-compute(?:-runtime)?(?:\s+-\S+)*\s+(\S+\.(?:js|mjs|ts|mts|jsx|tsx))/;
const URL_PARTS = /^(https?):\/\/(\[[^\]]+\]|[^/:\s]+)(?::(\d{1,5}))?(\/[^\s?#]*)?$/i;
const PORT = 7676;
const NAME_MAX = 254; // bytes of a backend's name that a hand-off may say

// --- the entry file ---

function scriptsOf(path) {
  try {
    return Object.values(JSON.parse(readText(path) ?? '{}').scripts ?? {}).join('\n');
  } catch {
    return ''; // npm will say what is wrong with it
  }
}

// Named by [holdfast] main, or by the build command, or where the starter kits have it.
function findEntry(holdfast, build, folder, file, problems) {
  const own = holdfast.keys.get('main');
  const command = `${build ?? ''}\n${scriptsOf(join(folder, 'package.json'))}`;
  const named = own?.node.value ?? command.match(COMPILER)?.[1];
  const found = [...(typeof named === 'string' ? [named] : []), ...MAINS].map((name) => join(folder, name)).find((path) => kindOf(path) === 'file');

  holdfast.keys.delete('main');
  if (typeof own?.node.value === 'string' && kindOf(join(folder, own.node.value)) !== 'file') {
    problems.error(own.where, `holdfast.main: there is no file ${shown(join(folder, own.node.value))}`);
  } else if (!found || !ENTRY.test(found)) {
    problems.error(`${file}:1`, `there is no entry file: expected one of ${MAINS.join(', ')}, or its name as main in a [holdfast] table`);
  }
  return found ?? null;
}

// --- backends ---

function pem(table, key, folder) {
  const text = table.string(key);

  if (!text || text.startsWith('-----BEGIN')) return text ? { text } : null;
  const path = join(folder, text);

  if (kindOf(path) !== 'file') table.problems.error(table.whereOf(key), `${table.name}.${key}: there is no file ${shown(path)}`);
  return { text: readText(path) ?? '' };
}

function readClientCertificate(table, folder) {
  const one = table.table('client_certificate');
  const certificate = { cert: pem(one, 'certificate_file', folder) ?? pem(one, 'certificate', folder), key: pem(one, 'key_file', folder) ?? pem(one, 'key', folder) };

  one.rest('warn');
  return certificate.cert && certificate.key ? certificate : { cert: null, key: null };
}

function readBackend(name, table, folder) {
  const url = table.string('url', { required: 'the URL of the backend', match: URL_PARTS, expected: 'an http:// or https:// URL' });
  const [, scheme, host, port, path] = url?.match(URL_PARTS) ?? [];
  const certificate = readClientCertificate(table, folder);
  const backend = {
    name,
    url,
    tls: scheme?.toLowerCase() === 'https',
    host: host?.replace(/^\[(.*)\]$/, '$1'),
    path: path && path !== '/' ? path.replace(/\/$/, '') : '',
    override_host: table.string('override_host') || null,
    cert_host: table.string('cert_host') || null,
    use_sni: table.boolean('use_sni') ?? true,
    ca: pem(table, 'ca_certificate', folder),
    client_cert: certificate.cert,
    client_key: certificate.key,
  };

  if (name.length > NAME_MAX) table.problems.error(table.where, `${table.name}: a backend's name may have ${NAME_MAX} characters`);
  table.allow('grpc', 'health', 'prefer_ipv6');
  table.rest('warn');
  return url && { ...backend, port: Number(port ?? (backend.tls ? 443 : 80)) };
}

// The line that the Fastly CLI writes for its Pushpin: id=NAME[,replace_beg=/path] HOST:PORT,over_http[,ssl][,host=NAME].
function routeOf({ name, host, port, tls, path, override_host, cert_host, ca, client_cert, client_key }) {
  return {
    id: name,
    host: '',
    protocol: 'any',
    secure: 'any',
    replace_beg: path || null,
    headers: [],
    jsonp_mode: 'extended',
    targets: [{ host, port, name: `${host}:${port}`, tls, host_field: override_host, cert_host, over_http: true, subs: [], ca, client_cert, client_key }],
  };
}

// --- stores ---

// at: {folder: where paths begin, files: all that were named}.
function fileOf(table, key, { folder, files }) {
  const path = join(folder, table.string(key, { required: 'a path' }) ?? '');

  if (kindOf(path) === 'file') {
    files.push(path);
    return path;
  }
  table.problems.error(table.whereOf(key), `${table.name}.${key}: there is no file ${shown(path)}`);
  return null;
}

function readJson(table, at) {
  const path = fileOf(table, 'file', at);

  table.string('format', { oneOf: ['json'] });
  if (!path) return {};
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    throw new ConfigError(`${shown(path)}:1: not valid JSON: ${error.message}`);
  }
}

// {key: text}
function readConfigStore(table, at) {
  const inline = table.string('format', { oneOf: ['inline-toml', 'json'], required: '"inline-toml" or "json"' }) !== 'json';
  const store = inline ? table.table('contents').keys().length && table.stringMap('contents') : readJson(table, at);

  table.rest('warn');
  return store || {};
}

// One {key, data | file | path | env} of a list.
function readEntry(one, at) {
  const key = one.string('key', { required: 'the key' });
  const metadata = one.string('metadata');
  const name = one.string('env');
  const from = ['file', 'path'].find((word) => one.has(word));
  const path = from && fileOf(one, from, at);
  const data = one.string('data', { required: from || name !== undefined ? undefined : 'data, file or env' });
  const value = path ? { base64: readBytes(path) } : { data: name === undefined ? data ?? '' : variable(name) ?? '' };

  if (name !== undefined && variable(name) === undefined) one.problems.warn(one.whereOf('env'), `${one.name}.env: the environment has no ${name}`);
  one.rest('warn');
  return [key, { ...value, ...(metadata === undefined ? {} : { metadata }) }];
}

const fromJsonValue = (value) => (typeof value === 'string' ? { data: value } : { data: String(value?.data ?? ''), ...(value?.metadata ? { metadata: value.metadata } : {}) });

// {key: {data} or {base64}, metadata}: a list of entries, or a JSON file.
function readStore(stores, name, at) {
  if (stores.kindOf(name) === 'list') return Object.fromEntries(stores.tables(name).map((one) => readEntry(one, at)));
  const table = stores.table(name);
  const values = readJson(table, at);

  table.rest('warn');
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fromJsonValue(value)]));
}

const each = (table, read) => Object.fromEntries(table.keys().map((name) => [name, read(name)]));

function readStores(server, at) {
  const all = (key, read) => {
    const stores = server.table(key);

    return each(stores, (name) => read(stores, name));
  };
  const configs = (key) => all(key, (stores, name) => readConfigStore(stores.table(name), at));
  const values = (key) => all(key, (stores, name) => readStore(stores, name, at));

  return {
    config_stores: { ...configs('dictionaries'), ...configs('config_stores') },
    secret_stores: values('secret_stores'),
    kv_stores: { ...values('object_store'), ...values('object_stores'), ...values('kv_stores') },
  };
}

// --- the whole ---

const addressOf = ({ tls, host, port }) => `http${tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`;
const plainBackend = ({ name, url, override_host, ...at }) => ({ name, url, origin: addressOf(at), override_host });

/**
 * Backends and stores, as [local_server] has them, for any application. Returns {fastly: what its worker is told, routes: to the
 * backends, by their names, files: what stores were read from}.
 */
export function readServer(server, folder, service = {}) {
  const files = [];
  const table = server.table('backends');
  const backends = table.keys().map((name) => readBackend(name, table.table(name), folder)).filter(Boolean);
  const stores = readStores(server, { folder, files });

  return {
    fastly: { service_id: null, version: null, ...service, backends: backends.map(plainBackend), ...stores },
    routes: backends.map(routeOf),
    files,
  };
}

const byName = (over, own, name) => [...over.filter((one) => !own.some((other) => name(other) === name(one))), ...own];

/** What a table says over what is said already: backends and stores of the same name are replaced. Either may be undefined. */
export function overServer(over, own) {
  if (!over || !own) return own ?? over;
  const stores = ['config_stores', 'secret_stores', 'kv_stores'].map((kind) => [kind, { ...over.fastly[kind], ...own.fastly[kind] }]);

  return {
    fastly: { ...over.fastly, backends: byName(over.fastly.backends, own.fastly.backends, ({ name }) => name), ...Object.fromEntries(stores) },
    routes: byName(over.routes, own.routes, ({ id }) => id),
  };
}

// Where the CLI would have its Pushpin take what is published; the settings of [holdfast] are stronger.
function readPushpin(server, holdfast) {
  const table = server.table('pushpin');
  const port = table.integer('publish_port', { min: 1, max: 65535 }) ?? 5561;
  const where = table.whereOf('publish_port');

  table.boolean('enable');
  table.allow('pushpin_path', 'proxy_port');
  table.rest('warn');
  preset(holdfast, 'control', `127.0.0.1:${port}`, where);
}

const BUILD = { nodejs: 'all', loaders: LOADERS, alias: {}, define: {}, tsconfig: null, jsx_factory: null, jsx_fragment: null };

// The settings that the CLI's local server has, where [holdfast] says nothing.
function preset(holdfast, key, value, where) {
  if (!holdfast.keys.has(key)) holdfast.keys.set(key, { where, node: fromValue(value, where) });
}

/** The whole file. Returns {app, holdfast: the tree of settings}. */
export function readFastly(path, { problems }) {
  const file = shown(path);
  const folder = folderOf(path);
  const top = new Table(parseToml(readText(path), file), '', problems);
  const holdfast = top.node('holdfast') ?? { kind: 'table', where: `${file}:1`, keys: new Map() };
  const server = top.table('local_server');
  const build = top.table('scripts');
  const local = readServer(server, folder, { service_id: top.string('service_id') || null });
  const app = {
    ...plainApp(appName(top.string('name') ?? 'app'), folder, `${file}:1`),
    config: path,
    entry: findEntry(holdfast, build.string('build'), folder, file, problems),
    build: BUILD,
    watch: [path, ...local.files],
    server: local,
  };

  preset(holdfast, 'listen', [{ port: PORT }], `${file}:1`);
  readPushpin(server, holdfast);
  server.allow('geolocation', 'device_detection', 'viceroy_version', 'shielding_sites', 'acls', 'experimental');
  server.rest('warn');
  build.allow(...build.keys());
  top.allow('manifest_version', 'authors', 'description', 'language', 'cloned_from', 'setup', 'profile', 'viceroy', 'build');
  top.rest('warn');
  return { app, holdfast };
}
