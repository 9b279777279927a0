// The argument checks that Web IDL asks for, with the texts that ported code matches.

export function wrongArgument(method, iface, n, type) {
  return new TypeError(`Failed to execute '${method}' on '${iface}': parameter ${n} is not of type '${type}'.`);
}

export function wrongConstructorArgument(iface, n, type) {
  return new TypeError(`Failed to construct '${iface}': constructor parameter ${n} is not of type '${type}'.`);
}

export function illegalConstructor() {
  return new TypeError('Illegal constructor');
}

export function illegalInvocation() {
  return new TypeError('Illegal invocation');
}

/** The dictionary or an empty one: undefined and null mean none, other primitives are an error. */
export function dictionary(value, method, iface, n) {
  if (value === undefined || value === null) return empty;
  if (typeof value !== 'object' && typeof value !== 'function') throw wrongArgument(method, iface, n, 'object');
  return value;
}

const empty = Object.freeze({ __proto__: null });

/** Web IDL's `unsigned long long` and `long` without [EnforceRange]: NaN and infinities are 0. */
export function toInteger(value) {
  const n = Math.trunc(Number(value));
  return n - n === 0 ? n + 0 : 0;
}

export function toLong(value) {
  return Number(value) | 0;
}

/** USVString: lone surrogates become U+FFFD. */
export function usv(value) {
  const s = typeof value === 'string' ? value : String(value);
  return s.isWellFormed() ? s : s.toWellFormed();
}

const platform = new WeakSet();

/** Makes members enumerable, as Web IDL's are, and names the class, also for Object.prototype.toString. */
export function finish(ctor) {
  const proto = ctor.prototype;
  // The bundler may have made `_Name` or `Name2` of it.
  const name = ctor.name.replace(/^_|\d+$/g, '');
  platform.add(proto);
  Object.defineProperty(ctor, 'name', { value: name, configurable: true });
  for (const key of Object.getOwnPropertyNames(proto)) {
    if (key !== 'constructor') Object.defineProperty(proto, key, { enumerable: true });
  }
  for (const key of Object.getOwnPropertyNames(ctor)) {
    if (key !== 'prototype' && key !== 'name' && key !== 'length') Object.defineProperty(ctor, key, { enumerable: true });
  }
  Object.defineProperty(proto, Symbol.toStringTag, { value: name, configurable: true });
}

/** The name of the class of this folder that object is an instance of, or undefined. */
export function platformName(object) {
  for (let proto = Object.getPrototypeOf(object); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (platform.has(proto)) return proto[Symbol.toStringTag];
  }
  return undefined;
}

/** Read-only constants on the class and its prototype. */
export function constants(ctor, values) {
  for (const [name, value] of Object.entries(values)) {
    const property = { value, enumerable: true };
    Object.defineProperty(ctor, name, property);
    Object.defineProperty(ctor.prototype, name, property);
  }
}

/** Bytes of an ArrayBuffer or a view (the view's window), without a copy; undefined for anything else. */
export function bytesOf(value) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (isArrayBuffer(value)) return new Uint8Array(value);
  return undefined;
}

const byteLengthOf = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength').get;

export function isArrayBuffer(value) {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof ArrayBuffer) return true;
  try {
    byteLengthOf.call(value);
    return true;
  } catch {
    return false;
  }
}
