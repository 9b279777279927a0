// The End of a connection: what is behind a WebSocket (websocket.js draws it). It talks to its peer in this process, or to a
// hold of the gateway.
import { acknowledge } from './ack.js';
import { Blob } from './blob.js';
import { current, post, stateless } from './context.js';
import { CloseEvent, dispatch, ErrorEvent, isHeard, MessageEvent, trusted } from './events.js';
import { host } from './host.js';
import { native } from './native.js';
import { copyOf, frame, gather } from './websocket_frames.js';

/** An empty list, which stays so. */
export const none = [];

export const CONNECTING = 0;
export const PAIR = 1;
export const ACCEPTED = 2;
export const HIBERNATABLE = 3;
export const RELEASED = 4;

export const LOST = 'WebSocket disconnected without sending Close frame.';
const NOT_ACCEPTED = 'You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.';

/** Ends by the gateway's hold: where the link's events go. */
export const sockets = new Map();

/** make(end): the WebSocket of an End; websocket.js says how. */
export const faces = { make: undefined };

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

export class Closing {
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

// --- the end of a connection -----------------------------------------------------------------------------------------------------

export class End {
  state = PAIR;
  /** The gateway's connection, 0 for none. */
  hold = 0;
  /** The other End of the pair, null once it is out of the picture. */
  peer = null;
  /** The peer was accepted or used in a Response. */
  peerUsed = false;
  halfOpen = false;

  /** A hibernatable end's Durable Object, and tags. */
  actor = null;
  tags = undefined;

  /** send() may go straight to the gateway: accepted, not closed, with a hold. */
  wired = false;

  #face = null;

  // The object that the application has. Made on demand, so that a connection that waits costs little; a Durable Object
  // that slept gets a new one.
  get face() {
    return (this.#face ??= faces.make(this));
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

  get binaryType() {
    return this.chosenType ?? (host.flag('websocket_standard_binary_type') ? 'blob' : 'arraybuffer');
  }

  set binaryType(type) {
    this.chosenType = type;
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
    if (this.inbox === none) this.inbox = [event];
    else this.inbox.push(event);
    this.drain();
  }

  drain() {
    if (this.draining || this.inbox.length === 0 || this.state < ACCEPTED) return;
    this.draining = true;
    post(this.state === HIBERNATABLE ? stateless : this.context, () => {
      this.draining = false;
      const event = this.inbox.shift();
      if (this.inbox.length === 0) this.inbox = none;
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

  // It was used in a Response, and what it was connected to is now with next, null for nobody in this process.
  release(next) {
    if (this.peer !== null) {
      this.peer.peer = next;
      this.peer.peerUsed = true;
    }
    this.hold = 0;
    this.peer = null;
    this.inbox = none;
    this.state = RELEASED;
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

// What few connections change, or only in their last moments, an End has of its own when it differs from this.
Object.assign(End.prototype, {
  closedOut: false,
  closedIn: false,
  lost: false, // writes lead nowhere
  failure: undefined,

  // Made by new WebSocket(); while it connects, cancel() ends that.
  dialled: false,
  cancel: undefined,

  // Where the events of one that is accepted are delivered; while `held` it counts as pending there.
  context: null,
  held: false,
  inbox: none, // a list of its own while something waits
  draining: false,

  // Of a hibernatable one: order of acceptance, time of the last automatic answer, what serializeAttachment() kept.
  since: 0,
  autoAt: 0,
  attachment: null,

  url: null,
  protocol: '',
  extensions: '',
  chosenType: undefined,
});
