// holdfast.toml: what `holdfast serve` runs. docs/configuration.md is its reference.
import { parseDotenv } from './config_dotenv.js';
import { FASTLY_FILE, overServer, readFastly, readServer } from './config_fastly.js';
import { originOf, readGrip, readOrigin } from './config_origin.js';
import { absolute, baseName, folderOf, join, kindOf, readText, shown } from './config_path.js';
import { parsePushpin } from './config_pushpin.js';
import { overlay, readEgress, readLimits, readServices, readSettings, readSockets, readStore } from './config_settings.js';
import { startOf } from './config_start.js';
import { Table, didYouMean } from './config_table.js';
import { ConfigError, fromValue, parseToml, toValue } from './config_tree.js';
import { ENTRY, WRANGLER_FILES, findWrangler, plainApp, readEntry, readWrangler } from './config_wrangler.js';

const MANIFEST = 'holdfast.json';
const HOLDFAST_FILE = 'holdfast.toml';
const ownFiles = [MANIFEST, FASTLY_FILE];
const MANIFEST_VERSION = 1;

// A folder that `holdfast build` made.
function readBuilt(folder) {
  const path = join(folder, MANIFEST);
  let manifest;

  try {
    manifest = JSON.parse(readText(path));
  } catch (error) {
    throw new ConfigError(`${shown(path)}:1: ${error.message}; \`holdfast build\` writes this file`);
  }
  if (manifest?.holdfast !== MANIFEST_VERSION || !manifest.app) {
    throw new ConfigError(`${shown(path)}:1: expected "holdfast": ${MANIFEST_VERSION}, a bundle of this version; build it again`);
  }
  const { app } = manifest;

  return {
    app: {
      ...app,
      config: path,
      root: folder,
      entry: null,
      script: join(folder, app.script),
      map: join(folder, app.map),
      assets: app.assets && { ...app.assets, directory: join(folder, app.assets.directory) },
      watch: [],
    },
    holdfast: fromValue(manifest.settings ?? {}, `${shown(path)}:1`),
  };
}

// What `holdfast build` writes. settings: what the application's own files say about itself. The format comes with the script.
const APP_SETTINGS = ['limits', 'websocket', 'egress', 'services', 'store'];

function manifestOf(app, holdfast) {
  const { name, compatibility_date, compatibility_flags, vars, durable_objects, classes, services, server, assets } = app;
  const settings = Object.entries(toValue(holdfast)).filter(([key]) => APP_SETTINGS.includes(key));

  return {
    holdfast: MANIFEST_VERSION,
    app: {
      name,
      compatibility_date,
      compatibility_flags,
      vars,
      durable_objects: durable_objects.map(({ where, ...one }) => one),
      classes,
      services: services.map(({ where, ...one }) => one),
      server: server && { routes: server.routes, fastly: { ...server.fastly, secret_stores: {} } }, // no secrets in what is built
      assets: assets && { ...assets, directory: 'assets' },
      script: 'worker.js',
      map: 'worker.js.map',
    },
    settings: Object.fromEntries(settings),
  };
}

/** The holdfast.toml that path is, or the only configuration of a folder; undefined for anything else. */
export function findHoldfast(path) {
  const inside = join(path, HOLDFAST_FILE);

  if (baseName(path) === HOLDFAST_FILE) return path;
  return kindOf(inside) === 'file' && !findWrangler(path) && !ownFiles.some((name) => kindOf(join(path, name)) === 'file') ? inside : undefined;
}

// path: an entry, a wrangler file, or a folder of either kind. Returns {app, holdfast}: the latter a tree of settings.
function readApp(path, where, options) {
  const fail = (text) => { throw new ConfigError(`${where || 'holdfast'}: ${text}`); };
  const kind = kindOf(path);
  const none = { kind: 'table', where: `${shown(path)}:1`, keys: new Map() };

  if (kind === '') fail(`there is no file or folder ${shown(path)}`);
  if (kind === 'file' && ENTRY.test(path)) return { app: readEntry(path, options), holdfast: none };
  if (kind === 'file' && baseName(path) === FASTLY_FILE) return readFastly(path, options);
  if (kind === 'file' && /\.(jsonc?|toml)$/.test(path)) return readWrangler(path, options);
  if (kind === 'file') fail(`${shown(path)}: expected a .js, .mjs or .ts file, a wrangler file or a folder`);
  if (kindOf(join(path, MANIFEST)) === 'file') return readBuilt(path);
  const wrangler = findWrangler(path);

  if (!wrangler && kindOf(join(path, FASTLY_FILE)) === 'file') return readFastly(join(path, FASTLY_FILE), options);
  if (!wrangler) fail(`${shown(path)}: expected ${WRANGLER_FILES.join(', ')} or ${FASTLY_FILE} in this folder; or name the entry file itself`);
  return readWrangler(wrangler, options);
}

