// WebSockets as the platform shapes them: pairs, sockets of clients, sockets to servers (RFC 6455 itself is the gateway's).
//
// A WebSocket is a thin face of an End. An End talks to one of two things: its peer, the other End of a pair within this
// process, or a hold, a connection that the gateway has. When one end of a pair is returned in a Response, the other end
// gets the client's hold and the peer is out of the picture:
//
//      worker code ── End ◄─────► End ── returned in a Response          worker code ── End ◄── link ──► hold ── client
//                     peer        peer
//
//   CONNECTING ──► ACCEPTED            new WebSocket(), until the server answered
//   PAIR ──accept()──► ACCEPTED        events go to listeners
//   PAIR ──acceptWebSocket()──► HIBERNATABLE    events go to the Durable Object's handlers
//   PAIR ──returned in a Response──► RELEASED
import { AbortController } from './abort.js';
import { Blob } from './blob.js';
import { deserialize, serialize } from './clone.js';
import { current, phases, post, requireEvent, stateless } from './context.js';
import { DOMException } from './domexception.js';
import { CloseEvent, dispatch, ErrorEvent, Event, EventTarget, isHeard, MessageEvent, trusted } from './events.js';
import { host } from './host.js';
import { internal } from './internal.js';
import { native } from './native.js';
import { socketDoor } from './response.js';
import { URL } from './url.js';
import { bytesOf, constants, finish, toLong, wrongArgument, wrongConstructorArgument } from './webidl.js';

const CONNECTING = 0;
const PAIR = 1;
const ACCEPTED = 2;
const HIBERNATABLE = 3;
const RELEASED = 4;

const ATTACHMENT_MAX = 16384;
const REASON_MAX = 123; // RFC 6455 5.5: a control frame carries 125 bytes, two are the code
const LOST = 'WebSocket disconnected without sending Close frame.';
const NOT_ACCEPTED = 'You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.';

/** Ends by the gateway's hold: where the link's events go. */
export const sockets = new Map();

// --- sends, gathered ------------------------------------------------------------------------------------------------------------
//
// The same message to many holds crosses the link once. It leaves when another message comes, before any other frame to a
// hold, and at the end of the batch. Bytes are copied at the first send; the same object sent again joins when its
// bytes are still the same.

const HOLDS = 4096;
const holds = new Float64Array(HOLDS);
let count = 0;
let gathered; // a string, or the copy of bytes
let source; // what was given
let gate = 0; // the actor whose commit it waits for

function gather(end, data) {
  const owner = end.gate;
  if (count === 0 || count === HOLDS || owner !== gate || !isGathered(data)) startGathering(data, owner);
  holds[count++] = end.hold;
}

const isGathered = (data) => data === source && (typeof data === 'string' || native.websocket.same(data, gathered));

function startGathering(data, owner) {
  flush();
  source = data;
  gathered = typeof data === 'string' ? data : copyOf(data);
  gate = owner;
}

/** Writes what was gathered. Before any frame that names a hold. */
export function flush() {
  if (count === 0) return;
  const n = count;
  const data = gathered;
  count = 0;
  source = gathered = undefined;
  if (gate === 0) {
    native.link.wsSend(data, holds, n);
  } else {
    native.link.as(gate);
    native.link.wsSend(data, holds, n);
    native.link.as(0);
  }
}

phases.flush = flush;

// A frame to end's hold, behind what was gathered and under its owner's output gate.
function frame(end, write) {
  flush();
  const owner = end.gate;
  if (owner !== 0) native.link.as(owner);
  write(end.hold);
  if (owner !== 0) native.link.as(0);
}

function copyOf(data) {
  const bytes = bytesOf(data);
  return bytes.slice().buffer;
}

// --- what travels in a pair, or waits for accept() -----------------------------------------------------------------------------

class Message {
  constructor(data, seq) {
    this.data = data;
    this.seq = seq;
  }

