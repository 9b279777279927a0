// Durable Object classes through time: which classes an application has, and where each one's data is kept.
//
// `store` names a class's storage for ever: a rename keeps it, and a class made again after it was deleted gets a new one.

class Classes {
  live = new Map(); // class name to {storage: 'sqlite' | 'kv', store}
  #stores = new Set();

  create(name, storage) {
    let store = name;

    for (let n = 2; this.#stores.has(store); n++) store = `${name}~${n}`;
    this.#stores.add(store);
    this.live.set(name, { storage, store });
  }

  rename(from, to) {
    this.live.set(to, this.live.get(from));
    this.live.delete(from);
  }
}

function mustBeNew(classes, item, name) {
  if (!classes.live.has(name)) return true;
  item.problems.error(item.where, `${item.name}: class "${name}" exists already; an earlier migration created it`);
  return false;
}

function mustExist(classes, item, name) {
  if (classes.live.has(name)) return true;
  item.problems.error(item.where, `${item.name}: no earlier migration creates class "${name}"`);
  return false;
}

function createAll(classes, item, key, storage) {
  for (const name of item.strings(key)) if (mustBeNew(classes, item, name)) classes.create(name, storage);
}

function renameAll(classes, item) {
  for (const pair of item.tables('renamed_classes')) {
    const from = pair.string('from', { required: 'the class\'s old name' });
    const to = pair.string('to', { required: 'the class\'s new name' });

    pair.rest('warn');
    if (from && to && mustExist(classes, item, from) && mustBeNew(classes, item, to)) classes.rename(from, to);
  }
}

function migrate(classes, item, tags) {
  const tag = item.string('tag', { required: 'a tag, unique among the migrations' });

  if (tags.has(tag)) item.problems.error(item.where, `${item.name}.tag: "${tag}" is used twice`);
  tags.add(tag);
  createAll(classes, item, 'new_classes', 'kv');
  createAll(classes, item, 'new_sqlite_classes', 'sqlite');
  renameAll(classes, item);
  for (const name of item.strings('deleted_classes')) if (mustExist(classes, item, name)) classes.live.delete(name);
  if (item.has('transferred_classes')) item.problems.warn(item.whereOf('transferred_classes'), 'transferred_classes is not supported, ignored');
  item.allow('transferred_classes');
  item.rest('warn');
}

// `exports`, the declarative form: {ClassName: {type: 'durable-object', storage: 'sqlite' | 'legacy-kv'}}.
function declare(classes, table) {
  for (const name of table.keys()) {
    const item = table.table(name);

    if (item.string('type', { required: '"durable-object" or "worker"' }) !== 'durable-object') continue;
    if (!classes.live.has(name)) classes.create(name, item.string('storage') === 'legacy-kv' ? 'kv' : 'sqlite');
  }
}

// migrations: tables in order; exported: the `exports` table; bound: [{class, where, name}] of the bindings.
// Returns {ClassName: {storage, store}}.
export function readClasses(migrations, exported, bound, problems) {
  const classes = new Classes();
  const tags = new Set();

  for (const item of migrations) migrate(classes, item, tags);
  declare(classes, exported);
  for (const { class: name, where } of bound) {
    if (classes.live.has(name)) continue;
    if (migrations.length) problems.warn(where, `class "${name}" is in no migration; its storage is SQLite`);
    classes.create(name, 'sqlite');
  }
  return Object.fromEntries(classes.live);
}
