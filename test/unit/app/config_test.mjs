// The configuration reader as the gateway runs it: `holdfast-worker --config`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folder, read, refuse, root } from './lab.mjs';

const ENTRY = 'export default {};';

// The application of a wrangler.jsonc with these keys besides main and the date.
function wrangler(config, ...args) {
  const at = folder({ 'wrangler.jsonc': { main: 'index.js', compatibility_date: '2025-01-01', ...config }, 'index.js': ENTRY });

  return read(at, '.', ...args);
}

test('an entry file alone is an application', () => {
  const at = folder({ 'My App.js': ENTRY });
  const { apps: [app], listen } = read(at, 'My App.js');

  assert.equal(app.name, 'my-app');
  assert.equal(app.entry, `${at}/My App.js`);
  assert.equal(app.compatibility_date, null);
  assert.deepEqual(listen, [{ host: '127.0.0.1', port: 8787 }]);
  assert.equal(app.state, `${at}/.holdfast/my-app`);
});

test('wrangler.jsonc may have comments and trailing commas', () => {
  const at = folder({ 'wrangler.jsonc': '{\n// a comment\n"main": "i.js", /* more */ "compatibility_date": "2025-01-01",\n}', 'i.js': ENTRY });

  assert.equal(read(at, '.').apps[0].entry, `${at}/i.js`);
});

test('wrangler.toml says the same as wrangler.json', () => {
  const toml = `
name = "chat"
main = "i.js"
compatibility_date = 2025-01-01
compatibility_flags = ["a"]
vars = { A = "x", B = { c = [1, 2.5, true] } }
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
[dev]
port = 9000
`;
  const json = {
    name: 'chat',
    main: 'i.js',
    compatibility_date: '2025-01-01',
    compatibility_flags: ['a'],
    vars: { A: 'x', B: { c: [1, 2.5, true] } },
    durable_objects: { bindings: [{ name: 'ROOMS', class_name: 'Room' }] },
    migrations: [{ tag: 'v1', new_sqlite_classes: ['Room'] }],
    dev: { port: 9000 },
  };
  const a = read(folder({ 'wrangler.toml': toml, 'i.js': ENTRY }), '.');
  const b = read(folder({ 'wrangler.json': json, 'i.js': ENTRY }), '.');

  assert.deepEqual(a.apps[0].start, b.apps[0].start);
  assert.deepEqual(a.listen, [{ host: '127.0.0.1', port: 9000 }]);
  assert.deepEqual(a.apps[0].start.durable.classes, [{ name: 'Room', key: 'chat-Room', sqlite: true }]);
});

test('what the command line says is stronger than the file', () => {
  const { listen, apps: [app] } = wrangler({ dev: { port: 9000 }, limits: { cpu_ms: 5 }, holdfast: { egress: { allow: ['a.example'] } } },
    '--set', '--port', 'listen.port', 'number', '7', '--set', '--allow', 'egress.allow', 'list', 'b.example',
    '--set', '--cpu-ms', 'limits.cpu_ms', 'number', '9', '--set', '--service', 'services', 'list', 'API=http://127.0.0.1:1');

  assert.equal(listen[0].port, 7);
  assert.equal(app.limits.cpu_ms, 9);
  assert.deepEqual(app.egress.allow, ['a.example', 'b.example']);
});

test('wrangler\'s cpu limit is below that of the holdfast table', () => {
  assert.equal(wrangler({ limits: { cpu_ms: 5 } }).apps[0].limits.cpu_ms, 5);
  assert.equal(wrangler({ limits: { cpu_ms: 5 }, holdfast: { limits: { cpu_ms: 6 } } }).apps[0].limits.cpu_ms, 6);
  const { websocket } = wrangler({ holdfast: { websocket: { ping_ms: 0, compression: false, origins: ['https://*.a.example'], slow: 'drop' } } }).apps[0];

  assert.deepEqual([websocket.ping_ms, websocket.pong_ms, websocket.compression, websocket.slow], [0, 20000, false, 'drop']);
  assert.deepEqual(websocket.origins, ['https://*.a.example']);
});

test('dev does not wait for long on a reload, unless it is told to', () => {
  assert.equal(wrangler({}).apps[0].limits.drain_ms, 10000);
  assert.equal(wrangler({}, '--dev').apps[0].limits.drain_ms, 0);
  assert.equal(wrangler({ holdfast: { limits: { drain_ms: 5 } } }, '--dev').apps[0].limits.drain_ms, 5);
});