  arrive(end) {
    end.heard(this.data, this.seq);
  }

  forward(end) {
    gather(end, this.data);
  }
}

class Closing {
  constructor(code, reason, clean, seq) {
    this.code = code;
    this.reason = reason;
    this.clean = clean;
    this.seq = seq;
  }

  arrive(end) {
    end.ended(this.code, this.reason, this.clean, this.seq);
  }

  forward(end) {
    if (this.clean) frame(end, (hold) => native.link.wsClose(hold, this.code === 1005 ? 0 : this.code, this.reason));
    else frame(end, (hold) => native.link.wsTerminate(hold));
  }
}

class Breaking {
  constructor(error, seq) {
    this.error = error;
    this.seq = seq;
  }

  arrive(end) {
    end.broke(this.error, this.seq);
  }

  forward(end) {
    frame(end, (hold) => native.link.wsTerminate(hold));
  }
}

const acknowledge = (seq) => {
  if (seq !== 0) native.link.ack(seq);
};

// --- the end of a connection -----------------------------------------------------------------------------------------------------

export class End {
  state = PAIR;
  /** The gateway's connection, 0 for none. */
  hold = 0;
  /** The other End of the pair, null once it is out of the picture. */
  peer = null;
  /** The peer was accepted or used in a Response. */
  peerUsed = false;

  closedOut = false;
  closedIn = false;
  /** Writes lead nowhere. */
  lost = false;
  failure = undefined;
  halfOpen = false;

  /** Made by new WebSocket(); while it connects, cancel() ends that. */
  dialled = false;
  cancel = undefined;

  /** Where its events are delivered; while `held` it counts as pending there. */
  context = null;
  held = false;
  inbox = [];
  draining = false;

  /** A hibernatable end's Durable Object, tags, order of acceptance, and time of the last automatic answer. */
  actor = null;
  tags = undefined;
  since = 0;
  autoAt = 0;
  attachment = null;

  url = null;
  protocol = '';
  extensions = '';
  binaryType = host.flag('websocket_standard_binary_type') ? 'blob' : 'arraybuffer';

  /** send() may go straight to the gateway: accepted, not closed, with a hold. */
  wired = false;

  #face = null;

  // The object that the application has. Made on demand, so that a connection that waits costs little; a Durable Object
  // that slept gets a new one.
  get face() {
    return (this.#face ??= new WebSocket(internal, this));
  }

  set face(face) {
    this.#face = face;
  }

  /** The actor (its handle) whose commit a frame of this end has to wait for, 0 for none. */
  get gate() {
    const actor = this.actor ?? this.context?.actor;
    return actor?.dirty ? actor.handle : 0;
  }

  get readyState() {
    if ((this.closedIn && this.closedOut) || this.failure !== undefined) return 3;
    if (this.closedIn || this.closedOut) return 2;
    return this.state === CONNECTING ? 0 : 1;
  }

  wire() {
    this.wired = this.hold !== 0 && (this.state === ACCEPTED || this.state === HIBERNATABLE) && !this.closedOut && !this.lost;
  }

  // --- out

  write(data) {
    if (this.closedOut) throw new TypeError("Can't call WebSocket send() after close().");
    if (this.lost || this.state === RELEASED) return;
    if (this.state < ACCEPTED) throw new TypeError(NOT_ACCEPTED);
    if (this.hold !== 0) gather(this, data);
    else this.peer?.receive(new Message(typeof data === 'string' ? data.toWellFormed() : copyOf(data), 0));
  }

  shut(code, reason) {
    if (this.state === CONNECTING) return this.cancel();
    if (this.closedOut || this.lost || this.state === RELEASED) return;
    if (this.state < ACCEPTED) throw new TypeError(NOT_ACCEPTED);
    if (this.failure !== undefined) throw this.failure;
    this.sendClose(code, reason);
  }

  sendClose(code, reason) {
    this.closedOut = true;
    this.wire();
    if (this.hold !== 0) frame(this, (hold) => native.link.wsClose(hold, code === 1005 ? 0 : code, reason));
    else this.peer?.receive(new Closing(code, reason, true, 0));
  }

  // Drops the connection without a Close frame.
  drop() {
    if (this.lost) return;
    this.lost = true;
    this.wire();
    if (this.hold !== 0) frame(this, (hold) => native.link.wsTerminate(hold));
    else this.peer?.receive(new Breaking(new Error('Network connection lost.'), 0));
    this.gone();
  }

  // --- in: from the link (the names and arguments that link.js calls)

  message(data, seq) {
    if (this.state === HIBERNATABLE) this.actor.socketMessage(this, data, seq);
    else this.#take(new Message(data, seq));
  }

  closed(code, clean, reason, seq) {
    sockets.delete(this.hold);
    this.#take(new Closing(code, clean ? reason : LOST, Boolean(clean), seq));
  }

  error(code, text, seq) {
    sockets.delete(this.hold);
    this.#take(new Breaking(new Error(`WebSocket protocol error; protocolError.statusCode = ${code}; protocolError.description = ${text}`), seq));
  }

  // In the link's own turn when nothing waits before it.
  #take(event) {
    if (this.state === HIBERNATABLE) event.arrive(this);
    else if (this.state === ACCEPTED && this.inbox.length === 0 && this.context.open) this.context.deliver(() => event.arrive(this));
    else this.receive(event);
  }

