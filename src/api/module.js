// The application: its script is evaluated once, as the body of an async function (so that top-level await works and nothing
// but its parameters is in scope), and what that returns are the module's exports.
import { current, requireEvent, setEvaluating, stateless } from './context.js';
import { namespace, setup } from './durable.js';
import { dispatch, fetchEvent, fetchEventAnswer, isHeard } from './events.js';
import { clientOf, isFastly, setupFastly } from './fastly.js';
import { fetchWith } from './fetch.js';
import { allFlags, flag, setFlags } from './flags.js';
import { global as globals, native } from './native.js';
import { host } from './host.js';
import { errorTitle, inspect, isError } from './inspect.js';
import { serviceStub } from './rpc.js';
import { asksForScheduled, runScheduled } from './scheduled.js';
import { isRequest, Request } from './request.js';
import { lineText, SCRIPT, setSourceMap, stackText } from './source_map.js';
import { report, scope, setShowsErrors } from './uncaught.js';
import { run } from './life.js';
import { setAnswer } from './link.js';
import { setPlaces } from './console.js';
import { WorkerEntrypoint } from './worker_entrypoint.js';
import { modules } from './modules.js';
import { installNode, nodeModule } from './nodejs.js';

const EVALUATE_MS = 10000;

// Modules are strict; a classic script says so itself.
const PREFIX = { modules: '(async function(__holdfast){"use strict";', 'service-worker': '(async function(__holdfast){' };

let config;
export const env = {};
const exported = {}; // the module's exports, filled when it has been evaluated

/** The application can run no further than this: the text says why, with file and line. */
class Failure extends Error {}

// --- from START to READY or FAILED --------------------------------------------------------------------------------------------

export function start(configText, map, script) {
  config = JSON.parse(configText);
  const prefix = PREFIX[config.format] ?? PREFIX.modules;
  setSourceMap(map, prefix.length);
  configure();
  evaluate(`${prefix}${script}\n})`).then(ready).catch(failed);
}

function configure() {
  setFlags(config.compatibility_date ?? null, config.compatibility_flags ?? []);
  setShowsErrors(config.dev === true);
  setPlaces(config.dev === true);
  if (config.dev !== true) native.module.watch(false);
  globals.Cloudflare.compatibilityFlags = allFlags();
  Object.assign(modules['cloudflare:workers'], {
    env: flag('disallow_importable_env') ? {} : env,
    exports: loops,
    waitUntil: (promise) => current().until(Promise.resolve(promise).catch(report)),
  });
  setup(config, exported, env, loops);
  setupFastly(config.name, config.fastly);
  for (const binding of config.bindings ?? []) bind(binding);
  if (flag('nodejs_compat')) installNode(flag('nodejs_compat_populate_process_env') ? env : {});
  if (config.format === 'service-worker') install(env);
}

async function evaluate(script) {
  const timer = host.setTimeout(
    () => failed(new Failure('The module did not finish its evaluation: a top-level await waits for something that never happens.')), EVALUATE_MS);
  setEvaluating(true);
  try {
    const module = native.module.evaluate(script, SCRIPT);
    return await module({ modules, node: nodeModule });
  } finally {
    setEvaluating(false);
    host.clearTimeout(timer);
    native.module.allowEval(false);
  }
}

function ready(exports) {
  Object.assign(exported, exports);
  fillLoops();
  for (const binding of config.bindings ?? []) checkBinding(binding);
  const isScript = config.format === 'service-worker' || exported.default === undefined && isHeard(scope, 'fetch');
  const handlers = isScript ? serviceWorker() : moduleHandlers();
  const classes = Object.keys(exported).filter((name) => typeof exported[name] === 'function');
  run();
  native.link.ready(JSON.stringify({ handlers, classes }));
}

let over = false;

function failed(error) {
  if (over) return;
  over = true;
  native.link.failed(error instanceof Failure ? error.message : failureText(error));
  native.link.leave(true);
}