function routesOf(table) {
  const hosts = table.strings('hosts', { match: /^(\*\.)?[a-zA-Z0-9.-]+$/, expected: 'a host name or "*.domain"' });
  const paths = table.strings('paths', { match: /^\//, expected: 'a path that begins with "/"' });

  return (hosts.length ? hosts : [null]).flatMap((host) => (paths.length ? paths : [null]).map((path) => ({ host, path })));
}

function varsOf(table, folder) {
  const vars = table.table('vars');
  const file = table.string('env_file');
  const path = file && join(folder, file);

  if (path && kindOf(path) !== 'file') table.problems.error(table.whereOf('env_file'), `${table.name}.env_file: there is no file ${shown(path)}`);
  return {
    ...Object.fromEntries(vars.keys().map((name) => [name, vars.value(name)])),
    ...(path && kindOf(path) === 'file' ? parseDotenv(readText(path)) : {}),
  };
}

// What an application's own files say about itself, over the settings of the whole.
function ownSettings(holdfast, settings, folder, problems) {
  const table = new Table(holdfast, 'holdfast', problems);

  return {
    limits: readLimits(table.table('limits'), settings.limits),
    websocket: readSockets(table.table('websocket'), settings.websocket),
    egress: readEgress(table.table('egress'), folder, settings.egress),
    services: readServices(table, settings.services),
    store: readStore(table.table('store'), settings.store),
    server: serverOf(table, folder),
  };
}

// Its folder or file, or nothing but an origin.
function findApp(table, name, env, folder, options) {
  const path = table.string('path', { required: table.has('origin') ? undefined : 'the folder of a bundle or of a wrangler file, or an entry file' });

  if (path) return readApp(join(folder, path), table.whereOf('path'), { ...options, env });
  if (!table.has('origin')) return undefined;
  if (!name) table.problems.error(table.where, `${table.name}.name is missing; expected a name, as there is no path`);
  return { app: plainApp(name ?? 'default', folder, table.where), holdfast: undefined };
}

// Fastly's backends and stores: a `fastly` table, over the given.
const serverOf = (table, folder, over) => (table.has('fastly') ? overServer(over, readServer(table.table('fastly'), folder)) : over);

// One [[app]]: what it says over what the application's own files say. origin: what [origin] says for all.
function readOne(table, settings, origin, folder, options) {
  const name = table.string('name', { match: /^[a-z0-9_-]{1,63}$/, expected: 'lower-case letters, digits, "-" and "_"' });
  const env = table.string('env');
  const found = findApp(table, name, env, folder, options);
  const base = found?.holdfast ? ownSettings(found.holdfast, settings, found.app.root, options.problems) : settings;
  const own = {
    limits: readLimits(table.table('limits'), base.limits),
    websocket: readSockets(table.table('websocket'), base.websocket),
    egress: readEgress(table.table('egress'), folder, base.egress),
    services: readServices(table, base.services),
    store: readStore(table.table('store'), base.store),
    routes: routesOf(table),
    origin: readOrigin(table.table('origin'), folder, origin.options),
    server: serverOf(table, folder, overServer(found?.app.server, base.server)),
  };
  const vars = varsOf(table, folder);

  table.rest();
  return found && finish({ ...found.app, name: name ?? found.app.name, vars: { ...found.app.vars, ...vars } }, settings, own, table.where);
}

// An application with all that the gateway has to know about it.
function finish(app, settings, { limits, websocket, egress, services, store, routes, origin, server }, where) {
  const { name, server: _, ...rest } = app;
  const folders = { state: join(settings.state, name), build_dir: join(settings.state, `.build/${name}`) };
  return {
    name, ...rest, ...folders, routes_files: origin.watch, limits, websocket, egress, addresses: services, store, routes, where,
    fastly: server?.fastly, origin: originOf(origin, server?.routes),
  };
}

// What each service name of an application leads to: {name, app} or {name, url}.
function resolveServices(app, apps, problems) {
  const names = [...new Set(app.services.filter((one) => one.service && !one.self).map((one) => one.service))];

  const targets = names.flatMap((name) => {
    const { where } = app.services.find((one) => one.service === name);

    if (app.addresses[name]) return [{ name, url: app.addresses[name] }];
    if (apps.some((other) => other.name === name)) return [{ name, app: name }];
    const meant = didYouMean(name, Object.keys(app.addresses));

    problems.warn(where ?? app.where, `service "${name}" leads nowhere: expected an application of that name, or its address in services (--service ${name}=URL)${meant}`);
    return [];
  });

  return [...targets, ...(app.fastly?.backends ?? []).map(({ name, origin }) => ({ name: `backend:${name}`, url: origin }))];
}

function complete(settings, apps, { dev, problems }) {
  const seen = new Map();

  for (const app of apps) {
    if (seen.has(app.name)) problems.error(app.where, `two applications are called "${app.name}"; give one another name`);
    seen.set(app.name, app);
  }
  const { limits, websocket, egress, services, store, ...gateway } = settings;

  return {
    ...gateway,
    apps: apps.map(({ where, addresses, services: bindings, ...app }) => ({
      ...app,
      services: bindings.map(({ where: _, ...binding }) => binding),
      start: startOf({ ...app, services: bindings }, dev),
      service_targets: resolveServices({ ...app, where, addresses, services: bindings }, apps, problems),
    })),
  };
}

// Routes on the command line and no file: Pushpin's ports, and a log for people.
const bareTree = () => fromValue({ listen: [{ port: 7999 }], control: '127.0.0.1:5561', log: { format: 'text' }, websocket: { compression: false } }, '--routes');

function readTree(path, sets, { pushpin, problems }) {
  const command = Object.fromEntries(sets.filter(({ key }) => key.startsWith('pushpin.')).map(({ key, text }) => [key.slice('pushpin.'.length), text]));

  if (path === '') return bareTree();
  if (kindOf(path) !== 'file') throw new ConfigError(`holdfast: there is no file ${shown(path)}`);
  return pushpin || path.endsWith('.conf') ? parsePushpin(path, { problems, command }) : parseToml(readText(path), shown(path));
}

// The only application of a file that has no [[app]] tables: everything goes to [origin].
function originAlone(settings, origin, folder, where) {
  return finish(plainApp('default', folder, where), settings, { ...settings, routes: [{ host: null, path: null }], origin }, where);
}

// What `serve` runs: a holdfast.toml or pushpin.conf with all its applications; '' is what the command line says alone.
export function readHoldfast(path, { sets, pushpin, ...options }) {
  const { problems } = options;
  const own = sets.filter(({ key }) => !key.startsWith('pushpin.'));
  const folder = path === '' ? absolute('.') : folderOf(path);
  const table = new Table(overlay(readTree(path, sets, { pushpin, problems }), own), '', problems);
  const settings = readSettings(table, folder, options.dev);
  const origin = readOrigin(table.table('origin'), folder);
  const grip = readGrip(table.table('publish'), table.table('zmq'), folder);
  const required = origin.routes ? undefined : 'one [[app]] table for each application, or [origin] with routes';
  const tables = table.tables('app', { required });
  const apps = tables.map((one) => readOne(one, settings, origin, folder, options)).filter(Boolean);

  if (origin.routes) apps.push(originAlone(settings, origin, folder, table.whereOf('origin')));
  table.rest();
  for (const app of apps) app.watch.push(path);
  return { grip, ...complete(settings, apps, options) };
}

/** Whether what the command line says is right by itself; said before any file is read. */
export function checkOptions(sets, problems) {
  const settings = sets.filter(({ key }) => !/^(origin|pushpin)\./.test(key));

  readSettings(new Table(overlay({ kind: 'table', where: '', keys: new Map() }, settings), '', problems), '/');
  return problems.errors.length === 0;
}

// One application by itself, as `dev`, `build` and `serve PATH` run it.
export function readSingle(path, { sets, ...options }) {
  const { problems } = options;
  const { app, holdfast } = readApp(absolute(path), '', options);
  const table = new Table(overlay(holdfast, sets), 'holdfast', problems);
  const manifest = manifestOf(app, holdfast);
  const settings = readSettings(table, app.root, options.dev);
  const origin = readOrigin(table.table('origin'), app.root);
  const grip = readGrip(table.table('publish'), table.table('zmq'), app.root);
  const own = { ...settings, routes: [{ host: null, path: null }], origin, server: serverOf(table, app.root, app.server) };

  table.rest();
  return { manifest, grip, ...complete(settings, [finish(app, settings, own, `${shown(path)}:1`)], options) };
}

