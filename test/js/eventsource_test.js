// EventSource: what a stream of events becomes, reconnection, refusals.
import { EventSource } from '../../src/api/eventsource.js';
import { host } from '../../src/api/host.js';
import { equal, throws, uncaught } from './lib.js';
import { Response, settled, test, until } from './gateway.js';

export { suite } from './lib.js';

const bytes = (text) => new TextEncoder().encode(text);
const streamOf = (...pieces) => new ReadableStream({
  start(controller) {
    for (const piece of pieces) controller.enqueue(bytes(piece));
    controller.close();
  },
});
const events = (...pieces) => new Response(streamOf(...pieces), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });

/** A source whose requests are answered in turn; what its listeners hear. */
function open(answers, types = []) {
  const heard = [];
  const requests = [];
  const fetcher = {
    async fetch(url, init) {
      requests.push([url, init.headers]);
      const answer = answers.shift();
      if (answer === undefined) return new Promise(() => {});
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const source = new EventSource('http://events.test/x', { fetcher });
  for (const type of ['open', 'message', 'error', ...types]) {
    source.addEventListener(type, (event) => {
      heard.push(type === 'open' ? `open ${source.readyState}` : type === 'error' ? `error ${event.message} ${source.readyState}` : `${type} ${event.data} ${event.lastEventId}`);
    });
  }
  return { source, heard, requests };
}

/** Timers that take no time. */
async function hurried(fn) {
  const { setTimeout: real } = host;
  const delays = [];
  host.setTimeout = (callback, ms) => {
    if (ms >= 1000 && ms < 20_000) delays.push(ms);
    return real(callback, ms >= 1000 && ms < 20_000 ? 0 : ms);
  };
  try {
    await fn(delays);
  } finally {
    host.setTimeout = real;
  }
}

test('events, then the end, then again', () => hurried(async (delays) => {
  const { source, heard, requests } = open([
    events('\ufeffretry: 20\nevent: foo\ndata: a\ndata: b\nid: 7\n\n', ': comment\r\nda', 'ta: plain\r\n\r\n', 'data: unfinished'),
    events('data: back\n\n'),
  ], ['foo']);
  equal([source.readyState, source.url, source.withCredentials], [0, 'http://events.test/x', false]);
  await until(() => requests.length === 3);
  equal(heard, ['open 1', 'foo a\nb 7', 'message plain 7', 'error The server disconnected. 0', 'open 1', 'message back 7', 'error The server disconnected. 0']);
  equal(requests.map(([, headers]) => headers['Last-Event-ID']), [undefined, '7', '7']);
  equal([requests[0][1].Accept, delays], ['text/event-stream', [1000, 1000]]);
  source.close();
  equal(source.readyState, 2);
}));

test('refusals are final', async () => {
  const plain = (init) => new Response('x', init);
  const cases = [
    [plain({ status: 404 }), 'error The response status code was 404. 2'],
    [plain({ headers: { 'content-type': 'text/plain' } }), "error The content type 'text/plain' is invalid. 2"],
    [new Error('Network connection lost.'), 'error Network connection lost. 2'],
  ];
  for (const [answer, expected] of cases) {
    const { heard, requests } = open([answer]);
    await until(() => heard.length > 0);
    await settled();
    equal([heard, requests.length], [[expected], 1]);
  }
  equal(uncaught.length, 3);
});

test('arguments', () => {
  throws(() => new EventSource('/x'), 'SyntaxError', "Cannot open an EventSource to '/x'. The URL is invalid.");
  throws(() => new EventSource('http://x/', { withCredentials: true }), 'NotSupportedError', 'The init.withCredentials option is not supported. It must be false or undefined.');
  throws(() => EventSource.from({}), 'TypeError');
  equal([EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED], [0, 1, 2]);
});

test('from a stream', async () => {
  const source = EventSource.from(streamOf('id: 3\ndata: hi\n\n'));
  const heard = [];
  source.onmessage = ({ data, lastEventId, origin }) => {
    heard.push(`${data} ${lastEventId} ${origin}`);
  };
  source.onerror = ({ message }) => {
    heard.push(`${message} ${source.readyState}`);
  };
  equal([source.readyState, source.url], [1, '']);
  await until(() => heard.length === 2);
  equal(heard, ['hi 3 null', 'The server disconnected. 2']);
});

test('close() ends it without an event', async () => {
  const { source, heard } = open([events('data: x\n\n')]);
  source.close();
  await settled();
  equal(heard, []);
});
