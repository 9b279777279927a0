// How JavaScript is bundled for the engine: one function expression, (function (native, global) { …; return api.NAME }).
// Files reach the two parameters through src/api/native.js, and nothing else can.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

// The tables of tr46 are needed for international host names only, but the engine reads all text of a script when it starts. As
// strings they are skipped in a moment.
const tablesAsStrings = {
  name: 'tables-as-strings',
  setup({ onLoad }) {
    onLoad({ filter: /tr46[\\/]lib[\\/]mappingTable\.json$/ }, ({ path: file }) => ({
      contents: `module.exports = JSON.parse(${JSON.stringify(readFileSync(file, 'utf8'))})`,
      loader: 'js',
    }));
    onLoad({ filter: /tr46[\\/]lib[\\/]regexes\.js$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8').replace(/= \/(.*)\/u;/g, (line, source) => `= new RegExp(${JSON.stringify(source)}, "u");`),
      loader: 'js',
    }));
  },
};

// Packages for Node.js find our process, not a stand-in for browsers.
export const nodeAlias = { process: path.join(root, 'src/api/node/process.js') };

/**
 * esbuild options for a script whose value is what `entry` exports under `name`. platform: its libraries get the classes of
 * src/api/inject.js instead of globals. alias: files in the place of packages.
 */
export function bundleOptions(entry, outfile, name, { platform, alias = {} }) {
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
    alias,
    inject: platform ? [path.join(root, 'src/api/inject.js')] : [],
    // Pure ASCII keeps the source one byte a character in the engine. Names stay readable in stack traces.
    charset: 'ascii',
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: '(function(native,global){"use strict";' },
    footer: { js: `return api.${name}})` },
    plugins: [tablesAsStrings],
    logLevel: 'warning',
  };
}

/** The text of a make-style dependency file: `target` is made again when a bundled file changes. */
export function dependencies(target, metafile) {
  const inputs = Object.keys(metafile.inputs).filter((name) => !name.includes(':')).map((name) => path.resolve(name));
  return `${target}: ${inputs.map((name) => name.replaceAll(' ', '\\ ')).join(' \\\n  ')}\n`;
}
