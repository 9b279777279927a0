// The `scheduled` handler. `holdfast dev` runs it on request, at the addresses of Cloudflare's own tools:
//
//   GET /cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time=1745856238000[&format=json]     GET /__scheduled?cron=*+*+*+*+*
import { stateless } from './context.js';
import { dispatch, extendable, ExtendableEvent } from './events.js';
import { Response } from './response.js';
import { report, scope } from './uncaught.js';
import { finish, illegalConstructor } from './webidl.js';

const inside = Symbol();

/** What a scheduled handler is given: controller.cron, .scheduledTime (milliseconds), .noRetry(). */
class ScheduledController {
  #run;

  constructor(key, run) {
    if (key !== inside) throw illegalConstructor();
    this.#run = run;
  }

  get scheduledTime() {
    return this.#run.time;
  }

  get cron() {
    return this.#run.cron;
  }

  get type() {
    return 'scheduled';
  }

  noRetry() {
    this.#run.noRetry = true;
  }
}

finish(ScheduledController);

/** The same as an event, for the service-worker format. */
class ScheduledEvent extends ExtendableEvent {
  #run;

  constructor(key, run) {
    if (key !== inside) throw illegalConstructor();
    super('scheduled');
    this.#run = run;
  }

  get scheduledTime() {
    return this.#run.time;
  }

  get cron() {
    return this.#run.cron;
  }

  noRetry() {
    this.#run.noRetry = true;
  }
}

finish(ScheduledEvent);

const paths = new Set(['/cdn-cgi/handler/scheduled', '/__scheduled']);

/** Whether this request asks for the handler, not for an answer of the application's. */
export const asksForScheduled = (request) => paths.has(new URL(request.url).pathname);

/**
 * Runs handler(controller, waitUntil), waits for it and for what it gave to waitUntil, and says how it went. Without a handler the
 * listeners of `scheduled` are it.
 */
export async function runScheduled(request, handler = undefined) {
  const { pathname, searchParams } = new URL(request.url);
  const time = Number(searchParams.get('time') ?? Date.now());
  const run = { cron: searchParams.get('cron') ?? '', time: Number.isFinite(time) ? time : Date.now(), noRetry: false };
  const outcome = await attempt(run, handler ?? fire);

  if (searchParams.get('format') === 'json') return Response.json({ outcome, noRetry: run.noRetry });
  const text = pathname === '/__scheduled' && outcome === 'ok' ? 'Ran scheduled event' : outcome;
  return new Response(text, { status: outcome === 'ok' ? 200 : 500 });
}

async function attempt(run, handler) {
  const later = [];
  try {
    await handler(new ScheduledController(inside, run), (promise) => void later.push(promise), run);
    for (let i = 0; i < later.length; i++) await later[i]; // one may add another
    return 'ok';
  } catch (error) {
    stateless.deliver(() => report(error));
    return 'exception';
  }
}

function fire(controller, waitUntil, run) {
  const failure = dispatch(scope, extendable(new ScheduledEvent(inside, run), waitUntil));
  if (failure !== undefined) throw failure.error;
}
