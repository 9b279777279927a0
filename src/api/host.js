// What the Web platform files of this folder need of the process they run in. link.js and timers.js fill it in before any
// application code runs; tests put their own functions here.
export const host = {
  /** Calls fn once after ms milliseconds; returns an id for clearTimeout. */
  setTimeout: undefined,
  clearTimeout: undefined,
  /** The same for the application: what asks is pending until then (context.js), and fn runs on its behalf. */
  later: undefined,
  /** On its behalf, but nobody is pending for it: a deadline of something else. */
  deadline: undefined,
  /** Monotonic milliseconds since the process started. */
  now: () => 0,
  /** A line for the log that the runtime itself has to say. */
  warn: () => {},
  /** An error that no code of the application can catch: the global `error` event, then the log. */
  uncaught: () => {},
  /** Whether a compatibility flag (workers-style name) is on. */
  flag: () => true,
  /** Whether the headers of requests that come in may be changed. */
  mutableRequests: false,
  /** The name of a request's `backend`, and where that leads (fastly_backend.js). */
  backendName: undefined,
  backend: undefined,
  /** Sends a request out of the process (fetch.js says what goes in and out). */
  fetch: undefined,
};
