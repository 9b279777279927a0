// A gateway in memory, for tests of sockets and Durable Objects: native.link writes here, and what it has to say comes as the
// hooks' calls, a turn each, as the host makes them.
import { settle, stateless, run } from '../../src/api/context.js';
import * as durable from '../../src/api/durable.js';
import { host } from '../../src/api/host.js';
import { native } from '../../src/api/native.js';
import { Request } from '../../src/api/request.js';
import { Response } from '../../src/api/response.js';
import * as websocket from '../../src/api/websocket.js';
import { flagsOff, suite, test as plainTest } from './lib.js';

const { checkReturnable, couple, endOf, flush, outgoing, sockets, WebSocket, WebSocketPair, WebSocketRequestResponsePair } = websocket;
Object.assign(globalThis, { WebSocket, WebSocketPair, WebSocketRequestResponsePair });

const OLD = ['websocket_standard_binary_type', 'web_socket_auto_reply_to_close', 'websocket_close_reason_byte_limit', 'spec_compliant_dispatch_exceptions',
  'delete_all_deletes_alarm', 'enhanced_error_serialization'];

/** A test with the flags of a new compatibility date; old(…) one with those before 2026-02. */
export const test = (name, fn) => plainTest(name, () => {
  flagsOff.add('pedantic_wpt');
  return fn();
});

export const oldTest = (name, fn) => test(`${name} (old flags)`, () => {
  for (const flag of OLD) flagsOff.add(flag);
  return fn();
});

// --- turns -----------------------------------------------------------------------------------------------------------------------

const turns = [];
const opened = new Set();
const { open, close } = native.storage;

/** fn() in a turn of its own, as an event from the link. The promise of its value. */
export const turn = (fn) => new Promise((resolve, reject) => {
  turns.push(() => run(stateless, () => {
    try {
      resolve(fn());
    } catch (error) {
      reject(error);
    }
  }));
});

native.storage = {
  ...native.storage,
  open(...args) {
    const handle = open(...args);
    opened.add(handle);
    return handle;
  },
  close(handle) {
    opened.delete(handle);
    gateway.drop(handle); // only an object with uncommitted writes has any
    close(handle);
  },
};

/** When set, the host's commits fail with this text. */
export const faults = { commit: undefined };

function commitAll() {
  for (const handle of [...opened]) {
    if (faults.commit !== undefined && gateway.as.has(handle)) {
      gateway.drop(handle);
      durable.commitFailed(handle, faults.commit);
    } else {
      native.storage.commit(handle);
    }
  }
  gateway.deliver();
}

const { step } = suite;
suite.step = () => {
  const report = step();
  if (settle() === true) return report;
  commitAll();
  turns.shift()?.();
  return report;
};

// --- clients ---------------------------------------------------------------------------------------------------------------------

/** A WebSocket client of the gateway. */
export class Client {
  received = [];
  closed = undefined; // [code, reason], or 'lost'
  accepted = undefined; // what WS_ACCEPT said
  attachment = null;
  joined = undefined;
  auto = 0;
  answersClose = true;

  constructor(hold) {
    this.hold = hold;
  }

  // What the gateway hears from the worker.
  hear(data) {
    this.received.push(typeof data === 'string' ? data : new Uint8Array(data.slice(0)));
  }

  hearClose(code, reason) {
    this.closed = [code === 0 ? 1005 : code, reason];
    if (this.answersClose && !this.saidClose) this.close(this.closed[0], reason);
  }

  // What the client does.
  send(data) {
    const { autos } = gateway;
    if (typeof data === 'string' && this.accepted?.hibernate && autos.get(this.accepted.actor)?.[0] === data) {
      this.auto = Date.now();
      this.received.push(autos.get(this.accepted.actor)[1]);
      return turn(() => sockets.get(this.hold)?.auto(this.auto));
    }
    return this.event('message', data);
  }

  close(code = 1005, reason = '') {
    this.saidClose = true;
    if (this.accepted?.halfOpen === false && this.closed === undefined) this.closed = [code, reason];
    return this.event('closed', code, true, reason);
  }

  vanish() {
    return this.event('closed', 1006, false, '');
  }

  breakProtocol(code, text) {
    this.closed = [code, text];
    return this.event('error', code, text);
  }

  event(name, ...args) {
    const seq = ++gateway.seq;
    gateway.unacknowledged.add(seq);
    return turn(() => {
      const end = sockets.get(this.hold);
      if (end !== undefined) return end[name](...args, seq);
      if (this.accepted?.hibernate) durable.wsOwner(this.hold, this.accepted.actor, this.accepted.name);
      durable.orphan(this.hold, name, ...args, seq);
    });
  }
}

// --- the link ----------------------------------------------------------------------------------------------------------------------

