// new WebSocket(url): a socket to a server, over the gateway (WHATWG WebSockets 3.1, with the platform's checks and texts).
import { AbortController } from './abort.js';
import { current, post } from './context.js';
import { DOMException } from './domexception.js';
import { CloseEvent, dispatch, Event, trusted } from './events.js';
import { host } from './host.js';
import { URL } from './url.js';
import { ACCEPTED, CONNECTING, End, none, RELEASED, sockets } from './websocket_end.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // RFC 9110 5.6.2
const FAILED = 'Failed to establish websocket connection';

/** The End of face, which connects to url. */
export function dial(face, url, protocols) {
  const target = dialTarget(url);
  const wanted = dialProtocols(protocols);
  const end = new End();
  const context = current();
  const abort = new AbortController();
  end.face = face;
  end.state = CONNECTING;
  end.dialled = true;
  end.url = url;
  end.context = context;
  end.held = true;
  context.hold();
  context.ends.add(end);
  end.cancel = () => {
    end.state = ACCEPTED;
    end.cancel = undefined;
    abort.abort();
    post(context, () => refused(end, new Error('Network connection lost.')));
  };
  const answered = (fn) => (value) => context.deliver(() => end.state === CONNECTING && fn(end, value));
  host.fetch(dialCall(target, wanted, abort.signal)).then(answered(dialled), answered(refused));
  return end;
}

function dialTarget(text) {
  const bad = (what) => new DOMException(`WebSocket Constructor: The ${what}`, 'SyntaxError');
  let url;
  try {
    url = new URL(text);
  } catch {
    throw bad('url is invalid.');
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw bad('url scheme must be ws or wss.');
  if (url.hash !== '' || text.includes('#')) throw bad('url fragment must be empty.');
  url.username = url.password = '';
  return `http${url.href.slice(2)}`;
}

function dialProtocols(protocols) {
  if (protocols === undefined) return none;
  const many = typeof protocols === 'object' && protocols !== null && Symbol.iterator in protocols;
  const list = many ? [...protocols].map(String) : [`${protocols}`];
  if (!list.every((name) => TOKEN.test(name))) {
    throw new DOMException(`WebSocket Constructor: ${many ? 'One of the protocol header tokens' : 'The protocol header token'} is invalid.`, 'SyntaxError');
  }
  if (new Set(list).size !== list.length) throw new DOMException('WebSocket Constructor: The protocols header cannot have repeating values.', 'SyntaxError');
  return list;
}

function dialCall(url, protocols, signal) {
  const offer = host.flag('web_socket_compression') ? 'Sec-WebSocket-Extensions: permessage-deflate\n' : '';
  const names = protocols.length === 0 ? '' : `Sec-WebSocket-Protocol: ${protocols.join(', ')}\n`;
  return { method: 'GET', url, head: `Upgrade: websocket\n${offer}${names}`, body: null, redirect: 0, upgrade: true, service: '', signal };
}

function dialled(end, answer) {
  const other = answer.end;
  if (other === null) {
    return refused(end, new Error('Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 '
      + `(switching protocols), but received ${answer.status} instead.`));
  }
  end.hold = other.hold;
  other.hold = 0;
  other.state = RELEASED;
  sockets.set(end.hold, end);
  end.protocol = field(answer.head, 'sec-websocket-protocol');
  end.extensions = field(answer.head, 'sec-websocket-extensions');
  end.state = ACCEPTED;
  end.halfOpen = !host.flag('web_socket_auto_reply_to_close');
  end.taken();
  dispatch(end.face, trusted(new Event('open')));
}

function refused(end, error) {
  end.state = ACCEPTED;
  end.lost = true;
  end.failure = error;
  end.report(error);
  dispatch(end.face, trusted(new CloseEvent('close', { code: 1006, reason: FAILED, wasClean: false })));
  end.gone();
}

// The first field of that name in "name: value\n" lines, or "".
function field(head, name) {
  for (const line of head.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return '';
}
