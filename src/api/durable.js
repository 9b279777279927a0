// Durable Objects as callers see them (namespaces and stubs), and the hooks by which the gateway's events reach them.
import { acknowledge } from './ack.js';
import { actorOf, begin, finishRestoring, restoringActor, world } from './actor.js';
import { current, post, stateless } from './context.js';
import { isId, namedId, parsedId, randomId, rowOf } from './durable_id.js';
import { internal, requireInternal } from './internal.js';
import { native } from './native.js';
import { Request } from './request.js';
import { Response, responseEnd, upgradedResponse } from './response.js';
import { passByReference, reachActor, remoteMembers, ServiceStub } from './rpc.js';
import { watchedResponse } from './durable_body.js';
import { finish, wrongArgument } from './webidl.js';
import { sockets, transfer } from './websocket.js';
import { End } from './websocket_end.js';

export { asleep, commitFailed } from './actor.js';

const NO_JURISDICTION = 'Jurisdiction restrictions are not implemented in workerd.';

// --- the application ------------------------------------------------------------------------------------------------------------

// By name: {name, key, mac, sqlite, exports, actors}. mac makes ids of the key; exports[name] is the class once the module has been
// evaluated; actors are by id.
const classes = new Map();

/**
 * The application is known: config (START), what its module will export, its env, and what ctx.exports is. Before its
 * evaluation.
 */
export function setup(config, exports, env, loops = {}) {
  const { idle_ms: idle, sync, limits, classes: rows } = config.durable ?? {};
  world.env = env;
  world.exports = loops;
  if (idle > 0) world.idleMs = idle;
  native.storage.configure(sync === 'normal', limits?.key ?? 0, limits?.value ?? 0, limits?.database ?? 0);
  for (const { name, key: given, sqlite } of rows ?? []) {
    const key = given ?? `${config.name}-${name}`;
    classes.set(name, { name, key, mac: native.durable.key(key), sqlite: sqlite !== false, exports, actors: new Map() });
  }
  reportAlarms();
}

function reportAlarms() {
  const names = new Map([...classes.values()].map((row) => [row.key, row.name]));
  for (const [key, id, name, due] of native.storage.alarms()) {
    if (names.has(key)) native.link.alarmSet(due, `${names.get(key)}/${id}`, name);
  }
}

/** env's value for a binding to the class of that name. */
export function namespace(className) {
  const row = classes.get(className);
  if (row === undefined) throw new Error(`There is no Durable Object class "${className}" in the configuration.`);
  return passByReference(new DurableObjectNamespace(internal, row));
}

// --- namespaces and stubs --------------------------------------------------------------------------------------------------------

export class DurableObjectNamespace {
  #row;

  constructor(token, row) {
    requireInternal(token);
    this.#row = row;
  }

