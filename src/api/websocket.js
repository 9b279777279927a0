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
import { acknowledge } from './ack.js';
import { deserialize, serialize } from './clone.js';
import { requireEvent } from './context.js';
import { DOMException } from './domexception.js';
import { EventTarget } from './events.js';
import { host } from './host.js';
import { internal } from './internal.js';
import { native } from './native.js';
import { socketDoor } from './response.js';
import { bytesOf, constants, finish, toLong, wrongArgument, wrongConstructorArgument } from './webidl.js';
import { dial } from './websocket_dial.js';
import { ACCEPTED, Closing, CONNECTING, End, faces, HIBERNATABLE, LOST, none, PAIR, RELEASED, sockets } from './websocket_end.js';
import { flush, frame, gather } from './websocket_frames.js';

const ATTACHMENT_MAX = 16384;
const REASON_MAX = 123; // RFC 6455 5.5: a control frame carries 125 bytes, two are the code

export { flush, sockets };

// --- the face ----------------------------------------------------------------------------------------------------------------------

let endOf;


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
    if (arguments.length === 0) throw wrongArgument('serializeAttachment', 'WebSocket', 1, 'Value');
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

faces.make = (end) => new WebSocket(internal, end);
socketDoor(endOf);

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

// A function, because a class that is called without `new` throws before it can say what the platform says.
export function WebSocketPair() {
  if (new.target === undefined) {
    throw new TypeError("Failed to construct 'WebSocketPair': Please use the 'new' operator, this object constructor cannot be called as a function.");
  }
  requireEvent();
  const a = new End();
  const b = new End();
  a.peer = b;
  b.peer = a;
  this[0] = a.face;
  this[1] = b.face;
}

Object.defineProperty(WebSocketPair.prototype, Symbol.iterator, {
  *value() {
    yield this[0];
    yield this[1];
  },
  writable: true,
  configurable: true,
});

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

/** Throws when end's WebSocket may not be returned in a Response. */
export function checkReturnable(end) {
  if (end.state === CONNECTING || end.dialled) throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
  if (end.state === ACCEPTED) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
  if (end.state === HIBERNATABLE) throw new TypeError("Can't return WebSocket in a Response after calling acceptWebSocket().");
  if (end.state === RELEASED) throw new TypeError("Can't return WebSocket that was already used in a response.");
}

/** Its WebSocket leaves this context with a Response (of a stub): the End that the receiver gets. */
export function transfer(end) {
  checkReturnable(end);
  const next = new End();
  next.hold = end.hold;
  next.peer = end.peer;
  next.peerUsed = end.peerUsed;
  next.inbox = end.inbox;
  next.url = end.url;
  if (end.hold !== 0) sockets.set(end.hold, next);
  end.release(next);
  return next;
}

/** The 101 is written: the client's hold belongs to the other end of the pair, or is joined with a server's. */
export function couple(end, hold) {
  checkReturnable(end);
  const { hold: other, peer, inbox } = end;
  end.release(null);
  if (other !== 0) {
    sockets.delete(other);
    join(hold, other);
  } else {
    peer?.connect(hold, inbox);
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
export function abandon(end) {
  if (end.state !== PAIR) return;
  const { hold, peer } = end;
  end.release(null);
  if (hold !== 0) {
    native.link.wsTerminate(hold);
    sockets.delete(hold);
  } else {
    peer?.receive(new Closing(1006, LOST, false, 0));
  }
}

/** The End for a fetch that a server answered with 101: hold is the connection to it. */
export function outgoing(hold) {
  const end = new End();
  end.hold = hold;
  sockets.set(hold, end);
  return end;
}

/** An AbortSignal's effect on an upgraded socket: the connection is dropped, `close` 1006 fires. */
export function abortSocket(end) {
  if (end.lost || end.state === RELEASED || end.state === HIBERNATABLE) return;
  if (end.hold !== 0) frame(end, (hold) => native.link.wsTerminate(hold));
  sockets.delete(end.hold);
  end.receive(new Closing(1006, LOST, false, 0));
}
