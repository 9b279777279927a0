// Errors that cross from a Durable Object or an entrypoint to its caller: a copy, marked as remote.
import { DOMException } from './domexception.js';
import { host } from './host.js';
import { serialize, deserialize } from './clone.js';

const builtins = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const hidden = new Set(['message', 'stack', 'name', 'cause', 'line', 'column', 'sourceURL']);

/** The error that the caller gets for what was thrown in the object with that id (or undefined). */
export function carryError(thrown, id) {
  const error = copy(thrown);
  error.remote = true;
  if (id !== undefined && host.flag('enhanced_error_serialization')) error.durableObjectId = id;
  if (thrown?.durableObjectReset === true) {
    error.durableObjectReset = true;
    if (thrown.overloaded === true) error.overloaded = true;
  }
  return error;
}

function copy(thrown) {
  if (!(thrown instanceof Error)) return new Error(`${thrown}`);
  if (thrown instanceof DOMException) return new DOMException(thrown.message, thrown.name);
  const whole = host.flag('enhanced_error_serialization');
  const name = `${thrown.name}`;
  const builtin = Object.hasOwn(builtins, name) ? builtins[name] : undefined;
  const error = builtin !== undefined || whole ? new (builtin ?? Error)(thrown.message) : new Error(`${name}: ${thrown.message}`);
  if (typeof thrown.stack === 'string') define(error, 'stack', thrown.stack);
  if (whole) copyMembers(thrown, error, name);
  return error;
}

function copyMembers(from, to, name) {
  if (to.name !== name) define(to, 'name', name);
  if ('cause' in from) define(to, 'cause', from.cause instanceof Error ? copy(from.cause) : cloned(from.cause));
  for (const key of Object.keys(from)) {
    if (!hidden.has(key)) to[key] = cloned(from[key]);
  }
}

// What cannot be cloned does not cross.
function cloned(value) {
  try {
    return deserialize(serialize(value));
  } catch {
    return undefined;
  }
}

function define(object, key, value) {
  Object.defineProperty(object, key, { value, writable: true, enumerable: false, configurable: true });
}

/** Marks what was thrown as the reason why an object was reset. */
export function resetBy(thrown, more) {
  const error = thrown instanceof Error ? thrown : new Error(`${thrown}`);
  return Object.assign(error, { durableObjectReset: true }, more);
}
