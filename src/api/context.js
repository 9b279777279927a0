// Contexts: to whom work belongs. Everything that runs later (a timer, the answer of a fetch, a piece of a body, a socket's
// message) takes the context that is current when it is asked for, and is delivered through it. A Durable Object's context
// holds deliveries back while a critical section of the object is open (its input gate), and counts what is pending, which
// keeps the instance in memory. All stateless events share `stateless`.
//
//   const context = current();
//   context.hold();                                       // pending: no hibernation, the process is not idle
//   …later…  context.deliver(() => resolve(answer));      // now, or when the gate opens; the context is current during it
//            context.release();                           // once for each hold
//
// Contexts are not tracked through `await`: a continuation runs in the context of the turn's last delivery. That is exact as
// long as the work of two objects does not interleave within one turn's microtasks; where it matters (sockets, answers,
// storage) the owner is known from the object itself.

export class Context {
  actor = null; // the Actor (durable.js), null for stateless events
  pending = 0;

  hold() {
    this.pending++;
    held++;
  }

  release() {
    this.pending--;
    held--;
    if (this.pending === 0) this.rested();
  }

  // Overridden by those who care that nothing is pending any more.
  rested() {}

  deliver(fn) {
    return run(this, fn);
  }
}

let held = 0;
export const stateless = new Context();
let now = stateless;

// The context that new work belongs to.
export const current = () => now;

// Runs fn with context current. It stays current for the microtasks that follow, until the next delivery.
export function run(context, fn) {
  now = context;
  return fn();
}

// Nothing at all is pending in this process (live instances are counted by durable.js).
export const quiet = () => held === 0;
