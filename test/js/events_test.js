import { abortNow, newSignal } from '../../src/api/abort.js';
import { dispatch, extendable, fetchEvent, fetchEventAnswer, trusted } from '../../src/api/events.js';
import { equal, flagsOff, ok, sleep, test, throws, uncaught, warnings } from './lib.js';

export { suite } from './lib.js';

test('exceptions: DOMException has a name, a code and a stack, and is an Error', () => {
  const e = new DOMException('m', 'AbortError');
  equal([e.name, e.message, e.code, e instanceof Error, String(e)], ['AbortError', 'm', 20, true, 'AbortError: m']);
  equal(new DOMException().name, 'Error');
  equal(DOMException.ABORT_ERR, 20);
  equal(new DOMException('m', { name: 'DataCloneError', cause: 1 }).cause, 1);
  equal(typeof e.stack, 'string');
  equal(Object.prototype.toString.call(e), '[object DOMException]');
});

test('events: constructors take their members and defaults', () => {
  const event = new Event('x', { bubbles: 1, cancelable: true });
  equal([event.type, event.bubbles, event.cancelable, event.composed, event.target, event.eventPhase, event.isTrusted], ['x', true, true, false, null, 0, false]);
  equal(new CustomEvent('x').detail, null);
  equal(new CustomEvent('x', { detail: 5 }).detail, 5);
  const message = new MessageEvent('message', { data: 'd' });
  equal([message.data, message.origin, message.lastEventId, message.source, message.ports], ['d', '', '', null, []]);
  const close = new CloseEvent('close');
  equal([close.code, close.reason, close.wasClean], [0, '', false]);
  equal(new ErrorEvent('error', { message: 'm', error: 1 }).message, 'm');
  equal(Event.AT_TARGET, 2);
  throws(() => new Event(), 'TypeError', "Failed to construct 'Event': constructor parameter 1 is not of type 'string'.");
  throws(() => new PromiseRejectionEvent('x'), 'TypeError');
});

test('targets: listeners run in order, once each, with the event aimed at the target', () => {
  const target = new EventTarget();
  const seen = [];
  const listener = function (event) {
    seen.push(['a', this === target, event.target === target, event.currentTarget === target, event.eventPhase, event.composedPath().length]);
  };
  target.addEventListener('x', listener);
  target.addEventListener('x', listener);
  target.addEventListener('x', { handleEvent: () => seen.push('object') });
  target.addEventListener('x', () => seen.push('once'), { once: true });
  const event = new Event('x');
  equal(target.dispatchEvent(event), true);
  target.dispatchEvent(event);
  equal(seen, [['a', true, true, true, 2, 1], 'object', 'once', ['a', true, true, true, 2, 1], 'object']);
  equal([event.currentTarget, event.eventPhase, event.composedPath()], [null, 0, []]);
});

test('targets: a handler property hears the event first', () => {
  const target = new EventTarget();
  const seen = [];
  target.addEventListener('x', () => seen.push('listener'));
  target.onx = () => seen.push('property');
  target.dispatchEvent(new Event('x'));
  equal(seen, ['property', 'listener']);
});

test('targets: what is added during dispatch waits, what is removed is not called', () => {
  const target = new EventTarget();
  const seen = [];
  const late = () => seen.push('late');
  target.addEventListener('x', () => {
    target.removeEventListener('x', late);
    target.addEventListener('x', () => seen.push('new'));
  });
  target.addEventListener('x', late);
  target.dispatchEvent(new Event('x'));
  equal(seen, []);
});

test('targets: stopImmediatePropagation and preventDefault', () => {
  const target = new EventTarget();
  const seen = [];
  target.addEventListener('x', (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  });
  target.addEventListener('x', () => seen.push('second'));
  equal(target.dispatchEvent(new Event('x', { cancelable: true })), false);
  equal(target.dispatchEvent(new Event('x')), true);
  equal(seen, []);
});

test('targets: capture is refused', () => {
  const target = new EventTarget();
  throws(() => target.addEventListener('x', () => {}, { capture: true }), 'TypeError', 'addEventListener(): options.capture must be false.');
  target.addEventListener('x', () => {}, { passive: true });
  throws(() => target.dispatchEvent({}), 'TypeError', "Failed to execute 'dispatchEvent' on 'EventTarget': parameter 1 is not of type 'Event'.");
});

test('targets: a signal takes listeners away', () => {
  const target = new EventTarget();
  const controller = new AbortController();
  let n = 0;
  target.addEventListener('x', () => n++, { signal: controller.signal });
  target.addEventListener('x', () => n++, { signal: AbortSignal.abort() });
  target.dispatchEvent(new Event('x'));
  controller.abort();
  target.dispatchEvent(new Event('x'));
  equal(n, 1);
});

