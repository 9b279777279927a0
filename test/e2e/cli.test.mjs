// dev and serve as their operators know them: addresses, reloads, signals, mistakes.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { hello, scratch, write } from './app.mjs';
import { Holdfast, until } from '../lib/holdfast.mjs';

const text = async (url) => (await fetch(url)).text();

/** Starts a program that must refuse, with status 2 and these texts. */
async function refused(args, ...expected) {
    const { code, log } = await Holdfast.run(args);

    assert.equal(code, 2, log);
    for (const part of expected) assert.ok(log.includes(part), `expected ${JSON.stringify(part)} in:\n${log}`);
}

test('dev reloads when a source or its configuration changes, and keeps what runs when it cannot', async (t) => {
    const app = scratch(t, {
        'wrangler.toml': 'main = "src/app.js"\ncompatibility_date = "2026-01-01"\nvars = { A = "1" }\n',
        'src/app.js': 'import { part } from "./part.js";\nexport default { fetch: (_, env) => new Response(part + env.A) };\n',
        'src/part.js': 'export const part = "one ";\n',
    });
    const holdfast = await Holdfast.dev(app);

    t.after(() => holdfast.stop());
    assert.equal(await text(holdfast.url()), 'one 1');
    write(app, 'src/part.js', 'export const part = "two ";\n');
    await until('the new code', async () => (await text(holdfast.url())) === 'two 1');
    write(app, 'wrangler.toml', 'main = "src/app.js"\ncompatibility_date = "2026-01-01"\nvars = { A = "2" }\n');
    await until('the new configuration', async () => (await text(holdfast.url())) === 'two 2');
    write(app, 'src/part.js', 'export const part = ;\n');
    await until('the error', () => holdfast.log.includes('part.js:1:'));
    assert.equal(await text(holdfast.url()), 'two 2');
    write(app, 'src/part.js', 'export { part } from "./new.js";\n');
    await until('the second error', () => holdfast.log.includes('new.js'));
    write(app, 'src/new.js', 'export const part = "three ";\n');
    await until('the repair by a file that no build has seen', async () => (await text(holdfast.url())) === 'three 2');
});

test('serve runs several applications on several edges, by path', async (t) => {
    const at = scratch(t, {
        'holdfast.toml': 'state = "state"\nthreads = 2\n[[listen]]\nport = 0\n[[app]]\npath = "a.js"\n[[app]]\npath = "b.js"\npaths = ["/b"]\n',
        'a.js': hello('a'),
        'b.js': hello('b'),
    });
    const holdfast = await Holdfast.serve(['serve', '--config', `${at}/holdfast.toml`]);

    t.after(() => holdfast.stop());
    for (let i = 0; i < 8; i++) {
        assert.equal(await text(holdfast.url('/x')), 'a');
        assert.equal(await text(holdfast.url('/b/x')), 'b');
    }
});

test('serve runs what build made, without esbuild', async (t) => {
    const at = scratch(t, { 'app.js': hello('built'), 'public/x.txt': 'asset', 'wrangler.toml': 'main = "app.js"\nassets = { directory = "public" }\n' });

    assert.equal((await Holdfast.run(['build', at, '--out', `${at}/out`])).code, 0);
    const holdfast = await Holdfast.serve(['serve', `${at}/out`, '--port', '0', '--state', `${at}/state`], { env: { PATH: '/nonexistent' } });

    t.after(() => holdfast.stop());
    assert.equal(await text(holdfast.url()), 'built');
    assert.equal(await text(holdfast.url('/x.txt')), 'asset');
});

test('serve reads everything again on SIGHUP', async (t) => {
    const at = scratch(t, { 'holdfast.toml': '[[listen]]\nport = 0\n[[app]]\npath = "a.js"\n', 'a.js': hello('before') });
    const holdfast = await Holdfast.serve(['serve', '--config', `${at}/holdfast.toml`]);

    t.after(() => holdfast.stop());
    assert.equal(await text(holdfast.url()), 'before');
    write(at, 'a.js', hello('after'));
    process.kill(holdfast.pid, 'SIGHUP');
    await until('the new code', async () => (await text(holdfast.url())) === 'after');
});

test('a signal stops it with status 0', async (t) => {
    const app = scratch(t, { 'app.js': hello() });

    for (const signal of ['SIGINT', 'SIGTERM']) {
        const holdfast = await Holdfast.dev(`${app}/app.js`);

        process.kill(holdfast.pid, signal);
        await until('the end', () => holdfast.exit);
        assert.deepEqual(holdfast.exit, { code: 0, signal: null });
        await holdfast.stop();
    }
});

test('a port that is taken is named, with what to do', async (t) => {
    const app = scratch(t, { 'app.js': hello() });
    const taken = createServer();

    await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
    t.after(() => taken.close());
    const { port } = taken.address();

    await refused(['dev', `${app}/app.js`, '--port', String(port), '--state', `${app}/state`], `127.0.0.1:${port}`, 'in use', '--port');
});

test('code that cannot run ends dev with its place', async (t) => {
    const app = scratch(t, {
        'throws.js': '\nnull.x;\nexport default {};\n',
        'nothing.js': 'export const x = 1;\n',
    });

    await refused(['dev', `${app}/throws.js`, '--port', '0'], 'TypeError', 'throws.js:2:');
    await refused(['dev', `${app}/nothing.js`, '--port', '0'], 'no default export');
});