  auto(ms) {
    this.autoAt = ms;
  }

  // --- in: what came waits here until it is accepted, then each event has a turn of its own

  receive(event) {
    if (this.state === RELEASED) return acknowledge(event.seq);
    this.inbox.push(event);
    this.drain();
  }

  drain() {
    if (this.draining || this.inbox.length === 0 || this.state < ACCEPTED) return;
    this.draining = true;
    post(this.state === HIBERNATABLE ? stateless : this.context, () => {
      this.draining = false;
      const event = this.inbox.shift();
      if (event !== undefined) event.arrive(this);
      this.drain();
    });
  }

  heard(data, seq) {
    if (this.state === HIBERNATABLE) return this.actor.socketMessage(this, data, seq);
    const face = this.face;
    if (this.failure === undefined && isHeard(face, 'message')) {
      if (typeof data !== 'string' && this.binaryType === 'blob') data = new Blob([data]);
      const failure = dispatch(face, trusted(new MessageEvent('message', { data, origin: null })));
      if (failure !== undefined) this.listenerThrew(failure.error);
    }
    acknowledge(seq);
  }

  ended(code, reason, clean, seq) {
    if (this.state === HIBERNATABLE) return this.actor.socketClosed(this, code, reason, clean, seq);
    if (this.failure === undefined) {
      if (clean) this.takeClose(code, reason);
      else this.lost = true;
      this.wire();
      dispatch(this.face, trusted(new CloseEvent('close', { code, reason, wasClean: clean })));
      this.closedIn = true;
    }
    this.gone();
    acknowledge(seq);
  }

  // The gateway answers a Close by itself unless the socket is half-open; in a pair that is up to us.
  takeClose(code, reason) {
    this.closedIn = true;
    if (this.halfOpen || this.closedOut) return;
    this.closedOut = true;
    if (this.hold === 0) this.peer?.receive(new Closing(code, reason, true, 0));
  }

  broke(error, seq) {
    if (this.state === HIBERNATABLE) return this.actor.socketError(this, error, seq);
    this.lost = true;
    this.wire();
    const pair = this.hold === 0;
    if (this.failure === undefined) {
      this.failure = error;
      this.report(error);
      if (pair) dispatch(this.face, trusted(new CloseEvent('close', { code: 1006, reason: LOST, wasClean: false })));
    }
    this.gone();
    acknowledge(seq);
  }

  // An exception in a message listener ends this socket, and nothing else.
  listenerThrew(error) {
    this.failure = error;
    this.drop();
    this.report(error);
  }