test('targets: a listener that throws does not stop the next, and is reported', () => {
  const target = new EventTarget();
  let second = 0;
  target.addEventListener('x', () => {
    throw new Error('boom');
  });
  target.addEventListener('x', () => second++);
  target.dispatchEvent(new Event('x'));
  equal(second, 1);
  equal(uncaught.map(String), ['Error: boom']);
  equal(dispatch(target, new Event('x')).error.message, 'boom');
});

test('targets: before spec_compliant_dispatch_exceptions the exception leaves dispatchEvent', () => {
  flagsOff.add('spec_compliant_dispatch_exceptions');
  const target = new EventTarget();
  let second = 0;
  target.addEventListener('x', () => {
    throw new Error('boom');
  });
  target.addEventListener('x', () => second++);
  throws(() => target.dispatchEvent(new Event('x')), 'Error', 'boom');
  equal([second, uncaught.length], [0, 0]);
});

test('targets: a returned value or promise is remarked on once', () => {
  const target = new EventTarget();
  target.addEventListener('x', async () => {});
  target.dispatchEvent(new Event('x'));
  target.dispatchEvent(new Event('x'));
  equal(warnings.length, 1);
  ok(warnings[0].startsWith('An event handler returned a promise that will be ignored.'));
});

test('targets: an event cannot be dispatched while it is', () => {
  const target = new EventTarget();
  target.addEventListener('x', (event) => target.dispatchEvent(event));
  target.dispatchEvent(new Event('x'));
  equal(uncaught[0]?.name, 'InvalidStateError');
});

test('targets: subclasses work', () => {
  class Room extends EventTarget {
    join() {
      this.dispatchEvent(new CustomEvent('joined', { detail: 'bob' }));
    }
  }
  const room = new Room();
  let who;
  room.addEventListener('joined', (event) => {
    who = event.detail;
  });
  room.join();
  equal(who, 'bob');
});

test('extendable: waitUntil only on events of the runtime', () => {
  throws(() => new ExtendableEvent('x').waitUntil(1), 'InvalidStateError', 'waitUntil() can only be called on trusted event.');
  const promises = [];
  extendable(new ExtendableEvent('x'), (promise) => promises.push(promise)).waitUntil(1);
  equal(promises.length, 1);
});

test('fetch event: respondWith twice, too late, and with nonsense (126)', async () => {
  const answers = [];
  const run = (listener) => {
    const one = new EventTarget();
    one.addEventListener('fetch', listener);
    const event = fetchEvent(new Request('http://h/'), () => {}, () => {});
    const failure = dispatch(one, event);
    answers.push(failure?.error);
    return event;
  };
  const event = run((e) => {
    e.respondWith(new Response('a'));
    throws(() => e.respondWith(new Response('b')), 'InvalidStateError', 'FetchEvent.respondWith() has already been called; it can only be called once.');
  });
  equal(answers, [undefined]);
  equal(await (await fetchEventAnswer(event)).text(), 'a');
  const idle = run(() => {});
  throws(() => idle.respondWith(new Response()), 'InvalidStateError', 'Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.');
  run((e) => e.respondWith('x'));
  equal(answers[2]?.message, "Failed to execute 'respondWith' on 'FetchEvent': parameter 1 is not of type 'Promise'.");
  ok(trusted(new Event('x')).isTrusted);
});

test('abort: controller, reason, event, throwIfAborted', () => {
  const controller = new AbortController();
  const { signal } = controller;
  let fired = 0;
  signal.addEventListener('abort', () => fired++);
  signal.onabort = () => fired++;
  equal([signal.aborted, signal.reason], [false, undefined]);
  signal.throwIfAborted();
  controller.abort();
  controller.abort('again');
  equal([fired, signal.aborted, signal.reason.name], [2, true, 'AbortError']);
  throws(() => signal.throwIfAborted(), 'AbortError');
  equal(AbortSignal.abort('why').reason, 'why');
  throws(() => new AbortSignal(), 'TypeError', 'Illegal constructor');
});

test('abort: any follows its sources, also through others', () => {
  const a = new AbortController();
  const b = new AbortController();
  const any = AbortSignal.any([AbortSignal.any([a.signal]), b.signal]);
  let reason;
  any.addEventListener('abort', () => {
    reason = any.reason;
  });
  a.abort('first');
  b.abort('second');
  equal([any.aborted, any.reason, reason], [true, 'first', 'first']);
  equal(AbortSignal.any([b.signal]).reason, 'second');
  equal(AbortSignal.any([]).aborted, false);
});

test('abort: timeout fires with a TimeoutError', async () => {
  const signal = AbortSignal.timeout(5);
  equal(signal.aborted, false);
  await sleep(20);
  equal([signal.aborted, signal.reason.name], [true, 'TimeoutError']);
  throws(() => AbortSignal.timeout(-1), 'TypeError');
});

test('abort: the runtime can abort its own signals', () => {
  const signal = newSignal();
  abortNow(signal, 'gone');
  equal(signal.reason, 'gone');
});