  newUniqueId(options) {
    this.jurisdiction(options?.jurisdiction);
    return randomId(this.#row);
  }

  idFromName(name) {
    if (arguments.length === 0) throw wrongArgument('idFromName', 'DurableObjectNamespace', 1, 'string');
    return namedId(this.#row, `${name}`);
  }

  idFromString(hex) {
    if (arguments.length === 0) throw wrongArgument('idFromString', 'DurableObjectNamespace', 1, 'string');
    return parsedId(this.#row, `${hex}`);
  }

  get(id, options) {
    if (!isId(id)) throw wrongArgument('get', 'DurableObjectNamespace', 1, 'DurableObjectId');
    checkRouting(options);
    return new DurableObjectStub(internal, rowOf(id), id);
  }

  getByName(name, options) {
    if (arguments.length === 0) throw wrongArgument('getByName', 'DurableObjectNamespace', 1, 'string');
    checkRouting(options);
    return new DurableObjectStub(internal, this.#row, namedId(this.#row, `${name}`));
  }

  jurisdiction(name) {
    if (name !== undefined && name !== null) throw new Error(NO_JURISDICTION);
    return this;
  }
}

finish(DurableObjectNamespace);

function checkRouting(options) {
  const mode = options?.routingMode;
  if (mode !== undefined && mode !== 'primary-only') throw new RangeError(`unknown routingMode: ${mode}`);
}

/** What callers have of an object. Members that it does not have are remote methods and properties. */
class DurableObjectStub {
  id;
  name;
  #row;
  #id;
  #life = undefined; // the actor's (actor.js) that it first reached: once that is over, it is broken for ever

  constructor(token, row, id) {
    requireInternal(token);
    this.#row = row;
    this.#id = id;
    this.id = id;
    this.name = id.name;
  }

  // A function of its own, because methods of a stub may be detached.
  get fetch() {
    return (input, init) => begin(() => {
      const request = new Request(input, init);
      return this.#call((instance, actor) => answer(instance, actor, request));
    });
  }

  /** work(instance, actor) as an event of the object; calls arrive in order. The promise of its value, delivered to the caller. */
  #call(work) {
    const caller = current();
    return new Promise((resolve, reject) => {
      caller.hold();
      post(stateless, () => {
        caller.release();
        const actor = actorOf(this.#row, this.#id.toString(), this.#id.name);
        if (this.#life?.error === undefined) this.#life = actor.life;
        if (this.#life.error !== undefined) post(caller, () => reject(this.#life.error));
        else actor.call(caller, work, resolve, reject);
      });
    });
  }

  static {
    const members = remoteMembers((stub) => reachActor((work) => stub.#call(work)));
    // It is a ServiceStub to instanceof, which is how RPC libraries know what they can pass on.
    Object.setPrototypeOf(DurableObjectStub.prototype, Object.setPrototypeOf(members, ServiceStub.prototype));
  }
}

finish(DurableObjectStub);

async function answer(instance, actor, request) {
  if (typeof instance.fetch !== 'function') throw new Error('Handler does not export a fetch() function.');
  const response = await instance.fetch(request);
  if (!(response instanceof Response)) {
    throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
  }
  const end = responseEnd(response);
  return end === null ? watchedResponse(response, actor.root) : upgradedResponse(response, transfer(end));
}

// --- hooks: messages of the link -------------------------------------------------------------------------------------------------

const owners = new Map(); // holds whose Ends are not here (yet): [actor's key, name]

// "CLASS/ID" and the name, or "". Undefined when the class is not in this application any more.
function actorByKey(key, name) {
  const slash = key.lastIndexOf('/');
  const row = classes.get(key.slice(0, slash));
  return row && actorOf(row, key.slice(slash + 1), name === '' ? undefined : name);
}

/** Hook: hold belongs to the actor of that key; before its first event in this process. */
export function wsOwner(hold, key, name) {
  if (!sockets.has(hold)) owners.set(hold, [key, name]);
}

/** An event (`message`, `closed`, `error`, with End's arguments, the last is seq) of a hold that has no End here. */
export function orphan(hold, event, ...args) {
  const seq = args.at(-1);
  const owner = owners.get(hold);
  const actor = owner && actorByKey(...owner);
  const deliver = () => {
    const end = sockets.get(hold);
    owners.delete(hold);
    if (end === undefined) acknowledge(seq);
    else end[event](...args);
  };
  if (actor === undefined) deliver();
  else actor.linkEvent(seq, deliver, () => acknowledge(seq));
}

/** Hook: one socket of the actor that asked with token. */
export function restore(token, hold, closing, since, autoAt, name, tags, url, protocol, attachment) {
  const actor = restoringActor(token);
  if (actor === undefined || sockets.has(hold)) return;
  if (name !== '') actor.name ??= name;
  actor.add(End.restored(actor, hold, {
    closing: Boolean(closing), since, autoAt, tags, protocol, attachment: attachment.byteLength === 0 ? null : attachment,
  }));
}

/** Hook: every link has sent what it has. */
export function restored(token, request, response) {
  finishRestoring(token, request, response);
}

/** Hook: an alarm is due. */
export function alarm(seq, due, key, name) {
  const actor = actorByKey(key, name);
  if (actor === undefined) acknowledge(seq);
  else actor.alarm(seq, due);
}
