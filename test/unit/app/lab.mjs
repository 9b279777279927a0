// What the tests of the command line and of the configuration have in common.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

const worker = process.env.HOLDFAST_WORKER ?? path.resolve('build/holdfast-worker');

/** The test file's own folder, gone after it. */
export const root = mkdtempSync(path.join(os.tmpdir(), 'holdfast-app-'));

after(() => rmSync(root, { recursive: true }));

let count = 0;

/** A new folder in it with these files: {name: text}. An object is written as JSON. */
export function folder(files) {
  const at = path.join(root, `app${++count}`);

  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    writeFileSync(path.join(at, name), typeof text === 'string' ? text : JSON.stringify(text));
  }
  return at;
}

/** What a run that must fail says: status 2, nothing on standard output, and these texts. */
export function assertRefused({ status, stdout, stderr }, expected) {
  assert.equal(status, 2, stderr);
  assert.equal(stdout, '');
  for (const text of expected) assert.ok(stderr.includes(text), `expected ${JSON.stringify(text)} in:\n${stderr}`);
}

/** The configuration as `holdfast-worker --config` reads it. */
export const read = (cwd, ...args) => JSON.parse(execFileSync(worker, ['--config', ...args], { cwd, encoding: 'utf8' }));

export const refuse = (cwd, args, ...expected) => assertRefused(spawnSync(worker, ['--config', ...args], { cwd, encoding: 'utf8' }), expected);
