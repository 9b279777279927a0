// node:diagnostics_channel: named channels, and the five of a traced call.
const channels = new Map();

class Channel {
  #subscribers = [];
  #stores = new Map();

  constructor(name) {
    this.name = name;
  }

  get hasSubscribers() {
    return this.#subscribers.length > 0 || this.#stores.size > 0;
  }

  subscribe(fn) {
    this.#subscribers = [...this.#subscribers, fn];
  }

  unsubscribe(fn) {
    const at = this.#subscribers.indexOf(fn);
    if (at >= 0) this.#subscribers = this.#subscribers.toSpliced(at, 1);
    return at >= 0;
  }

  publish(message) {
    for (const fn of this.#subscribers) {
      try {
        fn(message, this.name);
      } catch (error) {
        reportError(error);
      }
    }
  }

  bindStore(store, transform = (value) => value) {
    this.#stores.set(store, transform);
  }

  unbindStore(store) {
    return this.#stores.delete(store);
  }

  runStores(message, fn, self, ...args) {
    let run = () => {
      this.publish(message);
      return fn.apply(self, args);
    };
    for (const [store, transform] of this.#stores) {
      const inner = run;
      run = () => store.run(transform(message), inner);
    }
    return run();
  }
}

function channel(name) {
  if (!channels.has(name)) channels.set(name, new Channel(name));
  return channels.get(name);
}

const parts = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

class TracingChannel {
  constructor(given) {
    for (const part of parts) this[part] = typeof given === 'string' ? channel(`tracing:${given}:${part}`) : given[part];
  }

  get hasSubscribers() {
    return parts.some((part) => this[part].hasSubscribers);
  }

  subscribe(handlers) {
    for (const part of parts) if (handlers[part]) this[part].subscribe(handlers[part]);
  }

  unsubscribe(handlers) {
    return parts.filter((part) => handlers[part]).map((part) => this[part].unsubscribe(handlers[part])).every(Boolean);
  }

  #failed(context, error) {
    context.error = error;
    this.error.publish(context);
  }

  traceSync(fn, context = {}, self = undefined, ...args) {
    return this.start.runStores(context, () => {
      try {
        return (context.result = fn.apply(self, args));
      } catch (error) {
        this.#failed(context, error);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }

  tracePromise(fn, context = {}, self = undefined, ...args) {
    const settled = () => {
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
    };
    return this.start.runStores(context, () => {
      try {
        return Promise.resolve(fn.apply(self, args)).then(
          (result) => {
            context.result = result;
            settled();
            return result;
          },
          (error) => {
            this.#failed(context, error);
            settled();
            throw error;
          });
      } catch (error) {
        this.#failed(context, error);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }
}

export default {
  Channel,
  channel,
  hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
  subscribe: (name, fn) => channel(name).subscribe(fn),
  TracingChannel,
  tracingChannel: (name) => new TracingChannel(name),
  unsubscribe: (name, fn) => channel(name).unsubscribe(fn),
};
