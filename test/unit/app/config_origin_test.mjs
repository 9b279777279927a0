// What the configuration reader makes of Pushpin's and Fastly's files, and of [origin], [publish] and [zmq].
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { folder, read, refuse } from './lab.mjs';

// The routes of a file with these lines, and the warnings.
function routes(...lines) {
  const { apps: [app], warnings } = read(folder({ routes: lines.join('\n') }), '', '--serve', '--set', '--routes', 'origin.file', 'string', 'routes');

  return { routes: app.origin.routes, warnings };
}

const one = (line) => routes(line).routes[0];

test('a line is a condition and targets, in order', () => {
  const { routes: list, warnings } = routes('# nothing', '', '* localhost:80', 'Example.COM,path_beg=/a [::1]:81,ssl unix:/run/app # why');

  assert.deepEqual(warnings, []);
  assert.equal(list.length, 2);
  assert.equal(list[0].host, null);
  assert.deepEqual([list[0].targets[0].host, list[0].targets[0].port], ['localhost', 80]);
  assert.equal(list[1].host, 'example.com');
  assert.equal(list[1].path_beg, '/a');
  assert.deepEqual(list[1].targets.map(({ host, port, path: at, tls }) => [host, port, at, tls]), [['::1', 81, undefined, true], [undefined, undefined, '/run/app', false]]);
});

test('quotes make any part plain', () => {
  const route = one('a.com,id="x y,z",header="X-A: \\"b\\\\c\\" #1" "localhost:80",sub="p q"');

  assert.equal(route.id, 'x y,z');
  assert.deepEqual(route.headers, [{ name: 'X-A', value: '"b\\c" #1' }]);
  assert.deepEqual(route.targets[0].subs, ['p q']);
  assert.equal(one('"a.com,debug" localhost:80').host, 'a.com,debug');
});

test('every property of a condition is read', () => {
  const route = one('a.com,id=me,proto=ws,ssl=yes,path_beg=/a,path_rem=2,replace_beg=/b,as_host=h,prefix=p-,sig_iss=me,sig_key=base64:YQ==,'
    + 'header=X:1,header=Y:,debug,orig_headers,no_grip,aco,jsonp_mode=basic,jsonp_cb=cb,jsonp_body=b,jsonp_defcb=d,jsonp_defmethod=POST localhost:80');
  const { targets, ...rest } = route;

  assert.deepEqual(rest, {
    id: 'me', host: 'a.com', protocol: 'ws', secure: 'yes', path_beg: '/a', path_rem: 2, replace_beg: '/b', as_host: 'h', prefix: 'p-', sig_iss: 'me',
    sig_key: { form: 'text', text: 'base64:YQ==' }, headers: [{ name: 'X', value: '1' }, { name: 'Y', value: '' }],
    debug: true, orig_headers: true, no_grip: true, aco: true, jsonp_mode: 'basic', jsonp_cb: 'cb', jsonp_body: 'b', jsonp_defcb: 'd', jsonp_defmethod: 'POST',
  });
  assert.equal(targets.length, 1);
});

test('every property of a target is read', () => {
  const at = folder({ routes: '* o:1,ssl,insecure,host=h,trust_connect_host,untrusted,over_http,one_event,sub=a,sub=b,client_cert=c.pem,client_key=k.pem test', 'c.pem': 'C', 'k.pem': 'K' });
  const { apps: [app] } = read(at, '', '--serve', '--set', '--routes', 'origin.file', 'string', 'routes');
  const [target, builtin] = app.origin.routes[0].targets;

  assert.deepEqual(target, {
    host: 'o', port: 1, name: 'o:1', tls: true, insecure: true, host_field: 'h', trust_connect_host: true, untrusted: true, over_http: true, one_event: true,
    subs: ['a', 'b'], client_cert: { text: 'C', path: `${at}/c.pem` }, client_key: { text: 'K', path: `${at}/k.pem` },
  });
  assert.equal(builtin.test, true);
  assert.deepEqual(app.routes_files, [`${at}/routes`, `${at}/c.pem`, `${at}/k.pem`]);
});

