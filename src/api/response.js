// Response (Fetch 5.5, with workerd's rules for WebSockets).
import { AS_IS, Body, BODY_USED, bodyKey, bodySource, bodyType, cloneBody, knownCoding, outgoingBody, setBody } from './body.js';
import { defaultHeader, Headers, headersOfHead, headersText, headerValue, makeImmutable } from './headers.js';
import { absoluteUrl } from './request.js';
import { finish, toInteger, wrongConstructorArgument } from './webidl.js';

function isNullBodyStatus(status) {
  return status === 204 || status === 304 || status === 205 || status === 101;
}

function checkedStatus(value, end) {
  const status = toInteger(value) & 0xffff;
  if (end !== null) {
    if (status !== 101) throw new RangeError('Responses with a WebSocket must have status code 101.');
  } else if (status < 200 || status > 599) {
    throw new RangeError('Responses may only be constructed with status codes in the range 200 to 599, inclusive.');
  }
  return status;
}

function checkedReason(value) {
  const text = String(value);
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) throw new TypeError('Invalid statusText');
  return text;
}

function isEmpty(source) {
  return (typeof source === 'string' || source instanceof Uint8Array) && source.length === 0;
}

let endOf;

/** websocket.js tells the End behind a WebSocket, undefined for anything else. */
export function socketDoor(fn) {
  endOf = fn;
}

let fetched;
let socketOf;
let upgraded;
let partsOf;
let failed;
let handedOff;

export class Response extends Body {
  #status = 200;
  #statusText = '';
  #headers = null;
  #contentType = ''; // what the body says, until there are headers to hold it
  #end = null; // of its WebSocket
  #url = '';
  #redirected = false;
  #cf = undefined;
  #manual = false; // encodeBody: the body is already as Content-Encoding says
  #error = false;
  #handoff = null; // somebody else answers: { kind, backend, head }

