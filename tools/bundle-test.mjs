// Bundles a file of test/js for test/js/driver.c.
//
//   node tools/bundle-test.mjs ENTRY OUT.js OUT.d
import { writeFileSync } from 'node:fs';
import * as esbuild from 'esbuild';
import { bundleOptions, dependencies } from './bundle-options.mjs';

const [entry, script, depfile] = process.argv.slice(2);
const result = await esbuild.build(bundleOptions(entry, script, 'suite', { platform: true })).catch(() => process.exit(1));

writeFileSync(depfile, dependencies(script, result.metafile));
