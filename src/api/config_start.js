// START.config: what a worker is told about its application (docs/ipc.md).

const typeOf = (value) => (typeof value === 'string' ? 'text' : 'json');

function bindingsOf(app) {
  return [
    ...Object.entries(app.vars).map(([name, value]) => ({ type: typeOf(value), name, value })),
    ...app.durable_objects.map(({ binding, class: className }) => ({ type: 'durable_object', name: binding, class: className })),
    ...app.services.map(({ binding, service, entrypoint, props, self }) => ({ type: 'service', name: binding, service, entrypoint, props, self })),
    ...(app.assets?.binding ? [{ type: 'assets', name: app.assets.binding, service: 'ASSETS' }] : []),
  ];
}

export function startOf(app, dev) {
  return {
    name: app.name,
    dev,
    compatibility_date: app.compatibility_date,
    compatibility_flags: app.compatibility_flags,
    bindings: bindingsOf(app),
    fastly: app.fastly,
    durable: {
      idle_ms: app.limits.actor_idle_ms,
      sync: app.store.sync,
      classes: Object.entries(app.classes).map(([name, { storage, store }]) => ({ name, key: `${app.name}-${store}`, sqlite: storage === 'sqlite' })),
    },
    limits: { cpu_ms: app.limits.cpu_ms, memory_mb: app.limits.memory_mb, message_bytes: app.limits.message_bytes },
  };
}