  constructor(body = null, init = undefined) {
    super(bodyKey);
    if (init !== undefined && init !== null) this.#apply(init);
    if (body === null) return;
    const source = bodySource(body);
    this.#contentType = bodyType();
    if (isNullBodyStatus(this.#status)) {
      if (!isEmpty(source)) throw new TypeError('Response with null body status (101, 204, 205, or 304) cannot have a body.');
      return;
    }
    setBody(this, source);
    if (this.#headers !== null) this.#settleType();
  }

  static {
    fetched = (answer, callUrl) => {
      const response = new Response();
      response.#status = answer.status;
      response.#statusText = answer.reason;
      response.#headers = headersOfHead(answer.head, true);
      response.#end = answer.end;
      response.#url = answer.url || callUrl;
      response.#redirected = answer.url !== '' && answer.url !== callUrl;
      if (answer.body !== null) {
        answer.body.coding = knownCoding(headerValue(response.#headers, 'content-encoding'));
        setBody(response, answer.body);
      }
      return response;
    };

    socketOf = (response) => response.#end;

    upgraded = (from, end) => {
      const response = new Response();
      response.#status = 101;
      response.#headers = from.#headers === null ? null : new Headers(from.#headers);
      response.#end = end;
      return response;
    };

    failed = () => {
      const response = new Response();
      response.#error = true;
      response.#status = 0;
      return response;
    };

    handedOff = (handoff) => {
      const response = new Response();
      response.#handoff = handoff;
      return response;
    };

    partsOf = (value) => {
      if (typeof value !== 'object' || value === null || !(#manual in value)) return undefined;
      if (value.#error) throw new TypeError('Return value from serve handler must not be an error response (like Response.error())');
      const headers = value.#headers;
      return {
        status: value.#status,
        reason: value.#statusText,
        head: headers === null ? (value.#contentType === '' ? '' : `Content-Type: ${value.#contentType}\n`) : headersText(headers),
        end: value.#end,
        handoff: value.#handoff,
        body: outgoingBody(value, value.#manual ? AS_IS : headers === null ? undefined : knownCoding(headerValue(headers, 'content-encoding'))),
      };
    };
  }

  #apply(init) {
    if (typeof init !== 'object' && typeof init !== 'function') throw wrongConstructorArgument('Response', 2, 'InitializerDict or Response');
    const { status, statusText, headers, webSocket, cf, encodeBody } = init;
    if (webSocket !== undefined && webSocket !== null) {
      const end = endOf(webSocket);
      if (end === undefined) {
        throw new TypeError("Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is not of type 'WebSocket'.");
      }
      this.#end = end;
    }
    if (status !== undefined || this.#end !== null) this.#status = checkedStatus(status === undefined ? 200 : status, this.#end);
    if (statusText !== undefined) this.#statusText = checkedReason(statusText);
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
    if (cf !== undefined) this.#cf = cf;
    if (encodeBody !== undefined) {
      if (encodeBody !== 'manual' && encodeBody !== 'automatic') throw new TypeError(`encodeBody: unexpected value: ${encodeBody}`);
      this.#manual = encodeBody === 'manual';
    }
  }

  // Headers for a body that brought its type.
  #settleType() {
    if (this.#contentType !== '') defaultHeader(this.#headers, 'Content-Type', 'content-type', this.#contentType);
    this.#contentType = '';
  }

  static json(data = undefined, init = undefined) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('The data is not JSON serializable.');
    const response = new Response(text, init);
    response.#contentType = 'application/json';
    if (response.#headers !== null && !new Headers(init?.headers).has('content-type')) response.#headers.set('Content-Type', 'application/json');
    return response;
  }

  static redirect(url, status = 302) {
    const code = toInteger(status) & 0xffff;
    if (![301, 302, 303, 307, 308].includes(code)) throw new RangeError(`${code} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`);
    const response = new Response(null, { status: code, headers: { Location: absoluteUrl(String(url)) } });
    makeImmutable(response.#headers);
    return response;
  }

  static error() {
    return failed();
  }

  get status() {
    return this.#status;
  }

  get statusText() {
    return this.#statusText;
  }

  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }

  get headers() {
    if (this.#headers === null) {
      this.#headers = new Headers();
      this.#settleType();
    }
    return this.#headers;
  }

  get redirected() {
    return this.#redirected;
  }

  get url() {
    return this.#url;
  }

  get type() {
    return this.#error ? 'error' : 'default';
  }

  get webSocket() {
    return this.#end === null ? null : this.#end.face;
  }

  get cf() {
    return this.#cf;
  }

  get encodeBody() {
    return this.#manual ? 'manual' : 'automatic';
  }

  clone() {
    if (this.#end !== null) throw new TypeError('Cannot clone a response to a WebSocket handshake.');
    if (this.bodyUsed) throw new TypeError(BODY_USED);
    const copy = new Response();
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#headers = this.#headers === null ? null : new Headers(this.#headers);
    copy.#contentType = this.#contentType;
    copy.#url = this.#url;
    copy.#redirected = this.#redirected;
    copy.#cf = this.#cf;
    copy.#manual = this.#manual;
    copy.#error = this.#error;
    cloneBody(this, copy);
    return copy;
  }
}

finish(Response);

/**
 * The Response of an answer to host.fetch: { status, reason, url ('' : callUrl), head, body: Pipe | null, end: End | null }.
 */
export function fetchedResponse(answer, callUrl) {
  return fetched(answer, callUrl);
}

/** The End of a Response's WebSocket, null without one. */
export function responseEnd(response) {
  return socketOf(response);
}

/** The Response that another context gets for response, where its WebSocket is end's. */
export function upgradedResponse(response, end) {
  return upgraded(response, end);
}

/** A Response that hands the request off (fastly_handoff.js). A new Response made of it is an ordinary one. */
export function handoffResponse(handoff) {
  return handedOff(handoff);
}

/**
 * What the link sends for a handler's result: { status, reason ('' means the usual one), head, end (of its WebSocket, or null), handoff
 * (or null), body: null | string | Uint8Array | Outflow }. The response's body is used afterwards. undefined when value is no
 * Response; throws for Response.error() and used bodies.
 */
export function outgoingResponse(value) {
  return partsOf(value);
}
