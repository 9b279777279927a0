// The small globals: queueMicrotask, reportError, performance, navigator, scheduler.
import { isAbortSignal, onAbort } from './abort.js';
import { EventTarget } from './events.js';
import { fetch } from './fetch.js';
import { framed } from './frame.js';
import { host } from './host.js';
import { global as globals } from './native.js';
import { finish, illegalConstructor, wrongArgument } from './webidl.js';

const inside = Symbol();
const resolved = Promise.resolve();
const then = Function.prototype.call.bind(Promise.prototype.then);

export function queueMicrotask(callback) {
  if (typeof callback !== 'function') throw wrongArgument('queueMicrotask', 'ServiceWorkerGlobalScope', 1, 'function');
  then(resolved, framed(() => {
    try {
      callback();
    } catch (error) {
      host.uncaught(error);
    }
  }));
}

export function reportError(error) {
  if (arguments.length === 0) throw wrongArgument('reportError', 'ServiceWorkerGlobalScope', 1, 'any');
  host.uncaught(error);
}

export class Performance extends EventTarget {
  constructor(key) {
    if (key !== inside) throw illegalConstructor();
    super();
  }

  get timeOrigin() {
    return 0;
  }

  now() {
    return host.now();
  }

  toJSON() {
    return { timeOrigin: 0 };
  }
}

export class Navigator {
  constructor(key) {
    if (key !== inside) throw illegalConstructor();
  }

  get userAgent() {
    return 'Cloudflare-Workers';
  }

  get hardwareConcurrency() {
    return 1;
  }

  get platform() {
    return '';
  }

  get language() {
    return 'en';
  }

  get languages() {
    return ['en'];
  }

  /** Posts body and forgets about it. */
  sendBeacon(url, body = undefined) {
    if (arguments.length === 0) throw wrongArgument('sendBeacon', 'Navigator', 1, 'string');
    fetch(url, { method: 'POST', body }).catch((error) => host.warn(`sendBeacon: ${error?.message}`));
    return true;
  }
}

class Scheduler {
  constructor(key) {
    if (key !== inside) throw illegalConstructor();
  }

  /** A promise that is fulfilled after ms milliseconds, or rejected when the signal aborts. */
  wait(ms, options = undefined) {
    const signal = options?.signal;
    if (signal !== undefined && !isAbortSignal(signal)) throw wrongArgument('wait', 'Scheduler', 2, 'WaitOptions');
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let undo;
      const timer = host.later(() => {
        undo?.();
        resolve();
      }, Number(ms));
      if (signal !== undefined) {
        undo = onAbort(signal, () => {
          host.clearTimeout(timer);
          reject(signal.reason);
        });
      }
    });
  }
}

/** Named so that who needs it learns what is the matter. */
export class HTMLRewriter {
  constructor() {
    throw new Error('HTMLRewriter is not supported by Holdfast; a parser from npm, such as htmlparser2 or parse5, can take its place');
  }
}

for (const ctor of [Performance, Navigator, Scheduler, HTMLRewriter]) finish(ctor);

/** What the global object is an instance of, as far as `instanceof` can tell. */
class GlobalScope {
  static [Symbol.hasInstance](value) {
    return value === globals;
  }

  constructor() {
    throw illegalConstructor();
  }
}

export class WorkerGlobalScope extends GlobalScope {}
export class ServiceWorkerGlobalScope extends WorkerGlobalScope {}

for (const ctor of [WorkerGlobalScope, ServiceWorkerGlobalScope]) finish(ctor);

export const performance = new Performance(inside);
export const navigator = new Navigator(inside);
export const scheduler = new Scheduler(inside);
