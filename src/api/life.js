// The end of things: a request that can never be answered, a process that has nothing to do, one that is told to finish, one
// that is ended by a limit.
import { log } from './console.js';
import { quiet as isQuiet } from './context.js';
import { host } from './host.js';
import { endHung, hungExchanges } from './link.js';
import { native } from './native.js';
import { backtraceText } from './source_map.js';
import { hasDeadlines } from './timers.js';

const ERROR = 3;
const HUNG_MS = 100; // nothing is pending for this long, although a request waits

const { link } = native;

let running = false; // READY was said
let draining = false;
let watching = false; // a timer looks at requests that seem to hang

/** The application is ready for events. */
export function run() {
  running = true;
}

/** After every batch. quiet: nothing is pending that could make JavaScript run, and no instance is in memory. */
export function rest(quiet) {
  if (!running) return false;
  if (draining && link.open() === 0) return leave();
  if (quiet && link.open() > 0) watch();
  else if (quiet) link.idle(); // the host says it once for the newest event
  return false;
}

// Engine tasks that the api does not see (a WebAssembly module that compiles) may still settle promises: only what hangs for
// a while is ended.
function watch() {
  if (watching) return;
  const suspects = new Set(hungExchanges());
  if (suspects.size === 0 || hasDeadlines()) return;
  watching = true;
  host.setTimeout(() => {
    watching = false;
    if (isQuiet()) endHung(hungExchanges().filter((exchange) => suspects.has(exchange)));
  }, HUNG_MS);
}

function leave() {
  draining = false;
  link.leave(false);
  return false;
}

/** Finish what is running within ms milliseconds, then leave; now: at once. */
export function drain(ms, now) {
  draining = true;
  if (now) leave();
  else host.setTimeout(() => draining && leave(), ms);
}

/** A turn was ended by the CPU limit; trace is where it was. */
export function overran(trace) {
  const where = backtraceText(trace);
  const first = /\n    at (?:.*\()?([^()\n]*)/.exec(where)?.[1] ?? '';
  log(ERROR, first, `The event used more CPU time than its limit and was ended.${where}`);
}
