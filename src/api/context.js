// Contexts: to whom work belongs. Everything that runs later (a timer, the answer of a fetch, a piece of a body, a socket's
// message) takes the context that is current when it is asked for, and is delivered through it. A Durable Object's context
// holds deliveries back while a critical section of the object is open (its input gate), and counts what is pending, which
// keeps the instance in memory. All stateless events share `stateless`.
//
//   const context = current();
//   context.hold();                                       // pending: no hibernation, the process is not idle
//   …later…  context.deliver(() => resolve(answer));      // now, or when the gate opens; the context is current during it
//            context.release();                           // once for each hold
//
// Contexts are not tracked through `await`: a continuation runs in the context of the turn's last delivery. That is exact as
// long as the work of two objects does not interleave within one turn's microtasks, so what crosses from one context to
// another is posted: it gets a turn of its own. Where it matters (sockets, answers, storage) the owner is known from the
// object itself.
import { host } from './host.js';

export class Context {
  /** The Actor (durable.js) it belongs to, null for stateless events. */
  actor = null;
  pending = 0;
  dead = false;
  /** Open sockets (websocket.js) that listeners in this context hear. */
  ends = new Set();

  hold() {
    if (this.dead) return;
    this.pending++;
    held++;
  }

  release() {
    if (this.dead) return;
    this.pending--;
    held--;
  }

  /** What it belongs to is gone: nothing is pending, nothing is delivered any more. */
  die() {
    held -= this.pending;
    this.pending = 0;
    this.dead = true;
  }

  /** Runs fn now, or when the input gate opens, or never when what it belongs to is gone. */
  deliver(fn) {
    run(this, fn);
  }

  /** Whether a delivery would run now. */
  get open() {
    return true;
  }

  /** Keeps the context pending until promise settles. */
  until(promise) {
    const release = () => this.release();
    this.hold();
    promise.then(release, release);
  }
}

let held = 0;
export const stateless = new Context();
let now = stateless;

/** The context that new work belongs to. */
export const current = () => now;

/** Runs fn with context current. It stays current for the microtasks that follow, until the next delivery. */
export function run(context, fn) {
  now = context;
  return fn();
}

/** The same without a function: what follows in this turn belongs to context. */
export function enter(context) {
  now = context;
}

/** Nothing at all is pending in this process (live instances are counted by durable.js). */
export const quiet = () => held === 0 && head === tasks.length;

// --- tasks: turns that the api itself asks for ------------------------------------------------------------------------------

const ROUNDS = 1000; // settle() calls before the host looks at its links and timers again; it would stop by itself after 10,000
const tasks = [];
let head = 0;
let rounds = 0;

/** Delivers fn through context in a later turn of this batch, after everything posted before. */
export function post(context, fn) {
  tasks.push(context, fn);
}

// What settle() does around tasks; websocket.js and durable.js fill it in.
export const phases = {
  /** Writes gathered sends. */
  flush() {},
  /** Commits those whose answers wait for it. True when that made new tasks. */
  commit: () => false,
  /** The batch is over: the host commits and writes next. */
  end() {},
};

/** The end of a batch, called again by the host while it returns true; each call is a turn. */
export function settle() {
  phases.flush();
  if (head === tasks.length && !phases.commit()) return rest();
  if (++rounds > ROUNDS) {
    host.setTimeout(() => {}, 0);
    return rest();
  }
  if (head < tasks.length) step();
  return true;
}

function step() {
  const context = tasks[head];
  const fn = tasks[head + 1];
  head += 2;
  if (head === tasks.length) head = tasks.length = 0;
  context.deliver(fn);
}

function rest() {
  rounds = 0;
  enter(stateless);
  phases.end();
  return false;
}

// --- the global scope ---------------------------------------------------------------------------------------------------------

let evaluating = false;

/** The application's module is being evaluated (true) or has been (false): main.js says so. */
export function setEvaluating(on) {
  evaluating = on;
}

/** Whether an event runs: the application's module is not being evaluated. */
export const inEvent = () => !evaluating;

/** Throws when the application's module is still being evaluated. */
export function requireEvent() {
  if (evaluating) {
    throw new Error(
      'Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, and generating random values are not '
      + 'allowed within global scope. To fix this error, perform this operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/');
  }
}
