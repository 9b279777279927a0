// What applications for Fastly Compute import: "fastly:env", "fastly:fanout" and their kin (docs/fastly.md). An application that
// has a fastly.toml, or imports one of these modules, also gets what such applications expect of the platform: requests whose
// headers may be changed, event.client and the global `fastly`.
import { log } from './console.js';
import { crypto } from './crypto.js';
import { Backend, setBackends, setDefaultBackend } from './fastly_backend.js';
import { createFanoutHandoff, createWebsocketHandoff } from './fastly_handoff.js';
import { KVStore, KVStoreEntry, setKVStores } from './fastly_kv.js';
import { ConfigStore, Dictionary, SecretStore, SecretStoreEntry, setStores } from './fastly_stores.js';
import { host } from './host.js';
import { inspect } from './inspect.js';
import { global as globals } from './native.js';
import { requestParts } from './request.js';

const INFO = 1;

let active = false;
let variables = {};

/** What START says: `fastly` of the configuration (docs/ipc.md), undefined for an application without it. */
export function setupFastly(name, config) {
  const { service_id: id, version } = config ?? {};
  variables = {
    __proto__: null,
    FASTLY_CACHE_GENERATION: '0',
    FASTLY_CUSTOMER_ID: '0'.repeat(22),
    FASTLY_HOSTNAME: 'localhost',
    FASTLY_IS_STAGING: '0',
    FASTLY_POP: 'XXX',
    FASTLY_REGION: 'Somewhere',
    FASTLY_SERVICE_ID: id ?? '0'.repeat(22),
    FASTLY_SERVICE_VERSION: version ?? '0',
    FASTLY_TRACE_ID: crypto.randomUUID().replaceAll('-', ''),
  };
  setBackends(config?.backends ?? []);
  setStores(config?.config_stores ?? {}, config?.secret_stores ?? {});
  setKVStores(name, config?.kv_stores ?? {});
  if (config !== undefined) activate();
}

/** Whether this is an application for Fastly Compute. */
export const isFastly = () => active;

function activate() {
  if (active) return;
  active = true;
  host.mutableRequests = true;
  Object.defineProperty(globals, 'fastly', { value: fastly, writable: true, configurable: true, enumerable: false });
  Object.defineProperty(globals, 'CacheOverride', { value: CacheOverride, writable: true, configurable: true, enumerable: false });
}

const env = (name) => variables[`${name}`];

class Logger {
  #name;

  constructor(name) {
    this.#name = `${name}`;
  }

  log(message) {
    log(INFO, '', `${this.#name}: ${typeof message === 'string' ? message : inspect(message)}`);
  }
}

/** Accepted in fetch(): nothing here caches. */
class CacheOverride {
  constructor(mode, init = undefined) {
    if (mode !== 'none' && mode !== 'pass' && mode !== 'override') {
      throw new TypeError(`CacheOverride constructor: 'mode' has to be "none", "pass", or "override", but got "${mode}"`);
    }
    Object.assign(this, { mode }, init);
  }
}

const getGeolocationForIpAddress = () => null;
const allowDynamicBackends = () => {};
const enableDebugLogging = () => {};
const configureConsole = () => {};

const fastly = {
  env: { get: env },
  now: () => host.now(),
  getLogger: (name) => new Logger(name),
  getGeolocationForIpAddress,
  enableDebugLogging,
  get defaultBackend() {
    return '';
  },
  set defaultBackend(name) {
    setDefaultBackend(name);
  },
};

const exported = {
  backend: { Backend, setDefaultDynamicBackendConfig() {}, enforceExplicitBackends() {} },
  'cache-override': { CacheOverride },
  'config-store': { ConfigStore },
  dictionary: { Dictionary },
  env: { env },
  experimental: { allowDynamicBackends, enableDebugLogging, setDefaultBackend },
  fanout: { createFanoutHandoff },
  geolocation: { getGeolocationForIpAddress },
  'kv-store': { KVStore, KVStoreEntry },
  logger: { Logger, configureConsole },
  'secret-store': { SecretStore, SecretStoreEntry },
  websocket: { createWebsocketHandoff },
};

/** Puts the modules beside the others (modules.js). An import of one tells what kind of application this is. */
export function addFastlyModules(modules) {
  for (const name of Object.keys(exported)) {
    Object.defineProperty(modules, `fastly:${name}`, {
      get() {
        activate();
        return exported[name];
      },
    });
  }
}

/** event.client and event.server of a request. */
export function clientOf(event, request) {
  const client = { address: requestParts(request).peer, geo: null, tlsProtocol: request.cf?.tlsVersion ?? null, tlsCipherOpensslName: request.cf?.tlsCipher ?? null };
  Object.defineProperty(event, 'client', { value: client, enumerable: true });
  Object.defineProperty(event, 'server', { value: { address: '127.0.0.1' }, enumerable: true });
}