test('a bad line is skipped and said, with its line', () => {
  const bad = [
    ['a.com', 'must specify condition and at least one target'],
    ['a.com localhost', 'target bad format'],
    ['a.com localhost:x', 'target invalid port'],
    ['a.com localhost:65536', 'target invalid port'],
    ['a.com http://localhost:80', 'target bad format'],
    ['a.com "localhost:80', 'a quote is not closed'],
    ['a.com,,debug localhost:80', 'expecting prop'],
    ['a.com,proto=tcp localhost:80', "proto must be set to 'http' or 'ws'"],
    ['a.com,ssl=maybe localhost:80', "ssl must be set to 'yes' or 'no'"],
    ['a.com,header=x localhost:80', "header must be 'Name:Value'"],
    ['a.com,path_rem=x localhost:80', 'path_rem must be a number'],
    ['path_beg=/x localhost:80', 'condition has no domain or id'],
    ['a.com,sig_key=file:no localhost:80', 'there is no key file no'],
    ['a.com zhttp/tcp://127.0.0.1:1', 'ZeroMQ targets'],
  ];
  const { routes: list, warnings } = routes(...bad.map(([line]) => line), '* localhost:80', '* localhost:81', 'id=a test', 'id=b test');

  assert.deepEqual(list.map(({ host, id }) => [host, id]), [[null, null], ['', 'a'], ['', 'b']]);
  bad.forEach(([, text], i) => assert.ok(warnings[i].startsWith(`routes:${i + 1}: warning: ${text}`), warnings[i]));
  assert.equal(warnings[bad.length], `routes:${bad.length + 2}: warning: skipping duplicate condition; the route is skipped`);
});

test('what is not understood of a line is said, and the rest counts', () => {
  const { routes: list, warnings } = routes('*.a.com,debg,sockjs=/x localhost:80,over_htp');

  assert.equal(list.length, 1);
  assert.deepEqual(warnings, [
    'routes:1: warning: hosts are compared whole: "*.a.com" stands for no other name',
    'routes:1: warning: sockjs is not supported, ignored',
    'routes:1: warning: unknown property "debg", ignored; did you mean "debug"?',
    'routes:1: warning: unknown property "over_htp", ignored; did you mean "over_http"?',
  ]);
});

test('--route stands for the file; ports are Pushpin\'s', () => {
  const at = folder({ routes: 'a.com localhost:1' });
  const config = read(at, '', '--serve', '--set', '--routes', 'origin.file', 'string', 'routes', '--set', '--route', 'origin.routes', 'list', '* localhost:2', '--set', '--route', 'origin.routes', 'list', 'b.com test');

  assert.deepEqual(config.listen, [{ host: '127.0.0.1', port: 7999 }]);
  assert.deepEqual(config.control, { host: '127.0.0.1', port: 5561 });
  assert.deepEqual(config.apps[0].origin.routes.map(({ host }) => host), [null, 'b.com']);
  assert.deepEqual(config.apps[0].routes_files, []);
  refuse(at, ['', '--serve', '--set', '--routes', 'origin.file', 'string', 'rotes'], 'there is no routes file rotes');
});

// As the Fastly CLI's local server writes it.
const GENERATED = (run) => `[global]
include={libdir}/internal.conf
rundir=${run}
ipc_prefix=
port_offset=0
stats_connection_ttl=120
stats_connection_send=true

[runner]
services=connmgr,proxy,handler
http_port=7677
logdir=${run}/log
log_level=2
client_buffer_size=8192
client_maxconn=50000
allow_compression=false

[proxy]
routesfile=${run}/routes
debug=false
auto_cross_origin=false
accept_x_forwarded_protocol=false
set_x_forwarded_protocol=proto-only
x_forwarded_for=
x_forwarded_for_trusted=
orig_headers_need_mark=
accept_pushpin_route=true
cdn_loop=
log_from=false
log_user_agent=false
sig_iss=viceroy
sig_key=viceroy_dev_signing_key_dont_use_in_production
upstream_key=
sockjs_url=http://cdn.jsdelivr.net/sockjs/0.3.4/sockjs.min.js
updates_check=off
organization_name=

[handler]
ipc_file_mode=777
push_in_spec=tcp://127.0.0.1:5562
push_in_sub_specs=tcp://127.0.0.1:5563
push_in_sub_connect=false
push_in_http_addr=0.0.0.0
push_in_http_port=5561
push_in_http_max_headers_size=8192
push_in_http_max_body_size=65536
stats_spec=ipc://{rundir}/{ipc_prefix}stats
command_spec=tcp://127.0.0.1:5564
message_rate=2500
message_hwm=25000
message_block_size=
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
subscription_linger=60
stats_subscription_ttl=60
stats_report_interval=10
stats_format=tnetstring
`;

