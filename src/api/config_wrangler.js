// wrangler.jsonc, wrangler.json and wrangler.toml: what a local runtime needs of them, as one application.
import { readClasses } from './config_classes.js';
import { parseDotenv } from './config_dotenv.js';
import { absolute, baseName, folderOf, join, kindOf, readText, shown } from './config_path.js';
import { Table, didYouMean } from './config_table.js';
import { ConfigError, parseJson, parseToml } from './config_tree.js';
import { flag, setFlags } from './flags.js';

export const WRANGLER_FILES = ['wrangler.json', 'wrangler.jsonc', 'wrangler.toml'];
export const ENTRY = /\.(js|mjs|ts|mts|jsx|tsx)$/;

// How each key behaves: 'inherit' from the top level into env.NAME, 'own' is said again for every env, 'top' only there;
// 'later' is known and not supported yet, 'quiet' has no meaning here.
const KEYS = {
  name: 'inherit', main: 'inherit', compatibility_date: 'inherit', compatibility_flags: 'inherit', migrations: 'inherit',
  exports: 'inherit', assets: 'inherit', rules: 'inherit', alias: 'inherit', tsconfig: 'inherit',
  jsx_factory: 'inherit', jsx_fragment: 'inherit', limits: 'inherit', holdfast: 'inherit',
  durable_objects: 'own', vars: 'own', services: 'own', define: 'own', secrets: 'own',
  dev: 'top', env: 'top',
  kv_namespaces: 'later', r2_buckets: 'later', d1_databases: 'later', queues: 'later', hyperdrive: 'later', workflows: 'later',
  containers: 'later', ai: 'later', vectorize: 'later', browser: 'later', images: 'later', analytics_engine_datasets: 'later',
  send_email: 'later', dispatch_namespaces: 'later', pipelines: 'later', mtls_certificates: 'later', tail_consumers: 'later',
  triggers: 'inherit', connect: 'later', cache: 'later', access: 'later', python_modules: 'later', site: 'later', build: 'later',
  wasm_modules: 'later', text_blobs: 'later', data_blobs: 'later', unsafe: 'later', version_metadata: 'later',
  secrets_store_secrets: 'later', ratelimits: 'later',
  $schema: 'quiet', account_id: 'quiet', workers_dev: 'quiet', preview_urls: 'quiet', routes: 'quiet', route: 'quiet',
  observability: 'quiet', logpush: 'quiet', placement: 'quiet', keep_vars: 'quiet', send_metrics: 'quiet',
  upload_source_maps: 'quiet', first_party_worker: 'quiet', legacy_env: 'quiet', no_bundle: 'quiet', base_dir: 'quiet',
  find_additional_modules: 'quiet', preserve_file_names: 'quiet', keep_names: 'quiet', usage_model: 'quiet',
  compliance_region: 'quiet', minify: 'quiet', pages_build_output_dir: 'quiet',
};
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const RULES = { Text: 'text', Data: 'binary', CompiledWasm: 'binary', ESModule: 'js', CommonJS: 'js' };
export const LOADERS = { '.txt': 'text', '.html': 'text', '.sql': 'text', '.bin': 'binary', '.wasm': 'binary' };

// What code will miss of bindings that there are not: "; env.NAME is undefined".
function unbound(value) {
  const names = [value].flat().map((one) => one?.binding).filter((name) => typeof name === 'string');

  return names.length ? `; ${names.map((name) => `env.${name}`).join(' and ')} ${names.length > 1 ? 'are' : 'is'} undefined` : '';
}

// A wrangler file and the environment that was asked for, as one thing to read keys from.
class Wrangler {
  constructor(tree, env, problems) {
    this.problems = problems;
    this.top = new Table(tree, '', problems);
    this.top.allow(...Object.keys(KEYS));
    this.env = env === undefined ? undefined : this.#findEnv(env);
    this.env?.allow(...Object.keys(KEYS));
  }

  #findEnv(name) {
    const environments = this.top.table('env');

    if (environments.has(name)) return environments.table(name);
    this.problems.error(environments.where, `there is no environment "${name}" (env.${name})${didYouMean(name, environments.keys())}`);
    return undefined;
  }

  // The table to read key from.
  of(key) {
    if (!this.env || this.env.has(key)) return this.env ?? this.top;
    if (KEYS[key] !== 'own') return this.top;
    if (this.top.has(key)) {
      this.problems.warn(this.env.where, `"${key}" is not inherited by ${this.env.name}; say it there again if it is wanted`);
    }
    return this.env;
  }

  // What is known and ignored, and what is not known at all.
  rest() {
    for (const table of [this.top, this.env]) {
      if (!table) continue;
      for (const key of table.keys()) {
        if (KEYS[key] === 'later') this.problems.warn(table.whereOf(key), `"${key}" is not supported yet, ignored${unbound(table.value(key))}`);
      }
      table.rest('warn');
    }
  }
}

