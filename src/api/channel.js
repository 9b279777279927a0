// MessageChannel and MessagePort (HTML 9.4): two ends in one process. A message is cloned when it is posted and delivered as an
// event of its own, later.
import { cloneWith, transferables } from './clone.js';
import { DOMException } from './domexception.js';
import { dispatch, EventTarget, MessageEvent, trusted } from './events.js';
import { host } from './host.js';
import { finish, illegalConstructor, wrongArgument } from './webidl.js';

const inside = Symbol();

let entangle;
let move;

export class MessagePort extends EventTarget {
  #peer = null;
  #waiting = []; // messages that came before start()
  #started = false;
  #closed = false;
  #onmessage = null;

  constructor(key) {
    if (key !== inside) throw illegalConstructor();
    super();
  }

  static {
    entangle = (a, b) => {
      a.#peer = b;
      b.#peer = a;
    };

    // The port on the other side of a transfer takes this one's place.
    move = (port) => {
      const next = new MessagePort(inside);
      if (port.#closed) throw new DOMException('A closed MessagePort could not be transferred.', 'DataCloneError');
      if (port.#peer !== null) entangle(next, port.#peer);
      next.#waiting = port.#waiting;
      port.#peer = null;
      port.#closed = true;
      return next;
    };
  }

  postMessage(message, options = undefined) {
    if (arguments.length === 0) throw wrongArgument('postMessage', 'MessagePort', 1, 'any');
    const transfer = Array.isArray(options) ? options : (options?.transfer ?? []);
    if (transfer.includes(this)) throw new DOMException('A MessagePort could not be transferred through itself.', 'DataCloneError');
    const data = cloneWith(message, transfer);
    if (this.#peer !== null) this.#peer.#receive(data);
  }

  #receive(data) {
    this.#waiting.push(data);
    if (this.#started) host.later(() => this.#deliver(), 0);
  }

  #deliver() {
    if (this.#closed || this.#waiting.length === 0) return;
    dispatch(this, trusted(new MessageEvent('message', { data: this.#waiting.shift() })));
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    for (let i = 0; i < this.#waiting.length; i++) host.later(() => this.#deliver(), 0);
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    const peer = this.#peer;
    this.#peer = null;
    if (peer !== null) peer.#peer = null;
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    this.#onmessage = typeof handler === 'function' ? handler : null;
    this.start();
  }
}

export class MessageChannel {
  #port1 = new MessagePort(inside);
  #port2 = new MessagePort(inside);

  constructor() {
    entangle(this.#port1, this.#port2);
  }

  get port1() {
    return this.#port1;
  }

  get port2() {
    return this.#port2;
  }
}

for (const ctor of [MessagePort, MessageChannel]) finish(ctor);
transferables.set(MessagePort, move);
