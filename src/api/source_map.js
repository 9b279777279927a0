// Places in the application's bundle, as places in the files that its author wrote.
import { LEAST_UPPER_BOUND, originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';

/** The name of the application's script in stacks. */
export const SCRIPT = 'worker.js';

let text = '';
let map = null; // a TraceMap, made when the first place is asked for; null while there is none
let prefix = 0; // characters in front of the bundle's first line

/** json: the source map, '' for none. before: how many characters were put in front of the first line. */
export function setSourceMap(json, before) {
  text = json;
  map = null;
  prefix = before;
}

function traced() {
  if (map === null && text !== '') {
    map = new TraceMap(text);
    text = '';
  }
  return map;
}

/** { file, line, column } (both from 1) in the author's file; null for what the bundler added, and without a map. */
function original(line, column) {
  const from = traced();
  if (from === null) return null;
  const at = Math.max(column - 1 - (line === 1 ? prefix : 0), 0);
  const found = originalPositionFor(from, { line, column: at });
  return found.source === null ? null : { file: found.source, line: found.line, column: found.column + 1 };
}

/** "file:line:column" for a place in the bundle, '' for what the bundler added. */
function place(line, column) {
  const found = original(line, column);
  if (found !== null) return `${found.file}:${found.line}:${found.column}`;
  return map === null ? `${SCRIPT}:${line}:${column}` : '';
}

/** "file:line" for a line of the bundle. */
export function lineText(line) {
  const from = traced();
  const found = from === null ? null : originalPositionFor(from, { line, column: 0, bias: LEAST_UPPER_BOUND });
  return found === null || found.source === null ? `${SCRIPT}:${line}` : `${found.source}:${found.line}`;
}

// The engine's stack lines: "name@file:line:column", "@file:…", "name@[native code]".
const FRAME = /^(.*?)@(.*):(\d+):(\d+)$/;

/**
 * The frames of a stack that are the application's, outermost last: [{ name, place }]. Those of the runtime are left out.
 */
export function frames(stack) {
  const found = [];
  for (const line of String(stack).split('\n')) {
    const match = FRAME.exec(line);
    if (match === null || match[2] !== SCRIPT || isWrapper(match)) continue;
    const at = place(Number(match[3]), Number(match[4]));
    if (at === '') continue;
    const name = nameOf(match[1]);
    // An async function has a second frame of its own name, at its end.
    if (name !== '' && found.at(-1)?.name === name) continue;
    found.push({ name, place: at });
  }
  return found;
}

// The function that the runtime puts around the module.
function isWrapper([, , , line, column]) {
  return line === '1' && Number(column) <= prefix;
}

// "async*" and "tail call" marks, and the function that the module was made into, are the engine's words.
function nameOf(name) {
  return name === 'module code' || name === 'global code' || name === 'eval code' ? '' : name;
}

/** "    at name (place)" lines, as the author knows them from elsewhere. '' without frames. */
export function stackText(stack) {
  return frames(stack).map(({ name, place: at }) => `\n    at ${name === '' ? at : `${name} (${at})`}`).join('');
}

/** Where the caller of the runtime is: the innermost place of the application's own files (not of its packages), or ''. */
export function callerPlace() {
  return frames(new Error().stack).find(({ place: at }) => !at.includes('node_modules/'))?.place ?? '';
}

/** The same for a backtrace, "#0 name() at file:line" a line. */
export function backtraceText(trace) {
  const lines = [];
  let last;
  for (const line of trace.split('\n')) {
    const match = /^#\d+ (.*)\(\) at (.*):(\d+)$/.exec(line);
    if (match === null || match[2] !== SCRIPT) continue;
    const at = lineText(Number(match[3]));
    if (match[1] !== '' && match[1] === last) continue;
    last = match[1];
    lines.push(`\n    at ${match[1] === '' ? at : `${match[1]} (${at})`}`);
  }
  return lines.join('');
}
