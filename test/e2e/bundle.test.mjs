// What an entry file may import: text, data, JSON, WebAssembly, TypeScript with paths, JSX; and where variables come from.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { request } from 'undici';
import { Holdfast } from '../lib/holdfast.mjs';
import { scratch } from './app.mjs';

// (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
const ADD = 'AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=';

const files = {
    'wrangler.jsonc': `{ // as wrangler's own templates have it
        "name": "kinds", "main": "src/index.tsx", "compatibility_date": "2026-11-01", "compatibility_flags": ["nodejs_compat"],
        "vars": { "WHERE": "top", "LIST": [1] },
        "env": { "staging": { "vars": { "WHERE": "staging" } } },
    }`,
    'tsconfig.json': { compilerOptions: { jsx: 'react', jsxFactory: 'h', paths: { '@lib/*': ['./src/lib/*'] } } },
    '.dev.vars': 'SECRET="a b"\n',
    'data/a.html': '<p>hi</p>',
    'data/a.txt': 'text',
    'data/a.json': { k: [1] },
    'src/lib/h.ts': 'export const h = (tag: string, attributes: object, ...children: unknown[]) => `<${tag}>${children.join("")}</${tag}>`;\n',
    'src/index.tsx': `import { h } from '@lib/h';
import html from '../data/a.html';
import text from '../data/a.txt';
import json from '../data/a.json';
import module from '../data/add.wasm';

enum Kind { One = 'one' }
const { exports } = new WebAssembly.Instance(module);

export default {
    async fetch(request: Request, env: Record<string, unknown>) {
        const again = await WebAssembly.instantiate(module);
        return Response.json([<b>{Kind.One}</b>, html, text, json, exports.add(2, 3), again.exports.add(3, 4), env, process.env.SECRET]);
    },
} satisfies ExportedHandler;
`,
};

async function answer(app, args) {
    const server = await Holdfast.dev(app, { args });

    try {
        return await (await request(server.url('/'))).body.json();
    } finally {
        await server.stop();
    }
}

test('every kind of import, and variables of two environments', async (t) => {
    const app = scratch(t, files);
    const rest = ['<b>one</b>', '<p>hi</p>', 'text', { k: [1] }, 5, 7];

    writeFileSync(`${app}/data/add.wasm`, Buffer.from(ADD, 'base64'));
    assert.deepEqual(await answer(app, []), [...rest, { WHERE: 'top', LIST: [1], SECRET: 'a b' }, 'a b']);
    assert.deepEqual(await answer(app, ['--env', 'staging']), [...rest, { WHERE: 'staging', SECRET: 'a b' }, 'a b']);
});
