// node:events, on the npm package "events", and what Node.js added to it since.
import EventEmitter from 'events/';

const target = (emitter) => typeof emitter.addEventListener === 'function';

/** Events as an async iterator: for await (const [value] of on(emitter, 'x')). */
function on(emitter, name, { signal } = {}) {
  const arrived = [];
  const waiting = [];
  let failure;
  let over = false;

  const hear = (...args) => (waiting.length > 0 ? waiting.shift().resolve({ value: args, done: false }) : arrived.push(args));
  const fail = (error) => {
    if (waiting.length > 0) waiting.shift().reject(error);
    else failure = error;
    end();
  };
  const aborted = () => fail(signal.reason);

  function end() {
    over = true;
    signal?.removeEventListener('abort', aborted);
    if (target(emitter)) emitter.removeEventListener(name, hear);
    else emitter.removeListener(name, hear).removeListener('error', fail);
    for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  signal?.throwIfAborted();
  signal?.addEventListener('abort', aborted);
  if (target(emitter)) {
    emitter.addEventListener(name, hear);
  } else {
    emitter.on(name, hear);
    if (name !== 'error') emitter.on('error', fail);
  }

  return {
    next() {
      if (arrived.length > 0) return Promise.resolve({ value: arrived.shift(), done: false });
      if (failure !== undefined) {
        const error = failure;
        failure = undefined;
        return Promise.reject(error);
      }
      if (over) return Promise.resolve({ value: undefined, done: true });
      const wait = Promise.withResolvers();
      waiting.push(wait);
      return wait.promise;
    },
    return() {
      end();
      return Promise.resolve({ value: undefined, done: true });
    },
    throw(error) {
      fail(error);
      return this.next();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const { once: onceOf } = EventEmitter;

/** The arguments of the next event. */
async function once(emitter, name, { signal } = {}) {
  signal?.throwIfAborted();
  if (signal === undefined) return onceOf(emitter, name);
  const { promise, reject } = Promise.withResolvers();
  const aborted = () => reject(signal.reason);
  signal.addEventListener('abort', aborted);
  try {
    return await Promise.race([onceOf(emitter, name), promise]);
  } finally {
    signal.removeEventListener('abort', aborted);
  }
}

function addAbortListener(signal, listener) {
  if (signal.aborted) queueMicrotask(listener);
  else signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: () => signal.removeEventListener('abort', listener) };
}

const errorMonitor = Symbol('events.errorMonitor');
const { emit } = EventEmitter.prototype;
EventEmitter.prototype.emit = function (name, ...args) {
  if (name === 'error' && this.listenerCount(errorMonitor) > 0) emit.call(this, errorMonitor, ...args);
  return emit.call(this, name, ...args);
};

Object.assign(EventEmitter, {
  addAbortListener,
  captureRejectionSymbol: Symbol.for('nodejs.rejection'),
  captureRejections: false,
  errorMonitor,
  getEventListeners: (emitter, name) => (target(emitter) ? [] : emitter.listeners(name)),
  getMaxListeners: (emitter) => emitter.getMaxListeners?.() ?? EventEmitter.defaultMaxListeners,
  on,
  once,
  setMaxListeners: (n, ...emitters) => {
    for (const emitter of emitters) emitter.setMaxListeners?.(n);
  },
});
EventEmitter.EventEmitter = EventEmitter;

export default EventEmitter;
