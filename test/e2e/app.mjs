// The applications of these tests, and copies of them that a test may change.
import { cpSync, existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

export const LAB = join(here, 'apps/lab');
export const ACTORS = join(here, 'apps/actors');
export const CHAT = join(here, '../../examples/chat');
export const FASTLY = join(here, 'apps/fastly');
export const QUESTIONS = join(here, '../../examples/questions');

/** A folder of its own with these files (path -> text), or a copy of a folder with these files changed; gone after the test. */
export function scratch(t, files = {}, from = null) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-app-'));

    if (from) cpSync(from, folder, { recursive: true });
    for (const [path, text] of Object.entries(files)) write(folder, path, text);
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

export function write(folder, path, text) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof text === 'string' ? text : JSON.stringify(text, null, 2));
}

/** A worker in one file. */
export const hello = (text = 'hello') => `export default { fetch() { return new Response(${JSON.stringify(text)}); } };\n`;

/** A copy of an application at `to`, whose TOML files name other ports: {8787: 40001, …}. */
export function atPorts(from, to, ports) {
    cpSync(from, to, { recursive: true, filter: (path) => !path.includes('/.holdfast') });
    for (const path of ['holdfast.toml', 'fastly.toml', 'edge/fastly.toml'].map((name) => join(to, name)).filter(existsSync)) {
        writeFileSync(path, readFileSync(path, 'utf8').replace(/\b(\d{4})\b/g, (port) => ports[port] ?? port));
    }
}
