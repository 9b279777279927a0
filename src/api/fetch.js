// fetch(): a Request becomes a call of host.fetch, its answer a Response.
//
// host.fetch(call) gets
//   { method, url (http or https, no fragment), head ("Name: value\n"…), body (null, string, Uint8Array or Outflow),
//     redirect (0 follow, 1 manual, 2 error), upgrade (a WebSocket is asked for), service ('' or a binding's name),
//     signal (AbortSignal or null) }
// and resolves to { status, reason, url ('' when it is the call's), head, body (null or Pipe), end (of its WebSocket,
// or null) }. It watches signal to the end of the body and of the socket.
import { outgoingBody } from './body.js';
import { headersText, headerValue } from './headers.js';
import { host } from './host.js';
import { isRequest, Request, requestParts } from './request.js';
import { fetchedResponse } from './response.js';
import { wrongArgument } from './webidl.js';

const redirects = { follow: 0, manual: 1, error: 2 };

// ws: and wss: ask for a WebSocket as `Upgrade: websocket` over http: and https: does.
const schemes = { __proto__: null, http: 'http', https: 'https', ws: 'http', wss: 'https' };

function callOf(request, service) {
  const { method, url: wanted, headers, redirect, signal, backend } = requestParts(request);
  const to = service === '' && host.mutableRequests ? host.backend(backend, wanted) : { service, url: wanted };
  const { url } = to;
  const colon = url.indexOf(':');
  const given = url.slice(0, colon);
  const scheme = schemes[given];
  if (scheme === undefined) throw new TypeError(`Fetch API cannot load: ${url}`);
  const socket = given !== scheme;
  const upgrade = socket || headerValue(headers, 'upgrade')?.toLowerCase() === 'websocket';
  const hash = url.indexOf('#', colon);
  return {
    method: upgrade ? 'GET' : method,
    url: scheme + url.slice(colon, hash === -1 ? url.length : hash),
    head: headersText(headers),
    body: upgrade ? null : outgoingBody(request),
    redirect: redirects[redirect],
    upgrade,
    service: to.service,
    signal,
  };
}

/** A fetch function whose requests go to a service binding, or ('') out to the network. */
export function fetchWith(service) {
  return async function fetch(input, init = undefined) {
    if (arguments.length === 0) throw wrongArgument('fetch', 'ServiceWorkerGlobalScope', 1, 'Request or string');
    const request = isRequest(input) && init === undefined ? input : new Request(input, init);
    const { signal } = requestParts(request);
    if (signal?.aborted) throw signal.reason;
    const call = callOf(request, service);
    return fetchedResponse(await host.fetch(call), call.url);
  };
}

export const fetch = fetchWith('');
