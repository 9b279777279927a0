// Events without a tree (DOM 2): every target is its own whole path.
//
// A target keeps its listeners in one list, which is never changed but replaced: a dispatch goes over the list it found, and a
// socket with two listeners costs little. A handler property (`target.onmessage = f`)
// is looked up on the object when an event is dispatched, so that subclasses need no accessors.
import { DOMException } from './domexception.js';
import { host } from './host.js';
import { constants, dictionary, finish, toInteger, wrongArgument, wrongConstructorArgument } from './webidl.js';

const DISPATCHING = 1;
const STOP = 2;
const STOP_NOW = 4;
const CANCELED = 8;
const PASSIVE = 16;
const TRUSTED = 32;
const BUBBLES = 64;
const CANCELABLE = 128;
const COMPOSED = 256;

let flagsOf;
let setFlags;
let setTarget;

export class Event {
  #type;
  #flags = 0;
  #target = null;
  #time = host.now();

  constructor(type, init) {
    if (arguments.length === 0) throw wrongConstructorArgument('Event', 1, 'string');
    this.#type = typeof type === 'string' ? type : String(type);
    if (init === undefined || init === null) return;
    if (typeof init !== 'object' && typeof init !== 'function') throw wrongConstructorArgument('Event', 2, 'EventInit');
    this.#flags = (init.bubbles ? BUBBLES : 0) | (init.cancelable ? CANCELABLE : 0) | (init.composed ? COMPOSED : 0);
  }

  static {
    flagsOf = (event) => event.#flags;
    setFlags = (event, flags) => {
      event.#flags = flags;
    };
    setTarget = (event, target) => {
      event.#target = target;
    };
  }

  get type() {
    return this.#type;
  }

  get target() {
    return this.#target;
  }

  get srcElement() {
    return this.#target;
  }

  get currentTarget() {
    return this.#flags & DISPATCHING ? this.#target : null;
  }

  get eventPhase() {
    return this.#flags & DISPATCHING ? 2 : 0;
  }