  report(error) {
    dispatch(this.face, trusted(new ErrorEvent('error', { error, message: `Uncaught ${error}` })));
  }

  /** A hibernatable end heard its close, or an error: nothing more comes. */
  leave(lost) {
    this.closedIn = true;
    if (lost) this.lost = true;
    this.wire();
  }

  get isAccepted() {
    return this.state === ACCEPTED;
  }

  // Nothing more will come.
  gone() {
    if (this.hold !== 0) sockets.delete(this.hold);
    if (this.held) {
      this.held = false;
      this.context.ends.delete(this);
      this.context.release();
    }
  }

  // --- life

  accept(halfOpen) {
    this.state = ACCEPTED;
    this.halfOpen = halfOpen;
    this.context = current();
    this.context.hold();
    this.context.ends.add(this);
    this.held = true;
    this.taken();
  }

  hibernate(actor, tags) {
    this.#belong(actor, tags);
    this.taken();
  }

  /** A connection that a Durable Object accepted in an earlier life: message RESTORE of the link. */
  static restored(actor, hold, { closing, since, autoAt, tags, protocol, attachment }) {
    const end = new End();
    end.hold = hold;
    end.closedOut = closing;
    end.since = since;
    end.autoAt = autoAt;
    end.protocol = protocol;
    end.attachment = attachment;
    end.#belong(actor, tags);
    end.wire();
    sockets.set(hold, end);
    return end;
  }

  #belong(actor, tags) {
    this.state = HIBERNATABLE;
    this.halfOpen = true;
    this.actor = actor;
    this.tags = tags;
  }

  taken() {
    if (this.peer !== null) this.peer.peerUsed = true;
    this.wire();
    if (this.hold !== 0) this.announce();
    this.drain();
  }

  // Tells the gateway whose the hold is: it reads from the client from now on.
  announce() {
    const actor = this.actor ?? this.context.actor;
    const hibernatable = this.state === HIBERNATABLE;
    frame(this, (hold) => {
      native.link.wsAccept(hold, hibernatable, this.halfOpen, actor === null ? '' : actor.key, actor === null ? '' : actor.name ?? '', this.tags ?? none);
      if (hibernatable && this.attachment !== null) native.link.wsAttach(hold, this.attachment);
    });
  }

  attach(bytes) {
    this.attachment = bytes;
    if (this.state === HIBERNATABLE && this.hold !== 0) frame(this, (hold) => native.link.wsAttach(hold, bytes));
  }

  // It is to be used by somebody else: a fresh End takes over what this one is connected to.
  release() {
    const next = new End();
    next.hold = this.hold;
    next.peer = this.peer;
    next.peerUsed = this.peerUsed;
    next.inbox = this.inbox;
    next.url = this.url;
    if (this.hold !== 0) sockets.set(this.hold, next);
    if (this.peer !== null) {
      this.peer.peer = next;
      this.peer.peerUsed = true;
    }
    this.hold = 0;
    this.peer = null;
    this.inbox = [];
    this.state = RELEASED;
    return next;
  }

  // The client at the other end of the pair is now a connection of the gateway.
  connect(hold, waiting) {
    this.hold = hold;
    this.peer = null;
    sockets.set(hold, this);
    if (this.state < ACCEPTED) return;
    this.announce();
    for (const event of waiting) event.forward(this);
    this.wire();
  }
}

const none = [];

// --- the face ----------------------------------------------------------------------------------------------------------------------

let endOf;

socketDoor((value) => endOf(value) !== undefined);

export class WebSocket extends EventTarget {
  #end;

