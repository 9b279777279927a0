// Request (Fetch 5.4, with workerd's rules).
//
// A request that came over the link is its head, "METHOD URL\nName: value\n…", until somebody looks.
import { isAbortSignal, newSignal, abortNow } from './abort.js';
import { Body, bodyKey, bodySource, bodyType, cloneBody, hasBody, moveBody, setBody } from './body.js';
import { defaultHeader, Headers, headersOfHead } from './headers.js';
import { host } from './host.js';
import { isURL, normalUrl } from './url.js';
import { finish, wrongConstructorArgument } from './webidl.js';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const upper = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
const redirects = new Set(['follow', 'manual', 'error']);

function methodOf(value) {
  const method = String(value);
  if (upper.has(method)) return method;
  if (!token.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
  const upperCase = method.toUpperCase();
  return upper.has(upperCase) ? upperCase : method;
}

function redirectOf(value) {
  const mode = String(value);
  if (!redirects.has(mode)) throw new TypeError('Invalid redirect value, must be one of "follow", "manual" or "error".');
  return mode;
}

function cacheOf(value) {
  const mode = String(value);
  if (mode !== 'no-store' && mode !== 'no-cache' && mode !== 'default' && mode !== 'reload') throw new TypeError(`Unsupported cache mode: ${mode}`);
  return mode;
}

/** The URL of an absolute reference; relative ones have nothing to be relative to. */
export function absoluteUrl(input) {
  const url = normalUrl(input);
  if (url === null) throw new TypeError(`Invalid URL: ${input}`);
  return url;
}

// What the gateway says first of a head; applications for Fastly have it as event.client.address.
const PEER = 'CF-Connecting-IP: ';

let incoming;
let isRequestObject;
let partsOf;
let abortSignalOf;

export class Request extends Body {
  #head = null; // of a request that came over the link, while one of the next three is not known
  #method = 'GET';
  #url = '';
  #headers = null;
  #redirect = 'follow';
  #signal = null;
  #cf = undefined;
  #cfText = '';
  #cache = undefined;
  #fetcher = null;
  #backend = undefined; // a name, of an application for Fastly
  #peer = ''; // the client's address, of the same

  constructor(input, init = undefined) {
    super(bodyKey);
    if (input === bodyKey) return;
    if (arguments.length === 0) throw wrongConstructorArgument('Request', 1, 'Request or string');
    const from = typeof input === 'object' && input !== null && #head in input ? input : null;
    if (from !== null) this.#copy(from);
    else this.#url = isURL(input) ? input.href : absoluteUrl(typeof input === 'string' ? input : String(input));
    if (init !== undefined && init !== null) this.#apply(dictionaryOf(init));
    if (from !== null && !hasBody(this) && init?.body === undefined) moveBody(from, this);
    if (hasBody(this) && (this.#method === 'GET' || this.#method === 'HEAD')) {
      throw new TypeError('Request with a GET or HEAD method cannot have a body.');
    }
  }

  static {
    incoming = (head, body, cfText) => {
      const request = new Request(bodyKey);
      request.#head = head;
      request.#cfText = cfText;
      request.#redirect = 'manual';
      if (body !== null) setBody(request, body);
      return request;
    };

    isRequestObject = (value) => typeof value === 'object' && value !== null && #head in value;

    partsOf = (request) => {
      request.#open();
      return {
        method: request.#method,
        url: request.#url,
        headers: request.headers,
        redirect: request.#redirect,
        signal: request.#signal,
        fetcher: request.#fetcher,
        backend: request.#backend,
        peer: request.#peer,
      };
    };

    abortSignalOf = (request) => (request.#signal ??= newSignal());
  }

  #open() {
    const head = this.#head;
    if (head === null) return;
    this.#head = null;
    const space = head.indexOf(' ');
    const end = head.indexOf('\n', space);
    this.#method = head.slice(0, space);
    const url = head.slice(space + 1, end);
    this.#url = normalUrl(url) ?? url;
    let rest = head.slice(end + 1);
    if (host.mutableRequests && rest.startsWith(PEER)) {
      const line = rest.indexOf('\n');
      this.#peer = rest.slice(PEER.length, line);
      rest = rest.slice(line + 1);
    }
    this.#headers = headersOfHead(rest, !host.mutableRequests);
  }

  #copy(from) {
    from.#open();
    this.#method = from.#method;
    this.#url = from.#url;
    this.#headers = from.#headers === null ? null : new Headers(from.#headers);
    this.#redirect = from.#redirect;
    this.#signal = from.#signal;
    this.#cf = from.#cf;
    this.#cfText = from.#cfText;
    this.#cache = from.#cache;
    this.#fetcher = from.#fetcher;
    this.#backend = from.#backend;
  }

  #apply(init) {
    const { method, headers, body, redirect, signal, cf, cache, fetcher, backend } = init;
    if (method !== undefined) this.#method = methodOf(method);
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
    if (redirect !== undefined) this.#redirect = redirectOf(redirect);
    if (signal !== undefined) this.#signal = signalOf(signal);
    if (cf !== undefined) {
      this.#cf = cf === null ? undefined : { ...cf };
      this.#cfText = '';
    }
    if (cache !== undefined) this.#cache = cacheOf(cache);
    if (fetcher !== undefined) this.#fetcher = fetcher;
    if (backend !== undefined && host.mutableRequests) this.#backend = host.backendName(backend);
    if (body !== undefined && body !== null) {
      setBody(this, bodySource(body));
      const type = bodyType();
      if (type !== '') defaultHeader(this.headers, 'Content-Type', 'content-type', type);
    }
  }

  get method() {
    this.#open();
    return this.#method;
  }

  get url() {
    this.#open();
    return this.#url;
  }

  get headers() {
    this.#open();
    return (this.#headers ??= new Headers());
  }

  get redirect() {
    return this.#redirect;
  }

  get signal() {
    return (this.#signal ??= newSignal());
  }

  get cf() {
    if (this.#cf === undefined && this.#cfText !== '') {
      this.#cf = JSON.parse(this.#cfText);
      this.#cfText = '';
    }
    return this.#cf;
  }

  get fetcher() {
    return this.#fetcher;
  }

  get integrity() {
    return '';
  }

  get keepalive() {
    return false;
  }

  get cache() {
    return this.#cache;
  }

  clone() {
    const copy = new Request(bodyKey);
    copy.#copy(this);
    cloneBody(this, copy);
    return copy;
  }
}

function dictionaryOf(init) {
  if (typeof init !== 'object' && typeof init !== 'function') throw wrongConstructorArgument('Request', 2, 'RequestInitializerDict or Request');
  return init;
}

function signalOf(signal) {
  if (signal === null) return null;
  if (!isAbortSignal(signal)) throw new TypeError("Incorrect type for the 'signal' field on 'RequestInitializerDict': the provided value is not of type 'AbortSignal'.");
  return signal;
}

finish(Request);

/** The Request of a head that came over the link. body: null or a Pipe; cfText: JSON of request.cf, or ''. */
export function incomingRequest(head, body, cfText) {
  return incoming(head, body, cfText);
}

/** The client has gone: aborts request.signal where the application asked for that. */
export function abortRequest(request) {
  if (host.flag('enable_request_signal')) abortNow(abortSignalOf(request));
}

export function isRequest(value) {
  return isRequestObject(value);
}

/** { method, url, headers, redirect, signal (null: none was given), fetcher, backend (undefined: none), peer }. */
export function requestParts(request) {
  return partsOf(request);
}
