// Timers: one heap of what is due, one wake-up asked of the host. Each callback has a turn of its own, in the context that
// asked for it; while it waits, it keeps that context pending (an instance with a timer does not hibernate).
import { current, requireEvent } from './context.js';
import { framed } from './frame.js';
import { host } from './host.js';
import { native } from './native.js';

const { now } = native.timers;
const DELAY_MAX = 0x7fffffff;

class Timer {
  constructor(id, due, fn) {
    this.id = id;
    this.due = due;
    this.fn = fn;
    /** Position in the heap; -1 when it does not wait. */
    this.at = -1;
    /** Milliseconds between calls; 0: once. */
    this.every = 0;
    /** null for timers of the runtime's own. */
    this.context = null;
    /** Whether the context is pending until it fires. */
    this.holds = false;
  }
}

// --- the heap: heap[0] is due first; equals in the order in which they were set (ids grow) ----------------------------------------

const heap = [];
const byId = new Map();
let lastId = 0;
let wakeAt = Infinity;
let deadlines = 0; // that wait

/** Whether a deadline of the application's may still make something happen. */
export const hasDeadlines = () => deadlines > 0;

const before = (a, b) => a.due < b.due || (a.due === b.due && a.id < b.id);

function place(timer, at) {
  heap[at] = timer;
  timer.at = at;
}

function up(timer) {
  let at = timer.at;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(timer, heap[parent])) break;
    place(heap[parent], at);
    at = parent;
  }
  place(timer, at);
}

function down(timer) {
  let at = timer.at;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], timer)) break;
    place(heap[child], at);
    at = child;
  }
  place(timer, at);
}

function insert(timer) {
  timer.at = heap.length;
  heap.push(timer);
  up(timer);
}

function remove(timer) {
  const last = heap.pop();
  if (last !== timer) {
    last.at = timer.at;
    up(last);
    down(last);
  }
  timer.at = -1;
}

// Asks the host to wake us for the first timer; a wake-up for one that is gone is harmless and not taken back.
function arm() {
  if (heap.length === 0 || heap[0].due >= wakeAt) return;
  wakeAt = heap[0].due;
  native.timers.wake(wakeAt);
}

// --- setting and clearing -----------------------------------------------------------------------------------------------------------

function add(fn, ms, every, context, holds = context !== null) {
  const timer = new Timer(++lastId, now() + ms, fn);
  timer.every = every;
  timer.context = context;
  timer.holds = holds;
  if (holds) context.hold();
  else if (context !== null) deadlines++;
  byId.set(timer.id, timer);
  insert(timer);
  arm();
  return timer.id;
}

function forget(timer) {
  byId.delete(timer.id);
  if (timer.at >= 0) remove(timer);
  over(timer);
}

function over({ context, holds }) {
  if (holds) context.release();
  else if (context !== null) deadlines--;
}

function clear(id) {
  const timer = byId.get(Number(id));
  if (timer !== undefined) forget(timer);
}

/** The runtime's own timers: no context, pending for nobody. */
host.setTimeout = (fn, ms) => add(fn, ms, 0, null);
host.later = (fn, ms) => add(fn, ms, 0, current());
host.deadline = (fn, ms) => add(fn, ms, 0, current(), false);
host.clearTimeout = clear;
host.now = now;

// --- what is due ------------------------------------------------------------------------------------------------------------------------

/** The hook: runs one timer that is due, and asks for the next wake-up. */
export function timer() {
  wakeAt = Infinity;
  const first = heap[0];
  if (first !== undefined && first.due <= now()) fire(first);
  arm();
}

function fire(timer) {
  const { context, fn } = timer;
  remove(timer);
  if (timer.every > 0 && !context.dead) again(timer);
  else byId.delete(timer.id);
  if (context === null) return guarded(fn);
  context.deliver(() => guarded(fn));
  if (timer.every === 0) over(timer);
}

// An interval that could not keep up starts again from now.
function again(timer) {
  timer.due = Math.max(timer.due + timer.every, now());
  insert(timer);
}

function guarded(fn) {
  try {
    fn();
  } catch (error) {
    host.uncaught(error);
  }
}

// --- the global functions -----------------------------------------------------------------------------------------------------------------

function delayOf(delay) {
  const ms = Number(delay);
  return ms > 0 ? Math.min(Math.trunc(ms), DELAY_MAX) : 0;
}

function callbackOf(name, callback, args) {
  requireEvent();
  if (typeof callback !== 'function') {
    throw new TypeError(`Failed to execute '${name}' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'Function'.`);
  }
  return framed(() => callback.apply(globalThis, args));
}

export function setTimeout(callback, delay = 0, ...args) {
  return add(callbackOf('setTimeout', callback, args), delayOf(delay), 0, current());
}

export function setInterval(callback, delay = 0, ...args) {
  const ms = Math.max(delayOf(delay), 1);
  return add(callbackOf('setInterval', callback, args), ms, ms, current());
}

export function setImmediate(callback, ...args) {
  return add(callbackOf('setImmediate', callback, args), 0, 0, current());
}

export function clearTimeout(id = undefined) {
  clear(id);
}

export function clearInterval(id = undefined) {
  clear(id);
}

export function clearImmediate(id = undefined) {
  clear(id);
}