test('an environment overrides; bindings are not inherited', () => {
  const config = { name: 'x', vars: { A: '1' }, env: { prod: { compatibility_flags: ['f'], vars: { B: '2' } }, bare: {} } };
  const { apps: [prod] } = wrangler(config, '--env', 'prod');
  const { apps: [bare], warnings } = wrangler(config, '--env', 'bare');

  assert.equal(prod.name, 'x-prod');
  assert.deepEqual(prod.compatibility_flags, ['f']);
  assert.deepEqual(prod.vars, { B: '2' });
  assert.deepEqual(bare.vars, {});
  assert.match(warnings.join('\n'), /"vars" is not inherited by env\.bare/);
});

test('an unknown environment is refused', () => {
  const at = folder({ 'wrangler.jsonc': '{"main": "i.js",\n"env": {"production": {}}}', 'i.js': ENTRY });

  refuse(at, ['.', '--env', 'prodution'], 'wrangler.jsonc:2: there is no environment "prodution"', 'did you mean "production"?');
});

test('files may begin with a byte order mark and have the line ends of Windows', () => {
  for (const [name, text] of [['wrangler.jsonc', '{"name": "bom",\r\n"main": "i.js"}'], ['wrangler.toml', 'name = "bom"\r\nmain = "i.js"\r\n']]) {
    assert.equal(read(folder({ [name]: `\ufeff${text}`, 'i.js': ENTRY }), '.').apps[0].name, 'bom');
  }
});

test('an entry file by itself has no environments', () => {
  refuse(folder({ 'i.js': ENTRY }), ['i.js', '--env', 'production'], 'holdfast: --env production: an entry file by itself has no environments');
});

test('a binding that there is not is told by its name', () => {
  const { warnings } = wrangler({ kv_namespaces: [{ binding: 'A', id: 'x' }, { binding: 'B' }], ai: { binding: 'AI' }, queues: {} });

  assert.deepEqual(warnings.map((text) => text.replace(/^.*warning: /, '')), [
    '"kv_namespaces" is not supported yet, ignored; env.A and env.B are undefined',
    '"ai" is not supported yet, ignored; env.AI is undefined',
    '"queues" is not supported yet, ignored',
  ]);
});

test('flags that nobody knows have no effect, and are told with their place', () => {
  const at = folder({ 'wrangler.jsonc': '{"main": "i.js", "compatibility_date": "2026-01-01",\n"compatibility_flags": ["nodejs_compat",\n"bogus"]}', 'i.js': ENTRY });

  assert.deepEqual(read(at, '.').warnings, ['wrangler.jsonc:3: warning: the compatibility flag "bogus" is not known here and has no effect']);
});

test('.dev.vars are local secrets, .env only without them', () => {
  const files = { 'wrangler.jsonc': { main: 'i.js', vars: { A: 'file', C: 'c' } }, 'i.js': ENTRY, '.env': 'A=env\nB="two\\nlines" # why\n' };

  assert.deepEqual(read(folder(files), '.', '--dev').apps[0].vars, { A: 'env', B: 'two\nlines', C: 'c' });
  assert.deepEqual(read(folder({ ...files, '.dev.vars': 'export A=\'dev vars\'\n' }), '.', '--dev').apps[0].vars, { A: 'dev vars', C: 'c' });
  assert.deepEqual(read(folder(files), '.').apps[0].vars, { A: 'file', C: 'c' });
});

test('a renamed class keeps its storage, one made again gets a new one', () => {
  const migrations = [
    { tag: 'v1', new_sqlite_classes: ['A'], new_classes: ['K'] },
    { tag: 'v2', renamed_classes: [{ from: 'A', to: 'B' }] },
    { tag: 'v3', new_sqlite_classes: ['A'] },
    { tag: 'v4', deleted_classes: ['K'] },
  ];

  assert.deepEqual(wrangler({ migrations }).apps[0].classes, {
    B: { storage: 'sqlite', store: 'A' }, A: { storage: 'sqlite', store: 'A~2' },
  });
});

test('migrations that contradict each other are refused', () => {
  const at = folder({
    'wrangler.toml': 'main = "i.js"\n[[migrations]]\ntag = "a"\nnew_classes = ["X"]\n[[migrations]]\ntag = "a"\nnew_classes = ["X"]\ndeleted_classes = ["Y"]\n',
    'i.js': ENTRY,
  });

  refuse(at, ['.'], 'wrangler.toml:5: migrations[1].tag: "a" is used twice', 'class "X" exists already', 'no earlier migration creates class "Y"');
});

test('assets have a folder, which must be there', () => {
  const files = { 'wrangler.jsonc': '{\n"assets": {"directory": "./public", "not_found_handling": "404-page"}}' };
  const { apps: [app] } = read(folder({ ...files, 'public/index.html': '' }), '.');

  assert.match(app.assets.directory, /\/public$/);
  assert.equal(app.entry, null);
  refuse(folder(files), ['.'], 'wrangler.jsonc:2: assets.directory: there is no folder public');
});