test('a pushpin.conf is read as it is', () => {
  const at = folder({ routes: 'id=origin,replace_beg=/v1 localhost:3000,over_http,ssl,host=example.com\n' });

  writeFileSync(`${at}/pushpin.conf`, GENERATED(at));
  const config = read(at, 'pushpin.conf', '--serve', '--pushpin', '--set', '--loglevel', 'pushpin.loglevel', 'number', '3');
  const { apps: [app], grip, warnings } = config;

  assert.deepEqual(warnings, []);
  assert.deepEqual(config.listen, [{ host: '0.0.0.0', port: 7677 }]);
  assert.deepEqual(config.control, { host: '0.0.0.0', port: 5561 });
  assert.equal(config.max_connections, 50000);
  assert.equal(config.log.level, 'debug');
  assert.equal(app.origin.sig_iss, 'viceroy');
  assert.equal(app.origin.accept_pushpin_route, true);
  assert.equal(app.origin.routes[0].id, 'origin');
  assert.equal(app.origin.routes[0].replace_beg, '/v1');
  assert.equal(app.websocket.compression, false);
  assert.equal(grip.max_body_size, 65536);
  assert.equal(grip.id_cache_ms, 60000);
  assert.deepEqual(grip.zmq.stats, [`ipc://${at}/stats`]);
  assert.deepEqual([grip.zmq.pull, grip.zmq.command, grip.zmq.ipc_file_mode], [['tcp://127.0.0.1:5562'], 'tcp://127.0.0.1:5564', 0o777]);
});

test('the command line of Pushpin is stronger than its file', () => {
  const at = folder({ routes: '* test' });

  writeFileSync(`${at}/pushpin.conf`, GENERATED(at));
  const config = read(at, 'pushpin.conf', '--serve', '--pushpin', '--set', '--port', 'pushpin.port', 'string', '[::1]:8000', '--set', '--id', 'pushpin.id', 'number', '2');

  assert.deepEqual(config.listen, [{ host: '::1', port: 8000 }]);
  assert.equal(config.control.port, 5581);
  assert.deepEqual(config.grip.zmq.pull, ['tcp://127.0.0.1:5582']);
  assert.deepEqual(config.grip.zmq.stats, [`ipc://${at}/p2-stats`]);
});

test('mistakes in a pushpin.conf have their line', () => {
  const at = folder({ routes: '* test' });
  const conf = (text) => writeFileSync(`${at}/p.conf`, text);
  const args = ['p.conf', '--serve'];

  conf('[proxy]\ndebug=maybe\nnonsense\n[handler]\nmessage_rate=x\n[runner]\nhttp_port=a:b\n');
  refuse(at, args, 'p.conf:2: debug: expected true or false, found "maybe"', 'p.conf:3: expected "key=value" or "[section]"',
    'p.conf:5: message_rate: expected a whole number', 'p.conf:7: http_port: expected "PORT" or "ADDRESS:PORT"');
  conf('[runner]\nhttps_ports=443\n');
  refuse(at, args, 'p.conf:2: https_ports: there is no NAME.crt');
  conf('[proxy]\nsig_ky=x\nlog_from=true\nlog_user_agent=false\n[handler]\nprometheus_port=1\nstate_spec=\n');
  assert.deepEqual(read(at, ...args).warnings, [
    'p.conf:2: warning: "sig_ky" in [proxy] has no meaning here, ignored; did you mean "sig_key"?',
    'p.conf:3: warning: "log_from" is ignored: the access log (--access-log, log.access) has it',
    'p.conf:6: warning: "prometheus_port" is ignored: metrics are at /metrics of the address for publishing',
  ]);
});

