// Values as text, for console.*: the way Node's inspect writes them, so that logs look familiar.
import { stackText } from './source_map.js';

const DEPTH = 2;
const ITEMS = 100; // of an array, map or set
const KEYS = 100; // of an object
const STRING = 10000; // characters of a string inside an object
const WIDTH = 76; // a group longer than this gets a line for each item

const plainKey = /^[A-Za-z_$][\w$]*$/;

function quoted(text) {
  const clipped = text.length > STRING ? `${text.slice(0, STRING)}… ${text.length - STRING} more characters` : text;
  const mark = !clipped.includes("'") ? "'" : !clipped.includes('"') ? '"' : !clipped.includes('`') ? '`' : "'";
  const escaped = JSON.stringify(clipped).slice(1, -1).replaceAll('\\"', '"');
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function keyText(key) {
  if (typeof key === 'symbol') return `[${String(key)}]`;
  return plainKey.test(key) ? key : quoted(key);
}

// What is not an object. undefined for objects and functions.
function simple(value) {
  switch (typeof value) {
    case 'string': return quoted(value);
    case 'number': return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint': return `${value}n`;
    case 'symbol': return String(value);
    case 'boolean':
    case 'undefined': return String(value);
    default: return value === null ? 'null' : undefined;
  }
}

function className(value) {
  try {
    for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
      const ctor = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
      if (typeof ctor === 'function' && ctor.name !== '') return ctor.name;
    }
  } catch {
    // a proxy that refuses
  }
  return null;
}

class Inspector {
  #path = []; // objects that contain the one being shown
  #depth;

  constructor(depth) {
    this.#depth = depth;
  }

  show(value) {
    const text = simple(value);
    if (text !== undefined) return text;
    if (this.#path.includes(value)) return '[Circular *1]';
    try {
      return this.#object(value);
    } catch (error) {
      return `[object that cannot be shown: ${messageOf(error)}]`;
    }
  }

  #object(value) {
    const name = className(value);
    if (isError(value)) return this.#error(value);
    const head = this.#headOf(value, name);
    if (head.whole !== undefined && Reflect.ownKeys(value).length === head.ownKeys) return head.whole;
    if (this.#path.length > this.#depth) return `[${head.deep || head.prefix || name || 'Object'}]`;
    this.#path.push(value);
    const items = head.items?.() ?? [];
    const rest = this.#properties(value, head.skip);
    this.#path.pop();
    return group(head, [...items, ...rest]);
  }

  // What kind of object it is: { prefix, open, close, items, skip } or { whole }, the text of one without extra properties.
  #headOf(value, name) {
    if (typeof value === 'function') return functionHead(value);
    if (Array.isArray(value)) return this.#arrayHead(value, name);
    if (value instanceof Map) return { prefix: `${name}(${value.size})`, items: () => this.#pairs(value) };
    if (value instanceof Set) return { prefix: `${name}(${value.size})`, items: () => this.#values(value) };
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return this.#viewHead(value, name);
    if (value instanceof ArrayBuffer) return { prefix: name, items: () => bufferItems(value) };
    if (value instanceof Date) return { whole: Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString(), ownKeys: 0 };
    if (value instanceof RegExp) return { whole: String(value), ownKeys: 1 };
    if (value instanceof Promise) return { prefix: 'Promise' };
    if (value instanceof WeakMap || value instanceof WeakSet) return { prefix: name, items: () => ['<items unknown>'] };
    if (value instanceof String || value instanceof Number || value instanceof Boolean) {
      return { whole: `[${name}: ${simple(value.valueOf())}]`, ownKeys: value instanceof String ? value.length + 1 : 0 };
    }
    const faces = this.#faceOf(value, name);
    if (faces !== undefined) return faces;
    return { prefix: name === 'Object' ? '' : name === null ? '[Object: null prototype]' : tagged(value, name) };
  }

  #arrayHead(value, name) {
    return {
      prefix: name === 'Array' ? '' : `${name}(${value.length})`,
      deep: 'Array',
      open: '[',
      close: ']',
      items: () => this.#elements(value),
      skip: (key) => key === 'length' || isIndex(key),
    };
  }

  #viewHead(value, name) {
    return { prefix: `${name}(${value.length})`, open: '[', close: ']', items: () => this.#elements(value), skip: isIndex };
  }

  // Objects of the platform keep their state private; their accessors say it.
  #faceOf(value, name) {
    const proto = Object.getPrototypeOf(value);
    if (proto === null || Reflect.ownKeys(value).length > 0) return undefined;
    if (typeof value.entries === 'function' && (name === 'Headers' || name === 'URLSearchParams' || name === 'FormData')) {
      return { prefix: name, items: () => this.#pairs(value) };
    }
    if (!shown.has(name)) return undefined;
    return { prefix: name, items: () => this.#accessors(value, proto) };
  }

  #accessors(value, proto) {
    const items = [];
    for (const key of Object.keys(Object.getOwnPropertyDescriptors(proto))) {
      if (typeof Object.getOwnPropertyDescriptor(proto, key).get !== 'function') continue;
      const got = key === 'body' || key === 'signal' ? undefined : value[key];
      if (got !== undefined && typeof got !== 'function') items.push(`${key}: ${this.show(got)}`);
    }
    return items;
  }

  #elements(list) {
    const items = [];
    const n = Math.min(list.length, ITEMS);
    for (let i = 0; i < n; i++) {
      if (i in list) {
        items.push(this.show(list[i]));
        continue;
      }
      let gap = i + 1;
      while (gap < n && !(gap in list)) gap++;
      items.push(`<${gap - i} empty item${gap - i === 1 ? '' : 's'}>`);
      i = gap - 1;
    }
    return more(items, list.length);
  }