  static {
    endOf = (value) => (typeof value === 'object' && value !== null && #end in value ? value.#end : undefined);
  }

  constructor(url, protocols) {
    super();
    if (url === internal) {
      this.#end = protocols;
      return;
    }
    if (arguments.length === 0) throw wrongConstructorArgument('WebSocket', 1, 'string');
    requireEvent();
    this.#end = dial(this, `${url}`, protocols);
  }

  accept(options) {
    const end = this.#end;
    if (end.state === CONNECTING) throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    if (end.state === ACCEPTED) return;
    if (end.state === HIBERNATABLE) throw new TypeError("Can't accept() WebSocket after enabling hibernation.");
    if (end.state === RELEASED) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    const wanted = options?.allowHalfOpen;
    end.accept(wanted === undefined ? !host.flag('web_socket_auto_reply_to_close') : Boolean(wanted));
  }

  send(data) {
    const end = this.#end;
    if (end.wired && typeof data === 'string') return gather(end, data);
    if (arguments.length === 0) throw wrongArgument('send', 'WebSocket', 1, 'ArrayBuffer or ArrayBufferView or string');
    end.write(typeof data === 'string' || bytesOf(data) !== undefined ? data : `${data}`);
  }

  close(code, reason) {
    if (code !== undefined) code = closeCode(code);
    if (reason !== undefined) {
      reason = `${reason}`;
      if (host.flag('websocket_close_reason_byte_limit') && native.websocket.bytes(reason) > REASON_MAX) {
        throw new DOMException('WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.', 'SyntaxError');
      }
      if (code === undefined) throw new DOMException('If you specify a WebSocket close reason, you must also specify a code.', 'InvalidAccessError');
    }
    this.#end.shut(code ?? 1005, reason ?? '');
  }

  serializeAttachment(value) {
    if (arguments.length === 0) throw wrongArgument('serializeAttachment', 'WebSocket', 1, 'any');
    const bytes = serialize(value);
    if (bytes.byteLength > ATTACHMENT_MAX) {
      throw new Error(`A WebSocket 'attachment' cannot be larger than ${ATTACHMENT_MAX} bytes.'attachment' was ${bytes.byteLength} bytes.`);
    }
    this.#end.attach(bytes);
  }

  deserializeAttachment() {
    const bytes = this.#end.attachment;
    return bytes === null ? null : deserialize(bytes);
  }

  get readyState() {
    return this.#end.readyState;
  }

  get bufferedAmount() {
    const waiting = this.#end.peer?.inbox ?? none;
    return waiting.reduce((sum, event) => sum + sizeOf(event.data), 0);
  }

  get url() {
    return this.#end.url;
  }

  get protocol() {
    return this.#end.protocol;
  }

  get extensions() {
    return this.#end.extensions;
  }

  get binaryType() {
    return this.#end.binaryType;
  }

  set binaryType(type) {
    if (type === 'blob' || type === 'arraybuffer') this.#end.binaryType = type;
  }
}

finish(WebSocket);
constants(WebSocket, {
  CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3,
  READY_STATE_CONNECTING: 0, READY_STATE_OPEN: 1, READY_STATE_CLOSING: 2, READY_STATE_CLOSED: 3,
});

/** The End behind a WebSocket; undefined for anything else. */
export { endOf };

function sizeOf(data) {
  if (data === undefined) return 0;
  return typeof data === 'string' ? native.websocket.bytes(data) : data.byteLength;
}

// RFC 6455 7.4: 1004, 1005, 1006 and 1015 are never sent. With `pedantic_wpt` only what browsers permit.
function closeCode(value) {
  const code = toLong(value);
  const ok = host.flag('pedantic_wpt')
    ? code === 1000 || (code >= 3000 && code <= 4999)
    : code >= 1000 && code <= 4999 && code !== 1004 && code !== 1005 && code !== 1006 && code !== 1015;
  if (!ok) throw new DOMException(`Invalid WebSocket close code: ${code}.`, 'InvalidAccessError');
  return code;
}

// --- pairs -------------------------------------------------------------------------------------------------------------------------

export const WebSocketPair = constructible('WebSocketPair', class WebSocketPair {
  constructor() {
    requireEvent();
    const a = new End();
    const b = new End();
    a.peer = b;
    b.peer = a;
    Object.defineProperty(this, 0, { value: a.face, enumerable: true });
    Object.defineProperty(this, 1, { value: b.face, enumerable: true });
  }

  *[Symbol.iterator]() {
    yield this[0];
    yield this[1];
  }
});

/** A class that says what the platform says when it is called without `new`. */
export function constructible(name, ctor) {
  const message = `Failed to construct '${name}': Please use the 'new' operator, this object constructor cannot be called as a function.`;
  return new Proxy(ctor, {
    apply() {
      throw new TypeError(message);
    },
  });
}

export class WebSocketRequestResponsePair {
  #request;
  #response;