test('https_ports take the certificates beside the file', () => {
  const files = { routes: '* test', 'p.conf': '[runner]\nhttps_ports=443,8443\nlocal_ports=/run/a\n' };
  const at = folder({ ...files, ...Object.fromEntries(['a.crt', 'a.key', 'default_443.crt', 'default_443.key', 'b.crt'].map((name) => [`runner/certs/${name}`, ''])) });
  const { listen } = read(at, 'p.conf', '--serve');
  const names = (one) => one.tls.certificates.map(({ cert }) => path.basename(cert));

  assert.deepEqual(listen.slice(0, 2).map(({ port }) => port), [443, 8443]);
  assert.deepEqual(listen.slice(0, 2).map(names), [['default_443.crt', 'a.crt'], ['a.crt']]);
  assert.equal(listen[2].path, '/run/a');
});

test('[origin] alone is an application; [[app]] may have its own', () => {
  const at = folder({
    'a.toml': '[origin]\nroutes = ["* localhost:1"]\nsig_key = "file:key"\n[publish]\ntokens = ["t"]\nlogins = ["me:secret"]\nkeys = ["k"]\nissuer = "i"\nhistory_count = 5\n[zmq]\npull = ["tcp://*:5560"]\n[store]\nsync = "normal"\n',
    'b.toml': '[origin]\ndebug = true\nsig_iss = "all"\n[[app]]\nname = "one"\nhosts = ["one.com"]\n[app.origin]\nroutes = ["* localhost:1"]\nsig_iss = "one"\n[[app]]\nname = "two"\n[app.origin]\nfile = "routes"\n',
    routes: '* localhost:2',
    key: '6b6579',
  });
  const a = read(at, 'a.toml', '--serve');
  const b = read(at, 'b.toml', '--serve');

  assert.deepEqual(a.apps.map(({ name, routes: list }) => [name, list]), [['default', [{ host: null, path: null }]]]);
  assert.deepEqual(a.apps[0].origin.sig_key, { form: 'file', text: '6b6579', path: `${at}/key` });
  assert.deepEqual(a.apps[0].routes_files, [`${at}/key`]);
  assert.deepEqual([a.grip.tokens, a.grip.logins, a.grip.keys, a.grip.issuer, a.grip.history_count], [['t'], ['me:secret'], [{ form: 'text', text: 'k' }], 'i', 5]);
  assert.deepEqual(a.grip.zmq.pull, ['tcp://*:5560']);
  assert.equal(a.apps[0].start.durable.sync, 'normal');
  assert.deepEqual(b.apps.map(({ name, origin }) => [name, origin.debug, origin.sig_iss, origin.routes[0].targets[0].port]), [['one', true, 'one', 1], ['two', true, 'all', 2]]);
});

test('what [origin], [publish] and [zmq] cannot mean is refused', () => {
  const at = folder({
    'h.toml': '[origin]\nroutes = ["* test"]\nx_forwarded_for = "drop"\nconnect_ms = 0\nsig_key = "file:none"\nsigiss = ""\n[publish]\nlogins = ["me"]\n[zmq]\ncommand = "5563"\n',
    'none.toml': '[origin]\ndebug = true\n',
  });

  refuse(at, ['h.toml', '--serve'], 'h.toml:3: origin.x_forwarded_for: expected "truncate:N", "append"', 'h.toml:4: origin.connect_ms', 'h.toml:5: origin.sig_key: there is no key file none',
    'h.toml:6: unknown key "origin.sigiss"; did you mean "sig_iss"?', 'h.toml:8: publish.logins[0]', 'h.toml:10: zmq.command: expected "tcp://HOST:PORT"');
  refuse(at, ['none.toml', '--serve'], 'app is missing; expected one [[app]] table for each application, or [origin] with routes');
});

const FASTLY = `manifest_version = 3
name = "Live Board"
language = "javascript"
service_id = "abc"
[scripts]
build = "npm run build"
[local_server.pushpin]
enable = true
publish_port = 5570
[local_server.backends.origin]
url = "https://example.com:8443/base/"
override_host = "example.com"
[local_server.backends.self]
url = "http://127.0.0.1:7676"
[local_server.config_stores.words]
format = "inline-toml"
[local_server.config_stores.words.contents]
a = "b"
[local_server.config_stores.more]
format = "json"
file = "more.json"
[[local_server.secret_stores.keys]]
key = "k"
data = "s3cret"
[[local_server.secret_stores.keys]]
key = "f"
file = "f.bin"
[local_server.kv_stores]
board = [{ key = "one", data = "1", metadata = "m" }]
`;

