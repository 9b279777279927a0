// node:timers and node:timers/promises, on the global timers. Timers are numbers, as in Workers.
import { platform } from './platform.js';

const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = platform.timers;

function aborted(signal) {
  return Object.assign(new Error('The operation was aborted', { cause: signal.reason }), { name: 'AbortError', code: 'ABORT_ERR' });
}

// start(resolve) → what stop() takes.
function waiting(start, stop, value, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted(signal));
      return;
    }
    const abort = () => {
      stop(id);
      reject(aborted(signal));
    };
    const id = start(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

const after = (ms, value, { signal } = {}) => waiting((fn) => setTimeout(fn, ms), clearTimeout, value, signal);
const immediate = (value, { signal } = {}) => waiting(setImmediate, clearImmediate, value, signal);

async function* every(ms, value, { signal } = {}) {
  for (;;) yield await after(ms, value, { signal });
}

const promises = {
  scheduler: { wait: (ms, options) => after(ms, undefined, options), yield: () => immediate() },
  setImmediate: immediate,
  setInterval: every,
  setTimeout: after,
};

export default { clearImmediate, clearInterval, clearTimeout, promises, setImmediate, setInterval, setTimeout };