// A server of another kind, as errors of its first lines show it.
const FOREIGN = /variable: (Bun|Deno)$|(WebSocketServer)\(/;

function adviceFor({ message }) {
  const [, runtime, ws] = FOREIGN.exec(message) ?? [];
  if (runtime === undefined && ws === undefined) return '';
  return `\n\nThis is a server for ${runtime ?? 'Node.js'}. It runs there as it is; \`holdfast serve --route '* localhost:PORT'\` stands in front of it (docs/grip.md).`;
}

function failureText(error) {
  if (!isError(error)) return `Uncaught ${inspect(error)} (thrown while the module was evaluated)`;
  const title = `Uncaught ${errorTitle(error)}`;
  const stack = stackText(error.stack);
  if (stack !== '') return title + stack + adviceFor(error);
  // A syntax error has no stack, but says its place.
  return error.sourceURL === SCRIPT ? `${title}\n    at ${lineText(error.line)}` : title;
}

function checkBinding({ type, name, class: className }) {
  if (type !== 'durable_object' || typeof exported[className] === 'function') return;
  throw new Failure(
    exported[className] === undefined
      ? `env.${name}: class "${className}" is not exported by the entry file; add \`export class ${className} { … }\` (or \`export { ${className} } from './file'\`).`
      : `env.${name}: the export "${className}" is not a class.`);
}

// --- bindings -----------------------------------------------------------------------------------------------------------------------

function bind(binding) {
  const { type, name } = binding;
  const value = valueOf(binding);
  if (value === undefined) throw new Failure(`env.${name}: bindings of type "${type}" are not supported.`);
  Object.defineProperty(env, name, { value, enumerable: true, configurable: true, writable: true });
}

function valueOf(binding) {
  switch (binding.type) {
    case 'text':
    case 'json': return binding.value;
    case 'durable_object': return namespace(binding.class);
    case 'service': return binding.self ? selfService(binding) : new Fetcher(internal, fetchWith(binding.service));
    case 'assets': return new Fetcher(internal, fetchWith(binding.service));
    default: return undefined;
  }
}

const internal = Symbol('internal');

/** What env.NAME of a service or assets binding is. */
class Fetcher {
  #fetch;

  constructor(key, fetch) {
    if (key !== internal) throw new TypeError('Illegal constructor');
    this.#fetch = fetch;
  }

  fetch(input, init) {
    return this.#fetch(input, init);
  }
}

// A binding to this same application: its handler is called, nothing leaves the process.
function selfService({ entrypoint, props }) {
  const entry = () => exported[entrypoint ?? 'default'];
  const context = () => new ExecutionContext(internal, detached, props);
  return serviceStub({
    context: stateless,
    called: (options) => selfService({ entrypoint, props: options?.props }),
    instance: () => instanceOf(entry(), context()),
    async fetch(input, init) {
      requireEvent();
      const request = isRequest(input) && init === undefined ? input : new Request(input, init);
      return callFetch(entry(), request, context());
    },
  });
}

function instanceOf(entry, ctx) {
  if (isEntrypoint(entry)) return new entry(ctx, env);
  throw new TypeError('The receiving entrypoint does not support RPC, because it is no class that extends `WorkerEntrypoint`.');
}

// waitUntil of a call that is no event of its own.
const detached = { waitUntil: (promise) => void Promise.resolve(promise).catch(report) };

// --- modules ------------------------------------------------------------------------------------------------------------------------

class ExecutionContext {
  #exchange;
  props;

  constructor(key, exchange, props = {}) {
    if (key !== internal) throw new TypeError('Illegal constructor');
    this.#exchange = exchange;
    this.props = props;
  }

  waitUntil(promise) {
    this.#exchange.waitUntil(promise);
  }

  /** Accepted: there is no origin behind this server to which a request could pass. */
  passThroughOnException() {}

  abort(reason = undefined) {
    throw reason instanceof Error ? reason : new Error(reason === undefined ? 'Worker execution was aborted due to call to ctx.abort().' : String(reason));
  }

  get exports() {
    return flag('enable_ctx_exports') ? loops : undefined;
  }
}

// ctx.exports.Name: a stub of each of the module's own exports. Called with { props }, it is one with other ctx.props.
const loops = {};

function fillLoops() {
  const classes = new Set((config.durable?.classes ?? []).map(({ name }) => name));
  for (const name of Object.keys(exported)) loops[name] = classes.has(name) ? namespace(name) : selfService({ entrypoint: name });
}

const handlerNames = ['fetch', 'scheduled', 'queue', 'email', 'tail', 'trace', 'tailStream', 'test', 'connect'];

function isEntrypoint(value) {
  return typeof value === 'function' && value.prototype instanceof WorkerEntrypoint;
}

const NO_DEFAULT = `The entry file has no default export. Add one with a fetch handler:

  export default {
    async fetch(request, env, ctx) {
      return new Response("Hello");
    },
  };

(Or call addEventListener("fetch", …).)`;
const EXPECTED = 'expected an object with a fetch() method, or a class that extends WorkerEntrypoint (of "cloudflare:workers").';
const NO_LISTENER =
  'The script registers no event handler. Add `addEventListener("fetch", (event) => event.respondWith(…))`, or `export default { fetch(request) { … } }`.';

function moduleHandlers() {
  const main = exported.default;
  if (main === undefined) {
    throw new Failure(NO_DEFAULT);
  }
  if (typeof main !== 'object' && typeof main !== 'function' || main === null) {
    throw new Failure(`The default export of the entry file is ${main === null ? 'null' : `a ${typeof main}`}; ${EXPECTED}`);
  }
  if (typeof main === 'function' && !isEntrypoint(main)) {
    throw new Failure(`The default export of the entry file is a function; ${EXPECTED}`);
  }
  const target = isEntrypoint(main) ? main.prototype : main;
  const offered = handlerNames.filter((name) => typeof target[name] === 'function');
  const fetched = (request, exchange) => callFetch(main, request, new ExecutionContext(internal, exchange));
  setAnswer(!offered.includes('scheduled') ? fetched : withScheduled(fetched, (controller, waitUntil) => {
    const ctx = new ExecutionContext(internal, { waitUntil });
    return isEntrypoint(main) ? new main(ctx, env).scheduled(controller) : main.scheduled(controller, env, ctx);
  }));
  return offered;
}

// In development the scheduled handler has an address.
function withScheduled(fetched, handler) {
  if (config.dev !== true) return fetched;
  return (request, exchange) => (asksForScheduled(request) ? runScheduled(request, handler) : fetched(request, exchange));
}

function callFetch(entry, request, ctx) {
  if (isEntrypoint(entry)) {
    const instance = new entry(ctx, env);
    if (typeof instance.fetch !== 'function') throw new Error('Handler does not export a fetch() function.');
    return instance.fetch(request);
  }
  if (typeof entry?.fetch !== 'function') throw new Error('Handler does not export a fetch() function.');
  return entry.fetch(request, env, ctx);
}

// --- service-worker format ----------------------------------------------------------------------------------------------------------

function install(values) {
  for (const name of Object.keys(values)) {
    Object.defineProperty(globals, name, { value: values[name], writable: true, configurable: true, enumerable: false });
  }
}

function serviceWorker() {
  if (!isHeard(scope, 'fetch')) {
    throw new Failure(NO_LISTENER);
  }
  if (!isHeard(scope, 'scheduled')) {
    setAnswer(answerEvent);
    return ['fetch'];
  }
  setAnswer(withScheduled(answerEvent));
  return ['fetch', 'scheduled'];
}

function answerEvent(request, exchange) {
  const event = fetchEvent(request, (promise) => exchange.waitUntil(promise), undefined);
  if (isFastly()) clientOf(event, request);
  const failure = dispatch(scope, event);
  const answer = fetchEventAnswer(event);
  if (answer !== undefined) return answer;
  if (failure !== undefined) throw failure.error;
  if (event.defaultPrevented) return exchange.drop();
  throw new Error('No event listener called respondWith(), and there is no origin to send the request to.');
}