  #values(set) {
    const items = [];
    for (const value of set) {
      if (items.length === ITEMS) break;
      items.push(this.show(value));
    }
    return more(items, set.size);
  }

  #pairs(map) {
    const items = [];
    let total = 0;
    for (const [key, value] of map) if (total++ < ITEMS) items.push(`${this.show(key)} => ${this.show(value)}`);
    return more(items, total);
  }

  #properties(value, skip) {
    const items = [];
    for (const key of Reflect.ownKeys(value)) {
      const own = Object.getOwnPropertyDescriptor(value, key);
      if (own === undefined || !own.enumerable || skip?.(key)) continue;
      if (items.length === KEYS) {
        items.push('…');
        break;
      }
      items.push(`${keyText(key)}: ${this.#propertyText(own)}`);
    }
    return items;
  }

  #propertyText(own) {
    if ('value' in own) return this.show(own.value);
    return own.get === undefined ? '[Setter]' : own.set === undefined ? '[Getter]' : '[Getter/Setter]';
  }

  #error(error) {
    const head = `${errorTitle(error)}${stackText(error.stack)}`;
    const whole = this.#path.length === 0 ? head : `[${errorTitle(error)}]`;
    if (this.#path.length > this.#depth) return whole;
    this.#path.push(error);
    const items = this.#properties(error, (key) => engineKeys.has(key));
    if (error.cause !== undefined) items.push(`[cause]: ${this.show(error.cause)}`);
    if (Array.isArray(error.errors)) items.push(`[errors]: ${this.show(error.errors)}`);
    this.#path.pop();
    return items.length === 0 ? whole : `${whole} ${group({ prefix: '' }, items)}`;
  }
}

// Own enumerable or not, the engine puts these on every error.
const engineKeys = new Set(['line', 'column', 'sourceURL', 'stack', 'message', 'cause', 'errors']);

// Classes of the platform whose accessors are worth showing.
const shown = new Set([
  'Request', 'Response', 'URL', 'Blob', 'File', 'Event', 'CustomEvent', 'MessageEvent', 'CloseEvent', 'ErrorEvent', 'WebSocket', 'AbortSignal',
]);

const isIndex = (key) => typeof key === 'string' && /^(0|[1-9]\d*)$/.test(key);

function functionHead(value) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  const name = value.name === '' || typeof value.name !== 'string' ? '(anonymous)' : value.name;
  const text = isClass ? `[class ${name}]` : `[${className(value) ?? 'Function'}${value.name === '' ? ' (anonymous)' : `: ${name}`}]`;
  return { whole: text, prefix: text, ownKeys: Reflect.ownKeys(value).length - enumerableCount(value) };
}

const enumerableCount = (value) => Object.keys(value).length;

function tagged(value, name) {
  const tag = value[Symbol.toStringTag];
  return typeof tag === 'string' && tag !== '' && tag !== name ? `${name} [${tag}]` : name;
}

function bufferItems(buffer) {
  const bytes = new Uint8Array(buffer.slice(0, 50));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const rest = buffer.byteLength - bytes.length;
  return [`[Uint8Contents]: <${hex}${rest > 0 ? ` … ${rest} more bytes` : ''}>`, `byteLength: ${buffer.byteLength}`];
}

function more(items, total) {
  if (total > ITEMS) items.push(`… ${total - ITEMS} more item${total - ITEMS === 1 ? '' : 's'}`);
  return items;
}

function group({ prefix = '', open = '{', close = '}' }, items) {
  const start = prefix === '' ? open : `${prefix} ${open}`;
  if (items.length === 0) return `${start}${close}`;
  const length = items.reduce((sum, item) => sum + item.length + 2, start.length);
  if (length <= WIDTH && !items.some((item) => item.includes('\n'))) return `${start} ${items.join(', ')} ${close}`;
  return `${start}\n${items.map((item) => `  ${item.replaceAll('\n', '\n  ')}`).join(',\n')}\n${close}`;
}

function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'unknown';
  }
}

/** Whether a value is an Error; a proxy may refuse to say. */
export function isError(value) {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/** "TypeError: x is not a function", without the stack. */
export function errorTitle(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** A value as console.log shows an argument that is not a string. */
export function inspect(value, depth = DEPTH) {
  return new Inspector(depth).show(value);
}

const directive = /%[sdifjoOc%]/g;

/** The text of console.log(...args), with the directives of its first argument. */
export function format(args) {
  let next = 0;
  let text = '';
  if (typeof args[0] === 'string') {
    next = 1;
    text = args.length === 1 ? args[0] : args[0].replace(directive, (mark) => {
      if (mark === '%%') return '%';
      if (next === args.length) return mark;
      return directed(mark[1], args[next++]);
    });
  }
  for (; next < args.length; next++) {
    const value = args[next];
    text += `${next === 0 ? '' : ' '}${typeof value === 'string' ? value : inspect(value)}`;
  }
  return text;
}

function directed(letter, value) {
  switch (letter) {
    case 's': return typeof value === 'object' && value !== null ? inspect(value, 0) : typeof value === 'bigint' ? `${value}n` : String(value);
    case 'd': return typeof value === 'bigint' ? `${value}n` : typeof value === 'symbol' ? 'NaN' : String(Number(value));
    case 'i': return typeof value === 'bigint' ? `${value}n` : typeof value === 'symbol' ? 'NaN' : String(parseInt(value, 10));
    case 'f': return typeof value === 'symbol' ? 'NaN' : String(parseFloat(value));
    case 'j': return JSON.stringify(value) ?? 'undefined';
    case 'c': return '';
    default: return inspect(value, letter === 'o' ? 4 : DEPTH);
  }
}