  constructor(request, response) {
    if (arguments.length < 2) throw wrongConstructorArgument('WebSocketRequestResponsePair', arguments.length + 1, 'string');
    this.#request = `${request}`;
    this.#response = `${response}`;
  }

  get request() {
    return this.#request;
  }

  get response() {
    return this.#response;
  }
}

finish(WebSocketRequestResponsePair);

// --- in a Response -----------------------------------------------------------------------------------------------------------------

/** Throws when socket may not be returned in a Response. */
export function checkReturnable(socket) {
  const end = endOf(socket);
  if (end.state === CONNECTING || end.dialled) throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
  if (end.state === ACCEPTED) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
  if (end.state === HIBERNATABLE) throw new TypeError("Can't return WebSocket in a Response after calling acceptWebSocket().");
  if (end.state === RELEASED) throw new TypeError("Can't return WebSocket that was already used in a response.");
}

/** The socket leaves this context with a Response (of a stub or a service binding): the WebSocket that the receiver gets. */
export function transfer(socket) {
  checkReturnable(socket);
  return endOf(socket).release().face;
}

/** The 101 is written: the client's hold belongs to the other end of the pair, or is joined with a server's. */
export function couple(socket, hold) {
  checkReturnable(socket);
  const end = endOf(socket).release();
  end.state = RELEASED;
  if (end.hold !== 0) {
    sockets.delete(end.hold);
    join(hold, end.hold);
  } else if (end.peer !== null) {
    end.peer.connect(hold, end.inbox);
  }
}

const edgeOf = (hold) => Math.floor(hold / 2 ** 45); // wire/ipc.def

// What comes from one goes to the other: in the gateway, when one edge has both.
function join(a, b) {
  flush();
  if (edgeOf(a) === edgeOf(b)) return native.link.wsJoin(a, b);
  const ends = [new Relay(a), new Relay(b)];
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  for (const end of ends) end.accept(true);
}

class Relay extends End {
  other;

  constructor(hold) {
    super();
    this.hold = hold;
    sockets.set(hold, this);
  }

  heard(data, seq) {
    if (!this.other.closedOut) this.other.write(data);
    acknowledge(seq);
  }

  ended(code, reason, clean, seq) {
    this.closedIn = true;
    if (!clean) this.other.drop();
    else if (!this.other.closedOut) this.other.sendClose(code, reason);
    this.gone();
    acknowledge(seq);
  }

