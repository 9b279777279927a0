// The frame of asynchronous context: what AsyncLocalStorage holds now (src/api/node/async_hooks.js). Undefined unless an
// application runs something in a storage; then timers, promises and snapshots carry it on to what they call later.
let now;

export const currentFrame = () => now;

/** fn(...args) on this, with frame current while it runs synchronously. */
export function inFrame(frame, fn, self, args) {
  const before = now;
  now = frame;
  try {
    return fn.apply(self, args);
  } finally {
    now = before;
  }
}

/** fn, to be called later in the frame of now. */
export function framed(fn) {
  const frame = now;
  if (frame === undefined) return fn;
  return function (...args) {
    return inFrame(frame, fn, this, args);
  };
}

const { then } = Promise.prototype;
const kept = (fn) => (typeof fn === 'function' ? framed(fn) : fn);
let carried = false;

/**
 * Promise reactions run in the frame of their then() from here on. The engine's own `await` does not pass through then():
 * applications that import node:async_hooks are bundled with async functions written as generators, which do.
 */
export function carryThroughPromises() {
  if (carried) return;
  carried = true;
  const carrying = {
    then(fulfilled, rejected) {
      return now === undefined ? then.call(this, fulfilled, rejected) : then.call(this, kept(fulfilled), kept(rejected));
    },
  };
  Object.defineProperty(Promise.prototype, 'then', { value: carrying.then, writable: true, configurable: true });
}
