// Errors that no code of the application catches: the global `error` and `unhandledrejection` events, then the log.
import { log } from './console.js';
import { dispatch, ErrorEvent, EventTarget, isHeard, PromiseRejectionEvent, trusted } from './events.js';
import { host } from './host.js';
import { errorTitle, inspect, isError } from './inspect.js';
import { native } from './native.js';
import { frames, stackText } from './source_map.js';

const ERROR = 3;

/** The global object as an event target: addEventListener('fetch' | 'error' | 'unhandledrejection' …). */
export const scope = new EventTarget();

let showsErrors = false;

/** Whether clients see what went wrong (development) or only that it did. */
export function setShowsErrors(on) {
  showsErrors = on;
}

function textOf(error) {
  try {
    return inspect(error);
  } catch {
    return 'an exception that cannot be shown';
  }
}

function placeOf(error) {
  return isError(error) ? (frames(error.stack)[0]?.place ?? '') : '';
}

let reporting = false;

// An error in a listener of `error` must not come back here.
function guarded(fn) {
  if (reporting) return false;
  reporting = true;
  try {
    return fn();
  } finally {
    reporting = false;
  }
}

function prevented(event) {
  dispatch(scope, trusted(event));
  return event.defaultPrevented;
}

/** An uncaught exception: `error` event, then a line with the author's place and stack. */
export function report(error) {
  const heard = guarded(() => isHeard(scope, 'error')
    && prevented(new ErrorEvent('error', { error, message: `Uncaught ${isError(error) ? errorTitle(error) : textOf(error)}`, cancelable: true })));
  if (!heard) log(ERROR, placeOf(error), `Uncaught ${textOf(error)}`);
}

host.uncaught = report;

/** What a client is told: everything in development, nothing in production. */
export function reportText(error) {
  if (!showsErrors) return 'Internal Server Error';
  return isError(error) ? `${errorTitle(error)}${stackText(error.stack)}\n` : `Uncaught ${textOf(error)}\n`;
}

native.module.rejections((promise, reason) => {
  const heard = guarded(() => isHeard(scope, 'unhandledrejection')
    && prevented(new PromiseRejectionEvent('unhandledrejection', { promise, reason, cancelable: true })));
  if (!heard) log(ERROR, placeOf(reason), `Uncaught (in promise) ${textOf(reason)}`);
});