  get bubbles() {
    return (this.#flags & BUBBLES) !== 0;
  }

  get cancelable() {
    return (this.#flags & CANCELABLE) !== 0;
  }

  get composed() {
    return (this.#flags & COMPOSED) !== 0;
  }

  get defaultPrevented() {
    return (this.#flags & CANCELED) !== 0;
  }

  get returnValue() {
    return (this.#flags & CANCELED) === 0;
  }

  set returnValue(value) {
    if (!value) this.preventDefault();
  }

  get cancelBubble() {
    return (this.#flags & STOP) !== 0;
  }

  set cancelBubble(value) {
    if (value) this.#flags |= STOP;
  }

  get isTrusted() {
    return (this.#flags & TRUSTED) !== 0;
  }

  get timeStamp() {
    return this.#time;
  }

  composedPath() {
    return this.#flags & DISPATCHING ? [this.#target] : [];
  }

  stopPropagation() {
    this.#flags |= STOP;
  }

  stopImmediatePropagation() {
    this.#flags |= STOP | STOP_NOW;
  }

  preventDefault() {
    if ((this.#flags & (CANCELABLE | PASSIVE)) === CANCELABLE) this.#flags |= CANCELED;
  }
}

finish(Event);
constants(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

/** Marks an event as made by the runtime, and returns it. */
export function trusted(event) {
  setFlags(event, flagsOf(event) | TRUSTED);
  return event;
}

export class CustomEvent extends Event {
  #detail;

  constructor(type, init) {
    super(type, init);
    const detail = init?.detail;
    this.#detail = detail === undefined ? null : detail;
  }

  get detail() {
    return this.#detail;
  }
}

export class MessageEvent extends Event {
  #data = null;
  #origin = '';
  #lastEventId = '';
  #source = null;
  #ports = [];

  constructor(type, init) {
    super(type, init);
    if (init === undefined || init === null) return;
    if (init.data !== undefined) this.#data = init.data;
    if (init.origin !== undefined) this.#origin = init.origin === null ? null : String(init.origin);
    if (init.lastEventId !== undefined) this.#lastEventId = String(init.lastEventId);
    if (init.source !== undefined) this.#source = init.source;
    if (init.ports !== undefined) this.#ports = [...init.ports];
  }

  get data() {
    return this.#data;
  }

  get origin() {
    return this.#origin;
  }

  get lastEventId() {
    return this.#lastEventId;
  }

  get source() {
    return this.#source;
  }

  get ports() {
    return this.#ports;
  }
}

export class CloseEvent extends Event {
  #code;
  #reason;
  #wasClean;

  constructor(type, init) {
    super(type, init);
    this.#code = toInteger(init?.code ?? 0) & 0xffff;
    this.#reason = String(init?.reason ?? '');
    this.#wasClean = Boolean(init?.wasClean);
  }

  get code() {
    return this.#code;
  }

  get reason() {
    return this.#reason;
  }

  get wasClean() {
    return this.#wasClean;
  }
}

export class ErrorEvent extends Event {
  #message;
  #filename;
  #lineno;
  #colno;
  #error;

  constructor(type, init) {
    super(type, init);
    this.#message = String(init?.message ?? '');
    this.#filename = String(init?.filename ?? '');
    this.#lineno = toInteger(init?.lineno ?? 0);
    this.#colno = toInteger(init?.colno ?? 0);
    this.#error = init?.error;
  }

  get message() {
    return this.#message;
  }

  get filename() {
    return this.#filename;
  }

  get lineno() {
    return this.#lineno;
  }

  get colno() {
    return this.#colno;
  }

  get error() {
    return this.#error;
  }
}

export class PromiseRejectionEvent extends Event {
  #promise;
  #reason;

  constructor(type, init) {
    super(type, init);
    if (init === undefined || init === null || init.promise === undefined) {
      throw wrongConstructorArgument('PromiseRejectionEvent', 2, 'PromiseRejectionEventInit');
    }
    this.#promise = init.promise;
    this.#reason = init.reason;
  }

  get promise() {
    return this.#promise;
  }

  get reason() {
    return this.#reason;
  }
}

let setExtend;

export class ExtendableEvent extends Event {
  #extend;

  static {
    setExtend = (event, extend) => {
      event.#extend = extend;
    };
  }

  waitUntil(promise) {
    if (!this.isTrusted) throw new DOMException('waitUntil() can only be called on trusted event.', 'InvalidStateError');
    this.#extend(Promise.resolve(promise));
  }
}

/** A trusted ExtendableEvent (or subclass) whose waitUntil hands its promise to extend(promise). */
export function extendable(event, extend) {
  setExtend(event, extend);
  return trusted(event);
}

let answerOf;
let makeFetchEvent;

export class FetchEvent extends ExtendableEvent {
  #request;
  #passThrough = undefined;
  #answer = undefined;

  constructor(type, init) {
    super(type, init);
    if (init === undefined || init === null || init.request === undefined) {
      throw wrongConstructorArgument('FetchEvent', 2, 'FetchEventInit');
    }
    this.#request = init.request;
  }

  static {
    answerOf = (event) => event.#answer;
    makeFetchEvent = (request, passThrough) => {
      const event = new FetchEvent('fetch', { request, cancelable: true });
      event.#passThrough = passThrough;
      return event;
    };
  }

  get request() {
    return this.#request;
  }

  get actorState() {
    return null;
  }

  respondWith(response) {
    if (this.#answer !== undefined) {
      throw new DOMException('FetchEvent.respondWith() has already been called; it can only be called once.', 'InvalidStateError');
    }
    if (this.currentTarget === null) {
      throw new DOMException(
        'Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.', 'InvalidStateError');
    }
    if (typeof response !== 'object' || response === null) throw wrongArgument('respondWith', 'FetchEvent', 1, 'Promise');
    this.#answer = Promise.resolve(response);
    this.stopImmediatePropagation();
  }

  passThroughOnException() {
    this.#passThrough?.();
  }
}

/**
 * The `fetch` event of a service-worker application. extend(promise) receives waitUntil's promises, passThrough() is called by
 * passThroughOnException.
 */
export function fetchEvent(request, extend, passThrough) {
  return extendable(makeFetchEvent(request, passThrough), extend);
}

/** The promise given to respondWith, or undefined. */
export function fetchEventAnswer(event) {
  return answerOf(event);
}

for (const ctor of [CustomEvent, MessageEvent, CloseEvent, ErrorEvent, PromiseRejectionEvent, ExtendableEvent, FetchEvent]) finish(ctor);

let deliver;
let hasListeners;
const none = [];

export class EventTarget {
  #listeners = none; // of all types, in order
  #warned = false;

  static {
    hasListeners = (target, type) => {
      for (const listener of target.#listeners) if (listener.type === type) return true;
      return false;
    };

    deliver = (target, event) => {
      const flags = flagsOf(event);
      if (flags & DISPATCHING) throw new DOMException('The event is already being dispatched.', 'InvalidStateError');
      setTarget(event, target);
      setFlags(event, (flags | DISPATCHING) & ~(STOP | STOP_NOW));
      let failure;
      try {
        failure = target.#run(event);
      } finally {
        setFlags(event, flagsOf(event) & ~(DISPATCHING | STOP | STOP_NOW));
      }
      return failure;
    };
  }

  /** Runs the handler property, then a snapshot of the listeners. Returns { error } of the first that threw. */
  #run(event) {
    const type = event.type;
    const handler = this[handlerName(type)];
    let failure;
    if (typeof handler === 'function') failure = this.#call(handler, event);
    for (const listener of this.#listeners) {
      if (listener.type !== type) continue;
      if (flagsOf(event) & STOP_NOW) break;
      if (failure !== undefined && !host.flag('spec_compliant_dispatch_exceptions')) break;
      if (listener.removed) continue;
      if (listener.once) this.#drop(listener);
      const failed = this.#call(listener.callback, event);
      failure ??= failed;
    }
    return failure;
  }

  #call(callback, event) {
    try {
      let value;
      if (typeof callback === 'function') value = callback.call(host.flag('set_event_target_this') ? this : undefined, event);
      else value = callback.handleEvent(event);
      if (value !== undefined) this.#warnOfValue(value);
      return undefined;
    } catch (error) {
      if (host.flag('spec_compliant_dispatch_exceptions')) host.uncaught(error);
      return { error };
    }
  }

  #warnOfValue(value) {
    if (this.#warned) return;
    this.#warned = true;
    host.warn(
      typeof value?.then === 'function'
        ? 'An event handler returned a promise that will be ignored. Event handlers should not have a return value and should not be async functions.'
        : `An event handler returned a value of type "${typeof value}" that will be ignored. Event handlers should not have a return value.`,
    );
  }

  #drop(listener) {
    listener.removed = true;
    listener.undo?.();
    this.#listeners = this.#listeners.filter((one) => one !== listener);
  }

  #find(type, callback) {
    for (const listener of this.#listeners) if (listener.type === type && listener.callback === callback) return listener;
    return undefined;
  }

  addEventListener(type, callback, options) {
    if (arguments.length < 2) throw wrongArgument('addEventListener', 'EventTarget', arguments.length + 1, arguments.length === 0 ? 'string' : 'function or HandlerObject');
    type = `${type}`;
    const { once, signal } = listenerOptions('addEventListener', options);
    if (callback === null || callback === undefined) return;
    if (typeof callback !== 'function' && typeof callback !== 'object') {
      throw wrongArgument('addEventListener', 'EventTarget', 2, 'function or HandlerObject');
    }
    if (signal?.aborted) return;
    if (this.#find(type, callback) !== undefined) return;
    const listener = { type, callback, once, removed: false, undo: undefined };
    this.#listeners = [...this.#listeners, listener];
    if (signal !== undefined) listener.undo = onAbort(signal, () => !listener.removed && this.#drop(listener));
  }

  removeEventListener(type, callback, options) {
    listenerOptions('removeEventListener', options);
    type = `${type}`;
    const listener = this.#find(type, callback);
    if (listener !== undefined) this.#drop(listener);
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw wrongArgument('dispatchEvent', 'EventTarget', 1, 'Event');
    setFlags(event, flagsOf(event) & ~TRUSTED);
    const failure = deliver(this, event);
    if (failure !== undefined && !host.flag('spec_compliant_dispatch_exceptions')) throw failure.error;
    return !event.defaultPrevented;
  }
}

finish(EventTarget);

/**
 * Runs the handler property and the listeners of target for an event made by the runtime. Returns undefined, or { error } for
 * the first listener that threw; with spec_compliant_dispatch_exceptions each such error has also been reported.
 */
export function dispatch(target, event) {
  return deliver(target, event);
}

/** Whether an event of this type would be heard. */
export function isHeard(target, type) {
  return hasListeners(target, type) || typeof target[handlerName(type)] === 'function';
}

const handlerNames = new Map();

function handlerName(type) {
  let name = handlerNames.get(type);
  if (name === undefined) {
    name = `on${type}`;
    if (handlerNames.size < 256) handlerNames.set(type, name);
  }
  return name;
}

const plain = { once: false, signal: undefined };

function listenerOptions(method, options) {
  if (options === undefined || options === null || options === false) return plain;
  if (typeof options === 'boolean') throw new TypeError(`${method}(): useCapture must be false.`);
  const { capture, once, signal } = dictionary(options, method, 'EventTarget', 3);
  if (capture) throw new TypeError(`${method}(): options.capture must be false.`);
  if (signal !== undefined && !isSignal(signal)) throw wrongArgument(method, 'EventTarget', 3, 'AddEventListenerOptions');
  return { once: Boolean(once), signal };
}

// AbortSignal extends EventTarget, so abort.js gives these two back to this file.
let onAbort;
let isSignal;

export function abortDoor(functions) {
  ({ onAbort, isSignal } = functions);
}