export const gateway = {
  seq: 0,
  holds: 0,
  clients: new Map(),
  autos: new Map(), // by actor: [request, response]
  alarms: new Map(), // by actor: ms
  states: [], // ACTOR_STATE: [sleeping, sockets, actor]
  events: [], // whose work a later turn was
  batches: 0, // WS_SEND frames
  servers: new Map(), // what fetch(Upgrade) reaches: url → function(call) → answer
  as: new Map(), // frames that wait for an actor's commit
  handle: 0,

  get unacknowledged() {
    takeAcks();
    return unacknowledged;
  },

  write(fn) {
    if (this.handle === 0) {
      fn();
      return;
    }
    if (!this.as.has(this.handle)) this.as.set(this.handle, []);
    this.as.get(this.handle).push(fn);
  },

  drop(handle) {
    this.as.delete(handle);
  },

  deliver() {
    for (const frames of this.as.values()) for (const fn of frames) fn();
    this.as.clear();
  },

  /** Connects a client that asks fetch(request) for a WebSocket: the Client, or the other Response. */
  async connect(fetch, url = 'http://t/', headers = {}) {
    const response = await turn(() => fetch(new Request(url, { headers: { Upgrade: 'websocket', ...headers } })));
    if (response.webSocket === null) return response;
    const client = new Client(++this.holds);
    await turn(() => {
      checkReturnable(endOf(response.webSocket));
      flush();
      this.clients.set(client.hold, client);
      couple(endOf(response.webSocket), client.hold);
    });
    return client;
  },

  /** A hibernatable client from before this process: accepted = {actor, name, tags, since…}. */
  restored(accepted) {
    const client = new Client(++this.holds);
    client.accepted = { hibernate: true, halfOpen: true, name: '', tags: [], ...accepted };
    client.attachment = accepted.attachment ?? null;
    this.clients.set(client.hold, client);
    return client;
  },
};

const unacknowledged = new Set();

function takeAcks() {
  const n = native.acks[0];
  native.acks[0] = 0;
  for (const seq of native.acks.slice(1, n + 1)) if (!unacknowledged.delete(seq)) throw new Error(`event ${seq} acknowledged twice`);
}

native.link = {
  as(handle) {
    gateway.handle = handle;
  },
  event(seq) {
    gateway.events.push(seq);
  },
  acked() {
    takeAcks();
  },
  wsAccept(hold, hibernate, halfOpen, actor, name, tags) {
    gateway.write(() => Object.assign(gateway.clients.get(hold), { accepted: { hibernate, halfOpen, actor, name, tags, since: ++gateway.seq } }));
  },
  wsSend(data, n) {
    const list = [...native.holds.subarray(0, n)];
    native.holds.fill(0, 0, n);
    gateway.batches++;
    const copy = typeof data === 'string' ? data : data.slice(0);
    gateway.write(() => list.forEach((hold) => gateway.clients.get(hold).hear(copy)));
  },
  wsClose(hold, code, reason) {
    gateway.write(() => gateway.clients.get(hold).hearClose(code, reason));
  },
  wsTerminate(hold) {
    gateway.write(() => Object.assign(gateway.clients.get(hold), { closed: 'lost' }));
  },
  wsAttach(hold, bytes) {
    gateway.write(() => Object.assign(gateway.clients.get(hold), { attachment: bytes.slice() }));
  },
  wsJoin(hold, other) {
    gateway.clients.get(hold).joined = other;
  },
  autoResponse(actor, request, response) {
    if (request === null) gateway.autos.delete(actor);
    else gateway.autos.set(actor, [request, response]);
  },
  restoreWant(token, actor) {
    turn(() => {
      for (const { hold, accepted, closed, auto, attachment } of gateway.clients.values()) {
        if (!accepted?.hibernate || accepted.actor !== actor || closed === 'lost') continue;
        durable.restore(token, hold, closed !== undefined, accepted.since, auto, accepted.name, accepted.tags, '', '', attachment ?? new Uint8Array(0));
      }
      const pair = gateway.autos.get(actor) ?? [null, ''];
      durable.restored(token, ...pair);
    });
  },
  actorState(sleeping, count, actor) {
    gateway.states.push([sleeping, count, actor]);
  },
  alarmSet(ms, actor, name) {
    gateway.write(() => (ms === 0 ? gateway.alarms.delete(actor) : gateway.alarms.set(actor, [ms, name])));
  },
};

/** Runs alarms that are due. */
export function ringAlarms() {
  for (const [actor, [ms, name]] of gateway.alarms) {
    if (ms > Date.now()) continue;
    const seq = ++gateway.seq;
    gateway.alarms.delete(actor);
    gateway.unacknowledged.add(seq);
    turn(() => durable.alarm(seq, ms, actor, name));
  }
}

host.fetch = async (call) => {
  const server = gateway.servers.get(call.url);
  if (server === undefined) throw new Error('Network connection lost.');
  const answer = await server(call);
  if (answer.hold === undefined) return { status: 200, reason: 'OK', head: '', body: null, end: null, url: call.url, ...answer };
  return { status: 101, reason: '', body: null, url: call.url, end: outgoing(answer.hold), head: answer.head ?? '' };
};

/** A server that accepts WebSockets at url: the promise of its Client end. */
export function webSocketServer(url, head = '') {
  const client = new Client(++gateway.holds);
  gateway.clients.set(client.hold, client);
  gateway.servers.set(url, (call) => {
    client.call = call;
    return { hold: client.hold, head };
  });
  return client;
}

export { Request, Response };

/** Waits until check() holds. */
export async function until(check, ms = 3000) {
  const end = Date.now() + ms;
  while (!check()) {
    if (Date.now() > end) throw new Error(`never true: ${check}`);
    await turn(() => {});
  }
}

/** Waits until everything that was posted has run. */
export async function settled(rounds = 5) {
  for (let i = 0; i < rounds; i++) await turn(() => {});
}
