// Calls of methods on Durable Objects, entrypoints and RpcTargets. Everything is in this process, but nothing is shared:
// arguments and results are copied, functions and RpcTargets become stubs that call back, errors are copies marked remote.
//
//   stub.room('a').members        RpcProperty ── called ──► RpcPromise ── .members ──► RpcProperty ── awaited ──► value
//
// A Place is where a call lands: reach(path, args) gives the promise of what is there (args null: a property). A property of a
// promise waits for it and goes on from its value, so a chain is one expression for the application.
import { begin } from './actor.js';
import { current, post } from './context.js';
import { deserialize, serialize } from './clone.js';
import { DOMException } from './domexception.js';
import { Headers } from './headers.js';
import { Request } from './request.js';
import { Response } from './response.js';
import { carryError } from './rpc_error.js';
import { ReadableStream, WritableStream } from './streams.js';
import { illegalConstructor } from './webidl.js';
import { WorkerEntrypoint } from './worker_entrypoint.js';

const SIZE_MAX = 32 * 1024 * 1024;
const RESERVED = new Set(['alarm', 'webSocketMessage', 'webSocketClose', 'webSocketError']);
const HIDDEN = new Set(['constructor', 'dup', 'fetch', 'connect']);
const PLAIN_CLASS = 'The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. In order to enable RPC, '
  + 'make sure your class extends the special class `DurableObject`, which can be imported from the module "cloudflare:workers".';

Symbol.dispose ?? Object.defineProperty(Symbol, 'dispose', { value: Symbol('Symbol.dispose') });

// --- classes that applications extend or see ------------------------------------------------------------------------------------

/** The base of Durable Objects that can be called. */
export class DurableObject {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** The base of objects that are passed by reference. */
export class RpcTarget {}

class Illegal {
  constructor() {
    throw illegalConstructor();
  }
}

export class RpcPromise extends Illegal {}
export class RpcProperty extends Illegal {}
/** What stubs of Durable Objects and services are. */
export class ServiceStub extends Illegal {}

/** new RpcStub(target): a stub of one's own. */
export class RpcStub {
  constructor(target) {
    if (typeof target !== 'function' && !(target instanceof RpcTarget)) throw new TypeError('RpcStub requires a function or an RpcTarget.');
    return stubOf(target, rootOf(current()));
  }
}

// --- what a path leads to --------------------------------------------------------------------------------------------------------

const missing = (key) => new TypeError(`The RPC receiver does not implement the method "${String(key)}".`);
const bases = new Set();

// Instances of classes that extend base can be called; base's own members are not among what they offer.
function callable(base) {
  bases.add(base.prototype);
}

callable(DurableObject);
callable(RpcTarget);
callable(WorkerEntrypoint);

function isCallable(object) {
  for (const base of bases) if (Object.prototype.isPrototypeOf.call(base, object)) return true;
  return false;
}

// A method or getter of the class; what the instance itself has is private.
function memberOfClass(object, key) {
  if (RESERVED.has(key)) throw new TypeError(`'${key}' is a reserved method and cannot be called over RPC.`);
  if (HIDDEN.has(key) || Object.hasOwn(object, key)) throw missing(key);
  for (let proto = Object.getPrototypeOf(object); proto !== null && !bases.has(proto) && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    if (Object.hasOwn(proto, key)) return Reflect.get(proto, key, object);
  }
  throw missing(key);
}

function memberOf(object, key) {
  if (isStub(object)) return object[key];
  if (isCallable(object)) return memberOfClass(object, key);
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, key)) throw missing(key);
  return object[key];
}

// The value at the end of path, from target; args null: a property.
async function follow(target, path, args) {
  let owner;
  for (const key of path) {
    owner = await target;
    target = memberOf(owner, key);
  }
  if (args === null) return target;
  if (typeof target !== 'function') throw missing(path.at(-1));
  return target.apply(owner, args);
}

// --- crossing --------------------------------------------------------------------------------------------------------------------

const byReference = [ReadableStream, WritableStream, Request, Headers];

