// The commonest mistakes: each has a message that says where, what was expected and what to do, and the right exit status.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Holdfast } from '../lib/holdfast.mjs';
import { hello, scratch } from './app.mjs';

const DO = "import { DurableObject } from 'cloudflare:workers';\nexport class Room extends DurableObject {}\nexport default { fetch: () => new Response('x') };\n";

async function refused(args, ...patterns) {
    const { code, out, log } = await Holdfast.run(args);

    assert.equal(code, 2, `exit status ${code}\n${out}${log}`);
    for (const pattern of patterns) assert.match(log, pattern);
    return log;
}

const config = (bindings) => ({ name: 'app', main: 'worker.js', compatibility_date: '2026-11-01', durable_objects: { bindings } });

test('a binding without class_name', async (t) => {
    const folder = scratch(t, { 'worker.js': DO, 'wrangler.json': config([{ name: 'ROOM' }]) });

    await refused(['dev', folder, '--port', '0'], /wrangler\.json:\d+/, /class_name/);
});

test('a binding to a class that is not exported', async (t) => {
    const folder = scratch(t, { 'worker.js': DO, 'wrangler.json': config([{ name: 'ROOM', class_name: 'Romm' }]) });

    await refused(['dev', folder, '--port', '0'], /Romm/, /export/);
});

test('a syntax error in the application', async (t) => {
    const folder = scratch(t, { 'worker.js': 'export default {\n  fetch() { return new Response("x" };\n' });

    await refused(['dev', join(folder, 'worker.js'), '--port', '0'], /worker\.js:2/);
});

test('an import that does not exist', async (t) => {
    const folder = scratch(t, { 'worker.js': 'import x from "./nowhere.js";\nexport default { fetch: () => new Response(x) };\n' });

    await refused(['dev', join(folder, 'worker.js'), '--port', '0'], /worker\.js:1/, /nowhere\.js/);
});

test('an exception while the module is evaluated', async (t) => {
    const folder = scratch(t, { 'worker.js': 'const a = null;\na.b;\nexport default { fetch: () => new Response("x") };\n' });

    await refused(['dev', join(folder, 'worker.js'), '--port', '0'], /worker\.js:2/, /null/);
});

test('a module without a handler', async (t) => {
    const folder = scratch(t, { 'worker.js': 'export const x = 1;\n' });
    const server = await Holdfast.run(['dev', join(folder, 'worker.js'), '--port', '0']);

    assert.notEqual(server.code, 0);
    assert.match(server.log, /fetch|default/);
});

test('a port that is taken', async (t) => {
    const folder = scratch(t, { 'worker.js': hello() });
    const taken = createServer().listen(0, '127.0.0.1');

    await new Promise((resolve) => taken.once('listening', resolve));
    t.after(() => taken.close());
    await refused(['dev', join(folder, 'worker.js'), '--port', String(taken.address().port)], new RegExp(String(taken.address().port)), /in use|taken/i, /--port/);
});

test('a path that does not exist', async () => {
    await refused(['dev', '/nowhere/at/all'], /\/nowhere\/at\/all/);
});

test('a folder without a configuration', async (t) => {
    await refused(['dev', scratch(t, { 'x.txt': 'x' })], /wrangler/);
});

test('a configuration that is no JSON', async (t) => {
    const folder = scratch(t, { 'worker.js': hello(), 'wrangler.jsonc': '{\n  "name": "x",\n  "main" "worker.js"\n}\n' });

    await refused(['dev', folder], /wrangler\.jsonc:3/);
});

test('a configuration of the wrong kind', async (t) => {
    const folder = scratch(t, { 'worker.js': hello(), 'wrangler.toml': 'name = "x"\nmain = 5\n' });

    await refused(['dev', folder], /wrangler\.toml:2/, /main/);
});

test('an option that does not exist', async () => {
    await refused(['dev', '.', '--prot', '1'], /--prot/, /--port/);
});

test('an option without its value, and with a wrong one', async (t) => {
    const entry = join(scratch(t, { 'worker.js': hello() }), 'worker.js');

    await refused(['dev', entry, '--port'], /--port/);
    await refused(['dev', entry, '--port', 'many'], /--port/, /many/);
    await refused(['dev', entry, '--port', '70000'], /--port/, /65535/);
});

test('no command, and a wrong one', async () => {
    await refused([], /holdfast/, /dev/);
    await refused(['walk'], /walk/, /dev/);
});

test('--help and --version', async () => {
    const help = await Holdfast.run(['--help']);

    assert.equal(help.code, 0);
    for (const word of ['dev', 'serve', 'build', '--port', '--state']) assert.ok(help.out.includes(word), word);
    const version = await Holdfast.run(['--version']);

    assert.equal(version.code, 0);
    assert.match(version.out, /^holdfast \d+\.\d+\.\d+/);
});

test('a signal ends it, while nothing and while something runs', async (t) => {
    const folder = scratch(t, { 'worker.js': hello() });

    for (const signal of ['SIGINT', 'SIGTERM']) {
        const server = await Holdfast.dev(join(folder, 'worker.js'));

        await fetch(server.url());
        assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    }
});