test('module rules become loaders', () => {
  const { apps: [app], warnings } = wrangler({ rules: [{ type: 'Data', globs: ['**/*.png'] }, { type: 'Text', globs: ['notes/**'] }, { type: 'CompiledWasm', globs: ['**/*.wasm'] }] });

  assert.equal(app.build.loaders['.png'], 'binary');
  assert.equal(app.build.loaders['.txt'], 'text');
  assert.equal(app.build.loaders['.wasm'], 'binary');
  assert.equal(warnings.length, 1);
  assert.match(warnings.join('\n'), /expected a pattern such as/);
});

test('unknown and unsupported keys of wrangler files are warnings', () => {
  const { warnings } = wrangler({ compatability_flags: [], queues: {}, observability: {}, durable_objects: { bindins: [] } });

  assert.equal(warnings.length, 3, warnings.join('\n'));
  assert.match(warnings.join('\n'), /unknown key "compatability_flags"; did you mean "compatibility_flags"\?/);
  assert.match(warnings.join('\n'), /"queues" is not supported yet/);
  assert.match(warnings.join('\n'), /unknown key "durable_objects.bindins"; did you mean "bindings"\?/);
});

test('the commonest mistakes have a line and say what was expected', () => {
  const one = (text) => folder({ 'wrangler.jsonc': text, 'i.js': ENTRY });

  refuse(one('{\n  "main": "i.js",\n  "durable_objects": {"bindings": [\n    {"name": "R"}]}}'), ['.'],
    'wrangler.jsonc:4: durable_objects.bindings[0].class_name is missing; expected the name of a class');
  refuse(one('{\n  "main": "i.js"\n  "name": "x"}'), ['.'], 'wrangler.jsonc:3: not valid JSON: expected ","');
  refuse(one('{\n  "main": "nosuch.js"}'), ['.'], 'wrangler.jsonc:2: main: there is no file nosuch.js');
  refuse(one('{\n}'), ['.'], 'wrangler.jsonc:1: main is missing; expected the entry file');
  refuse(one('{"main": "i.js",\n"compatibility_date": "2026-02-30"}'), ['.'], 'wrangler.jsonc:2: compatibility_date: there is no day "2026-02-30"');
  refuse(one('{"main": "i.js",\n"compatibility_date": "yesterday"}'), ['.'], 'wrangler.jsonc:2: compatibility_date: expected a date such as');
  refuse(one('{"main": "i.js", "vars": {"A": "1"},\n"durable_objects": {"bindings": [{"name": "A", "class_name": "C"}]}}'), ['.'], 'two bindings are called "A"');
  refuse(one('{"main": 7}'), ['.'], 'main: expected a string, found a number');
  refuse(folder({ 'wrangler.toml': 'main = "i.js"\nname = \n' }), ['.'], 'wrangler.toml:2: not valid TOML: expected a value');
  refuse(folder({ 'x.js': '' }), ['.'], 'expected wrangler.json, wrangler.jsonc, wrangler.toml or fastly.toml in this folder');
  refuse(folder({ 'x.css': '' }), ['x.css'], 'x.css: expected a .js, .mjs or .ts file');
  refuse(root, ['nosuch'], 'there is no file or folder nosuch');
});

test('an option that is wrong is called by its name', () => {
  const at = folder({ 'i.js': ENTRY });

  refuse(at, ['i.js', '--set', '--port', 'listen.port', 'number', '70000'], '--port: expected a whole number between 0 and 65535, found 70000');
  refuse(at, ['i.js', '--set', '--sandbox', 'sandbox', 'string', 'on'], '--sandbox: expected "strict", "auto" or "off", found "on"');
  refuse(at, ['i.js', '--set', '--resolve', 'egress.resolve', 'list', 'x'], '--resolve: expected HOST:PORT:ADDRESS');
});

const SERVE = `
threads = 3
state = "data"
sandbox = "strict"
control = "127.0.0.1:8788"
[[listen]]
port = 80
[limits]
cpu_ms = 100
memory_mb = 100
[egress]
deny = ["10.0.0.0/8"]
[[app]]
path = "chat"
hosts = ["chat.example", "*.chat.example"]
paths = ["/"]
[app.limits]
memory_mb = 200
[app.vars]
A = "serve"
[[app]]
name = "api"
path = "api.js"
`;

