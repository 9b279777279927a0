// An Actor: one Durable Object, named CLASS/ID. It lives in this process alone; its instance comes and goes:
//
//   COLD ── an event ──► RESTORING ── its sockets are known ──► LIVE ── idle, or an error that breaks it ──► COLD
//
// A COLD actor that still has sockets keeps its Ends (websocket.js) while the process lives; one without is forgotten.
// What may not leave before it is durable: frames are written under the actor's handle while it is dirty (the host drops
// them when its commit fails), and answers to callers within the process wait for the commit in `waiting`.
import { acknowledge } from './ack.js';
import { announceAlarm, runAlarm, wakingForAlarmFailed } from './alarm.js';
import { enter, phases, post, run } from './context.js';
import { DurableObjectState } from './durable_state.js';
import { Gate, Strand } from './gate.js';
import { host } from './host.js';
import { internal } from './internal.js';
import { native } from './native.js';
import { carryError, resetBy } from './rpc_error.js';
import { WebSocketRequestResponsePair } from './websocket.js';

const COLD = 0;
const RESTORING = 1;
const LIVE = 2;

const LISTS = 64; // answers of getWebSockets() that are kept
const TICKS = 16; // an idle instance goes between 16 and 17 sixteenths of idleMs after its last event

/** What durable.js knows of the application. */
export const world = { env: undefined, idleMs: 10_000, exports: {} };

const byHandle = new Map(); // those that are live, by the handle of their storage
const restoring = new Map(); // those that wait for RESTORED, by token
let tokens = 0;

/** Whether no instance is live or about to be. */
export const asleep = () => byHandle.size === 0 && restoring.size === 0;

/** The actor of class row (durable.js) with that id. */
export function actorOf(row, id, name) {
  let actor = row.actors.get(id);
  if (actor === undefined) row.actors.set(id, (actor = new Actor(row, id)));
  actor.name ??= name;
  return actor;
}

/** The actor that asked for its sockets with token. */
export const restoringActor = (token) => restoring.get(token);

/** Every link has sent the sockets it has: the actor wakes. */
export function finishRestoring(token, request, response) {
  const actor = restoring.get(token);
  restoring.delete(token);
  actor?.restored(request, response);
}

// From one reset to the next. A stub that has seen one end is broken for ever.
class Life {
  error = undefined;
  /** Calls and events in flight: {fail(error)}. */
  calls = new Set();
}

// Something that an instance does until a promise settles, or the instance breaks.
class Work {
  #life;
  #root;
  #done;

  constructor(actor, done) {
    this.#life = actor.life;
    this.#root = actor.root;
    this.#done = done;
    this.#life.calls.add(this);
    this.#root.hold();
  }

  end(error) {
    if (!this.#life.calls.delete(this)) return;
    this.#root.release();
    this.#done(error);
  }

  fail(error) {
    this.end(error);
  }
}

// A call of an object from caller's context. Its value, or error, goes back there once what the object wrote is durable.
class Call {
  #actor;
  #life;
  #root = null; // of the instance that it began in
  #caller;
  #work;
  #resolve;
  #reject;

  constructor(actor, caller, work, resolve, reject) {
    this.#actor = actor;
    this.#life = actor.life;
    this.#caller = caller;
    this.#work = work;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#life.calls.add(this);
    caller.hold();
  }

