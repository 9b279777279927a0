// fastly:fanout and fastly:websocket: a Response that says who answers instead. It does nothing until an event is answered with it.
import { inEvent } from './context.js';
import { encodeText } from './encoding.js';
import { backendName } from './fastly_backend.js';
import { headersText } from './headers.js';
import { isRequest, requestParts } from './request.js';
import { handoffResponse } from './response.js';

// IPC_HANDOFF_… (wire/ipc.h)
const FANOUT = 0;
const WEBSOCKET = 1;

const NAME_MAX = 254;

function handoff(name, kind, given, request, backend) {
  if (!inEvent()) throw new Error(`${name} can only be used during request handling, not during initialization`);
  if (given < 2) throw new TypeError(`${name}: At least 2 arguments required, but only ${given} passed`);
  if (!isRequest(request)) throw new Error(`${name}: request parameter must be an instance of Request`);
  // What the request is now: the body is the client's in any case.
  const { method, url, headers } = requestParts(request);
  const head = `${method} ${url}\n${headersText(headers)}`;
  const text = backendName(backend);
  if (text === '') throw new Error(`${name}: Backend parameter can not be an empty string`);
  if (encodeText(text).length > NAME_MAX) throw new Error(`${name}: name can not be more than ${NAME_MAX} characters`);
  return handoffResponse({ kind, backend: text, head });
}

// Methods cannot be called with `new`.
export const { createFanoutHandoff, createWebsocketHandoff } = {
  createFanoutHandoff(request, backend) {
    return handoff('createFanoutHandoff', FANOUT, arguments.length, request, backend);
  },

  createWebsocketHandoff(request, backend) {
    return handoff('createWebsocketHandoff', WEBSOCKET, arguments.length, request, backend);
  },
};