  broke(error, seq) {
    this.ended(1006, '', false, seq);
  }
}

/** The client left before it could get the socket. */
export function abandon(socket) {
  const end = endOf(socket);
  if (end === undefined || end.state !== PAIR) return;
  const next = end.release();
  next.state = RELEASED;
  if (next.hold !== 0) {
    native.link.wsTerminate(next.hold);
    sockets.delete(next.hold);
  } else {
    next.peer?.receive(new Closing(1006, LOST, false, 0));
  }
}

/** The WebSocket of a fetch that a server answered with 101: hold is the connection to it. */
export function outgoing(hold) {
  const end = new End();
  end.hold = hold;
  sockets.set(hold, end);
  return end.face;
}

/** An AbortSignal's effect on an upgraded socket: the connection is dropped, `close` 1006 fires. */
export function abortSocket(socket) {
  const end = endOf(socket);
  if (end === undefined || end.lost || end.state === RELEASED || end.state === HIBERNATABLE) return;
  if (end.hold !== 0) frame(end, (hold) => native.link.wsTerminate(hold));
  sockets.delete(end.hold);
  end.receive(new Closing(1006, LOST, false, 0));
}

// --- new WebSocket(url) ----------------------------------------------------------------------------------------------------------------

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // RFC 9110 5.6.2
const FAILED = 'Failed to establish websocket connection';

function dial(face, url, protocols) {
  const target = dialTarget(url);
  const wanted = dialProtocols(protocols);
  const end = new End();
  const context = current();
  const abort = new AbortController();
  end.face = face;
  end.state = CONNECTING;
  end.dialled = true;
  end.url = url;
  end.context = context;
  end.held = true;
  context.hold();
  context.ends.add(end);
  end.cancel = () => {
    end.state = ACCEPTED;
    end.cancel = undefined;
    abort.abort();
    post(context, () => refused(end, new Error('Network connection lost.')));
  };
  const answered = (fn) => (value) => context.deliver(() => end.state === CONNECTING && fn(end, value));
  host.fetch(dialCall(target, wanted, abort.signal)).then(answered(dialled), answered(refused));
  return end;
}

function dialTarget(text) {
  const bad = (what) => new DOMException(`WebSocket Constructor: The ${what}`, 'SyntaxError');
  let url;
  try {
    url = new URL(text);
  } catch {
    throw bad('url is invalid.');
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw bad('url scheme must be ws or wss.');
  if (url.hash !== '' || text.includes('#')) throw bad('url fragment must be empty.');
  url.username = url.password = '';
  return `http${url.href.slice(2)}`;
}

function dialProtocols(protocols) {
  if (protocols === undefined) return none;
  const many = typeof protocols === 'object' && protocols !== null && Symbol.iterator in protocols;
  const list = many ? [...protocols].map(String) : [`${protocols}`];
  if (!list.every((name) => TOKEN.test(name))) {
    throw new DOMException(`WebSocket Constructor: ${many ? 'One of the protocol header tokens' : 'The protocol header token'} is invalid.`, 'SyntaxError');
  }
  if (new Set(list).size !== list.length) throw new DOMException('WebSocket Constructor: The protocols header cannot have repeating values.', 'SyntaxError');
  return list;
}

function dialCall(url, protocols, signal) {
  const offer = host.flag('web_socket_compression') ? 'Sec-WebSocket-Extensions: permessage-deflate\n' : '';
  const names = protocols.length === 0 ? '' : `Sec-WebSocket-Protocol: ${protocols.join(', ')}\n`;
  return { method: 'GET', url, head: `Upgrade: websocket\n${offer}${names}`, body: null, redirect: 0, upgrade: true, service: '', signal };
}

function dialled(end, answer) {
  const other = endOf(answer.webSocket);
  if (other === undefined) {
    return refused(end, new Error('Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 '
      + `(switching protocols), but received ${answer.status} instead.`));
  }
  end.hold = other.hold;
  other.hold = 0;
  other.state = RELEASED;
  sockets.set(end.hold, end);
  end.protocol = field(answer.head, 'sec-websocket-protocol');
  end.extensions = field(answer.head, 'sec-websocket-extensions');
  end.state = ACCEPTED;
  end.halfOpen = !host.flag('web_socket_auto_reply_to_close');
  end.taken();
  dispatch(end.face, trusted(new Event('open')));
}

function refused(end, error) {
  end.state = ACCEPTED;
  end.lost = true;
  end.failure = error;
  end.report(error);
  dispatch(end.face, trusted(new CloseEvent('close', { code: 1006, reason: FAILED, wasClean: false })));
  end.gone();
}

// The first field of that name in "name: value\n" lines, or "".
function field(head, name) {
  for (const line of head.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return '';
}
