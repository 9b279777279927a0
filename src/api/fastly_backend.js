// Backends: servers that requests name. Those of the configuration are reached as services of the gateway, which knows their
// addresses; those that the application makes are ordinary addresses, under the rules for outgoing requests.
import { encodeText } from './encoding.js';
import { host } from './host.js';
import { URL } from './url.js';
import { finish } from './webidl.js';

const NAME_MAX = 254;

const backends = new Map(); // by name: { url, override_host, dynamic }
let preset = ''; // the default backend's name

/** Those of the configuration: [{ name, url, override_host }]. */
export function setBackends(list) {
  for (const { name, url, override_host: override } of list) backends.set(name, { url: new URL(url), override: override ?? '', dynamic: false });
}

export function setDefaultBackend(name) {
  preset = backendName(name);
}

/** ToString, with the text for symbols. */
export function backendName(value) {
  if (typeof value === 'symbol') throw new TypeError("can't convert symbol to string");
  return `${value}`;
}

/** Where a fetch() of url goes: { service, url }. named: the `backend` of the request, undefined for none. */
host.backend = (named, url) => {
  const name = named ?? preset;
  if (name === '') return { service: '', url };
  const backend = backends.get(name);
  if (backend === undefined) throw new TypeError(`Requested backend named '${name}' does not exist`);
  const { protocol, host: address, pathname } = backend.url;
  const wanted = new URL(url);
  const prefix = pathname.replace(/\/$/, '');
  const target = backend.dynamic ? address : backend.override || wanted.host;
  return { service: backend.dynamic ? '' : `backend:${name}`, url: `${protocol}//${target}${prefix}${wanted.pathname}${wanted.search}` };
};
host.backendName = backendName;

function checkedName(name) {
  if (name === null || name === undefined) throw new TypeError('Backend constructor: name can not be null or undefined');
  const text = backendName(name);
  if (text === '') throw new TypeError('Backend constructor: name can not be an empty string');
  if (encodeText(text).length > NAME_MAX) throw new TypeError(`Backend constructor: name can not be more than ${NAME_MAX} characters`);
  return text;
}

function checkedTarget(target, tls) {
  if (target === null || target === undefined) throw new TypeError('Backend constructor: target can not be null or undefined');
  const text = `${target}`;
  if (text === '') throw new TypeError('Backend constructor: target can not be an empty string');
  const url = /^[\w.:[\]-]+$/.test(text) && text !== '::' ? URL.parse(`${tls ? 'https' : 'http'}://${text}/`) : null;
  if (url === null) throw new TypeError('Backend constructor: target does not contain a valid IPv4, IPv6, or hostname address');
  return url;
}

// The gateway sends the name that it connects to.
function checkedOverride(override, url) {
  if (override === undefined) return;
  const text = `${override}`;
  if (text === '') throw new TypeError('Backend constructor: hostOverride can not be an empty string');
  if (text !== url.host && text !== url.hostname) {
    throw new TypeError(`Backend constructor: hostOverride "${text}" is not the target "${url.host}"; declare such a backend in fastly.toml`);
  }
}

export class Backend {
  #name;

  constructor(configuration) {
    if (typeof configuration !== 'object' || configuration === null) throw new TypeError('Backend constructor: configuration parameter must be an Object');
    if (configuration === known) return;
    const name = checkedName(configuration.name);
    const url = checkedTarget(configuration.target, configuration.useSSL === true);
    checkedOverride(configuration.hostOverride, url);
    if (backends.get(name)?.dynamic === false) throw new TypeError(`Backend constructor: there is a backend named '${name}' already`);
    backends.set(name, { url, override: '', dynamic: true });
    this.#name = name;
  }

  static exists(name) {
    return backends.has(backendName(name));
  }

  static fromName(name) {
    const text = backendName(name);
    if (!backends.has(text)) throw new Error(`Backend.fromName: backend named '${text}' does not exist`);
    const backend = new Backend(known);
    backend.#name = text;
    return backend;
  }

  static health(backend) {
    const text = backendName(backend);
    if (!backends.has(text)) throw new Error(`Backend.health: backend named '${text}' does not exist`);
    return 'unknown';
  }

  toString() {
    return this.#name;
  }

  toName() {
    return this.#name;
  }

  get name() {
    return this.#name;
  }

  get isDynamic() {
    return backends.get(this.#name).dynamic;
  }

  get target() {
    return backends.get(this.#name).url.host;
  }

  get isSSL() {
    return backends.get(this.#name).url.protocol === 'https:';
  }
}

const known = {};

finish(Backend);