test('fastly.toml is an application with backends and stores', () => {
  const at = folder({ 'fastly.toml': FASTLY, 'package.json': '{"scripts":{"build":"js-compute-runtime edge/main.js bin/main.wasm"}}', 'edge/main.js': '', 'more.json': '{"c":"d"}', 'f.bin': 'x' });
  const { apps: [app], listen, control, warnings } = read(at, '.', '--dev');

  assert.deepEqual(warnings, []);
  assert.deepEqual([app.name, app.entry], ['live-board', `${at}/edge/main.js`]);
  assert.deepEqual([listen[0].port, control.port], [7676, 5570]);
  assert.deepEqual(app.start.fastly, {
    service_id: 'abc',
    version: null,
    backends: [
      { name: 'origin', url: 'https://example.com:8443/base/', origin: 'https://example.com:8443', override_host: 'example.com' },
      { name: 'self', url: 'http://127.0.0.1:7676', origin: 'http://127.0.0.1:7676', override_host: null },
    ],
    config_stores: { words: { a: 'b' }, more: { c: 'd' } },
    secret_stores: { keys: { k: { data: 's3cret' }, f: { base64: 'eA==' } } },
    kv_stores: { board: { one: { data: '1', metadata: 'm' } } },
  });
  assert.deepEqual(app.service_targets, [{ name: 'backend:origin', url: 'https://example.com:8443' }, { name: 'backend:self', url: 'http://127.0.0.1:7676' }]);
  assert.deepEqual(app.origin.routes.map(({ id, host, replace_beg, targets: [{ host: to, port, tls, over_http, host_field }] }) => [id, host, replace_beg, to, port, tls, over_http, host_field]), [
    ['origin', '', '/base', 'example.com', 8443, true, true, 'example.com'],
    ['self', '', null, '127.0.0.1', 7676, false, true, null],
  ]);
});

test('the entry of a fastly.toml is where people have it, or as [holdfast] says', () => {
  const at = folder({ 'fastly.toml': 'name = "a"\n', 'src/index.js': '', 'other.js': '' });

  assert.equal(read(at, '.').apps[0].entry, `${at}/src/index.js`);
  writeFileSync(`${at}/fastly.toml`, 'name = "a"\n[holdfast]\nmain = "other.js"\nlimits = { cpu_ms = 5 }\n');
  const { apps: [app] } = read(at, '.');

  assert.deepEqual([app.entry, app.limits.cpu_ms], [`${at}/other.js`, 5]);
  writeFileSync(`${at}/fastly.toml`, 'name = "a"\n[holdfast]\nmain = "no.js"\n[local_server.backends.x]\nurl = "ftp://a"\n');
  refuse(at, ['.'], 'fastly.toml:3: holdfast.main: there is no file no.js', 'fastly.toml:5: local_server.backends.x.url: expected an http:// or https:// URL');
});

test('[app.fastly] is over the application\'s own, and secrets stay out of what is built', () => {
  const at = folder({
    'fastly.toml': 'name = "a"\n[local_server.backends.x]\nurl = "http://a:1"\n[local_server.backends.y]\nurl = "http://b:2"\n[[local_server.secret_stores.s]]\nkey = "k"\ndata = "v"\n',
    'index.js': '',
    'h.toml': '[[app]]\npath = "."\n[app.fastly.backends.x]\nurl = "http://c:3"\n[app.fastly.config_stores.words]\nformat = "inline-toml"\ncontents = { a = "b" }\n',
  });
  const { manifest } = read(at, '.');
  const { apps: [app] } = read(at, 'h.toml', '--serve');

  assert.deepEqual(manifest.app.server.fastly.secret_stores, {});
  assert.deepEqual(app.start.fastly.backends.map(({ name, url }) => [name, url]), [['y', 'http://b:2'], ['x', 'http://c:3']]);
  assert.deepEqual(app.start.fastly.config_stores, { words: { a: 'b' } });
  assert.deepEqual(app.start.fastly.secret_stores, { s: { k: { data: 'v' } } });
  assert.deepEqual(app.origin.routes.map(({ id, targets }) => [id, targets[0].port]), [['y', 2], ['x', 3]]);
});
