// ctx: what an instance of a Durable Object is given to work with.
import { world } from './actor.js';
import { makeId } from './durable_id.js';
import { criticalSection } from './gate.js';
import { host } from './host.js';
import { internal, requireInternal } from './internal.js';
import { native } from './native.js';
import { resetBy } from './rpc_error.js';
import { DurableObjectStorage } from './storage.js';
import { finish, wrongArgument } from './webidl.js';
import { checkReturnable, endOf, WebSocketRequestResponsePair } from './websocket.js';

const SECTION_MS = 30_000;
const SOCKETS_MAX = 32_768;
const TAGS_MAX = 10;
const TAG_MAX = 256;
const AUTO_MAX = 2048;
const EVENT_TIMEOUT_MAX = 604_800_000;

const TOO_LONG = 'A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.';
const ABORTED = 'Application called abort() to reset Durable Object.';

export class DurableObjectState {
  #actor;
  #handle;
  #storage;
  #id;

  constructor(token, actor) {
    requireInternal(token);
    this.#actor = actor;
    this.#handle = actor.handle;
    this.#id = makeId(actor.row, actor.id, actor.name);
    this.props = {};
  }

  get id() {
    return this.#id;
  }

  get storage() {
    return (this.#storage ??= new DurableObjectStorage(internal, this.#actor, this.#handle));
  }

  get exports() {
    return host.flag('enable_ctx_exports') ? world.exports : undefined;
  }

  waitUntil(promise) {
    const actor = this.#actor;
    actor.root.until(Promise.resolve(promise).catch((error) => host.uncaught(error)));
  }

  blockConcurrencyWhile(callback) {
    const actor = this.#live();
    if (typeof callback !== 'function') throw wrongArgument('blockConcurrencyWhile', 'DurableObjectState', 1, 'function');
    const broken = (error) => {
      actor.break(resetBy(error));
      throw error;
    };
    return criticalSection(actor, () => callback(), {
      limit: SECTION_MS,
      expired: () => actor.break(resetBy(new Error(TOO_LONG), { overloaded: true })),
      fails: broken,
    });
  }

  abort(reason, options) {
    const actor = this.#live();
    const error = resetBy(reason instanceof Error ? reason : new Error(reason === undefined ? ABORTED : `${reason}`));
    if (options?.retryAlarm === false && actor.runningAlarm !== null) actor.runningAlarm.keep = false;
    host.uncaught(error);
    actor.break(error, true);
    throw error;
  }

  // --- hibernatable sockets

  acceptWebSocket(socket, tags) {
    const actor = this.#live();
    const end = endOf(socket);
    if (end === undefined) throw wrongArgument('acceptWebSocket', 'DurableObjectState', 1, 'WebSocket');
    const list = tags === undefined ? [] : checkTags(tags);
    if (actor.sockets.size >= SOCKETS_MAX) throw new Error(`only ${SOCKETS_MAX} websockets can be accepted on a single Durable Object instance`);
    checkHibernatable(end);
    actor.add(end);
    end.hibernate(actor, list);
  }

  getWebSockets(tag) {
    return this.#actor.webSockets(tag === undefined ? undefined : `${tag}`);
  }

  getTags(socket) {
    const end = endOf(socket);
    if (end === undefined) throw wrongArgument('getTags', 'DurableObjectState', 1, 'WebSocket');
    if (end.actor !== null) return [...end.tags];
    throw new Error(end.isAccepted
      ? 'only hibernatable websockets can have tags.'
      : "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.");
  }

  setWebSocketAutoResponse(pair) {
    const actor = this.#live();
    if (pair === undefined || pair === null) {
      actor.autoResponse = null;
      native.link.autoResponse(actor.key, null, '');
      return;
    }
    if (!(pair instanceof WebSocketRequestResponsePair)) {
      throw wrongArgument('setWebSocketAutoResponse', 'DurableObjectState', 1, 'WebSocketRequestResponsePair');
    }
    checkAuto('Request', pair.request);
    checkAuto('Response', pair.response);
    actor.autoResponse = pair;
    native.link.autoResponse(actor.key, pair.request, pair.response);
  }

  getWebSocketAutoResponse() {
    return this.#actor.autoResponse;
  }

  getWebSocketAutoResponseTimestamp(socket) {
    const end = endOf(socket);
    if (end === undefined) throw wrongArgument('getWebSocketAutoResponseTimestamp', 'DurableObjectState', 1, 'WebSocket');
    return end.autoAt === 0 ? null : new Date(end.autoAt);
  }

  setHibernatableWebSocketEventTimeout(ms) {
    const value = ms === undefined || ms === null ? 0 : Math.trunc(Number(ms)) || 0;
    if (value > EVENT_TIMEOUT_MAX) throw new Error(`Event timeout should not exceed ${EVENT_TIMEOUT_MAX} ms.`);
    this.#actor.eventTimeout = value > 0 ? value : null;
  }

  getHibernatableWebSocketEventTimeout() {
    return this.#actor.eventTimeout;
  }

  // Code of an instance that is gone may still run; it must not touch the next one.
  #live() {
    if (this.#actor.handle !== this.#handle) throw new Error('This Durable Object instance has been reset.');
    return this.#actor;
  }
}

finish(DurableObjectState);

function checkHibernatable(end) {
  if (end.isAccepted || end.actor !== null) throw new Error('Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`');
  if (end.peer === null || end.peerUsed) {
    if (end.peer !== null || end.peerUsed) {
      throw new Error('Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.');
    }
    throw new TypeError('Tried to make an api::WebSocket hibernatable when it was in an incompatible state.');
  }
  checkReturnable(end);
}

function checkTags(tags) {
  if (!Array.isArray(tags)) throw wrongArgument('acceptWebSocket', 'DurableObjectState', 2, 'Array');
  const list = [];
  for (const [i, tag] of tags.entries()) {
    const name = `${tag}`;
    if (i >= TAGS_MAX) throw new Error(`a Hibernatable WebSocket cannot have more than ${TAGS_MAX} tags`);
    if (native.websocket.bytes(name) > TAG_MAX) throw new Error(`"${name}" is longer than the max tag length (${TAG_MAX} characters).`);
    if (!list.includes(name)) list.push(name);
  }
  return list;
}

function checkAuto(what, text) {
  const n = native.websocket.bytes(text);
  if (n > AUTO_MAX) throw new RangeError(`${what} cannot be larger than ${AUTO_MAX} bytes. A ${what.toLowerCase()} of size ${n} was provided.`);
}
