// Alarms of Durable Objects: the row in the object's storage decides, the gateway keeps the clock.
//
// The row is [due, scheduled, retries]. It stays while the handler runs and goes when that succeeded, so that an alarm runs at
// least once; `actor.runningAlarm` makes it invisible meanwhile, until the handler sets or deletes it.
import { begin } from './actor.js';
import { host } from './host.js';
import { native } from './native.js';

const RUN_MS = 15 * 60_000;
const RETRY_MS = 2000;
const RETRY_DOUBLINGS = 9;
const RETRIES = 6;

/** The gateway says that the alarm set for due has come. acknowledge() follows when that is dealt with. */
export function runAlarm(actor, due, acknowledge) {
  const row = native.storage.alarmGet(actor.handle);
  if (row === undefined || row[0] > due) {
    announce(actor); // the gateway had an old one
    return acknowledge();
  }
  const running = (actor.runningAlarm = { keep: true });
  const timer = host.setTimeout(() => call.fail(new Error('The alarm handler ran for more than 15 minutes.')), RUN_MS);
  const call = actor.track(begin(() => handle(actor.instance, row)), (error) => {
    host.clearTimeout(timer);
    if (error !== undefined) host.uncaught(error);
    if (actor.runningAlarm === running) ended(actor, error !== undefined && running.keep);
    acknowledge();
  });
}

function handle(instance, [, scheduledTime, retryCount]) {
  if (typeof instance.alarm !== 'function') throw new Error('Handler does not export an alarm() function.');
  return instance.alarm({ retryCount, isRetry: retryCount > 0, scheduledTime });
}

// The row is still the one that ran.
function ended(actor, again) {
  actor.runningAlarm = null;
  if (again) return retry(actor, 1);
  change(actor, (handle) => native.storage.alarmDelete(handle));
}

/** The instance could not be built: tried again later, which does not count. */
export function wakingForAlarmFailed(actor) {
  retry(actor, 0);
}

function retry(actor, counted) {
  change(actor, (handle) => {
    const row = native.storage.alarmGet(handle);
    if (row === undefined) return;
    const [, scheduled, retries] = row;
    if (counted > 0 && retries >= RETRIES) return native.storage.alarmDelete(handle);
    const delay = RETRY_MS * 2 ** Math.min(retries, RETRY_DOUBLINGS) * (1 + Math.random() / 4);
    native.storage.alarmSet(handle, Math.ceil(Date.now() + delay), scheduled, retries + counted);
  });
}

// Writes the alarm's row; the instance, and its handle with it, may be gone by now.
function change(actor, write) {
  const own = actor.handle !== 0;
  const handle = own ? actor.handle : native.storage.open(actor.row.key, actor.id, actor.name ?? '');
  try {
    write(handle);
    if (own) return touchAlarm(actor);
    native.storage.commit(handle);
    native.link.alarmSet(native.storage.alarmGet(handle)?.[0] ?? 0, actor.key, actor.name ?? '');
  } catch (error) {
    host.uncaught(error);
  } finally {
    if (!own) native.storage.close(handle);
  }
}

/** The alarm's row may have changed: the gateway is told with the commit. */
export function touchAlarm(actor) {
  actor.touch();
  actor.alarmTouched = true;
}

/** Before the commit of a batch: tells the gateway, under the output gate. */
export function announceAlarm(actor) {
  if (!actor.alarmTouched || actor.inTransaction > 0) return;
  actor.alarmTouched = false;
  native.link.as(actor.handle);
  try {
    announce(actor);
  } catch {
    // The storage broke, which the commit is about to say.
  } finally {
    native.link.as(0);
  }
}

function announce(actor) {
  native.link.alarmSet(native.storage.alarmGet(actor.handle)?.[0] ?? 0, actor.key, actor.name ?? '');
}