// [a-z0-9_-]+, as it names folders, log lines and metrics.
export const appName = (text) => text.toLowerCase().replace(/[^a-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '') || 'app';

function readName(w, folder) {
  const name = w.of('name').string('name', { match: /^[a-z0-9_-]{1,63}$/, expected: 'lower-case letters, digits, "-" and "_"' });

  if (!w.env || w.env.has('name')) return name ?? appName(baseName(folder));
  return `${name ?? appName(baseName(folder))}-${appName(w.env.name.slice(4))}`;
}

function readMain(w, folder) {
  const table = w.of('main');
  const required = w.of('assets').has('assets') ? undefined : 'the entry file, such as "src/index.js"';
  const main = table.string('main', { required });
  const entry = main && join(folder, main);

  if (entry && kindOf(entry) !== 'file') w.problems.error(table.whereOf('main'), `main: there is no file ${shown(entry)}`);
  return entry ?? null;
}

function isDay(text) {
  const [year, month, day] = text.split('-').map(Number);

  return new Date(Date.UTC(year, month - 1, day)).toISOString().startsWith(text);
}

function readDate(w) {
  const table = w.of('compatibility_date');
  const date = table.string('compatibility_date', { match: DATE, expected: 'a date such as "2025-09-01"' });

  if (date && !isDay(date)) w.problems.error(table.whereOf('compatibility_date'), `compatibility_date: there is no day "${date}"`);
  if (!table.has('compatibility_date')) {
    w.problems.warn(table.where, 'compatibility_date is missing; the newest behaviour is used, which may change with the next version');
  }
  return date ?? null;
}

function readDurableObjects(w, name) {
  const table = w.of('durable_objects').table('durable_objects');
  const bindings = table.tables('bindings').map((item) => {
    const one = {
      binding: item.string('name', { required: 'the name of the binding (env.NAME)', match: IDENTIFIER, expected: 'a name' }),
      class: item.string('class_name', { required: 'the name of a class that the entry file exports', match: IDENTIFIER, expected: 'a class name' }),
      where: item.whereOf('class_name'),
    };
    const script = item.string('script_name');

    if (script && script !== name) {
      w.problems.error(item.whereOf('script_name'), `${item.name}.script_name: expected "${name}" (a class of this application), found "${script}"`);
    }
    item.allow('environment');
    item.rest('warn');
    return one;
  });

  table.rest('warn');
  return bindings;
}

function readServiceBindings(w, name) {
  return w.of('services').tables('services').map((item) => {
    const one = {
      binding: item.string('binding', { required: 'the name of the binding (env.NAME)', match: IDENTIFIER, expected: 'a name' }),
      service: item.string('service', { required: 'the name of an application or of an address in holdfast.services' }),
      entrypoint: item.string('entrypoint') ?? null,
      props: item.value('props') ?? null,
      where: item.where,
    };

    item.allow('environment', 'remote');
    item.rest('warn');
    return { ...one, self: one.service === name };
  });
}

const NOT_FOUND = ['none', 'single-page-application', '404-page'];
const HTML = ['auto-trailing-slash', 'force-trailing-slash', 'drop-trailing-slash', 'none'];

function readWorkerFirst(table) {
  if (table.kindOf('run_worker_first') === 'list') return table.strings('run_worker_first');
  return table.boolean('run_worker_first') ?? false;
}

function readAssets(w, folder) {
  if (!w.of('assets').has('assets')) return null;
  const table = w.of('assets').table('assets');
  const directory = table.string('directory', { required: 'the folder of the files, such as "./public"' });
  const assets = {
    directory: directory && join(folder, directory),
    binding: table.string('binding', { match: IDENTIFIER, expected: 'a name' }) ?? null,
    not_found_handling: table.string('not_found_handling', { oneOf: NOT_FOUND }) ?? 'none',
    html_handling: table.string('html_handling', { oneOf: HTML }) ?? 'auto-trailing-slash',
    run_worker_first: readWorkerFirst(table),
  };

  if (directory && kindOf(assets.directory) !== 'folder') {
    w.problems.error(table.whereOf('directory'), `assets.directory: there is no folder ${shown(assets.directory)}`);
  }
  table.rest('warn');
  return assets;
}

// Module rules become esbuild's loaders, by extension.
function readLoaders(w) {
  const loaders = { ...LOADERS };

  for (const rule of w.of('rules').tables('rules')) {
    const type = rule.string('type', { oneOf: ['ESModule', 'CommonJS', 'Text', 'Data', 'CompiledWasm', 'PythonModule'] });

    rule.allow('fallthrough');
    if (type && !RULES[type]) w.problems.warn(rule.where, `${rule.name}: modules of type ${type} are not supported yet, ignored`);
    for (const { value, where } of rule.placedStrings('globs')) {
      const extension = value.match(/^(?:\*\*\/)?\*(\.[\w.-]+)$/)?.[1];

      if (!extension) w.problems.warn(where, `${rule.name}.globs: expected a pattern such as "**/*.txt", found "${value}", ignored`);
      else if (type === 'CompiledWasm' && extension !== '.wasm') w.problems.warn(where, `${rule.name}.globs: only files called *.wasm are WebAssembly modules, ignored`);
      else if (RULES[type]) loaders[extension] = RULES[type];
    }
    rule.rest('warn');
  }
  return loaders;
}

// The flags by name, in order; they are set, so that flag() tells what the application gets.
function readFlags(w, date) {
  const given = w.of('compatibility_flags').placedStrings('compatibility_flags');
  const names = given.map(({ value }) => value);
  const unknown = setFlags(date, names);

  for (const { value, where } of given) {
    if (unknown.includes(value)) w.problems.warn(where, `the compatibility flag "${value}" is not known here and has no effect`);
  }
  return names;
}

// Which modules of Node.js an application may import: 'all', 'als' (node:async_hooks alone) or 'none'.
function nodejsNow() {
  return flag('nodejs_compat') ? 'all' : flag('nodejs_als') ? 'als' : 'none';
}

function readBuild(w, folder, nodejs) {
  const tsconfig = w.of('tsconfig').string('tsconfig');

  return {
    nodejs,
    loaders: readLoaders(w),
    alias: w.of('alias').stringMap('alias'),
    define: w.of('define').stringMap('define'),
    tsconfig: tsconfig ? join(folder, tsconfig) : null,
    jsx_factory: w.of('jsx_factory').string('jsx_factory') ?? null,
    jsx_fragment: w.of('jsx_fragment').string('jsx_fragment') ?? null,
  };
}

// Local secrets: .dev.vars, or the .env files when there is none. Returns {vars, files}: files are all that would count.
function readSecrets(folder, env) {
  const devVars = env === undefined ? ['.dev.vars'] : [`.dev.vars.${env}`, '.dev.vars'];
  const dotenv = ['.env', '.env.local', ...(env === undefined ? [] : [`.env.${env}`, `.env.${env}.local`])];
  const isThere = (name) => kindOf(join(folder, name)) === 'file';
  const found = devVars.filter(isThere).slice(0, 1);
  const read = found.length ? found : dotenv.filter(isThere);

  return {
    vars: Object.assign({}, ...read.map((name) => parseDotenv(readText(join(folder, name))))),
    files: [...devVars, ...dotenv].map((name) => join(folder, name)),
  };
}

function readVars(w, secrets) {
  const table = w.of('vars').table('vars');
  const vars = Object.fromEntries(table.keys().map((name) => [name, table.value(name)]));
  const wanted = w.of('secrets').table('secrets');

  for (const { value, where } of wanted.placedStrings('required')) {
    if (!(value in secrets)) w.problems.warn(where, `secrets.required: "${value}" is in no .dev.vars or .env file`);
  }
  wanted.rest('warn');
  return { ...vars, ...secrets };
}

// What `dev` of a wrangler file says about listening becomes part of the settings, below everything else.
function readDev(w, holdfast) {
  const dev = w.top.table('dev');
  const port = dev.integer('port', { max: 65535 });
  const ip = dev.string('ip');
  const node = (kind, value, key) => ({ where: dev.whereOf(key), node: { kind, where: dev.whereOf(key), value } });

  if (dev.string('local_protocol') === 'https') w.problems.warn(dev.whereOf('local_protocol'), 'dev.local_protocol: https is not supported yet, ignored');
  dev.allow('inspector_port', 'inspector_ip', 'upstream_protocol', 'host', 'enable_containers', 'container_engine', 'generate_types');
  dev.rest('warn');
  if (holdfast.keys.has('listen') || (port === undefined && ip === undefined)) return;
  const keys = new Map();

  if (ip !== undefined) keys.set('host', node('string', ip === 'localhost' ? '127.0.0.1' : ip, 'ip'));
  if (port !== undefined) keys.set('port', node('number', port, 'port'));
  holdfast.keys.set('listen', { where: dev.where, node: { kind: 'list', where: dev.where, items: [{ kind: 'table', where: dev.where, keys }] } });
}

// limits.cpu_ms of a wrangler file is a limit like ours, below what the "holdfast" table says.
function readWranglerLimits(w, holdfast) {
  const table = w.of('limits').table('limits');
  const cpu = table.integer('cpu_ms', { min: 1, max: 3_600_000 });
  const where = table.whereOf('cpu_ms');

  table.allow('subrequests');
  table.rest('warn');
  if (cpu === undefined) return;
  if (!holdfast.keys.has('limits')) holdfast.keys.set('limits', { where, node: { kind: 'table', where, keys: new Map() } });
  const limits = holdfast.keys.get('limits').node;

  if (limits.kind === 'table' && !limits.keys.has('cpu_ms')) limits.keys.set('cpu_ms', { where, node: { kind: 'number', where, value: cpu } });
}

function holdfastTable(w) {
  const empty = { kind: 'table', where: w.top.where, keys: new Map() };

  return w.of('holdfast').node('holdfast') ?? empty;
}

// The whole file. dev: local secrets count. Returns {app, holdfast: the tree of settings}.
export function readWrangler(path, { env, dev, problems }) {
  const file = shown(path);
  const folder = folderOf(path);
  const tree = path.endsWith('.toml') ? parseToml(readText(path), file) : parseJson(readText(path), file);
  const w = new Wrangler(tree, env, problems);
  const secrets = dev ? readSecrets(folder, env) : { vars: {}, files: [] };
  const holdfast = holdfastTable(w);
  const name = readName(w, folder);
  const objects = readDurableObjects(w, name);
  const date = readDate(w);
  const flags = readFlags(w, date);
  const app = {
    name,
    config: path,
    root: folder,
    entry: readMain(w, folder),
    compatibility_date: date,
    compatibility_flags: flags,
    vars: readVars(w, secrets.vars),
    durable_objects: objects,
    classes: readClasses(w.of('migrations').tables('migrations'), w.of('exports').table('exports'), objects.filter((one) => one.class), problems),
    services: readServiceBindings(w, name),
    assets: readAssets(w, folder),
    build: readBuild(w, folder, nodejsNow()),
    watch: [path, ...secrets.files],
  };

  checkBindings(app, problems, path);
  readTriggers(w);
  readDev(w, holdfast);
  readWranglerLimits(w, holdfast);
  w.rest();
  return { app, holdfast };
}

function readTriggers(w) {
  const table = w.of('triggers').table('triggers');

  if (table.strings('crons').length > 0) {
    w.problems.warn(table.whereOf('crons'), 'no clock runs the scheduled handler yet; in `holdfast dev`, GET /cdn-cgi/handler/scheduled?cron=… does');
  }
}

// env has one thing under a name.
function checkBindings(app, problems, path) {
  const seen = new Map(Object.keys(app.vars).map((name) => [name, 'vars']));
  const bindings = [
    ...app.durable_objects.map(({ binding }) => [binding, 'durable_objects']),
    ...app.services.map(({ binding }) => [binding, 'services']),
    ...(app.assets?.binding ? [[app.assets.binding, 'assets']] : []),
  ];

  for (const [name, kind] of bindings) {
    if (name && seen.has(name)) problems.error(`${shown(path)}:1`, `two bindings are called "${name}" (${seen.get(name)} and ${kind})`);
    seen.set(name, kind);
  }
}

/** An application that says nothing about itself: no code, nothing bound. where: what stands for it in messages. */
export const plainApp = (name, folder, where) => ({
  name,
  config: null,
  root: folder,
  entry: null,
  compatibility_date: null,
  compatibility_flags: [],
  vars: {},
  durable_objects: [],
  classes: {},
  services: [],
  assets: null,
  build: null,
  watch: [],
  where,
});

// A lone entry file: nothing is bound.
export function readEntry(path, { env, dev }) {
  const root = folderOf(path);
  const secrets = dev ? readSecrets(root) : { vars: {}, files: [] };

  if (env !== undefined) throw new ConfigError(`holdfast: --env ${env}: an entry file by itself has no environments; name its folder, with a wrangler file`);
  return {
    ...plainApp(appName(baseName(path).replace(ENTRY, '')), root, `${shown(path)}:1`),
    entry: path,
    vars: secrets.vars,
    build: { nodejs: 'all', loaders: LOADERS, alias: {}, define: {}, tsconfig: null, jsx_factory: null, jsx_fragment: null },
    watch: secrets.files,
  };
}

// The wrangler file of a folder, undefined when it has none.
export const findWrangler = (folder) => WRANGLER_FILES.map((name) => join(absolute(folder), name)).find((path) => kindOf(path) === 'file');
