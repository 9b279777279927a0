// node:async_hooks. A frame is a Map of what each storage holds; a run() makes a new one. Where frames go: src/api/frame.js.
import { platform } from './platform.js';

const { carryThroughPromises, currentFrame, inFrame } = platform;

class AsyncLocalStorage {
  #default;
  #name;

  constructor({ defaultValue, name = '' } = {}) {
    this.#default = defaultValue;
    this.#name = String(name);
    carryThroughPromises();
  }

  static bind(fn) {
    return AsyncResource.bind(fn);
  }

  static snapshot() {
    const frame = currentFrame();
    return (fn, ...args) => inFrame(frame, fn, undefined, args);
  }

  get name() {
    return this.#name;
  }

  getStore() {
    const frame = currentFrame();
    return frame?.has(this) ? frame.get(this) : this.#default;
  }

  run(store, fn, ...args) {
    return inFrame(new Map(currentFrame()).set(this, store), fn, undefined, args);
  }

  exit(fn, ...args) {
    return this.run(undefined, fn, ...args);
  }

  enterWith() {
    throw notImplemented('asyncLocalStorage.enterWith()');
  }

  disable() {
    throw notImplemented('asyncLocalStorage.disable()');
  }
}

function notImplemented(what) {
  return Object.assign(new Error(`${what} is not implemented, as in Workers; use asyncLocalStorage.run()`), { code: 'ERR_METHOD_NOT_IMPLEMENTED' });
}

class AsyncResource {
  #frame = currentFrame();

  constructor(type) {
    if (typeof type !== 'string') throw Object.assign(new TypeError('The "type" argument must be of type string.'), { code: 'ERR_INVALID_ARG_TYPE' });
  }

  static bind(fn, type, self) {
    return new AsyncResource(type ?? (fn.name || 'bound-anonymous-fn')).bind(fn, self);
  }

  bind(fn, self) {
    const resource = this;
    return function (...args) {
      return resource.runInAsyncScope(fn, self === undefined ? this : self, ...args);
    };
  }

  runInAsyncScope(fn, self, ...args) {
    return inFrame(this.#frame, fn, self, args);
  }

  asyncId() {
    return 0;
  }

  triggerAsyncId() {
    return 0;
  }

  emitDestroy() {
    return this;
  }
}

const hook = { enable: () => hook, disable: () => hook };

export default {
  AsyncLocalStorage,
  AsyncResource,
  asyncWrapProviders: {},
  createHook: () => hook,
  executionAsyncId: () => 0,
  executionAsyncResource: () => ({}),
  triggerAsyncId: () => 0,
};
