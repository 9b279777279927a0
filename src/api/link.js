// Exchanges over the link: requests that come in and their responses, requests that go out and their answers. Bodies flow
// under credit, both ways: who receives grants what it took, who sends waits when its window is used up.
import { onAbort } from './abort.js';
import { acknowledge } from './ack.js';
import { current, enter, requireEvent, stateless } from './context.js';
import { orphan } from './durable.js';
import { encodeText } from './encoding.js';
import { host } from './host.js';
import { native } from './native.js';
import { Pipe } from './pipe.js';
import { abortRequest, incomingRequest } from './request.js';
import { outgoingResponse } from './response.js';
import { report, reportText } from './uncaught.js';
import { abandon, abortSocket, checkReturnable, couple, flush, outgoing, sockets } from './websocket.js';

const { link } = native;

// Kinds of bodies (wire/ipc.h).
const NONE = 0;
const LENGTH = 1;
const STREAM = 2;

const WINDOW = 256 * 1024; // IPC_BODY_WINDOW
const GRANT = 64 * 1024; // bytes taken before the sender is told
const CALLS = 256; // outgoing requests at once; more wait

const EMPTY = new Uint8Array(0);

// permessage-deflate is agreed on by the gateway: it takes up a client's offer, and makes one of its own when the application's
// request has one. Without web_socket_compression the application has no extensions; an empty field declines the client's.
const uncompressed = (head) => head.replace(/^sec-websocket-extensions:.*\n/gim, '');

const LOST = 'Network connection lost.';

// --- bodies -------------------------------------------------------------------------------------------------------------------------

/** The source of a Pipe: what the reader took is granted to the sender, in pieces worth a frame. */
class Inflow {
  #id;
  #taken = 0;
  #ended;

  /** ended(): nobody reads any more, or all has come. */
  constructor(id, ended) {
    this.#id = id;
    this.#ended = ended;
  }

