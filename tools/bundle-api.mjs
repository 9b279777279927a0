// Bundles src/api/main.js (or another entry) into one classic script, and writes an assembler file that embeds it as
// SYMBOL_text … SYMBOL_end.
//
//   node tools/bundle-api.mjs ENTRY OUT.js OUT.S OUT.d SYMBOL
//
// The script is one function expression: (function (native, global) { …; return hooks; }). The entry exports `hooks`; every file
// reaches the two parameters through src/api/native.js, and nothing else can.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';

const [entry, script, assembler, depfile, symbol] = process.argv.slice(2);

const result = await esbuild.build({
  entryPoints: [entry],
  outfile: script,
  bundle: true,
  metafile: true,
  format: 'iife',
  globalName: 'api',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  target: 'safari16',
  // Pure ASCII keeps the source one byte a character in the engine. Names stay readable in stack traces.
  charset: 'ascii',
  minifyWhitespace: true,
  legalComments: 'none',
  banner: { js: '(function(native,global){"use strict";' },
  footer: { js: 'return api.hooks})' },
  logLevel: 'warning',
}).catch(() => process.exit(1));

writeFileSync(assembler, `
.section .rodata
.global ${symbol}_text
.hidden ${symbol}_text
.global ${symbol}_end
.hidden ${symbol}_end
${symbol}_text:
.incbin ${JSON.stringify(path.resolve(script))}
${symbol}_end:
.byte 0
.section .note.GNU-stack,"",@progbits
`);

const inputs = Object.keys(result.metafile.inputs).filter((name) => !name.includes(':')).map((name) => path.resolve(name));
writeFileSync(depfile, `${script}: ${inputs.map((name) => name.replaceAll(' ', '\\ ')).join(' \\\n  ')}\n`);
