// The command line as people type it: messages, statuses, and `holdfast build`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { assertRefused, folder, root } from './lab.mjs';

const holdfast = process.env.HOLDFAST ?? path.resolve('build/holdfast');
const run = (cwd, ...args) => spawnSync(holdfast, args, { cwd, encoding: 'utf8', timeout: 60_000 });

const refuse = (cwd, args, ...expected) => assertRefused(run(cwd, ...args), expected);

// What a built script returns, evaluated as the worker does.
async function evaluate(at) {
  const AsyncFunction = (async () => {}).constructor;

  return new AsyncFunction('__holdfast', `"use strict";${readFileSync(path.join(at, 'worker.js'), 'utf8')}`)({ modules: {} });
}

test('--help and --version go to stdout', () => {
  const help = run(root, '--help');

  assert.equal(help.status, 0);
  for (const word of ['holdfast dev PATH', 'holdfast serve --config FILE', 'holdfast build PATH', '--port N', '--sandbox MODE']) {
    assert.ok(help.stdout.includes(word), word);
  }
  assert.ok(!run(root, 'build', '--help').stdout.includes('--port'));
  assert.match(run(root, '--version').stdout, /^holdfast \d+\.\d+\.\d+\n$/);
});

test('publish says what it cannot send', () => {
  const to = ['--to', 'http://127.0.0.1:1'];

  refuse(root, ['publish', 'c', '@none', ...to], 'cannot read none');
  refuse(root, ['publish', 'c', '{}', '--patch', ...to], '--patch: expected a JSON array');
  refuse(root, ['publish', 'c', 'x', '-H', 'y', ...to], '--header y: expected NAME:VALUE');
  refuse(root, ['publish', 'c', 'x', '-M', 'y', ...to], '--meta y: expected NAME=VALUE');
  refuse(root, ['publish', 'c', 'x', '--to', 'udp://127.0.0.1:1'], 'expected an http:// or https:// URL');
  refuse(root, ['publish', 'c', 'x', '--to', 'tcp://nowhere'], 'publish to "tcp://nowhere": Invalid argument');
  const { status, stderr } = run(root, 'publish', 'c', 'x', ...to);

  assert.equal(status, 1);
  assert.match(stderr, /^holdfast: cannot publish to http:\/\/127\.0\.0\.1:1\/publish\/: /);
});

test('a port that is taken is all that is said', async () => {
  const at = folder({ 'index.js': 'console.log("it runs"); export default {};' });
  const server = createServer().listen(0, '127.0.0.1');

  await once(server, 'listening');
  refuse(at, ['dev', 'index.js', '--port', String(server.address().port)], 'Address already in use', '--port N');
  assert.ok(!run(at, 'dev', 'index.js', '--port', String(server.address().port)).stderr.includes('it runs'));
  refuse(at, ['dev', 'index.js', '--port', '0', '--control', `127.0.0.1:${server.address().port}`], 'Address already in use', '--control HOST:PORT');
  server.close();
});

test('wrong options are refused with a message', () => {
  refuse(root, [], 'expected a command');
  refuse(root, ['dev', '.', '--prot', '1'], 'did you mean --port?');
  refuse(root, ['dev', 'nosuch'], 'holdfast: there is no file or folder nosuch');
  refuse(root, ['serve', '--config', 'nosuch.toml'], 'holdfast: there is no file nosuch.toml');
  refuse(root, ['dev', '.', '--threads', '0'], 'holdfast: --threads: expected a whole number between 1 and 64, found 0');
  refuse(root, ['dev', '.', '--service', 'X'], 'holdfast: --service: expected NAME=URL, found "X"');
  refuse(root, ['serve', '--route', '* localhost'], 'holdfast: --route: target bad format: * localhost');
  assert.equal(run(root, 'help').stdout, run(root, '--help').stdout);
});

test('applications with mail, workflows or TCP beside the rest are built', () => {
  const imports = ['{ WorkflowEntrypoint } from "cloudflare:workers"', '{ EmailMessage } from "cloudflare:email"', '{ NonRetryableError } from "cloudflare:workflows"', '{ connect } from "cloudflare:sockets"'];
  const at = folder({ 'app.js': `${imports.map((one) => `import ${one};\n`).join('')}export default { fetch: () => [WorkflowEntrypoint, EmailMessage, NonRetryableError, connect] };\n` });

  assert.equal(run(at, 'build', 'app.js').status, 0);
});