test('holdfast.toml has several applications, each over the whole', () => {
  const at = folder({
    'holdfast.toml': SERVE,
    'chat/wrangler.jsonc': { main: 'i.js', limits: { cpu_ms: 50 }, vars: { A: 'a', B: 'b' }, services: [{ binding: 'API', service: 'api' }] },
    'chat/i.js': ENTRY,
    'api.js': ENTRY,
  });
  const config = read(at, 'holdfast.toml', '--serve');
  const [chat, api] = config.apps;

  assert.equal(config.threads, 3);
  assert.deepEqual(config.control, { host: '127.0.0.1', port: 8788 });
  assert.deepEqual(config.listen, [{ host: '127.0.0.1', port: 80 }]);
  assert.equal(chat.state, `${at}/data/chat`);
  assert.deepEqual([chat.limits.cpu_ms, chat.limits.memory_mb], [50, 200]);
  assert.deepEqual([api.limits.cpu_ms, api.limits.memory_mb], [100, 100]);
  assert.deepEqual(chat.routes, [{ host: 'chat.example', path: '/' }, { host: '*.chat.example', path: '/' }]);
  assert.deepEqual(api.routes, [{ host: null, path: null }]);
  assert.deepEqual(chat.vars, { A: 'serve', B: 'b' });
  assert.deepEqual(chat.service_targets, [{ name: 'api', app: 'api' }]);
  assert.deepEqual(api.egress.deny, ['10.0.0.0/8']);
});

test('a wrong holdfast.toml is refused, typos too', () => {
  const at = folder({
    'holdfast.toml': 'thraeds = 2\n[[app]]\npath = "nosuch"\n[[app]]\nhosts = ["a b"]\n', 'empty.toml': '', 'i.js': ENTRY,
    'twice.toml': '[[app]]\npath = "i.js"\n[[app]]\npath = "i.js"\n',
  });

  refuse(at, ['holdfast.toml', '--serve'], 'holdfast.toml:3: there is no file or folder nosuch');
  refuse(at, ['empty.toml', '--serve'], 'empty.toml:1: app is missing; expected one [[app]] table');
  refuse(at, ['twice.toml', '--serve'], 'twice.toml:3: two applications are called "i"');
  refuse(at, ['nosuch.toml', '--serve'], 'there is no file nosuch.toml');
});

test('a built bundle is read without its sources', () => {
  const { manifest } = wrangler({ name: 'b', vars: { A: '1' }, durable_objects: { bindings: [{ name: 'R', class_name: 'Room' }] }, limits: { cpu_ms: 7 } });
  const at = folder({ 'holdfast.json': { ...manifest, app: { ...manifest.app, format: 'modules' } }, 'worker.js': '', 'worker.js.map': '{}' });
  const { apps: [app] } = read(at, '.');

  assert.equal(app.script, `${at}/worker.js`);
  assert.equal(app.entry, null);
  assert.equal(app.format, 'modules');
  assert.equal(app.limits.cpu_ms, 7);
  assert.deepEqual(app.start.durable.classes, [{ name: 'Room', key: 'b-Room', sqlite: true }]);
  refuse(folder({ 'holdfast.json': '{"holdfast": 99}' }), ['.'], 'build it again');
});

// --- a holdfast.toml in dev --------------------------------------------------------------------------------------------------------

const SEVERAL = {
  'holdfast.toml': '[[app]]\npath = "one"\n[[app]]\npath = "two"\nhosts = ["two.test"]\n',
  'one/wrangler.toml': 'main = "i.js"\ncompatibility_date = "2025-01-01"\n',
  'one/i.js': ENTRY,
  'one/.dev.vars': 'SECRET=s\n',
  'two/wrangler.toml': 'main = "i.js"\ncompatibility_date = "2025-01-01"\n',
  'two/i.js': ENTRY,
};

test('dev runs the applications of a folder that has only a holdfast.toml', () => {
  const at = folder(SEVERAL);

  for (const name of ['.', 'holdfast.toml']) {
    const { apps: [one, two] } = read(at, name, '--dev');

    assert.deepEqual([one.name, two.name], ['one', 'two']);
    assert.deepEqual(two.routes, [{ host: 'two.test', path: null }]);
    assert.equal(one.start.dev, true);
    assert.equal(one.limits.drain_ms, 0);
    assert.equal(one.state, `${at}/.holdfast/one`);
    assert.ok(one.watch.includes(`${at}/holdfast.toml`));
    assert.deepEqual(one.start.bindings, [{ type: 'text', name: 'SECRET', value: 's' }]);
  }
});

test('an application of the folder itself comes before its holdfast.toml', () => {
  const at = folder({ ...SEVERAL, 'wrangler.toml': 'name = "own"\nmain = "one/i.js"\ncompatibility_date = "2025-01-01"\n' });

  assert.deepEqual(read(at, '.', '--dev').apps.map(({ name }) => name), ['own']);
});

test('files of stores are watched', () => {
  const at = folder({
    'fastly.toml': 'name = "x"\n[local_server.kv_stores]\npage = [{ key = "a", file = "page/a.html" }]\n',
    'src/index.js': 'addEventListener("fetch", () => {});',
    'page/a.html': 'A',
  });
  const { apps: [app] } = read(at, '.', '--dev');

  assert.ok(app.watch.includes(`${at}/page/a.html`));
  assert.deepEqual(app.start.fastly.kv_stores.page.a, { base64: 'QQ==' });
});