  begin() {
    const actor = this.#actor;
    this.#root = actor.root;
    this.#root.hold();
    begin(() => this.#work(actor.instance, actor)).then(
      (value) => this.#done(() => this.#resolve(value)), (error) => this.#done(() => this.#reject(carryError(error, actor.id))));
  }

  #done(settle) {
    const actor = this.#actor;
    this.#root.release();
    if (actor.dirty && this.#life === actor.life) afterCommit(actor, () => this.#answer(settle), (error) => this.fail(error));
    else this.#answer(settle);
  }

  #answer(settle) {
    if (!this.#life.calls.delete(this)) return;
    this.#caller.release();
    post(this.#caller, settle);
  }

  fail(error) {
    this.#answer(() => this.#reject(error));
  }
}

class Actor {
  row;
  id;
  key;
  name = undefined;

  state = COLD;
  /** Its sockets have been restored in this process. */
  known = false;
  life = new Life();
  root = new Gate(this, null);
  /** The innermost open section, null while it is not live. */
  top = null;
  instance = null;

  /** Of its storage; 0 while it is not live. */
  handle = 0;
  /** It wrote what is not committed yet. */
  dirty = false;
  /** Explicit transactions open: their writes are committed when the outermost ends. */
  inTransaction = 0;
  alarmTouched = false;
  runningAlarm = null;

  /** Hibernatable Ends, oldest first; changed by add() and remove(). */
  sockets = new Set();
  #lists = new Map(); // what getWebSockets() answers, by tag (undefined: all), until the sockets change
  autoResponse = null;
  eventTimeout = null;

  /** The link's event that it wakes for, 0 when it is another's call. */
  cause = 0;
  touched = false;
  quietTicks = 0;

  constructor(row, id) {
    this.row = row;
    this.id = id;
    this.key = `${row.name}/${id}`;
  }

  /** Runs fn as an event of the instance, waking it first. refused(error): it broke before fn could run. */
  event(fn, refused) {
    if (this.state === COLD) this.#wake(0);
    this.root.deliver(fn, refused);
  }

  /** The same for event seq of the link; at once, when nothing is in its way. */
  linkEvent(seq, fn, refused) {
    if (this.state === COLD) this.#wake(seq);
    const { root } = this;
    const strand = new Strand(root, seq);
    if (this.state === LIVE && root.open) {
      this.touched = true;
      run(strand, fn);
    } else {
      strand.deliver(fn, refused);
    }
  }

  // --- life

  // On account of event seq of the link, or 0.
  #wake(seq) {
    this.state = RESTORING;
    this.cause = seq;
    if (this.known) return this.#construct();
    restoring.set(++tokens, this);
    native.link.restoreWant(tokens, this.key);
  }

  restored(request, response) {
    this.known = true;
    if (this.cause !== 0) native.link.event(this.cause);
    this.sockets = new Set([...this.sockets].sort((a, b) => a.since - b.since));
    this.#lists.clear();
    this.autoResponse = request === null ? null : new WebSocketRequestResponsePair(request, response);
    this.#construct();
  }

  #construct() {
    this.state = LIVE;
    this.top = this.root;
    this.touched = true;
    this.handle = native.storage.open(this.row.key, this.id, this.name ?? '');
    byHandle.set(this.handle, this);
    watchIdle();
    native.link.actorState(false, this.sockets.size, this.key, this.name ?? '');
    try {
      const { exports, name } = this.row;
      const construct = exports[name];
      if (typeof construct !== 'function') throw new Error(`The application does not export a class named "${name}".`);
      const ctx = new DurableObjectState(internal, this);
      this.instance = run(this.root, () => new construct(ctx, world.env));
    } catch (error) {
      host.uncaught(error);
      return this.break(resetBy(error));
    }
    this.root.pump();
  }

  tick() {
    if (this.touched || this.root.pending > 0) {
      this.touched = false;
      this.quietTicks = 0;
    } else if (++this.quietTicks >= TICKS) {
      this.#sleep();
    }
  }

  // Sockets whose other end nobody ever used cannot be kept: the object hears of that, and stays up for it.
  #sleep() {
    const stray = [...this.sockets].filter((end) => end.hold === 0 && !end.peerUsed);
    if (stray.length > 0) return stray.forEach((end) => end.closed(1006, false, '', 0));
    this.root.die();
    this.#stop();
    this.#lists.clear();
    for (const end of this.sockets) end.face = null;
  }