test('a server of another kind is told where it runs', () => {
  const at = folder({ 'node.js': 'require("http").createServer().listen(1);\n', 'bun.js': 'Bun.serve({ fetch() {} });\n' });

  refuse(at, ['build', 'node.js'], "`holdfast serve --route '* localhost:PORT'` stands in front");
  assert.match(run(at, 'dev', 'bun.js', '--port', '0').stderr, /at bun\.js:1:1\n\nThis is a server for Bun\. It runs there as it is; `holdfast serve --route/);
});

test('what is built is for production', () => {
  const at = folder({ 'app.js': 'export default { fetch: () => process.env.NODE_ENV };\n' });

  assert.equal(run(at, 'build', 'app.js').status, 0);
  assert.match(readFileSync(path.join(at, 'dist/worker.js'), 'utf8'), /"production"/);
});

test('a kind of file that nobody knows needs a rule', () => {
  refuse(folder({ 'app.js': 'import x from "./x.svg";\nexport default { fetch: () => x };\n', 'x.svg': '<svg/>' }), ['build', 'app.js'], '"rules": [{"type": "Text"');
});

test('a package that is missing is to be installed', () => {
  const at = folder({ 'app.js': 'import x from "nosuch";\nexport default { fetch: x };\n' });

  refuse(at, ['build', 'app.js'], 'app.js:1:', `run \`npm install\` in ${at}`);
});

test('a syntax error has the file and the line', () => {
  const at = folder({ 'app.js': 'const a = 1;\nexport default { fetch( { } };\n' });

  refuse(at, ['build', 'app.js'], 'app.js:2:', 'ERROR');
  assert.ok(!existsSync(path.join(at, 'dist/holdfast.json')));
});

test('a binding to a class that is not exported says where', () => {
  const at = folder({
    'wrangler.toml': 'main = "app.js"\n\n[[durable_objects.bindings]]\nname = "R"\nclass_name = "Room"\n',
    'app.js': 'class Room {}\nexport default {};\n',
  });

  refuse(at, ['build', '.'], 'wrangler.toml:5: class_name "Room"', 'export class Room');
});

test('an import that is not there has the file and the line', () => {
  refuse(folder({ 'app.js': '\nimport "nosuch";\nexport default {};\n' }), ['build', 'app.js'], 'app.js:2:', 'nosuch');
});

test('build makes a function of a TypeScript module with imports of every kind', async () => {
  const at = folder({
    'src/app.ts': `
      import text from './a.txt';
      import data from './b.bin';
      import { x } from 'package';
      import common from './c.cjs';
      const late = (await import('./late.js')).late;
      export class Room { n: number = 1 }
      export default { answer: () => [text, data, x, common.y, late, import.meta.url, typeof this] };
    `,
    'src/a.txt': 'hello',
    'src/b.bin': '\x01\x02',
    'src/c.cjs': 'exports.y = 3;',
    'src/late.js': 'export const late = 4;',
    'node_modules/package/package.json': '{"name": "package", "exports": {"workerd": "./worker.js", "default": "./other.js"}}',
    'node_modules/package/worker.js': 'export const x = "workerd";',
    'node_modules/package/other.js': 'export const x = "other";',
  });
  const { status, stdout, stderr } = run(at, 'build', 'src/app.ts', '--out', 'out');

  assert.equal(status, 0, stderr);
  assert.equal(stdout, `built ${at}/out\n`);
  const exports = await evaluate(path.join(at, 'out'));

  assert.deepEqual(Object.keys(exports).sort(), ['Room', 'default']);
  const [text, data, ...rest] = exports.default.answer();

  assert.equal(text, 'hello');
  assert.ok(data instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(data)], [1, 2]);
  assert.deepEqual(rest, ['workerd', 3, 4, 'file:///worker.js', 'undefined']);
  const map = JSON.parse(readFileSync(path.join(at, 'out/worker.js.map'), 'utf8'));

  assert.ok(map.sources.includes('app.ts'), map.sources.join());
  assert.ok(map.sources.includes('../node_modules/package/worker.js'), map.sources.join());
  assert.equal(JSON.parse(readFileSync(path.join(at, 'out/holdfast.json'), 'utf8')).app.format, 'modules');
});

test('build knows the service-worker format and CommonJS', async () => {
  const at = folder({ 'sw.js': 'addEventListener("fetch", () => {});', 'cjs.js': 'module.exports = { fetch() { return 1; } };' });

  assert.equal(run(at, 'build', 'sw.js', '--out', 'sw').status, 0);
  assert.equal(JSON.parse(readFileSync(path.join(at, 'sw/holdfast.json'), 'utf8')).app.format, 'service-worker');
  assert.equal(run(at, 'build', 'cjs.js', '--out', 'cjs').status, 0);
  assert.equal((await evaluate(path.join(at, 'cjs'))).default.fetch(), 1);
});

test('build takes the assets along, and no secrets', () => {
  const at = folder({
    'wrangler.toml': 'main = "app.js"\n[vars]\nA = "1"\n[assets]\ndirectory = "public"\n',
    'app.js': 'export default {};',
    'public/deep/index.html': '<p>',
    '.dev.vars': 'SECRET=x\n',
  });

  assert.equal(run(at, 'build', '.').status, 0);
  assert.equal(readFileSync(path.join(at, 'dist/assets/deep/index.html'), 'utf8'), '<p>');
  const manifest = readFileSync(path.join(at, 'dist/holdfast.json'), 'utf8');

  assert.deepEqual(JSON.parse(manifest).app.vars, { A: '1' });
  assert.ok(!manifest.includes('SECRET'));
});
