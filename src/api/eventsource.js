// EventSource: a stream of server-sent events (HTML 9.2), read by eventsource-parser. It reconnects when the server ends the
// stream; a failed request is final, as on the platform.
import { createParser } from 'eventsource-parser';
import { AbortController } from './abort.js';
import { current, inEvent } from './context.js';
import { DOMException } from './domexception.js';
import { TextDecoder } from './encoding.js';
import { dispatch, ErrorEvent, Event, EventTarget, MessageEvent, trusted } from './events.js';
import { fetch } from './fetch.js';
import { host } from './host.js';
import { internal } from './internal.js';
import { checkFresh, isReadableStream } from './streams.js';
import { URL } from './url.js';
import { constants, finish, wrongArgument, wrongConstructorArgument } from './webidl.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

const RETRY_MS = 2000;
const RETRY_MIN = 1000;
const RETRY_MAX = 10_000;
const EVENT_MAX = 16 << 20; // characters of one event
const GONE = 'The server disconnected.';

class OpenEvent extends Event {
  constructor() {
    super('open');
  }
}

export class EventSource extends EventTarget {
  #url = '';
  #state = CONNECTING;
  #fetch = fetch;
  #context = current();
  #held = false;
  #abort = null;
  #timer = 0;
  #retry = RETRY_MS;
  #lastId = '';
  #origin = null;
  #emptyBodies = 0;

  constructor(url, init) {
    super();
    if (url === internal) return;
    if (arguments.length === 0) throw wrongConstructorArgument('EventSource', 1, 'string');
    if (!inEvent()) throw new DOMException('An EventSource can only be created within the context of a worker request.', 'NotSupportedError');
    if (init?.withCredentials) {
      throw new DOMException('The init.withCredentials option is not supported. It must be false or undefined.', 'NotSupportedError');
    }
    this.#url = parsed(`${url}`);
    const fetcher = init?.fetcher;
    if (fetcher !== undefined && fetcher !== null) this.#fetch = (input, options) => fetcher.fetch(input, options);
    this.#hold();
    this.#connect();
  }

  /** The events of a stream of bytes; it does not reconnect. */
  static from(stream) {
    if (!isReadableStream(stream)) throw wrongArgument('from', 'EventSource', 1, 'ReadableStream');
    checkFresh(stream);
    const source = new EventSource(internal);
    source.#state = OPEN;
    source.#hold();
    source.#read(stream.getReader()).then(() => source.#fail(new Error(GONE)), (error) => source.#fail(error));
    return source;
  }

  get url() {
    return this.#url;
  }

  get withCredentials() {
    return false;
  }

  get readyState() {
    return this.#state;
  }

  close() {
    this.#state = CLOSED;
    host.clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#release();
  }

  [Symbol.dispose]() {
    this.close();
  }

  // --- while it is open, it is pending

  #hold() {
    this.#held = true;
    this.#context.hold();
  }

  #release() {
    if (this.#held) this.#context.release();
    this.#held = false;
  }

  // --- one connection

  async #connect() {
    this.#abort = new AbortController();
    const headers = { Accept: 'text/event-stream', 'Cache-Control': 'no-cache' };
    if (this.#lastId !== '') headers['Last-Event-ID'] = this.#lastId;
    let response;
    try {
      response = await this.#fetch(this.#url, { headers, signal: this.#abort.signal });
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#state === CLOSED) return undefined;
    const refusal = refusalOf(response);
    if (refusal !== undefined) return this.#fail(refusal);
    if (response.redirected) this.#url = response.url;
    this.#origin = new URL(this.#url).origin;
    return response.body === null ? this.#empty() : this.#follow(response.body.getReader());
  }

  // Nothing to read: once is an accident.
  #empty() {
    if (this.#emptyBodies++ > 0) return this.#fail(new DOMException('The server provided no content.', 'AbortError'));
    return this.#again(new Error(GONE));
  }

  async #follow(reader) {
    this.#state = OPEN;
    this.#say(new OpenEvent());
    let error = new Error(GONE);
    try {
      await this.#read(reader);
    } catch (thrown) {
      error = thrown;
    }
    if (this.#state !== CLOSED) this.#again(error);
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    const parser = createParser({
      maxBufferSize: EVENT_MAX,
      onEvent: (event) => this.#event(event),
      onRetry: (ms) => (this.#retry = Math.min(Math.max(ms, RETRY_MIN), RETRY_MAX)),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') throw error;
      },
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (this.#state === CLOSED) return void reader.cancel().catch(() => {});
      if (done) return undefined;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  #event({ event, data, id }) {
    if (this.#state === CLOSED) return;
    if (id !== undefined) this.#lastId = id;
    this.#say(new MessageEvent(event ?? 'message', { data, lastEventId: this.#lastId, origin: this.#origin }));
  }

  // --- what listeners hear

  #say(event) {
    const failure = dispatch(this, trusted(event));
    if (failure !== undefined && !host.flag('spec_compliant_dispatch_exceptions')) this.#fail(failure.error);
  }

  #report(error) {
    dispatch(this, trusted(new ErrorEvent('error', { error, message: error?.message ?? `${error}` })));
    host.uncaught(error);
  }

  #again(error) {
    this.#state = CONNECTING;
    this.#report(error);
    if (this.#state === CLOSED) return;
    this.#timer = host.setTimeout(() => this.#context.deliver(() => this.#connect()), this.#retry);
  }

  #fail(error) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#abort?.abort();
    this.#report(error);
    this.#release();
  }
}

finish(EventSource);
constants(EventSource, { CONNECTING, OPEN, CLOSED });

function parsed(text) {
  try {
    return new URL(text).href;
  } catch {
    throw new DOMException(`Cannot open an EventSource to '${text}'. The URL is invalid.`, 'SyntaxError');
  }
}

// Why the response is not a stream of events; undefined when it is one.
function refusalOf(response) {
  const why = (text) => new DOMException(text, 'AbortError');
  if (!response.ok) return why(`The response status code was ${response.status}.`);
  const type = response.headers.get('content-type');
  if (type === null) return why('No content type header was present in the response.');
  if (type.split(';')[0].trim().toLowerCase() !== 'text/event-stream') return why(`The content type '${type}' is invalid.`);
  return undefined;
}
