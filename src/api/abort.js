// AbortController and AbortSignal (DOM 3).
import { DOMException } from './domexception.js';
import { abortDoor, dispatch, Event, EventTarget, trusted } from './events.js';
import { host } from './host.js';
import { finish, illegalConstructor, wrongArgument } from './webidl.js';

const inside = Symbol();

let abortSignal;
let observe;
let brand;
let follow;
let settle;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #observers = null; // functions, called before the event
  #sources = null; // of a signal made by any()

  constructor(key) {
    if (key !== inside) throw illegalConstructor();
    super();
  }

  static {
    brand = (value) => typeof value === 'object' && value !== null && #aborted in value;

    settle = (signal, reason) => {
      signal.#aborted = true;
      signal.#reason = reason;
    };

    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      settle(signal, reason === undefined ? new DOMException('The operation was aborted', 'AbortError') : reason);
      const observers = signal.#observers;
      signal.#observers = null;
      if (observers !== null) for (const observer of observers) observer();
      dispatch(signal, trusted(new Event('abort')));
    };

    observe = (signal, observer) => {
      (signal.#observers ??= new Set()).add(observer);
      return () => signal.#observers?.delete(observer);
    };

    // A dependent signal follows the signals that its sources follow, so chains stay flat.
    follow = (signal, sources) => {
      signal.#sources = new Set();
      for (const source of sources) for (const origin of source.#sources ?? [source]) signal.#sources.add(origin);
      const undo = [];
      for (const origin of signal.#sources) {
        undo.push(observe(origin, () => {
          for (const drop of undo) drop();
          abortSignal(signal, origin.#reason);
        }));
      }
    };
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(inside);
    settle(signal, reason === undefined ? new DOMException('The operation was aborted', 'AbortError') : reason);
    return signal;
  }

  static timeout(ms) {
    const delay = Number(ms);
    if (!(delay >= 0 && delay <= Number.MAX_SAFE_INTEGER)) throw wrongArgument('timeout', 'AbortSignal', 1, 'integer');
    const signal = new AbortSignal(inside);
    host.deadline(() => abortSignal(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), Math.trunc(delay));
    return signal;
  }

  static any(signals) {
    const sources = [...signals];
    const wrong = sources.findIndex((source) => !brand(source));
    if (wrong !== -1) throw new TypeError(`Incorrect type for array element ${wrong}: the provided value is not of type 'AbortSignal'.`);
    const signal = new AbortSignal(inside);
    const aborted = sources.find((source) => source.#aborted);
    if (aborted !== undefined) settle(signal, aborted.#reason);
    else follow(signal, sources);
    return signal;
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }
}

finish(AbortSignal);
Object.defineProperty(AbortSignal.prototype, 'onabort', { value: null, writable: true, enumerable: true, configurable: true });

export class AbortController {
  #signal = new AbortSignal(inside);

  get signal() {
    return this.#signal;
  }

  abort(reason = undefined) {
    abortSignal(this.#signal, reason);
  }
}

finish(AbortController);

export function isAbortSignal(value) {
  return brand(value);
}

/** A signal that only the runtime aborts, with abortNow(signal, reason). */
export function newSignal() {
  return new AbortSignal(inside);
}

export function abortNow(signal, reason) {
  abortSignal(signal, reason);
}

/** Calls fn once when signal aborts, before its listeners. Returns a function that takes it back. */
export function onAbort(signal, fn) {
  return observe(signal, fn);
}

abortDoor({ onAbort, isSignal: isAbortSignal });