  #stop() {
    if (this.state === LIVE) {
      byHandle.delete(this.handle);
      native.storage.close(this.handle);
      native.link.actorState(true, this.sockets.size, this.key, this.name ?? '');
    }
    Object.assign(this, { state: COLD, top: null, instance: null, handle: 0, dirty: false, inTransaction: 0, alarmTouched: false, quietTicks: 0, root: new Gate(this, null) });
    if (this.sockets.size === 0) this.row.actors.delete(this.id);
  }

  /** Resets it: callers and what waits get error, uncommitted writes are gone, the next event builds a new instance. */
  break(error, dropSockets = false) {
    const { life, root, top } = this;
    const lost = waiting.filter((one) => one.actor === this);
    waiting = waiting.filter((one) => one.actor !== this);
    life.error = error;
    this.life = new Life();
    this.dirty = false; // what is said from here on does not depend on its writes
    if (dropSockets) {
      for (const end of [...this.sockets]) {
        end.drop();
        this.remove(end);
      }
    }
    for (const end of [...root.ends]) end.drop();
    this.#stop();
    root.breakUp(error, top ?? root);
    for (const one of lost) one.fail(error);
    for (const call of [...life.calls]) call.fail(error);
  }

  // --- sockets

  add(end) {
    this.sockets.add(end);
    this.#lists.clear();
  }

  remove(end) {
    this.sockets.delete(end);
    this.#lists.clear();
  }

  /** The WebSockets with that tag, oldest first, or all (undefined), newest first. */
  webSockets(tag) {
    let list = this.#lists.get(tag);
    if (list === undefined) {
      if (this.#lists.size >= LISTS) this.#lists.clear();
      const ends = [...this.sockets];
      list = (tag === undefined ? ends.reverse() : ends.filter((end) => end.tags.includes(tag))).map((end) => end.face);
      this.#lists.set(tag, list);
    }
    return list.slice();
  }

  // --- work in flight

  /** Counts work as pending until it ends: done() is called once, with the error that ended it, if any. */
  track(promise, done) {
    const work = new Work(this, done);
    promise.then(() => work.end(undefined), (error) => work.end(error ?? new Error(`${error}`)));
    return work;
  }

  /** work(instance, actor) as an event, for caller's context: resolve or reject are called there. */
  call(caller, work, resolve, reject) {
    const call = new Call(this, caller, work, resolve, reject);
    this.event(() => call.begin(), (error) => call.fail(error));
  }

  /** Writes were made that are not committed yet. */
  touch() {
    if (this.dirty) return;
    this.dirty = true;
    dirty.add(this);
  }

  // --- events of hibernatable sockets (called by their Ends)

  // The hot path: one message, one call.
  socketMessage(end, data, seq) {
    if (this.state === LIVE && this.root.open) {
      this.touched = true;
      enter(new Strand(this.root, seq));
      this.#hear(end, data, seq);
    } else {
      this.linkEvent(seq, () => this.#hear(end, data, seq), this.#refuse(seq));
    }
  }

  #hear(end, data, seq) {
    const { instance } = this;
    let result;
    try {
      if (typeof instance.webSocketMessage === 'function') result = instance.webSocketMessage(end.face, data);
    } catch (error) {
      host.uncaught(error);
    }
    this.#whenOver(result, seq);
  }

  // It is listed while the handler's synchronous part runs.
  socketClosed(end, code, reason, clean, seq) {
    this.linkEvent(seq, () => {
      end.leave(!clean);
      this.#handle(seq, this.instance.webSocketClose, end, code, reason, clean);
      this.remove(end);
    }, this.#refuse(seq));
  }

  socketError(end, error, seq) {
    this.linkEvent(seq, () => {
      end.leave(true);
      this.remove(end);
      this.#handle(seq, this.instance.webSocketError, end, error);
    }, this.#refuse(seq));
  }

  // A handler that throws is logged; the object and the socket live on.
  #handle(seq, handler, end, ...args) {
    let result;
    try {
      if (typeof handler === 'function') result = handler.call(this.instance, end.face, ...args);
    } catch (error) {
      host.uncaught(error);
    }
    this.#whenOver(result, seq);
  }

  // The event is over when the promise that its handler returned is.
  #whenOver(result, seq) {
    if (typeof result === 'object' && result !== null || typeof result === 'function') {
      this.track(Promise.resolve(result), (error) => this.#handled(error, seq));
    } else {
      acknowledge(seq);
    }
  }

  #handled(error, seq) {
    if (error !== undefined) host.uncaught(error);
    acknowledge(seq);
  }

  #refuse(seq) {
    return (error) => this.#handled(error, seq);
  }

  // --- alarms (alarm.js)

  alarm(seq, due) {
    this.linkEvent(seq, () => runAlarm(this, due, () => acknowledge(seq)), (error) => {
      host.uncaught(error);
      wakingForAlarmFailed(this);
      acknowledge(seq);
    });
  }
}

/** The promise of work()'s value, exceptions included. */
export function begin(work) {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}

// --- the output gate ----------------------------------------------------------------------------------------------------------

const dirty = new Set();
let waiting = []; // {actor, fn(), fail(error)}

/** fn() once what the actor wrote so far is durable, fail(error) when it is lost. */
export function afterCommit(actor, fn, fail) {
  waiting.push({ actor, fn, fail });
}

phases.commit = () => {
  if (waiting.length === 0) return false;
  for (const actor of new Set(waiting.map((one) => one.actor))) commit(actor);
  const ready = waiting;
  waiting = [];
  for (const one of ready) one.fn();
  return true;
};

phases.end = () => {
  for (const actor of dirty) {
    announceAlarm(actor);
    actor.dirty = false;
  }
  dirty.clear();
};

function commit(actor) {
  if (!actor.dirty) return;
  try {
    announceAlarm(actor);
    native.storage.commit(actor.handle);
    actor.dirty = false;
    dirty.delete(actor);
  } catch (error) {
    host.uncaught(error);
    actor.break(resetBy(error));
  }
}

/** Hook: the host could not commit what an actor wrote, and has dropped its frames. */
export function commitFailed(handle, text) {
  const error = new Error(text);
  const actor = byHandle.get(handle);
  if (actor === undefined) return;
  host.uncaught(error);
  actor.break(resetBy(error));
}

// --- idle instances ------------------------------------------------------------------------------------------------------------

let watching = false;

function watchIdle() {
  if (watching) return;
  watching = true;
  host.setTimeout(() => {
    watching = false;
    for (const actor of byHandle.values()) actor.tick();
    if (byHandle.size > 0) watchIdle();
  }, world.idleMs / TICKS);
}
