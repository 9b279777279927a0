// Reading a table of a configuration key by key: every read says what it expects, and what nobody read is a typo.
import { toValue } from './config_tree.js';

const KINDS = { table: 'a table', list: 'a list', string: 'a string', number: 'a number', boolean: 'true or false', null: 'null' };

// What is wrong with the configuration, gathered so that one run shows all of it.
export class Problems {
  errors = [];
  warnings = [];

  error(where, text) {
    this.errors.push(`${spoken(where)}: ${text}`);
  }

  warn(where, text) {
    this.warnings.push(`${spoken(where)}: warning: ${text}`);
  }
}

// A place in a file stands for itself; an option belongs to the program.
const spoken = (where) => (where.startsWith('--') ? `holdfast: ${where}` : where);

// Edits between two names.
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);

  for (let i = 1; i <= a.length; i++) {
    const next = [i];

    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length];
}

// '; did you mean "x"?' for the nearest of names, or nothing.
export function didYouMean(name, names) {
  const near = [...names].map((known) => [distance(name, known), known]).sort(([a], [b]) => a - b)[0];

  return near && near[0] <= Math.max(1, Math.floor(name.length / 3)) ? `; did you mean "${near[1]}"?` : '';
}

export class Table {
  #node;
  #asked = new Set();

  // name: how messages call this table, '' for the file itself. node may be undefined: an empty table.
  constructor(node, name, problems) {
    this.#node = node;
    this.name = name;
    this.problems = problems;
    this.where = node?.where ?? '';
  }

  #called(key) {
    return this.name ? `${this.name}.${key}` : key;
  }

  #fail(where, key, expected, found) {
    const called = where.startsWith('--') ? '' : `${this.#called(key)}: `; // an option is called by its own name

    this.problems.error(where, `${called}expected ${expected}${found ? `, found ${found}` : ''}`);
  }

  has(key) {
    return this.#node?.keys.has(key) ?? false;
  }

  keys() {
    return [...(this.#node?.keys.keys() ?? [])];
  }

  // Where a key stands; the table itself when it is absent.
  whereOf(key) {
    return this.#node?.keys.get(key)?.where ?? this.where;
  }

  // The node under key when it is of that kind. Absent: undefined, and an error when it is required (says what is expected).
  #read(key, kind, expected, required) {
    const found = this.#node?.keys.get(key);

    this.#asked.add(key);
    if (!found) {
      if (required) this.problems.error(this.where, `${this.#called(key)} is missing; expected ${required}`);
      return undefined;
    }
    if (found.node.kind === kind) return found.node;
    this.#fail(found.node.where, key, expected ?? KINDS[kind], KINDS[found.node.kind]);
    return undefined;
  }

  string(key, { required, match, expected, oneOf } = {}) {
    expected ??= oneOf && oneOf.map((one) => `"${one}"`).join(', ').replace(/, ([^,]*)$/, ' or $1');
    const node = this.#read(key, 'string', expected && `a string, ${expected}`, required);

    if (!node) return undefined;
    if ((oneOf && !oneOf.includes(node.value)) || (match && !match.test(node.value))) {
      this.#fail(node.where, key, expected, `"${node.value}"`);
      return undefined;
    }
    return node.value;
  }

  integer(key, { min = 0, max = Number.MAX_SAFE_INTEGER, required } = {}) {
    const expected = `a whole number between ${min} and ${max}`;
    const node = this.#read(key, 'number', expected, required);

    if (!node) return undefined;
    if (Number.isInteger(node.value) && node.value >= min && node.value <= max) return node.value;
    this.#fail(node.where, key, expected, String(node.value));
    return undefined;
  }

  boolean(key) {
    return this.#read(key, 'boolean')?.value;
  }

  #items(key, kind, expected, required) {
    const node = this.#read(key, 'list', expected, required);

    return (node?.items ?? []).filter((item, i) => {
      if (item.kind === kind) return true;
      this.#fail(item.where, `${key}[${i}]`, KINDS[kind], KINDS[item.kind]);
      return false;
    });
  }

  // Strings with where they stand: [{value, where}].
  placedStrings(key, { match, expected = 'a string', required } = {}) {
    return this.#items(key, 'string', `a list of strings`, required).filter((item, i) => {
      if (!match || match.test(item.value)) return true;
      this.#fail(item.where, `${key}[${i}]`, expected, `"${item.value}"`);
      return false;
    });
  }

  strings(key, options) {
    return this.placedStrings(key, options).map((item) => item.value);
  }

  // Never undefined: an absent table is an empty one.
  table(key) {
    const node = this.#read(key, 'table');
    const table = new Table(node, this.#called(key), this.problems);

    if (!node) table.where = this.whereOf(key);
    return table;
  }

  tables(key, options = {}) {
    return this.#items(key, 'table', 'a list of tables', options.required)
      .map((item, i) => new Table(item, `${this.#called(key)}[${i}]`, this.problems));
  }

  // A table of strings: {name: text}.
  stringMap(key) {
    const table = this.table(key);

    return Object.fromEntries(table.keys().map((name) => [name, table.string(name)]).filter(([, text]) => text !== undefined));
  }

  // Any value, as it is; undefined when absent.
  value(key) {
    this.#asked.add(key);
    return this.has(key) ? toValue(this.#node.keys.get(key).node) : undefined;
  }

  // The tree under key when it is a table, for what is put over it later.
  node(key) {
    return this.#read(key, 'table');
  }

  kindOf(key) {
    return this.#node?.keys.get(key)?.node.kind;
  }

  // These keys are right, though nothing here reads them.
  allow(...keys) {
    for (const key of keys) this.#asked.add(key);
  }

  // Call last: reports what nobody read, as errors or as warnings.
  rest(report = 'error') {
    for (const key of this.keys()) {
      if (this.#asked.has(key)) continue;
      this.problems[report](this.whereOf(key), `unknown key "${this.#called(key)}"${didYouMean(key, this.#asked)}`);
    }
  }
}