  taken(n) {
    this.#taken += n;
    if (this.#taken < GRANT) return;
    link.credit(this.#id, this.#taken);
    this.#taken = 0;
  }

  cancelled() {
    this.#ended();
  }
}

/** Where an Outflow pumps to: BODY frames as far as the credit reaches. */
class Sink {
  #id;
  #credit = WINDOW;
  #rest = null; // bytes that wait for credit
  #resume = undefined; // of the writer that waits
  #over;
  /** Nobody wants it any more. */
  closed = false;

  constructor(id, over) {
    this.#id = id;
    this.#over = over;
  }

  write(bytes) {
    if (this.closed) return undefined;
    if (bytes.length <= this.#credit) {
      this.#credit -= bytes.length;
      link.body(this.#id, bytes, false);
      return undefined;
    }
    this.#rest = bytes;
    this.#push();
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #push() {
    const n = Math.min(this.#credit, this.#rest.length);
    if (n > 0) link.body(this.#id, this.#rest.subarray(0, n), false);
    this.#credit -= n;
    this.#rest = n === this.#rest.length ? null : this.#rest.subarray(n);
  }

  credit(n) {
    this.#credit += n;
    if (this.closed || this.#rest === null) return;
    this.#push();
    if (this.#rest === null) this.#go();
  }

  #go() {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  end() {
    if (this.closed) return;
    link.body(this.#id, EMPTY, true);
    this.#close();
  }

  abort(error) {
    if (this.closed) return;
    report(error);
    link.bodyAbort(this.#id, reportText(error));
    this.#close();
  }

  /** The receiver is gone: what is written goes nowhere. */
  stop() {
    if (this.closed) return;
    this.#rest = null;
    this.#close();
    this.#go();
  }

  #close() {
    this.closed = true;
    this.#over();
  }
}

/** A whole body as an Outflow's equal. */
const wholeFlow = (body) => ({
  async pump(sink) {
    const wait = sink.write(typeof body === 'string' ? encodeText(body) : body);
    if (wait !== undefined) await wait;
    sink.end();
  },
  cancel() {},
});

// --- requests that came in --------------------------------------------------------------------------------------------------------

const exchanges = new Map();

/** How requests are answered: (request, exchange) → Response or a promise of one. module.js sets it. */
let answer = () => {
  throw new Error('The application is not running.');
};

export function setAnswer(fn) {
  answer = fn;
}

// receive ──handler──► answering ──► responded ──► done: ACK, when also its waitUntil promises are settled
class Exchange {
  id;
  seq;
  hold;
  request;
  pipe;
  responded = false;
  gone = false; // the client
  pipeEnded = false; // all of the request's body has come, or nobody wants the rest
  tasks = 1; // the handler, then the body, and every waitUntil
  flow = null;
  sink = null;

  constructor(id, seq, hold, pipe, request) {
    this.id = id;
    this.seq = seq;
    this.hold = hold;
    this.pipe = pipe;
    this.request = request;
  }

  begin() {
    let result;
    try {
      result = answer(this.request, this);
    } catch (error) {
      return this.fail(error);
    }
    if (result instanceof Promise || typeof result?.then === 'function') {
      Promise.resolve(result).then((response) => this.respond(response), (error) => this.fail(error));
    } else {
      this.respond(result);
    }
  }

  respond(response) {
    if (this.responded) return this.finished();
    try {
      const parts = outgoingResponse(response);
      if (parts === undefined) throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
      if (this.gone) this.discard(parts);
      else if (parts.handoff !== null) this.handOff(parts.handoff);
      else if (parts.end !== null) this.upgrade(parts);
      else this.send(parts);
    } catch (error) {
      this.fail(error);
    }
  }

  discard({ body, end }) {
    this.responded = true;
    if (end !== null) abandon(end);
    if (typeof body?.cancel === 'function') Promise.resolve(body.cancel(new Error(LOST))).catch(() => {});
    this.finished();
  }

  upgrade({ reason, head, end }) {
    if (this.hold === 0) {
      throw new TypeError(
        'Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket".');
    }
    checkReturnable(end);
    this.responded = true;
    flush();
    link.response(this.id, 101, this.hold, NONE, 0, reason, host.flag('web_socket_compression') ? head : `${uncompressed(head)}Sec-WebSocket-Extensions: \n`);
    couple(end, this.hold);
    this.finished();
  }

  // The gateway sends the request to an origin instead; of its body, it has what this process did not get.
  handOff({ kind, backend, head }) {
    this.responded = true;
    link.handoff(this.id, kind, backend, head);
    this.finished();
  }

  send({ status, reason, head, body }) {
    this.responded = true;
    if (body === null) {
      link.response(this.id, status, 0, NONE, 0, reason, head);
      return this.finished();
    }
    const whole = typeof body === 'string' || body instanceof Uint8Array;
    if (whole && link.respond(this.id, status, reason, head, body)) return this.finished();
    const flow = whole ? wholeFlow(typeof body === 'string' ? (body = encodeText(body)) : body) : body;
    const { length } = body;
    link.response(this.id, status, 0, length < 0 ? STREAM : LENGTH, Math.max(length, 0), reason, head);
    this.flow = flow;
    this.sink = new Sink(this.id, () => this.finished());
    flow.pump(this.sink);
  }

  // The handler threw, or what it returned cannot be sent.
  fail(error) {
    report(error);
    if (this.responded || this.gone) return this.finished();
    this.responded = true;
    link.fail(this.id, 500, reportText(error));
    this.finished();
  }

  /** The client gets no answer at all: the connection is closed. What the handler returns is not looked at. */
  drop() {
    this.responded = true;
    link.fail(this.id, 0, '');
  }

  /** ctx.waitUntil */
  waitUntil(promise) {
    this.tasks++;
    Promise.resolve(promise).then(() => this.finished(), (error) => {
      report(error);
      this.finished();
    });
  }

  // One of its tasks is over.
  finished() {
    if (--this.tasks > 0) return;
    this.close();
  }

  close() {
    if (!exchanges.delete(this.id)) return;
    this.tasks = 0;
    this.pipe?.fail(new TypeError("Can't read from request stream after response has been sent."));
    acknowledge(this.seq);
  }

  // The client went away.
  cancel() {
    this.gone = true;
    abortRequest(this.request);
    this.pipe?.fail(new TypeError("Can't read from request stream because client disconnected."));
    if (this.sink === null) return;
    const { flow } = this;
    this.sink.stop();
    Promise.resolve(flow.cancel(new Error(LOST))).catch(() => {});
  }

  /** Whether bytes of the request's body may still come. */
  get receives() {
    return this.pipe !== null && !this.gone && !this.pipeEnded;
  }
}

/** The exchange, from other events' point of view: those that wait for an answer although nothing is pending can never end. */
export function hungExchanges() {
  const hung = [];
  for (const exchange of exchanges.values()) {
    if (exchange.receives || exchange.sink !== null && !exchange.sink.closed) return [];
    hung.push(exchange);
  }
  return hung;
}

const HUNG =
  "The Workers runtime canceled this request because it detected that your Worker's code had hung and would never generate a response. "
  + 'Refer to: https://developers.cloudflare.com/workers/observability/errors/';

/** Ends exchanges that nothing can end any more: with an error where there is no response, silently where waitUntil is left. */
export function endHung(hung) {
  for (const exchange of hung) {
    if (!exchange.responded && !exchange.gone) exchange.fail(new Error(HUNG));
    exchange.close();
  }
}

// --- requests that go out ---------------------------------------------------------------------------------------------------------

const EDGE = 2 ** 45;
const OURS = 2 ** 44; // IPC_WORKER_EXCHANGE

const calls = new Map();
const waiting = []; // calls over CALLS
let lastCall = 0;
let edge = 0; // the one whose event came last: a call goes out where its cause came in

/** The gateway's edge that an id belongs to becomes the one that calls go through. */
function cameFrom(id) {
  edge = Math.floor(id / EDGE);
}

class Call {
  id = 0;
  what;
  context = current();
  pipe = null;
  sink = null;
  socket = null; // the End of the WebSocket that it became
  settled = false;
  over = false;
  undo = undefined; // takes the watch on the signal back

  constructor(what) {
    this.what = what;
    this.edge = edge;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.context.hold();
    if (what.signal !== null && what.signal !== undefined) this.undo = onAbort(what.signal, () => this.abort(what.signal.reason));
  }

  start() {
    const { method, url, head, body, redirect, upgrade, service } = this.what;
    this.id = this.edge * EDGE + OURS + ++lastCall;
    calls.set(this.id, this);
    const bytes = typeof body === 'string' ? encodeText(body) : body;
    const kind = bytes === null ? NONE : bytes.length < 0 ? STREAM : LENGTH;
    flush();
    const fields = upgrade && !host.flag('web_socket_compression') ? uncompressed(head) : head;
    link.fetch(this.id, redirect, upgrade, kind, kind === LENGTH ? bytes.length : 0, service, `${method} ${url}\n${fields}`);
    if (bytes === null) return;
    this.sink = new Sink(this.id, () => {});
    (bytes instanceof Uint8Array ? wholeFlow(bytes) : bytes).pump(this.sink);
  }

  answered(status, hold, kind, length, reason, url, head) {
    this.settled = true;
    if (hold !== 0) this.socket = outgoing(hold);
    if (kind !== NONE) {
      const inflow = new Inflow(this.id, () => {
        if (this.over) return;
        link.cancel(this.id);
        this.end();
      });
      this.pipe = new Pipe(kind === LENGTH ? length : -1, inflow);
    }
    this.resolve({ status, reason, url, head, body: this.pipe, end: this.socket });
    if (this.pipe === null && this.socket === null) this.end();
    else if (this.socket !== null) this.leave();
  }

  fail(error) {
    if (!this.settled) this.reject(error);
    else this.pipe?.fail(error);
    this.settled = true;
    this.end();
  }

  // Its signal was aborted.
  abort(reason) {
    if (this.socket !== null) return abortSocket(this.socket);
    if (this.over) return;
    if (this.id === 0) waiting.splice(waiting.indexOf(this), 1);
    else link.cancel(this.id);
    this.fail(reason);
  }

  // Nothing more goes or comes; an upgraded one has become a socket, which its signal may still abort.
  end() {
    this.undo?.();
    this.undo = undefined;
    this.leave();
  }

  leave() {
    if (this.over) return;
    this.over = true;
    calls.delete(this.id);
    this.sink?.stop();
    this.context.release();
    if (waiting.length > 0) waiting.shift().start();
  }
}

host.fetch = (what) => {
  requireEvent();
  const call = new Call(what);
  if (calls.size < CALLS) call.start();
  else waiting.push(call);
  return call.promise;
};

// --- hooks: what the gateway says -------------------------------------------------------------------------------------------------

export function request(id, seq, hold, kind, length, cf, head) {
  cameFrom(id);
  let exchange;
  const pipe = kind === NONE ? null : new Pipe(kind === LENGTH ? length : -1, new Inflow(id, () => (exchange.pipeEnded = true)));
  exchange = new Exchange(id, seq, hold, pipe, incomingRequest(head, pipe, cf));
  exchanges.set(id, exchange);
  enter(stateless);
  exchange.begin();
}

export function response(id, status, hold, kind, length, reason, url, head) {
  const call = calls.get(id);
  if (call !== undefined && !call.settled) call.context.deliver(() => call.answered(status, hold, kind, length, reason, url, head));
}

export function fail(id, status, text) {
  const call = calls.get(id);
  if (call !== undefined) call.context.deliver(() => call.fail(new Error(text === '' ? LOST : text)));
}

export function body(id, bytes, end) {
  const call = calls.get(id);
  if (call !== undefined) return call.context.deliver(() => pieceOf(call, bytes, end));
  const exchange = exchanges.get(id);
  if (exchange === undefined || exchange.pipe === null) return;
  exchange.pipe.push(bytes);
  if (!end) return;
  exchange.pipeEnded = true;
  exchange.pipe.end();
}

function pieceOf(call, bytes, end) {
  if (call.over || call.pipe === null) return;
  call.pipe.push(bytes);
  if (!end) return;
  call.pipe.end();
  call.end();
}

export function bodyAbort(id, text) {
  const error = new Error(text === '' ? LOST : text);
  const call = calls.get(id);
  if (call !== undefined) return call.context.deliver(() => call.fail(error));
  const exchange = exchanges.get(id);
  if (exchange === undefined) return;
  exchange.pipeEnded = true;
  exchange.pipe?.fail(error);
}

export function credit(id, n) {
  const flow = calls.get(id) ?? exchanges.get(id);
  flow?.sink?.credit(n);
}

export function cancel(id) {
  const call = calls.get(id);
  if (call !== undefined) call.sink?.stop(); // the server wants no more of the body
  else exchanges.get(id)?.cancel();
}

// --- hooks: WebSockets; an End (websocket.js) acknowledges its events itself ------------------------------------------------------

export function wsMessage(hold, seq, data) {
  cameFrom(hold);
  const end = sockets.get(hold);
  if (end === undefined) orphan(hold, 'message', data, seq);
  else end.message(data, seq);
}

export function wsClosed(hold, seq, code, clean, reason) {
  cameFrom(hold);
  const end = sockets.get(hold);
  if (end === undefined) orphan(hold, 'closed', code, clean, reason, seq);
  else end.closed(code, clean, reason, seq);
}

export function wsError(hold, seq, code, text) {
  cameFrom(hold);
  const end = sockets.get(hold);
  if (end === undefined) orphan(hold, 'error', code, text, seq);
  else end.error(code, text, seq);
}

export function wsAuto(hold, ms) {
  sockets.get(hold)?.auto(ms);
}
