// console: lines of the log, with the place in the author's file that wrote them.
import { host } from './host.js';
import { format, inspect } from './inspect.js';
import { native } from './native.js';
import { callerPlace } from './source_map.js';

const DEBUG = 0;
const INFO = 1;
const WARN = 2;
const ERROR = 3;

const TEXT_MAX = 256 * 1024; // characters of one line; the rest is cut

let indent = '';
let places = true;

/** Whether lines say where they were written: looking that up costs some microseconds. */
export function setPlaces(on) {
  places = on;
}

/** A line of the log. where: "file:line:column" or ''. */
export function log(level, where, text) {
  const clipped = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… ${text.length - TEXT_MAX} more characters` : text;
  native.link.log(level, where, indent === '' ? clipped : indent + clipped.replaceAll('\n', `\n${indent}`));
}

function write(level, args) {
  log(level, places ? callerPlace() : '', format(args));
}

const counts = new Map();
const times = new Map();

function labelOf(label) {
  return label === undefined ? 'default' : String(label);
}

function elapsed(label) {
  const start = times.get(label);
  if (start === undefined) {
    write(WARN, [`No such label '${label}' for console.time()`]);
    return undefined;
  }
  const ms = host.now() - start;
  return ms < 1000 ? `${label}: ${ms.toFixed(3)}ms` : `${label}: ${(ms / 1000).toFixed(3)}s`;
}

// Rows of objects as a table with a column for each key.
function table(data) {
  if (typeof data !== 'object' || data === null) return undefined;
  const rows = data instanceof Map ? [...data].map(([key, value], i) => [String(i), { Key: key, Values: value }]) : Object.entries(data);
  const columns = [];
  const cells = rows.map(([index, row]) => {
    const cell = new Map([['(index)', index]]);
    if (typeof row !== 'object' || row === null) cell.set('Values', inspect(row, 0));
    else for (const key of Object.keys(row)) cell.set(key, inspect(row[key], 0));
    for (const key of cell.keys()) if (!columns.includes(key)) columns.push(key);
    return cell;
  });
  const values = columns.indexOf('Values');
  if (values >= 0) columns.push(...columns.splice(values, 1));
  const widths = columns.map((key) => Math.max(key.length, ...cells.map((cell) => (cell.get(key) ?? '').length)));
  const line = (of) => `│ ${columns.map((key, i) => of(key).padEnd(widths[i])).join(' │ ')} │`;
  const rule = (left, middle, right) => left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  return [rule('┌', '┬', '┐'), line((key) => key), rule('├', '┼', '┤'), ...cells.map((cell) => line((key) => cell.get(key) ?? '')), rule('└', '┴', '┘')].join('\n');
}

const methods = {
  debug: (...args) => write(DEBUG, args),
  log: (...args) => write(INFO, args),
  info: (...args) => write(INFO, args),
  warn: (...args) => write(WARN, args),
  error: (...args) => write(ERROR, args),

  trace(...args) {
    const error = new Error(format(args));
    error.name = 'Trace';
    write(INFO, [error]);
  },

  assert(condition = false, ...args) {
    if (condition) return;
    if (typeof args[0] === 'string') args[0] = `Assertion failed: ${args[0]}`;
    else args.unshift('Assertion failed');
    write(ERROR, args);
  },

  dir: (value, options) => write(INFO, [inspect(value, options?.depth === null ? Infinity : options?.depth)]),
  dirxml: (...args) => write(INFO, args),
  table: (data) => write(INFO, [table(data) ?? data]),

  group(...args) {
    if (args.length > 0) write(INFO, args);
    indent += '  ';
  },

  groupCollapsed: (...args) => methods.group(...args),
  groupEnd() {
    indent = indent.slice(2);
  },

  count(label) {
    const name = labelOf(label);
    const n = (counts.get(name) ?? 0) + 1;
    counts.set(name, n);
    write(INFO, [`${name}: ${n}`]);
  },

  countReset: (label) => void counts.delete(labelOf(label)),
  time: (label) => void times.set(labelOf(label), host.now()),

  timeLog(label, ...args) {
    const text = elapsed(labelOf(label));
    if (text !== undefined) write(INFO, [text, ...args]);
  },

  timeEnd(label) {
    const text = elapsed(labelOf(label));
    if (text !== undefined) write(INFO, [text]);
    times.delete(labelOf(label));
  },

  timeStamp() {},
  profile() {},
  profileEnd() {},
  clear() {},
};

export const console = Object.create({}, Object.getOwnPropertyDescriptors(methods));
Object.defineProperty(console, Symbol.toStringTag, { value: 'console', configurable: true });

/** What the runtime itself has to say about the application's code. */
host.warn = (text) => log(WARN, callerPlace(), text);
