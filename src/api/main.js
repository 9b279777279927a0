// The entry of the api bundle: fills the global object, and exports `hooks`, the functions that the host calls.
import { console } from './console.js';
import { quiet, settle } from './context.js';
import { allFlags, flag } from './flags.js';
import { DOMException } from './domexception.js';
import * as durable from './durable.js';
import { EventSource } from './eventsource.js';
import { host } from './host.js';
import * as life from './life.js';
import * as link from './link.js';
import { start } from './module.js';
import { global as globals, native } from './native.js';
import * as timers from './timers.js';
import { scope } from './uncaught.js';
import { installWebAssembly } from './wasm.js';
import { webGlobals } from './web.js';
import { WebSocket, WebSocketPair, WebSocketRequestResponsePair } from './websocket.js';

host.flag = flag;

// Natives throw by name: a class of errors, or else a DOMException.
const classes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
native.module.errors((name, message) => (Object.hasOwn(classes, name) ? new classes[name](message) : new DOMException(message, name)));

// --- globals: not enumerable, as in browsers --------------------------------------------------------------------------------------

function install(values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(globals, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers;

install(webGlobals);
installWebAssembly();
install({
  addEventListener: (type, listener, options) => scope.addEventListener(type, listener, options),
  clearImmediate,
  clearInterval,
  clearTimeout,
  Cloudflare: { compatibilityFlags: allFlags() },
  console,
  dispatchEvent: (event) => scope.dispatchEvent(event),
  EventSource,
  origin: 'null',
  removeEventListener: (type, listener, options) => scope.removeEventListener(type, listener, options),
  self: globals,
  setImmediate,
  setInterval,
  setTimeout,
  WebSocket,
  WebSocketPair,
  WebSocketRequestResponsePair,
});

// --- hooks ----------------------------------------------------------------------------------------------------------------------------

export const hooks = {
  start,
  request: link.request,
  body: link.body,
  bodyAbort: link.bodyAbort,
  credit: link.credit,
  cancel: link.cancel,
  response: link.response,
  fail: link.fail,
  wsMessage: link.wsMessage,
  wsClosed: link.wsClosed,
  wsError: link.wsError,
  wsAuto: link.wsAuto,
  wsOwner: durable.wsOwner,
  restore: durable.restore,
  restored: durable.restored,
  alarm: durable.alarm,
  commitFailed: durable.commitFailed,
  timer: timers.timer,
  settle: () => settle() || life.rest(quiet() && durable.asleep()),
  drain: life.drain,
  overran: life.overran,
};