const refuse = (name) => {
  throw new DOMException(`Could not serialize object of type "${name}". This type does not support serialization.`, 'DataCloneError');
};

/** A copy of value as the other side gets it; what is passed by reference belongs to context (a root). */
function carry(value, context) {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return checkLength(value);
  const table = [];
  const take = (item) => table.push(item) - 1;
  const bytes = serialize(value, (item) => {
    if (typeof item === 'symbol') return -1;
    if (isStub(item)) return take(item.dup());
    if (typeof item === 'function' || item instanceof RpcTarget) return take(stubOf(item, context));
    if (passed.has(item) || item instanceof ServiceStub || byReference.some((ctor) => item instanceof ctor)) return take(item);
    if (item instanceof Response) return item.webSocket === null ? take(item) : refuse('WebSocket');
    if (item instanceof Error || item instanceof DOMException) return -1;
    return refuse(item.constructor?.name ?? 'Object');
  });
  if (bytes.byteLength > SIZE_MAX) throw tooLarge(bytes.byteLength);
  const copy = deserialize(bytes, table);
  if (typeof copy === 'object' && copy !== null && !(Symbol.dispose in copy)) ownStubs(copy, table.filter(isStub));
  return copy;
}

const tooLarge = (n) => new Error(`Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${n} bytes.`);

function checkLength(value) {
  if (typeof value === 'string' && value.length > SIZE_MAX) throw tooLarge(value.length);
  return value;
}

// A result owns the stubs in it.
function ownStubs(object, stubs) {
  Object.defineProperty(object, Symbol.dispose, { value: () => stubs.forEach((stub) => stub[Symbol.dispose]()), configurable: true });
}

const passed = new WeakSet();

/** Objects of the platform that cross as they are: stubs of Durable Objects, namespaces… */
export function passByReference(object) {
  passed.add(object);
  return object;
}

// --- stubs -----------------------------------------------------------------------------------------------------------------------

const stubs = new WeakMap(); // proxies: what is behind them
const isStub = (value) => stubs.has(value);
const rootOf = (context) => context.root ?? context;

// What stubs share: when the last of them is disposed of, the target hears it.
class Shared {
  count = 0;

  constructor(target, context) {
    this.target = target;
    this.context = context;
  }

  drop() {
    if (--this.count > 0) return;
    const { target, context } = this;
    if (typeof target[Symbol.dispose] === 'function') post(context, () => target[Symbol.dispose]());
  }
}

const stubOf = (target, context) => makeStub(new Shared(target, context));

function makeStub(shared) {
  let disposed = false;
  shared.count++;
  const reach = (path, args) => {
    if (disposed) return Promise.reject(new Error('RPC stub used after being disposed.'));
    return callIn(shared.context, shared.target, path, args);
  };
  const own = {
    __proto__: null,
    dup() {
      if (disposed) throw new Error('RPC stub used after being disposed.');
      return makeStub(shared);
    },
    [Symbol.dispose]() {
      if (!disposed) shared.drop();
      disposed = true;
    },
  };
  const proxy = new Proxy(function stub() {}, {
    get: (_, key) => own[key] ?? (typeof key === 'symbol' || key === 'then' ? undefined : rpcProperty(reach, [key])),
    apply: (_, self, args) => rpcPromise(reach, [], args),
    has: (_, key) => key === Symbol.dispose,
    getPrototypeOf: () => RpcStub.prototype,
  });
  stubs.set(proxy, shared);
  return proxy;
}

// A call of something that lives in context, from the current one.
function callIn(context, target, path, args) {
  const caller = current();
  if (context.dead) return Promise.reject(new Error('The object behind this RPC stub is gone: its Durable Object was reset.'));
  return new Promise((resolve, reject) => {
    const carried = args === null ? null : args.map((arg) => carry(arg, rootOf(caller)));
    const work = async () => carry(await follow(target, path, carried), context);
    caller.hold();
    post(context, () => {
      caller.release();
      if (context.actor !== null) context.actor.call(caller, work, resolve, reject);
      else answerTo(caller, context, work, resolve, reject);
    });
  });
}

