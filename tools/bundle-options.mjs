// How JavaScript is bundled for the engine: one function expression, (function (native, global) { …; return api.NAME }).
// Files reach the two parameters through src/api/native.js, and nothing else can.
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * esbuild options for a script whose value is what `entry` exports under `name`. platform: its libraries get the classes of
 * src/api/inject.js instead of globals.
 */
export function bundleOptions(entry, outfile, name, { platform }) {
  return {
    entryPoints: [entry],
    outfile,
    bundle: true,
    metafile: true,
    format: 'iife',
    globalName: 'api',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    nodePaths: [path.join(root, 'node_modules')],
    target: 'esnext',
    inject: platform ? [path.join(root, 'src/api/inject.js')] : [],
    // Pure ASCII keeps the source one byte a character in the engine. Names stay readable in stack traces.
    charset: 'ascii',
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: '(function(native,global){"use strict";' },
    footer: { js: `return api.${name}})` },
    logLevel: 'warning',
  };
}

/** The text of a make-style dependency file: `target` is made again when a bundled file changes. */
export function dependencies(target, metafile) {
  const inputs = Object.keys(metafile.inputs).filter((name) => !name.includes(':')).map((name) => path.resolve(name));
  return `${target}: ${inputs.map((name) => name.replaceAll(' ', '\\ ')).join(' \\\n  ')}\n`;
}
