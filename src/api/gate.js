// The input gate of a Durable Object. A Gate is a context: the root of an instance, or a critical section within another.
//
//   root ── section ── section        Only the innermost open one (actor.top) is delivered to; what comes for the others waits
//            ▲                        in their queues, in order. A section that ended stands for its parent.
//            actor.top
import { Context, current, enter, post, run, stateless } from './context.js';
import { host } from './host.js';
import { native } from './native.js';

const DEPTH_MAX = 64;
const nothing = () => {};

export class Gate extends Context {
  root;
  parent;
  depth;
  ended = false;
  #queue = []; // fn, refused, fn, refused…
  #sections = 0; // of those at the head of the queue that open sections
  #pumping = false;

  constructor(actor, parent) {
    super();
    this.actor = actor;
    this.parent = parent;
    this.root = parent === null ? this : parent.root;
    this.depth = parent === null ? 0 : parent.depth + 1;
    this.ends = this.root.ends;
  }

  // What is pending in a section is pending in the instance.
  hold() {
    if (this.parent === null) super.hold();
    else this.root.hold();
  }

  release() {
    if (this.parent === null) super.release();
    else this.root.release();
  }

  get open() {
    const gate = this.standing();
    return gate.actor.top === gate && gate.#queue.length === 0;
  }

  standing() {
    let gate = this;
    while (gate.ended) gate = gate.parent;
    return gate;
  }

  /** Runs fn now or when the gate opens. refused(error) is called instead when the instance breaks before that. */
  deliver(fn, refused = nothing) {
    const gate = this.standing();
    if (this.root.dead) return;
    if (gate.open) {
      gate.actor.touched = true;
      run(gate, fn);
    } else {
      gate.#queue.push(fn, refused);
    }
  }

  /**
   * Runs fn, which opens a section, once the sections asked for before have ended; before everything else that waits. True when
   * it can be opened at once, without fn.
   */
  claim(fn, refused) {
    if (this.actor.top === this && this.#sections === 0) return true;
    this.#queue.splice(2 * this.#sections++, 0, fn, refused);
    return false;
  }

  /** The instance is ready, or an inner section ended: what waited gets turns, one each, while the gate stays open. */
  pump() {
    if (this.#pumping || this.#queue.length === 0 || this.actor.top !== this) return;
    this.#pumping = true;
    post(stateless, () => {
      this.#pumping = false;
      if (this.root.dead || this.actor.top !== this || this.#queue.length === 0) return;
      const [fn] = this.#queue.splice(0, 2);
      this.#sections = Math.max(this.#sections - 1, 0);
      this.actor.touched = true;
      run(this, fn);
      this.pump();
    });
  }

  /** The instance broke; top is its innermost open section. Everything that waits is refused. */
  breakUp(error, top) {
    this.die();
    for (let gate = top; gate !== null; gate = gate.parent) {
      const queue = gate.#queue;
      gate.#queue = [];
      for (let i = 0; i < queue.length; i += 2) queue[i + 1](error);
    }
  }
}

/**
 * One event of an object that the gateway delivers again when it is not acknowledged. What it starts is delivered through its
 * gate, and is noted as its work: should that never end, the gateway knows which event not to deliver a third time.
 */
export class Strand {
  constructor(root, seq) {
    this.root = root;
    this.seq = seq;
  }

  get actor() {
    return this.root.actor;
  }

  get ends() {
    return this.root.ends;
  }

  get open() {
    return this.root.open;
  }

  get dead() {
    return this.root.dead;
  }

  hold() {
    this.root.hold();
  }

  release() {
    this.root.release();
  }

  until(promise) {
    this.root.until(promise);
  }

  standing() {
    return this.root;
  }

  deliver(fn, refused) {
    this.root.deliver(() => {
      native.link.event(this.seq);
      run(this, fn);
    }, refused);
  }
}

/**
 * Runs async fn(section) as a critical section of actor and returns the promise of its value. It begins in a turn of its own,
 * after the sections that were asked for before. fails(error) is told of an exception first, and may throw another.
 */
export function criticalSection(actor, fn, { limit = 0, expired, fails = rethrow }) {
  const from = sectionOf(actor);
  if (from.depth >= DEPTH_MAX) throw new Error('blockConcurrencyWhile() calls are nested too deeply.');
  const section = new Gate(actor, from);
  return new Promise((resolve, reject) => {
    let timer;
    const end = (settle) => (value) => {
      if (limit > 0) host.clearTimeout(timer);
      if (section.root.dead) return;
      leave(actor, section);
      enter(from);
      settle(value);
    };
    const begin = () => {
      if (limit > 0) timer = host.setTimeout(() => section.root.dead || section.ended || expired(), limit);
      run(section, () => attempt(fn, section)).then(end(resolve), end((error) => attempt(fails, error).then(resolve, reject)));
    };
    const opened = () => {
      actor.top = section;
      begin();
    };
    section.hold();
    if (!from.claim(opened, reject)) return;
    actor.top = section;
    post(section, begin);
  });
}

function leave(actor, section) {
  section.release();
  section.ended = true;
  if (actor.top !== section) return;
  actor.top = section.standing();
  actor.top.pump();
}

// The gate of actor that the running code belongs to.
function sectionOf(actor) {
  const context = current();
  const gate = context.root === actor.root ? context : actor.root;
  return gate.standing();
}

async function attempt(fn, value) {
  return fn(value);
}

function rethrow(error) {
  throw error;
}
