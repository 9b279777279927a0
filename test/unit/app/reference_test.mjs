// docs/configuration.md beside the reader: every key that it names is read, every key that is read is named, and the defaults are
// what it says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const at = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const SECTIONS = {
  'The gateway': '', '`listen`': 'listen', '`limits`': 'limits', '`websocket`': 'websocket', '`egress`': 'egress', '`store`': 'store',
  '`origin`': 'origin', '`publish`': 'publish', '`zmq`': 'zmq', '`[[app]]`': 'app',
};
// Said in other words: tables of tables, free names, what only an option sets.
const ELSEWHERE = /^(listen\.https|listen\.tls|(app\.)?fastly\..*|holdfast\..*)$|^[a-z]+$/;
const UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, s: 1000, min: 60_000 };

// --- the reference: {path, preset} for each name of a first cell, and every `word` of a section ---

function readReference() {
  const rows = [];
  const words = new Map();
  let section;

  for (const line of readFileSync(at('docs/configuration.md'), 'utf8').split('\n')) {
    const heading = line.match(/^#+ (.*)/)?.[1];

    if (heading !== undefined) section = SECTIONS[heading];
    if (section === undefined) continue;
    if (!words.has(section)) words.set(section, new Set());
    for (const [, word] of line.matchAll(/`([a-z_.]+)[^`]*`/g)) words.get(section).add(word);
    const [, first, presets] = line.match(/^\| (`.*?) \| (.*?) ?\|/) ?? [];

    if (!first) continue;
    const names = [...first.matchAll(/`([a-z_.]+)`/g)].map(([, name]) => name);
    const said = presets.split(', ');

    for (const [i, name] of names.entries()) rows.push({ path: section ? `${section}.${name}` : name, preset: said[names.length > 1 && said.length > 1 ? i : 0] });
  }
  return { rows, words };
}

// --- the reader: what it asks tables for ---

const FILES = {
  '/x/holdfast.toml': `
[[listen]]
tls = { certificates = [{ cert = "c", key = "k" }] }
[[listen]]
host = "unix:s"
[origin]
routes = ["* test"]
[[app]]
path = "i.js"
`,
  '/x/i.js': '',
};
const kind = (path) => (path in FILES ? 'file' : path === '/x' ? 'folder' : '');

globalThis.native = { config: { cwd: () => '/x', kind, read: (path) => FILES[path], list: () => [], bytes: () => undefined, variable: () => undefined } };
const contents = "export { Table } from './config_table.js'; export { hooks } from './config.js';";
const { outputFiles: [script] } = buildSync({ stdin: { contents, resolveDir: at('src/api') }, bundle: true, write: false, format: 'esm', mainFields: ['module', 'main'] });
const { Table, hooks } = await import(`data:text/javascript;base64,${Buffer.from(script.contents).toString('base64')}`);
const asked = new Set();

for (const method of ['has', 'string', 'integer', 'boolean', 'placedStrings', 'table', 'tables', 'stringMap', 'value', 'node']) {
  const real = Table.prototype[method];

  Table.prototype[method] = function (key, ...rest) {
    asked.add(`${this.name}.${key}`.replace(/\[\d+\]/g, '').replace(/^\./, ''));
    return real.call(this, key, ...rest);
  };
}
const { status, out, err } = hooks.readConfig(['holdfast.toml', '--serve']);

assert.equal(status, 0, err);
const config = JSON.parse(out);
const { rows, words } = readReference();

test('every key of the reference is read', () => {
  for (const { path } of rows) assert.ok(asked.has(path) || ELSEWHERE.test(path), `docs/configuration.md names ${path}, which nobody reads`);
  assert.ok(rows.length > 80);
});

test('every key that is read is in the reference', () => {
  const shared = /^app\.(limits|websocket|egress|store|origin)\.(.*)/;

  for (const path of asked) {
    const [, table, name] = (path.match(shared) ? path.slice('app.'.length) : path).match(/^([a-z]+)\.(.*)$/) ?? [];
    const said = SECTIONS[`\`${table}\``] !== undefined ? words.get(table) : table === 'app' ? words.get('app') : words.get('');

    if (name !== undefined && !ELSEWHERE.test(path)) {
      assert.ok(said.has(name) || said.has(path) || said.has(name.split('.').at(-1)), `docs/configuration.md does not name ${path}`);
    }
  }
});

// What a cell says as a value; undefined when it says it in words.
function valueOf(preset) {
  const [, number, unit] = preset.match(/^([\d_]+)(?: (KiB|MiB|min|s)\b)?/) ?? [];

  if (number !== undefined) return Number(number) * (UNITS[unit] ?? 1);
  if (/^(true|false)\b/.test(preset)) return preset.startsWith('true');
  return preset.match(/^`"(.*?)"`/)?.[1];
}

test('the defaults are what the reference says', () => {
  const app = config.apps.find(({ entry }) => entry);
  const whole = { ...config, ...app, origin: config.apps.find(({ origin }) => origin).origin, publish: config.grip, zmq: config.grip.zmq, listen: config.listen[0] };
  let compared = 0;

  for (const { path, preset } of rows) {
    const found = path.split('.').reduce((value, name) => value?.[name], whole);
    const expected = valueOf(preset);

    if (path.startsWith('app.') || expected === undefined || found === undefined || found === null) continue;
    if (found === 0 && typeof expected === 'number') continue; // the gateway's own (src/edge/edge.h)
    if (path.endsWith('mode')) continue; // octal
    assert.equal(found, expected, path);
    compared++;
  }
  assert.ok(compared > 25, `${compared} were compared`);
});
