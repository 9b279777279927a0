// Bundles src/api/main.js (or another entry) into one classic script, and writes an assembler file that embeds it as
// SYMBOL_text … SYMBOL_end.
//
//   node tools/bundle-api.mjs ENTRY OUT.js OUT.S OUT.d SYMBOL
//
// The script's value is a function that returns the entry's `hooks` (tools/bundle-options.mjs).
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { bundleOptions, dependencies, nodeAlias } from './bundle-options.mjs';

const [entry, script, assembler, depfile, symbol] = process.argv.slice(2);

const options = bundleOptions(entry, script, 'hooks', { platform: symbol === 'api_bundle', alias: symbol === 'node_bundle' ? nodeAlias : {} });
const result = await esbuild.build(options).catch(() => process.exit(1));

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
writeFileSync(depfile, dependencies(script, result.metafile));
