// Tests of src/api in the engine: test(name, fn) and a few checks. driver.c runs `suite`.
import { DOMException } from '../../src/api/domexception.js';
import { host } from '../../src/api/host.js';
import { global as globals, native } from '../../src/api/native.js';
import { webGlobals } from '../../src/api/web.js';

const tests = [];
let report;

/** One behaviour. fn may be async. */
export function test(name, fn) {
  tests.push({ name, fn });
}

/* The process that the platform files expect */

const timers = [];
let nextTimer = 1;

host.now = native.clock.now;
host.setTimeout = (fn, ms) => {
  timers.push({ id: nextTimer, at: host.now() + ms, fn });
  return nextTimer++;
};
host.later = host.deadline = (fn, ms) => host.setTimeout(fn, ms);
host.clearTimeout = (id) => {
  const at = timers.findIndex((timer) => timer.id === id);
  if (at !== -1) timers.splice(at, 1);
};

/** What the runtime said: errors that nobody caught, warnings. Emptied before each test. */
export const uncaught = [];
export const warnings = [];
host.uncaught = (error) => uncaught.push(error);
host.warn = (text) => warnings.push(text);

/** Compatibility flags that are off; emptied before each test. */
export const flagsOff = new Set();
host.flag = (name) => !flagsOff.has(name);

for (const [name, value] of Object.entries(webGlobals)) Object.defineProperty(globals, name, { value, writable: true, configurable: true });
globals.self = globals;
globals.setTimeout = (fn, ms = 0) => host.setTimeout(fn, ms);
globals.clearTimeout = (id) => host.clearTimeout(id);

export const sleep = (ms) => new Promise((resolve) => {
  host.setTimeout(resolve, ms);
});

/* Checks */

function show(value) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}[${[...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]}]`;
  if (value instanceof ArrayBuffer) return `ArrayBuffer[${[...new Uint8Array(value)]}]`;
  if (Array.isArray(value)) return `[${Array.from(value, (item, i) => (i in value ? show(item) : 'hole')).join(', ')}]`;
  if (value instanceof Map) return `Map{${[...value].map(([k, v]) => `${show(k)} => ${show(v)}`).join(', ')}}`;
  if (value instanceof Set) return `Set{${[...value].map(show).join(', ')}}`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    return `{${Object.keys(value).map((key) => `${key}: ${show(value[key])}`).join(', ')}}`;
  }
  return String(value);
}

/** The same value, or of the same shape (compared as they are shown). */
export function equal(actual, expected, note = '') {
  if (Object.is(actual, expected)) return;
  const [a, e] = [show(actual), show(expected)];
  if (a !== e || typeof actual !== typeof expected) throw new Error(`${note === '' ? '' : `${note}: `}got ${a}, expected ${e}`);
}

export function ok(value, note = 'not true') {
  if (!value) throw new Error(note);
}

function checkError(error, name, message) {
  equal(error?.name, name, `error ${show(error)}`);
  if (message instanceof RegExp) ok(message.test(error.message), `message ${show(error.message)} does not match ${message}`);
  else if (message !== undefined) equal(error.message, message);
  return error;
}

/** fn throws an error of this name, with this message (or matching it). Returns the error. */
export function throws(fn, name, message = undefined) {
  let value;
  try {
    value = fn();
  } catch (error) {
    return checkError(error, name, message);
  }
  throw new Error(`no ${name} thrown, but returned ${show(value)}`);
}

/** The same for a promise that is rejected. */
export async function rejects(promise, name, message = undefined) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return checkError(error, name, message);
  }
  throw new Error(`no ${name}, but fulfilled with ${show(value)}`);
}

/* Running */

const TIMEOUT = 20_000;

async function runOne({ name, fn }) {
  uncaught.length = 0;
  warnings.length = 0;
  flagsOff.clear();
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = host.setTimeout(() => reject(new Error('did not end in time')), TIMEOUT);
  });
  try {
    await Promise.race([fn(), late]);
    return undefined;
  } catch (error) {
    return `not ok ${name}\n    ${error?.message ?? error}\n    ${String(error?.stack ?? '').split('\n').slice(0, 6).join('\n    ')}`;
  } finally {
    host.clearTimeout(timer);
  }
}

async function runAll() {
  const failures = [];
  for (const one of tests) {
    const failure = await runOne(one);
    if (failure !== undefined) failures.push(failure);
  }
  report = failures.length === 0 ? `ok ${tests.length} tests` : `not ok: ${failures.length} of ${tests.length} tests failed\n${failures.join('\n')}`;
}

export const suite = {
  makeError(name, message) {
    const ctor = globals[name];
    return typeof ctor === 'function' && ctor.prototype instanceof Error ? new ctor(message) : name === 'Error' ? new Error(message) : new DOMException(message, name);
  },

  start() {
    runAll().catch((error) => {
      report = `not ok: ${error}\n${error.stack}`;
    });
  },

  step() {
    const now = host.now();
    for (const timer of timers.filter(({ at }) => at <= now)) {
      host.clearTimeout(timer.id);
      timer.fn();
    }
    return report;
  },
};