function answerTo(caller, context, work, resolve, reject) {
  const settle = (fn) => {
    context.release();
    caller.release();
    post(caller, fn);
  };
  context.hold();
  caller.hold();
  begin(work).then((value) => settle(() => resolve(value)), (error) => settle(() => reject(carryError(error))));
}

// --- what callers hold while nothing has come back ---------------------------------------------------------------------------------

/** A property somewhere: called, awaited, or gone on from. reach(path, args) → promise. */
function rpcProperty(reach, path) {
  let value;
  const result = () => (value ??= reach(path, null));
  return new Proxy(function property() {}, {
    get: (_, key) => memberOfPromise(result, key) ?? (typeof key === 'symbol' ? undefined : rpcProperty(reach, [...path, key])),
    apply: (_, self, args) => rpcPromise(reach, path, args),
    getPrototypeOf: () => RpcProperty.prototype,
  });
}

function rpcPromise(reach, path, args) {
  const promise = reach(path, args);
  const onward = (rest, more) => promise.then((value) => goOn(value, rest, more));
  return new Proxy(function promised() {}, {
    get: (_, key) => memberOfPromise(() => promise, key) ?? (typeof key === 'symbol' ? undefined : rpcProperty(onward, [key])),
    apply: (_, self, more) => rpcPromise(onward, [], more),
    getPrototypeOf: () => RpcPromise.prototype,
  });
}

function memberOfPromise(promise, key) {
  if (key === 'then' || key === 'catch' || key === 'finally') return (...args) => promise()[key](...args);
  if (key === Symbol.dispose) return () => void promise().then((value) => value?.[Symbol.dispose]?.(), () => {});
  return undefined;
}

// From a value that has come back: its own members are here, what is behind a stub is not.
async function goOn(value, path, args) {
  for (const [i, key] of path.entries()) {
    if (isStub(value)) return finishAt(value, path.slice(i), args);
    value = memberOf(value, key);
  }
  if (args === null) return value;
  if (!isStub(value)) throw missing(path.at(-1) ?? 'call');
  return value(...args);
}

function finishAt(stub, path, args) {
  const { context, target } = stubs.get(stub);
  return callIn(context, target, path, args);
}

// --- Durable Objects and entrypoints --------------------------------------------------------------------------------------------------

/** How the properties of a Durable Object's stub are reached: call(work) runs work(instance) as its event (durable.js). */
export function reachActor(call) {
  return (path, args) => {
    const caller = rootOf(current());
    const carried = args === null ? null : args.map((arg) => carry(arg, caller));
    return call((instance, actor) => {
      if (!isCallable(instance)) throw new TypeError(PLAIN_CLASS);
      return follow(instance, path, carried).then((value) => carry(value, actor.root));
    });
  };
}

/**
 * A prototype whose every member is a remote one but for `then` and symbols, which come from its own prototype, like what is found
 * before it. reachOf(object): how the members of an object are reached.
 */
export function remoteMembers(reachOf) {
  return new Proxy({}, {
    get(target, key, object) {
      if (typeof key === 'symbol' || key === 'then' || key in target) return Reflect.get(target, key, object);
      return rpcProperty(reachOf(object), [key]);
    },
  });
}

/**
 * The stub of an entrypoint of this application: fetch(input, init) is as given, other names are called on what instance()
 * makes, anew for each call, in the context of stateless events. Calling the stub itself gives what called(options) does.
 */
export function serviceStub({ fetch, instance, context, called }) {
  const reach = (path, args) => callIn(context, instance(), path, args);
  const own = { __proto__: null, fetch };
  return passByReference(new Proxy(function service() {}, {
    get: (_, key) => own[key] ?? (typeof key === 'symbol' || key === 'then' ? undefined : rpcProperty(reach, [key])),
    apply: (_, __, [options]) => called(options),
    getPrototypeOf: () => ServiceStub.prototype,
  }));
}
